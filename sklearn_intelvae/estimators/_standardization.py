"""From the unit of X to that of the model, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

_CHUNK_NUMBERS = 2**20
_MAX_ROUNDING = 1e-3
"""Rounding errors above this share of a unit are reported."""
_FARTHEST = 10.0
"""No training row is farther from the location than this many units: a column that is constant but
for a few rows would otherwise be larger there than all others."""


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

    def columns_rounded_by_undo(self, X: np.ndarray) -> list[int]:
        """Return the columns whose differences float32 cannot hold in the unit of X.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Training rows.
        """
        if X.dtype == np.float32:
            return []
        step = np.abs(self.location) * 2.0**-24
        return [
            int(j)
            for j in np.flatnonzero(step > _MAX_ROUNDING * self.unit)
            if np.abs(X[:, j] - X[:, j].astype(np.float32)).max() > _MAX_ROUNDING * self.unit[j]
        ]

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
    location = _mean_of(X, weight, lambda rows: rows)
    # The second pass removes what rounding has left of a large mean.
    location = location + _mean_of(X, weight, lambda rows: rows - location)
    if kind == "center":
        return Standardization(location, np.ones(n_features))
    unit = _deviations(X, weight, location)
    if kind == "table":
        size = unit.max() or 1.0
        return Standardization(
            location, np.full(n_features, size * np.sqrt(np.square(unit / size).mean()) or 1.0)
        )
    is_constant = unit <= len(X) * np.finfo(np.float64).eps * np.abs(location)
    unit = np.maximum(unit, _largest(X, weight, location) / _FARTHEST)
    return Standardization(location, np.where(is_constant, 1.0, unit))


def _deviations(X: np.ndarray, weight: np.ndarray | None, location: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each column; squares of large numbers would overflow."""
    size = _largest(X, weight, location)
    size = np.where(size > 0, size, 1.0)
    return size * np.sqrt(_mean_of(X, weight, lambda rows: np.square((rows - location) / size)))


def _largest(X: np.ndarray, weight: np.ndarray | None, location: np.ndarray) -> np.ndarray:
    """Return the largest distance of a row from the location, in each column."""
    size = np.zeros(X.shape[1])
    for rows, _ in _weighted_chunks(X, weight):
        size = np.maximum(size, np.abs(rows - location).max(axis=0, initial=0.0))
    return size


def _mean_of(
    X: np.ndarray, weight: np.ndarray | None, function: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return the mean of a function of the rows, in float64."""
    total, mass = np.zeros(X.shape[1]), 0.0
    for _, w in _weighted_chunks(X, weight):
        mass += w.sum()
    for rows, w in _weighted_chunks(X, weight):
        with np.errstate(under="ignore"):
            total += (w / mass) @ function(rows)
    return total


def _weighted_chunks(
    X: np.ndarray, weight: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows in float64 with their weights; rows of weight 0 are omitted."""
    for chunk in _chunks(X):
        rows, w = X[chunk], np.ones(len(X[chunk]))
        if weight is not None:
            w = weight[chunk].astype(np.float64)
            rows, w = rows[w > 0], w[w > 0]
        yield rows.astype(np.float64), w


def _chunks(X: np.ndarray) -> Iterator[slice]:
    size = max(1, _CHUNK_NUMBERS // X.shape[1])
    return (slice(start, start + size) for start in range(0, len(X), size))
