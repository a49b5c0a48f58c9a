"""Independent components of rows, and how far columns are from normal."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn import config_context
from sklearn.decomposition import PCA, FastICA

from sklearn_intelvae._threads import one_thread

_SMALLEST_DEVIATION = 1e-6
"""Of a direction, relative to the largest one; smaller ones are rounding errors."""


def independent_components(
    rows: np.ndarray, n_components: int, first_guess: Callable[[int], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the linear function that makes components independent and of unit variance.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns), float64
        The rows.
    n_components : int
        Number of principal components that are rotated, at most.
    first_guess : callable
        Returns the matrix, of shape (k, k), that FastICA starts at.

    Returns
    -------
    mean : ndarray of shape (n_columns,)
        Mean of the rows.
    unmixing : ndarray of shape (k, n_columns)
        A, for the components (x - mean) A^T. There are fewer than ``n_components`` if the rows vary
        in fewer directions.
    """
    with (
        one_thread(),
        config_context(transform_output="default", array_api_dispatch=False),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")  # a solution that has not converged is good enough
        pca = PCA(min(n_components, *rows.shape), whiten=True, random_state=0).fit(rows)
        deviations = np.sqrt(pca.explained_variance_)
        k = int((deviations > _SMALLEST_DEVIATION * deviations[0]).sum())
        if not k:
            return pca.mean_, np.zeros((0, rows.shape[1]))
        ica = FastICA(whiten=False, w_init=first_guess(k))
        rotation = ica.fit(pca.transform(rows)[:, :k]).components_
        return pca.mean_, rotation @ (pca.components_[:k] / deviations[:k, None])


def independent_rotation(y: np.ndarray) -> np.ndarray | None:
    """Return the rotation nearest to independent component analysis of y.

    The columns of y should have about the same variance and be nearly uncorrelated.

    Parameters
    ----------
    y : ndarray of shape (n, n_components)
        Codes.

    Returns
    -------
    rotation : ndarray of shape (n_components, n_components) or None
        Orthogonal; its rows are the directions. Those in which y does not vary come last. None if y
        varies in fewer than two directions.
    """
    rng, spread = np.random.RandomState(0), y.std(axis=0)
    unit = np.where(spread > _SMALLEST_DEVIATION * spread.max(), spread, np.inf)
    _, unmixing = independent_components(y / unit, len(unit), lambda k: rng.normal(size=(k, k)))
    if len(unmixing) < 2 or not np.isfinite(unmixing).all():
        return None
    left, _, right = np.linalg.svd(unmixing)
    return np.concatenate([left @ right[: len(left)], right[len(left) :]])


def negentropy(rows: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    r"""Return how far each column is from normal, by a measure that outliers do not dominate.

    Of a standardized column it is

    .. math:: k_1 \, \mathrm{E}[x e^{-x^2 / 2}]^2 + k_2 (\mathrm{E}|x| - \sqrt{2 / \pi})^2

    with k_1 = 36 / (8 sqrt(3) - 9) and k_2 = 1 / (2 - 6 / pi) (Hyvärinen, Karhunen and Oja,
    "Independent Component Analysis", 2001, section 5.6): 0 for a normal column, .05 for a uniform
    one, about .45 for two equal values, and more for values that are rare. Of n rows of normal
    columns the sum is exponentially distributed with mean 1 / n; 0 is returned up to a threshold
    that none of them exceeds with a probability of 95 %.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns), float64
        The columns.
    weight : ndarray of shape (n,) or None
        Weights of the rows.

    Returns
    -------
    negentropy : ndarray of shape (n_columns,)
        Not negative; 0 for a constant column.
    """
    share = np.full(len(rows), 1 / len(rows)) if weight is None else weight / weight.sum()
    centered = rows - share @ rows
    spread = np.sqrt(share @ np.square(centered))
    x = centered / np.where(spread > 0, spread, 1)
    with np.errstate(under="ignore"):
        skewed = share @ (x * np.exp(-np.square(x) / 2))
    spiked = share @ np.abs(x) - np.sqrt(2 / np.pi)
    found = 36 / (8 * np.sqrt(3) - 9) * np.square(skewed) + np.square(spiked) / (2 - 6 / np.pi)
    by_chance = (3 + np.log(len(found))) * np.square(share).sum()
    return np.where((spread > 0) & (found > by_chance), found, 0.0)
