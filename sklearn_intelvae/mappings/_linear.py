"""The mapping that multiplies y by a known matrix."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sklearn_intelvae._part import Mapping


class Linear(Mapping):
    r"""Multiply y by a fixed matrix: components with known correlations.

    .. math:: g(y) = A y, \qquad z = y A^\top \text{ for rows}

    Under the standard normal prior, z has the covariance :math:`A A^\top`. Use it when the factors
    behind the data are known to be correlated, as height and weight are: the components of y are
    independent, those of z correlated. The matrix is not trained. The cost is one matrix product
    per row.

    Parameters
    ----------
    matrix : array-like of shape (n_latent, n_components)
        A. z may have more or fewer columns than y.

    Raises
    ------
    ValueError
        By ``build``, if the matrix is not two-dimensional and finite with a column for each
        component.

    Examples
    --------
    Two correlated factors:

    >>> import torch
    >>> from sklearn_intelvae.mappings import Linear
    >>> g = Linear([[1.0, 0.0], [0.5, 0.5]])
    >>> g.build(2)
    >>> g(torch.tensor([[2.0, 4.0]]))
    tensor([[2., 3.]])
    """

    has_free_scale = True

    weight: Tensor

    def __init__(self, matrix: ArrayLike) -> None:
        super().__init__()
        self.matrix = matrix

    def build(self, n_components: int) -> None:
        """Check the matrix and register it as a buffer."""
        super().build(n_components)
        try:
            weight = torch.tensor(np.asarray(self.matrix, dtype=np.float64)).float()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"matrix must be two-dimensional and numeric, got {self.matrix!r}."
            ) from error
        if weight.ndim != 2 or weight.shape[1] != n_components or not len(weight):
            raise ValueError(
                f"matrix has shape {tuple(weight.shape)}, but needs a row for each column of z and "
                f"a column for each component of y: shape (n_latent, n_components={n_components})."
            )
        if not weight.isfinite().all():
            raise ValueError(
                f"matrix holds values that are not finite in float32: {self.matrix!r}. Replace "
                "them."
            )
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, y: Tensor) -> Tensor:
        """Return y A^T, of shape (n, n_latent)."""
        return y @ self.weight.T
