"""Whether rows show anything that a linear model of them leaves unexplained."""

from __future__ import annotations

import numpy as np

from sklearn_intelvae._threads import one_thread
from sklearn_intelvae.models._linear_model import LinearModel

_N_FUNCTIONS = 128
_RIDGE = 1e-9
_LARGEST_LENGTH = 5.0
"""Of the gradient of a row, as a multiple of the median: single rows must not decide."""


def nonlinearity(rows: np.ndarray, weight: np.ndarray | None, model: LinearModel) -> float:
    r"""Compare the gradient of networks that start at a linear model with its standard error.

    Draws of y given x and 128 random functions f(y) = max(0, w^T y + b), without what is linear in
    them, stand for the last hidden layer of a decoder. If the linear model is true, the errors
    e = (x - mean - W^T y) / sqrt(noise) are independent of all f, and the squared length of the
    mean gradient of the log-likelihood, G = mean(f e^T), is on average that of its sampling error.
    The result is their ratio,

    .. math:: n \lVert G \rVert^2 \big/
              \mathrm{mean}(\lVert f \rVert^2 \lVert e \rVert^2),

    as in a score test: about 1 without, larger with something to learn, in proportion to the rows.
    Gradients of single rows that are far longer than most are shortened.

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
    ratio : float
        At least 0.
    """
    rng = np.random.default_rng(0)
    k = len(model.weights)
    share = np.full(len(rows), 1 / len(rows)) if weight is None else weight / weight.sum()
    with one_thread(), np.errstate(all="ignore"):
        encoder, variance = model.posterior()
        centered = rows - model.mean
        y = centered @ encoder + np.sqrt(variance) * rng.normal(size=(len(rows), k))
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
