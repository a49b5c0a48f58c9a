"""The linear model that a VAE generalizes, fitted without gradient steps.

With linear networks, a VAE is factor analysis: x = mean + W^T y + noise. Its optimum, posterior
included, is computed here in float64.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.extmath import randomized_svd

from sklearn_intelvae._threads import one_thread
from sklearn_intelvae.models._independence import independent_rotation, negentropy

MAX_ROWS, MAX_NUMBERS = 10_000, 10**7
_MAX_EXACT = 500
"""Of matrices with more rows and columns only the largest singular values are computed."""


_ITERATIONS, _ITERATIONS_TO_OPTIMUM = 200, 1000
_SMALL_GAIN, _MANY_COLUMNS = 0.01, 100
"""Of an iteration of factor analysis, in nats per row; more for more columns, in proportion."""
_IDLE, _MOVED = 0.6, 0.75
"""A component is idle if it changes x by less than this share of the noise; it then takes over this
share of the noise of a column."""
_NEGENTROPY_RANGE = (0.1, 0.5)
"""Of a column: less, as that of a uniform column, counts as that of a normal one, since a choice by
it would be chance; more, as that of columns with rare values, does not count more."""
_ADDED_NEGENTROPY = 0.05
"""Added to that of each column: of normal columns, the one with the largest share of noise comes
first."""


class LinearModel(NamedTuple):
    """Rows as x = mean + W^T y + noise, with independent noise in each column.

    Attributes
    ----------
    mean : ndarray of shape (n_columns,)
        Mean of the rows.
    weights : ndarray of shape (n_components, n_columns)
        W, in the rotation with diagonal W diag(1 / noise) W^T, or in that with independent
        components; largest first. A row is zero if there are fewer directions that differ from
        noise.
    noise : ndarray of shape (n_columns,)
        Variance of the noise.
    """

    mean: np.ndarray
    weights: np.ndarray
    noise: np.ndarray

    def with_all_components(
        self, rows: np.ndarray, weight: np.ndarray | None, min_noise: np.ndarray
    ) -> LinearModel:
        """Return a model of nearly the same density in which no component is idle.

        Columns that are hardly correlated leave components idle, from which networks do not learn
        either: nothing is decoded from them, so nothing is encoded in them. Each idle component
        takes over most of the noise of one column, whose variance remains the same. Columns that
        consist of noise and are far from normal, such as those with several groups, come first:
        from them a network can learn.

        Parameters
        ----------
        rows : ndarray of shape (n, n_columns), float64
            Those that the model was fitted to.
        weight : ndarray of shape (n,) or None
            Their weights.
        min_noise : ndarray of shape (n_columns,)
            Lower bounds of the noise. Columns whose noise is hardly above it are left out.

        Returns
        -------
        model : LinearModel
            Components may remain idle if there are fewer columns with noise.
        """
        weights, noise = self.weights.copy(), self.noise.copy()
        size = (np.square(weights) / noise).sum(axis=1)
        idle = np.flatnonzero(size < _IDLE)
        # Small changes of X do not exchange components that change x by as much as each other.
        columns = np.sort(self._columns_of_noise(rows, weight, min_noise, len(idle)))
        for component, column in zip(idle, columns, strict=False):
            moved = _MOVED * noise[column]
            weights[component] = 0
            weights[component, column] = np.sqrt(moved)
            noise[column] -= moved
        return LinearModel(self.mean, _rotated(weights, noise), noise)

    def _columns_of_noise(
        self, rows: np.ndarray, weight: np.ndarray | None, min_noise: np.ndarray, n: int
    ) -> np.ndarray:
        """Return at most n columns that consist of noise, those with most to learn first."""
        if not n:
            return np.zeros(0, dtype=int)
        movable = self.noise - min_noise > _MOVED * self.noise
        share = self.noise / (self.noise + np.square(self.weights).sum(axis=0))
        counted = np.clip(negentropy(rows, weight), *_NEGENTROPY_RANGE) - _NEGENTROPY_RANGE[0]
        order = np.argsort(-share * movable * (_ADDED_NEGENTROPY + counted), kind="stable")
        return order[: min(n, movable.sum())]

    def with_independent_components(self, rows: np.ndarray) -> LinearModel:
        """Return the same density in the rotation in which the components are independent.

        Parameters
        ----------
        rows : ndarray of shape (n, n_columns), float64
            Rows, or differences of rows, whose codes are to be independent.

        Returns
        -------
        model : LinearModel
            With its components in the order of their effect on x. It is this model itself, if no
            rotation makes its components less normal.
        """
        y = rows @ self.posterior()[0]
        rotation = independent_rotation(y)
        if rotation is None:
            return self
        if negentropy(y @ rotation.T, None).sum() <= negentropy(y, None).sum():
            return self
        weights = rotation @ self.weights
        size = (np.square(weights) / self.noise).sum(axis=1)
        weights = weights[np.argsort(-size, kind="stable")]
        return LinearModel(self.mean, _with_fixed_signs(weights), self.noise)

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact posterior of y, the same for all rows but for its mean.

        Returns
        -------
        encoder : ndarray of shape (n_columns, n_components)
            A, for the mean (x - mean) A.
        covariance : ndarray of shape (n_components, n_components)
            Diagonal, but for independent components.
        """
        precise = self.weights / self.noise
        covariance = np.linalg.inv(np.eye(len(precise)) + precise @ self.weights.T)
        return precise.T @ covariance, covariance


def fit_linear_model(
    rows: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    n_components: int,
    *,
    noise: np.ndarray | None,
    is_shared: bool,
    min_noise: np.ndarray,
    to_convergence: bool = True,
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
    to_convergence : bool, default=True
        Whether factor analysis is iterated to its optimum. Otherwise it ends when an iteration
        gains less than .01 nats per row (and per 100 columns). The other models have closed forms.

    Returns
    -------
    model : LinearModel
        The maximum of the likelihood, or what the iterations have reached.
    """
    centered = rows - mean
    if weight is not None:
        centered = centered * np.sqrt(weight / weight.mean())[:, None]
    k = min(n_components, *centered.shape)
    with one_thread():
        if noise is not None:
            noise = np.broadcast_to(noise, mean.shape).astype(np.float64)
            weights = _best_weights(centered, k, noise)
        elif is_shared:
            weights, noise = _probabilistic_pca(centered, k, min_noise)
        else:
            weights, noise = _factor_analysis(
                centered, k, weight is None, to_convergence, min_noise
            )
        weights = _rotated(weights, noise)
    rest = np.zeros((n_components - k, len(mean)))
    return LinearModel(mean, np.concatenate([weights, rest]), noise)


def _best_weights(centered: np.ndarray, k: int, noise: np.ndarray) -> np.ndarray:
    """Return the W of the largest likelihood for a noise."""
    values, axes = _principal_axes(centered / np.sqrt(noise), k)
    return np.sqrt(np.maximum(values - 1, 0))[:, None] * axes * np.sqrt(noise)


def _factor_analysis(
    centered: np.ndarray, k: int, has_mean_zero: bool, to_convergence: bool, min_noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return W and the noise; where the noise is at its lower bound, W is adapted to it."""
    n_columns = centered.shape[1]
    varies = np.square(centered).sum(axis=0) > 0
    rows = centered[:, varies]
    settings: dict[str, Any] = {"random_state": 0, "max_iter": _ITERATIONS_TO_OPTIMUM}
    if not to_convergence and 2 * rows.shape[1] < len(rows) and rows.shape[1] <= _MAX_EXACT:
        # The same second moments in fewer rows. At the optimum the estimator is left as it is: an
        # exact SVD would end at another, slightly larger likelihood.
        rows = np.asarray(np.linalg.qr(rows, mode="r")) * math.sqrt(rows.shape[1] / len(rows))
        has_mean_zero, settings["svd_method"] = False, "lapack"
    if not has_mean_zero:  # the estimator subtracts the mean
        rows = np.concatenate([rows, -rows])
    weights, noise = np.zeros((k, n_columns)), min_noise.astype(np.float64)
    if not varies.any():
        return weights, noise
    n_factors = min(k, rows.shape[1])
    if not to_convergence:
        gain = _SMALL_GAIN * max(1, rows.shape[1] / _MANY_COLUMNS)
        settings |= {"max_iter": _ITERATIONS, "tol": gain * len(rows)}
    # Columns that the factors explain without noise end at the lower bound.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = FactorAnalysis(n_factors, **settings).fit(rows)
    noise[varies] = np.maximum(fitted.noise_variance_, min_noise[varies])
    weights[:n_factors, varies] = fitted.components_
    if (noise[varies] > fitted.noise_variance_).any():
        weights = _best_weights(centered, k, noise)
    return weights, noise


def _probabilistic_pca(
    centered: np.ndarray, k: int, min_noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return W and the mean variance outside the k principal directions, for all columns."""
    values, axes = _principal_axes(centered, k)
    n_columns = centered.shape[1]
    total = np.square(centered).sum() / len(centered)
    rest = (total - values.sum()) / (n_columns - k) if k < n_columns else 0.0
    noise = max(rest, min_noise.max())
    weights = np.sqrt(np.maximum(values - noise, 0))[:, None] * axes
    return weights, np.full(n_columns, noise)


def _principal_axes(centered: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k largest eigenvalues of the covariance, and the eigenvectors as rows."""
    scaled = centered / math.sqrt(len(centered))
    if min(scaled.shape) <= _MAX_EXACT:
        if scaled.shape[1] <= scaled.shape[0]:
            values, axes = np.linalg.eigh(scaled.T @ scaled)
            return values[::-1][:k], axes[:, ::-1][:, :k].T
        _, singular, axes = np.linalg.svd(scaled, full_matrices=False)
    else:
        _, singular, axes = randomized_svd(scaled, k, n_iter=7, random_state=0)
    return np.square(singular[:k]), axes[:k]


def _rotated(weights: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return W in the rotation in which W diag(1 / noise) W^T is diagonal, largest first.

    Signs do not depend on those of the eigenvectors, which differ between machines.
    """
    _, rotation = np.linalg.eigh((weights / noise) @ weights.T)
    return _with_fixed_signs(rotation[:, ::-1].T @ weights)


def _with_fixed_signs(weights: np.ndarray) -> np.ndarray:
    """Return W with signs such that the largest number of each row is positive."""
    largest = np.take_along_axis(weights, np.abs(weights).argmax(axis=1)[:, None], axis=1)
    return weights * np.where(largest < 0, -1.0, 1.0)
