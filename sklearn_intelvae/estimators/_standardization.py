"""From the unit of X to that of the model, and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_CHUNK_NUMBERS = 2**20


class Standardization:
    """Location and unit of each column: the model sees (x - location) / unit, in float32.

    Differences are taken in the precision of X, so that a large offset costs none.

    Parameters
    ----------
    location, unit : ndarray of shape (n_features,), float64
        Units are positive.
    """

    def __init__(self, location: np.ndarray, unit: np.ndarray) -> None:
        self.location = location
        self.unit = unit
        self.is_trivial = not location.any() and bool((unit == 1).all())
        with np.errstate(over="ignore", under="ignore"):
            self._float32 = location.astype(np.float32), (1 / unit).astype(np.float32)
            self._rest = (location - self._float32[0]).astype(np.float32)

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Return rows as the model sees them.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float32 or float64
            Rows in the unit of X.
        """
        if self.is_trivial:
            with np.errstate(over="ignore", under="ignore"):
                return X.astype(np.float32, copy=False)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            if X.dtype == np.float32:  # the difference of two near numbers is exact
                rows = X - self._float32[0]
                rows -= self._rest
                rows *= self._float32[1]
                return rows
            return ((X - self.location) / self.unit).astype(np.float32)

    def apply_in_chunks(self, X: np.ndarray) -> np.ndarray:
        """Return the same for a large table, whose float64 copy would not fit into memory."""
        if self.is_trivial:
            return self.apply(X)
        rows = np.empty(X.shape, np.float32)
        for chunk in _chunks(X):
            rows[chunk] = self.apply(X[chunk])
        return rows

    def undo(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of the model in the unit of X, as float32."""
        if self.is_trivial:
            return rows
        with np.errstate(over="ignore", under="ignore"):
            return (rows * self.unit + self.location).astype(np.float32)

    @property
    def log_volume(self) -> float:
        """The log of the factor by which densities are larger in the unit of the model."""
        return float(np.log(self.unit).sum())


def standardization_of(X: np.ndarray, weight: np.ndarray | None, kind: str) -> Standardization:
    """Return the standardization of a table.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The training rows. Those of weight 0 are ignored.
    weight : ndarray of shape (n_samples,) or None
        Their weights.
    kind : {"none", "center", "table", "columns"}
        As :class:`~sklearn_intelvae.likelihoods.Likelihood` describes it.
    """
    n_features = X.shape[1]
    if kind == "none":
        return Standardization(np.zeros(n_features), np.ones(n_features))
    location = _weighted_mean(X, weight, np.zeros(n_features), 1)
    # The second pass also removes what rounding left of a large mean.
    location = location + _weighted_mean(X, weight, location, 1)
    if kind == "center":
        return Standardization(location, np.ones(n_features))
    with np.errstate(over="ignore", under="ignore"):
        variance = _weighted_mean(X, weight, location, 2)
    if kind == "table":
        unit = np.sqrt(variance.mean()) or 1.0
        return Standardization(location, np.full(n_features, unit))
    eps = np.finfo(np.float64).eps
    is_constant = variance <= len(X) * eps * variance + (len(X) * location * eps) ** 2
    return Standardization(location, np.sqrt(np.where(is_constant, 1.0, variance)))


def _weighted_mean(
    X: np.ndarray, weight: np.ndarray | None, location: np.ndarray, power: int
) -> np.ndarray:
    """Return the mean of (X - location)**power in float64."""
    total, mass = np.zeros(X.shape[1]), 0.0
    for chunk in _chunks(X):
        rows, w = X[chunk], np.ones(len(X[chunk]))
        if weight is not None:
            w = weight[chunk].astype(np.float64)
            rows, w = rows[w > 0], w[w > 0]
        total += w @ (rows.astype(np.float64) - location) ** power
        mass += w.sum()
    return total / mass


def _chunks(X: np.ndarray) -> Iterator[slice]:
    size = max(1, _CHUNK_NUMBERS // X.shape[1])
    return (slice(start, start + size) for start in range(0, len(X), size))
