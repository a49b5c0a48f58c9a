"""Codes and what they are worth."""

from collections.abc import Mapping
from numbers import Integral

import matplotlib.pyplot as plt
import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d


def plot_latent(Z, labels=None, components=(0, 1), ax=None):
    """Scatter two components of the codes, coloured by label.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes.
    labels : array-like of shape (n_samples,), default=None
        Classes get a colour each and a legend; fractional numbers get a colour bar.
    components : pair of int, default=(0, 1)
        Columns of `Z` to draw, horizontally and vertically.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure is made if None.

    Returns
    -------
    ax : matplotlib.axes.Axes
        The Axes drawn on.

    Raises
    ------
    ValueError
        If `components` are not two columns of `Z`, or `labels` is not as long as `Z`.

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


def plot_few_label_curves(curves, ax=None):
    """Draw the accuracy against the number of labels, one line for each representation.

    The band around a line is one standard deviation over the draws to either side.

    Parameters
    ----------
    curves : dict of str to DataFrame
        Name of each representation and its :func:`~sklearn_intelvae.metrics.few_label_curve`.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure is made if None.

    Returns
    -------
    ax : matplotlib.axes.Axes
        The Axes drawn on.

    Raises
    ------
    ValueError
        If `curves` is not a dict, is empty, or a curve lacks a column.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_intelvae.plotting import plot_few_label_curves
    >>> curve = pd.DataFrame({"n_labels": [20, 100], "mean": [0.6, 0.8], "std": [0.05, 0.02]})
    >>> ax = plot_few_label_curves({"PCA": curve, "raw": curve})
    >>> [line.get_label() for line in ax.lines]
    ['PCA', 'raw']
    """
    _check_curves(curves)
    ax = plt.subplots()[1] if ax is None else ax
    for name, curve in curves.items():
        _draw_curve(name, *(np.asarray(curve[column]) for column in _COLUMNS), ax)
    ax.set(xscale="log", xlabel="number of labels", ylabel="test accuracy")
    _mark_sizes(np.unique(np.concatenate([curve["n_labels"] for curve in curves.values()])), ax)
    ax.legend(loc="lower right")
    return ax


_COLUMNS = ("n_labels", "mean", "std")


def _draw_curve(name, n_labels, mean, std, ax):
    (line,) = ax.plot(n_labels, mean, marker="o", label=name)
    ax.fill_between(n_labels, mean - std, mean + std, color=line.get_color(), alpha=0.2, lw=0)


def _mark_sizes(sizes, ax):
    """Put the ticks at the sizes: powers of ten say little on so short an axis."""
    ax.set_xticks(sizes, labels=[f"{size:g}" for size in sizes])
    ax.set_xticks([], minor=True)


def _scatter(points, labels, ax):
    style = {"s": 8, "alpha": 0.7, "linewidths": 0}
    if labels is None:
        ax.scatter(*points.T, **style)
    elif _is_fractional(labels):
        ax.figure.colorbar(ax.scatter(*points.T, c=labels, **style), ax=ax)
    else:
        classes = np.unique(labels)
        for label, colour in zip(classes, _colours(len(classes)), strict=True):
            ax.scatter(*points[labels == label].T, color=colour, label=str(label), **style)
        # The default place, "best", takes seconds to find among many points.
        ax.legend(loc="upper right", markerscale=2)


def _colours(n_classes):
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
            f"components must be two column numbers of Z between 0 and {n_columns - 1}, got "
            f"{components!r}."
        )


def _check_labels(labels, Z):
    if labels is None:
        return None
    labels = column_or_1d(labels)
    check_consistent_length(Z, labels)
    return labels


def _check_curves(curves):
    if not isinstance(curves, Mapping) or not curves:
        raise ValueError(
            "curves must be a dict from names to tables of few_label_curve, with at least one "
            f"entry, got {curves!r}."
        )
    for name, curve in curves.items():
        missing = [column for column in _COLUMNS if column not in curve]
        if missing:
            raise ValueError(
                f"curves[{name!r}] lacks {missing}; pass the table that few_label_curve returned."
            )
