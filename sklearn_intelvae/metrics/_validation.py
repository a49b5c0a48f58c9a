"""Validation of codes and factors, and the conversions that several scores share."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_array, check_consistent_length

_MIN_SAMPLES = 2
_MAX_CLASSES, _ROWS_PER_CLASS = 50, 10


@dataclass(frozen=True)
class Factor:
    """A column of W."""

    values: np.ndarray
    """The values of the column, float64."""
    classes: np.ndarray
    """A class index for each row: the value of a discrete factor, the bin of a continuous one."""
    discrete: bool
    """Whether the factor is discrete."""
    column: int
    """Index of the column in W."""


def check_codes_and_factors(Z, W, discrete_factors="auto", n_bins=20):
    """Return Z standardized, and a :class:`Factor` for each column of W.

    The codes are standardized because no score of this room depends on their unit or origin.
    """
    Z = check_array(Z, dtype=np.float64, ensure_min_samples=_MIN_SAMPLES, input_name="Z")
    W = check_array(W, dtype=np.float64, ensure_min_samples=_MIN_SAMPLES, input_name="W")
    check_consistent_length(Z, W)
    if not isinstance(n_bins, (int, np.integer)) or n_bins < 2:
        raise ValueError(f"n_bins must be an int of at least 2, got {n_bins!r}.")
    mask = _check_discrete_factors(W, discrete_factors)
    return standardize(Z), [_make_factor(W[:, j], mask[j], j, n_bins) for j in range(W.shape[1])]


def standardize(Z):
    """Scale each column to mean 0 and variance 1; set constant columns to 0."""
    peak = np.abs(Z).max(axis=0)
    Z = Z / np.where(peak > 0, peak, 1)
    spread = Z.std(axis=0)
    varies = spread > 1e-7
    return np.where(varies, (Z - Z.mean(axis=0)) / np.where(varies, spread, 1), 0.0)


def bin_values(values, n_bins):
    """Return each value's bin, 0 to n_bins - 1; bins of equal width span the range."""
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(len(values), dtype=np.int64)
    return np.minimum((n_bins * ((values - low) / (high - low))).astype(np.int64), n_bins - 1)


def _check_discrete_factors(W, discrete_factors):
    """Return whether each column is discrete."""
    if isinstance(discrete_factors, str) and discrete_factors == "auto":
        return np.array([_is_discrete(column) for column in W.T])
    mask = np.asarray(discrete_factors)
    if mask.dtype != bool or mask.shape not in ((), (W.shape[1],)):
        raise ValueError(
            "discrete_factors must be 'auto', a bool, or one bool for each of the "
            f"{W.shape[1]} columns of W, got {discrete_factors!r}."
        )
    return np.broadcast_to(mask, (W.shape[1],))


def _is_discrete(values):
    """Return whether the values are integers of few distinct values."""
    most = max(_MAX_CLASSES, len(values) // _ROWS_PER_CLASS)
    return bool((np.round(values) == values).all()) and len(np.unique(values)) <= most


def _make_factor(values, discrete, column, n_bins):
    if values.min() == values.max():
        raise ValueError(
            f"Column {column} of W does not vary, and the scores are not defined for a constant "
            "factor. Remove this column."
        )
    if discrete:
        return Factor(values, np.unique(values, return_inverse=True)[1], True, column)
    return Factor(values, bin_values(values, n_bins), False, column)
