"""The mapping of a plain VAE."""

from __future__ import annotations

from torch import Tensor

from sklearn_intelvae._part import Mapping


class Identity(Mapping):
    """The identity g(y) = y, which makes the model a plain VAE.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import Identity
    >>> Identity()(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2.]])
    """

    has_free_scale = True

    def forward(self, y: Tensor) -> Tensor:
        """Return y."""
        return y
