"""Statistics of the columns of a table."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sklearn_intelvae._threads import one_thread

_MAX_REGRESSION = 500
"""Columns of wider tables are not regressed on each other."""
_SMALLEST_REST = 1e-6


def effective_rows(X: Tensor) -> Tensor:
    r"""Return the number of rows that determine the variance of each column, shape (n_features,).

    .. math:: n_j = \Big(\sum_i (x_{ij} - \bar x_j)^2\Big)^2 \Big/
              \sum_i (x_{ij} - \bar x_j)^4

    It is a third of the rows for normal columns, m for a column that is constant but for m rows,
    and 1 for a constant column.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Rows.
    """
    squared = (X - X.mean(dim=0)).square().double()
    fourth = squared.square().sum(dim=0)
    return torch.where(fourth > 0, squared.sum(dim=0).square() / fourth, 1.0)


def supported_noise(X: Tensor, smallest: float) -> Tensor:
    r"""Return how little noise the rows can show that a column has, relative to its spread.

    With n_j of :func:`effective_rows`, e_j the root mean square of the errors with which ridge
    regression on the other columns predicts a row that it was not fitted to, in units of the spread
    of the column, and m_j the number of rows whose distance from the median exceeds ``smallest``
    spreads, it is

    .. math:: \max(1 / m_j, \min(1 / n_j, e_j)).

    So a column of which a few rows deviate is believed to have little noise only if other columns
    predict these rows too.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Rows.
    smallest : float
        Noise that is of interest, as a fraction of the spread.

    Returns
    -------
    noise : Tensor of shape (n_features,)
        Standard deviations as fractions of that of the column, from 0 to 1.
    """
    found = 1 / effective_rows(X)
    if not (found > smallest).any():
        return found
    rows = X.double().numpy(force=True)
    rows = rows - rows.mean(axis=0)
    spread = rows.std(axis=0)
    rows = rows / np.where(spread > 0, spread, 1.0)
    largest = np.full(len(spread), np.inf)
    if rows.shape[1] <= _MAX_REGRESSION:
        with one_thread():
            largest = _errors_of_prediction(rows, smallest)
    n_varying = (np.abs(rows - np.median(rows, axis=0)) > smallest).sum(axis=0)
    least = 1 / np.maximum(n_varying, 1)
    noise = np.maximum(least, np.minimum(found.numpy(force=True), largest))
    return torch.from_numpy(noise).to(X.device)


def _errors_of_prediction(rows: np.ndarray, ridge: float) -> np.ndarray:
    """Return the leave-one-out errors of the regressions of each column on all others.

    All follow from the inverse of one matrix: without a column, the leverage of a row is smaller by
    the square of its residual over the sum of squares of the residuals.
    """
    n, n_columns = rows.shape
    inverse = np.linalg.inv(rows.T @ rows + n * ridge**2 * np.eye(n_columns))
    projected, precision = rows @ inverse, np.diag(inverse)
    residual = projected / precision
    leverage = (projected * rows).sum(axis=1, keepdims=True) - residual**2 * precision
    left_out = residual / np.maximum(1 - leverage, _SMALLEST_REST)
    return np.sqrt(np.mean(left_out**2, axis=0))
