"""Codes and the factors that they are compared with, checked and made comparable."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_array, check_consistent_length

_FEW_ROWS = 2
_MANY_CLASSES, _FEW_ROWS_OF_A_CLASS = 50, 10


@dataclass(frozen=True)
class Factor:
    """A column of W."""

    values: np.ndarray
    """As they are, float64."""
    classes: np.ndarray
    """An integer from 0 for each row: the value of a discrete factor, the bin of another."""
    discrete: bool
    column: int
    """Where it is in W."""


def checked_codes(Z, W, discrete_factors="auto", n_bins=20):
    """Return Z as float64 without a unit, and a :class:`Factor` for each column of W.

    Columns of Z that do not vary become 0, the others have mean 0 and variance 1: what is measured
    of codes here is to depend neither on their unit nor on their origin.
    """
    Z = check_array(Z, dtype=np.float64, ensure_min_samples=_FEW_ROWS, input_name="Z")
    W = check_array(W, dtype=np.float64, ensure_min_samples=_FEW_ROWS, input_name="W")
    check_consistent_length(Z, W)
    if not isinstance(n_bins, (int, np.integer)) or n_bins < 2:
        raise ValueError(f"n_bins must be an int of at least 2, got {n_bins!r}.")
    mask = _discrete(W, discrete_factors)
    return standardised(Z), [_factor(W[:, j], mask[j], j, n_bins) for j in range(W.shape[1])]


def standardised(Z):
    """Return the columns with mean 0 and variance 1, or 0 if they do not vary."""
    peak = np.abs(Z).max(axis=0)
    Z = Z / np.where(peak > 0, peak, 1)
    spread = Z.std(axis=0)
    alive = spread > 1e-7
    return np.where(alive, (Z - Z.mean(axis=0)) / np.where(alive, spread, 1), 0.0)


def binned(values, n_bins):
    """Return the bin of each value, 0 to n_bins - 1, of equally wide ones over the range."""
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(len(values), dtype=np.int64)
    return np.minimum((n_bins * ((values - low) / (high - low))).astype(np.int64), n_bins - 1)


def _discrete(W, discrete_factors):
    """Return for each column whether its values are classes."""
    if isinstance(discrete_factors, str) and discrete_factors == "auto":
        return np.array([_are_classes(column) for column in W.T])
    mask = np.asarray(discrete_factors)
    if mask.dtype != bool or mask.shape not in ((), (W.shape[1],)):
        raise ValueError(
            "discrete_factors must be 'auto', a bool, or one bool for each of the "
            f"{W.shape[1]} columns of W, got {discrete_factors!r}."
        )
    return np.broadcast_to(mask, (W.shape[1],))


def _are_classes(values):
    """Whether values are whole numbers that are few, or repeat."""
    most = max(_MANY_CLASSES, len(values) // _FEW_ROWS_OF_A_CLASS)
    return bool((np.round(values) == values).all()) and len(np.unique(values)) <= most


def _factor(values, discrete, j, n_bins):
    if values.min() == values.max():
        raise ValueError(
            f"column {j} of W does not vary, so that nothing can tell about it; leave it out."
        )
    if discrete:
        return Factor(values, np.unique(values, return_inverse=True)[1], True, j)
    return Factor(values, binned(values, n_bins), False, j)
