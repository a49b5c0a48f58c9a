"""A mapping made of a function."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sklearn_intelvae.mappings._base import Mapping


class Function(Mapping):
    """g given by any function of a tensor; estimators wrap a bare function in it.

    Parameters
    ----------
    function : callable
        Maps a tensor of shape (n, n_components) to one with n rows, differentiably.
        A function defined at the top level of a module can be pickled; a lambda cannot.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import Function
    >>> Function(torch.tanh)(torch.zeros(1, 2))
    tensor([[0., 0.]])
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, y: Tensor) -> Tensor:
        """Return function(y)."""
        return self.function(y)
