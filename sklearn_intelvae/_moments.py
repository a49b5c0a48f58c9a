"""Statistics of the columns of a table."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sklearn_intelvae._threads import one_thread

_MAX_COLUMNS, _MAX_NUMBERS = 500, 10**7
"""Columns of larger tables are not regressed on each other."""
_SMALLEST_REST, _SMALLEST_RIDGE = 1e-6, 1e-4


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
    r"""Return a lower bound of the noise of each column, as a fraction of its standard deviation.

    .. math:: \max(1 / m_j, \min(1 / n_j, e_j))

    Here n_j is the result of :func:`effective_rows`, small if the variance of column j is due to a
    few outlying rows; e_j is the root mean square of the leave-one-out errors of a ridge regression
    of column j on all other columns; and m_j is the number of rows further from the median than
    ``smallest``. Errors and distances are in standard deviations of the column. A column with
    outliers has a low bound only if the other columns predict the outliers.

    Tables of more than 500 columns or ten million numbers are not regressed, and e_j is 1.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Rows.
    smallest : float
        Bounds below this need not be exact.

    Returns
    -------
    noise : Tensor of shape (n_features,)
        From 0 to 1.
    """
    by_moments = (1 / effective_rows(X)).numpy(force=True)
    varies = (X[:1] != X).any(dim=0).numpy(force=True)
    is_doubtful = varies & (by_moments > smallest)
    if not is_doubtful.any() or X.shape[1] > _MAX_COLUMNS or X.numel() > _MAX_NUMBERS:
        return torch.from_numpy(by_moments).to(X.device)
    rows = X.double().numpy(force=True)[:, varies]
    with one_thread(), np.errstate(all="ignore"):
        rows = rows - rows.mean(axis=0)
        rows /= rows.std(axis=0)
        by_others = _errors_of_prediction(rows, max(smallest, _SMALLEST_RIDGE))
    n_deviating = (np.abs(rows - np.median(rows, axis=0)) > smallest).sum(axis=0)
    noise = by_moments.copy()
    noise[varies] = np.maximum(1 / np.maximum(n_deviating, 1), np.minimum(noise[varies], by_others))
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
