"""Statistics of the columns of a table."""

from __future__ import annotations

import torch
from torch import Tensor


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
