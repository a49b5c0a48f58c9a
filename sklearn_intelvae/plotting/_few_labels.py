"""Plot of the accuracy as a function of the number of labels."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

_COLUMNS = ("n_labels", "mean", "std")


def plot_few_label_curves(curves, ax=None):
    """Draw the accuracy as a function of the number of labels, one line for each representation.

    The band around a line extends one standard deviation over the subsets to either side.

    Parameters
    ----------
    curves : dict of str to pandas.DataFrame
        For each representation, its name and the result of
        :func:`~sklearn_intelvae.metrics.few_label_curve`.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None creates a new figure.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Axes with the plot.

    Raises
    ------
    ValueError
        If `curves` is not a dict or is empty, or a curve has no column ``n_labels``, ``mean`` or
        ``std``.

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
    _set_ticks(np.unique(np.concatenate([curve["n_labels"] for curve in curves.values()])), ax)
    ax.legend(loc="lower right")
    return ax


def _draw_curve(name, n_labels, mean, std, ax):
    (line,) = ax.plot(n_labels, mean, marker="o", label=name)
    ax.fill_between(n_labels, mean - std, mean + std, color=line.get_color(), alpha=0.2, lw=0)


def _set_ticks(sizes, ax):
    """Set the ticks to the numbers of labels, because few powers of ten lie on the axis."""
    ax.set_xticks(sizes, labels=[f"{size:g}" for size in sizes])
    ax.set_xticks([], minor=True)


def _check_curves(curves):
    if not isinstance(curves, Mapping) or not curves:
        raise ValueError(
            "curves must be a dict that maps names to results of few_label_curve, with at least "
            f"one entry, got {curves!r}."
        )
    for name, curve in curves.items():
        missing = [column for column in _COLUMNS if column not in curve]
        if missing:
            raise ValueError(
                f"curves[{name!r}] lacks the columns {missing}; pass the result of few_label_curve."
            )
