"""A test of whether there is anything to learn beyond a linear model."""

from __future__ import annotations

import numpy as np

from sklearn_intelvae._threads import one_thread
from sklearn_intelvae.models._linear_model import LinearModel

_N_FUNCTIONS = 128
_RIDGE = 1e-9
_LARGEST_LENGTH = 5.0
"""Of the term of a row, as a multiple of the median: single rows must not decide."""


def nonlinearity(rows: np.ndarray, weight: np.ndarray | None, model: LinearModel) -> float:
    r"""Return the statistic of a score test of the linear model against a network added to it.

    For each row, y is drawn from its posterior. The last hidden layer of the network is replaced by
    128 random functions f(y) = max(0, w^T y + b), minus their linear regression on y. The gradient
    of the log-likelihood with respect to the last layer is then G = mean(f e^T), with the
    standardized errors e = (x - mean - W^T y) / sqrt(noise). The statistic divides the squared
    length of G by its expectation under the linear model, where e is independent of f:

    .. math:: n \lVert G \rVert^2 \big/
              \mathrm{mean}(\lVert f \rVert^2 \lVert e \rVert^2)

    It is about 1 if the linear model is true. Otherwise its excess over 1 grows in proportion to
    the number of rows. The terms f e^T of outlying rows are shortened to five times the median
    length.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns), float64
        The training rows.
    weight : ndarray of shape (n,) or None
        Their weights.
    model : LinearModel
        Fitted to them.

    Returns
    -------
    statistic : float
        At least 0.
    """
    rng = np.random.default_rng(0)
    k = len(model.weights)
    share = np.full(len(rows), 1 / len(rows)) if weight is None else weight / weight.sum()
    with one_thread(), np.errstate(all="ignore"):
        encoder, covariance = model.posterior()
        centered = rows - model.mean
        y = centered @ encoder + np.sqrt(np.diag(covariance)) * rng.normal(size=(len(rows), k))
        errors = (centered - y @ model.weights) / np.sqrt(model.noise)
        hidden = y @ rng.normal(size=(k, _N_FUNCTIONS)) / np.sqrt(k)
        hidden = np.maximum(hidden + rng.uniform(-1, 1, size=_N_FUNCTIONS), 0)
        inputs = np.c_[y, np.ones(len(y))]
        weighted = inputs * share[:, None]
        gram = weighted.T @ inputs + _RIDGE * np.eye(k + 1)
        hidden -= inputs @ np.linalg.solve(gram, weighted.T @ hidden)
        length = np.sqrt(np.square(hidden).sum(axis=1) * np.square(errors).sum(axis=1))
        most = _LARGEST_LENGTH * np.median(length[share > 0])
        kept = share * np.minimum(1, most / np.maximum(length, np.finfo(float).tiny))
        gradient = (kept[:, None] * hidden).T @ errors
    sampling = np.square(kept) @ np.square(length)
    return float(np.square(gradient).sum() / sampling) if sampling > 0 else 1.0
