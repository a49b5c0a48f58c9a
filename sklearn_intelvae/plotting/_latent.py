"""Scatter plot of codes."""

from numbers import Integral

import matplotlib.pyplot as plt
import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d


def plot_latent(Z, labels=None, components=(0, 1), ax=None):
    """Draw a scatter plot of two components of the codes, colored by label.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes.
    labels : array-like of shape (n_samples,), default=None
        Labels of the rows. Integers and strings are classes, each with a color and a legend entry;
        fractional numbers are drawn with a color bar. None draws all points in one color.
    components : tuple of (int, int), default=(0, 1)
        Columns of `Z` to draw on the horizontal and the vertical axis.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None creates a new figure.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Axes with the plot.

    Raises
    ------
    ValueError
        If `Z` contains values that are not finite, `components` are not two columns of `Z`, or
        `labels` and `Z` have different lengths.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_intelvae.plotting import plot_latent
    >>> X, y = load_iris(return_X_y=True)
    >>> ax = plot_latent(X, labels=y, components=(0, 2))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['0', '1', '2']
    """
    Z = check_array(Z, input_name="Z")
    _check_components(components, Z.shape[1])
    labels = _check_labels(labels, Z)
    ax = plt.subplots()[1] if ax is None else ax
    _scatter(Z[:, list(components)], labels, ax)
    ax.set(xlabel=f"component {components[0]}", ylabel=f"component {components[1]}")
    return ax


def _scatter(points, labels, ax):
    style = {"s": 8, "alpha": 0.7, "linewidths": 0}
    if labels is None:
        ax.scatter(*points.T, **style)
    elif _is_fractional(labels):
        ax.figure.colorbar(ax.scatter(*points.T, c=labels, **style), ax=ax)
    else:
        classes = np.unique(labels)
        for label, color in zip(classes, _class_colors(len(classes)), strict=True):
            ax.scatter(*points[labels == label].T, color=color, label=str(label), **style)
        # Finding the default location, "best", takes seconds if there are many points.
        ax.legend(loc="upper right", markerscale=2)


def _class_colors(n_classes):
    for name, size in (("tab10", 10), ("tab20", 20)):
        if n_classes <= size:
            return plt.get_cmap(name)(np.arange(n_classes))
    return plt.get_cmap("turbo")(np.linspace(0, 1, n_classes))


def _is_fractional(labels):
    return labels.dtype.kind == "f" and bool(np.any(labels != np.round(labels)))


def _check_components(components, n_columns):
    pair = tuple(components) if np.iterable(components) else ()
    if len(pair) != 2 or not all(isinstance(c, Integral) and 0 <= c < n_columns for c in pair):
        raise ValueError(
            f"components must be two column indices of Z between 0 and {n_columns - 1}, got "
            f"{components!r}."
        )


def _check_labels(labels, Z):
    if labels is None:
        return None
    labels = column_or_1d(labels)
    check_consistent_length(Z, labels)
    return labels
