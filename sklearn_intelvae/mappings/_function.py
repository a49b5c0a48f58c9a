"""The mapping that applies a function or a plain module."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from sklearn_intelvae._checks import refuse_hooks
from sklearn_intelvae._part import Mapping, call


class Function(Mapping):
    """A function or a plain module as g; estimators wrap functions and plain modules in it.

    Parameters
    ----------
    function : callable or torch.nn.Module
        Maps a tensor of shape (n, n_components) to one of shape (n, n_latent), differentiably.
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

    def build(self, n_components: int) -> None:
        """Refuse a module whose hooks would not be called."""
        super().build(n_components)
        if isinstance(self.function, nn.Module) and not isinstance(self.function, Mapping):
            refuse_hooks(self.function, Mapping, "mapping")

    def forward(self, y: Tensor) -> Tensor:
        """Return function(y), of shape (n, n_latent)."""
        return call(self.function, y)
