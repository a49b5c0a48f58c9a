"""The linear model that a VAE generalizes, fitted without gradient steps.

With linear networks, a VAE is factor analysis: x = mean + W^T y + noise. Its optimum, posterior
included, is computed here in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

MAX_ROWS, MAX_NUMBERS = 10_000, 10**7
_TOLERANCE = 3e-8
"""Of the log-likelihood of a row, in nats per column."""
_ITERATIONS, _ITERATIONS_TIMES_COLUMNS = (15, 500), 75_000
_SMALL = 128
"""Up to this number of columns all eigenvectors are computed; of more only the largest."""
_OVERSAMPLING, _MAX_PASSES, _PRECISION = 10, 30, 1e-5

Operator = Callable[[np.ndarray], np.ndarray]


class LinearModel(NamedTuple):
    """Rows as x = mean + W^T y + noise, with independent noise in each column.

    Attributes
    ----------
    mean : ndarray of shape (n_columns,)
        Mean of the rows.
    weights : ndarray of shape (n_components, n_columns)
        W, in the rotation with diagonal W diag(1 / noise) W^T, largest first. A row is zero if
        there are fewer directions that differ from noise.
    noise : ndarray of shape (n_columns,)
        Variance of the noise.
    """

    mean: np.ndarray
    weights: np.ndarray
    noise: np.ndarray

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact posterior of y, whose components are independent.

        Returns
        -------
        encoder : ndarray of shape (n_columns, n_components)
            A, for the mean (x - mean) A.
        variance : ndarray of shape (n_components,)
            The same for all rows.
        """
        precise = self.weights / self.noise
        variance = 1 / (1 + (precise * self.weights).sum(axis=1))
        return precise.T * variance, variance


def fit_linear_model(
    rows: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    n_components: int,
    *,
    noise: np.ndarray | None,
    is_shared: bool,
    min_noise: np.ndarray,
) -> LinearModel:
    """Fit factor analysis, or if the noise is shared by all columns probabilistic PCA.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns), float64
        At most about ``MAX_ROWS``.
    weight : ndarray of shape (n,) or None
        Weights of the rows.
    mean : ndarray of shape (n_columns,)
        Mean of the rows.
    n_components : int
        Size of y.
    noise : ndarray of shape (n_columns,) or None
        Variance of the noise, if it is known.
    is_shared : bool
        Whether all columns have the same variance of the noise.
    min_noise : ndarray of shape (n_columns,)
        Lower bounds of the variances.

    Returns
    -------
    model : LinearModel
        The maximum of the likelihood.
    """
    with threadpool_limits(1, user_api="blas"):  # the last bits depend on the number of threads
        return _fit(rows - mean, weight, mean, n_components, noise, is_shared, min_noise)


def _fit(
    centered: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    n_components: int,
    noise: np.ndarray | None,
    is_shared: bool,
    min_noise: np.ndarray,
) -> LinearModel:
    if weight is not None:
        centered = centered * np.sqrt(weight / weight.mean())[:, None]
    variance = np.einsum("ij,ij->j", centered, centered) / len(centered)
    k = min(n_components, *centered.shape)
    covariance = _Covariance(centered, k)
    if noise is not None:
        noise = np.broadcast_to(noise, variance.shape).astype(np.float64)
        weights, _ = _given_noise(covariance, variance, noise)
    elif is_shared:
        weights, noise = _probabilistic_pca(covariance, variance, min_noise)
    else:
        weights, noise = _factor_analysis(covariance, variance, min_noise)
    rest = np.zeros((n_components - k, len(variance)))
    return LinearModel(mean, np.concatenate([_with_fixed_signs(weights), rest]), noise)


class _Covariance:
    """The largest eigenvectors of D C D for diagonal matrices D; each search starts at the last."""

    def __init__(self, centered: np.ndarray, k: int) -> None:
        n, n_columns = centered.shape
        self.k = k
        self.rows = centered
        self.matrix = centered.T @ centered / n if n_columns <= max(n, _SMALL) else None
        self.basis: np.ndarray | None = None

    def largest(self, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the k largest eigenvalues, in descending order, and the eigenvectors as rows."""
        if self.matrix is not None and len(scale) <= _SMALL:
            values, vectors = np.linalg.eigh(self.matrix * np.outer(scale, scale))
            return values[::-1][: self.k], vectors[:, ::-1][:, : self.k].T
        return self._by_subspace_iteration(scale)

    def _by_subspace_iteration(self, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.basis is None:
            width = min(self.k + _OVERSAMPLING, *self.rows.shape)
            self.basis = np.random.RandomState(0).normal(size=(len(scale), width))
            self.basis, _ = np.linalg.qr(self.basis)
        before = -np.inf
        for _ in range(_MAX_PASSES):
            image = self._product(self.basis, scale)
            values, rotation = np.linalg.eigh(self.basis.T @ image)
            vectors, values = self.basis @ rotation[:, ::-1][:, : self.k], values[::-1][: self.k]
            self.basis, _ = np.linalg.qr(image)
            if values.sum() - before < _PRECISION * values.sum():
                break
            before = values.sum()
        return values, vectors.T

    def _product(self, vectors: np.ndarray, scale: np.ndarray) -> np.ndarray:
        scaled = scale[:, None] * vectors
        if self.matrix is not None:
            return scale[:, None] * (self.matrix @ scaled)
        return scale[:, None] * (self.rows.T @ (self.rows @ scaled)) / len(self.rows)


def _given_noise(
    covariance: _Covariance, variance: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the best W for a noise, and the log-likelihood of a row up to a constant."""
    values, vectors = covariance.largest(1 / np.sqrt(noise))
    values = np.maximum(values, 1.0)
    weights = np.sqrt(values - 1)[:, None] * vectors * np.sqrt(noise)
    unexplained = (variance / noise).sum() - values.sum()
    fit = -0.5 * (np.log(values).sum() + len(values) + unexplained + np.log(noise).sum())
    return weights, fit


def _factor_analysis(
    covariance: _Covariance, variance: np.ndarray, min_noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Alternate between the best W for a noise, and the best noise for W."""
    noise = np.maximum(variance, min_noise)
    before = -np.inf
    n_iterations = int(np.clip(_ITERATIONS_TIMES_COLUMNS // len(variance), *_ITERATIONS))
    for _ in range(n_iterations):
        weights, fit = _given_noise(covariance, variance, noise)
        if abs(fit - before) < _TOLERANCE * len(variance):
            break
        before = fit
        noise = np.maximum(variance - np.square(weights).sum(axis=0), min_noise)
    weights, _ = _given_noise(covariance, variance, noise)
    return weights, noise


def _probabilistic_pca(
    covariance: _Covariance, variance: np.ndarray, min_noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return W and the mean variance outside the k principal directions, for all columns."""
    values, vectors = covariance.largest(np.ones_like(variance))
    n_rest = len(variance) - len(values)
    rest = (variance.sum() - values.sum()) / n_rest if n_rest else 0.0
    noise = max(rest, min_noise.max())
    weights = np.sqrt(np.maximum(values - noise, 0))[:, None] * vectors
    return weights, np.full_like(variance, noise)


def _with_fixed_signs(weights: np.ndarray) -> np.ndarray:
    """Return W with signs such that the largest number of each row is positive."""
    largest = np.take_along_axis(weights, np.abs(weights).argmax(axis=1)[:, None], axis=1)
    return weights * np.where(largest < 0, -1.0, 1.0)
