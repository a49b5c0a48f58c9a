"""The mapping for functions that have no useful gradient."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from sklearn_intelvae._part import build, output_width
from sklearn_intelvae.mappings._base import Mapping

_NAMES = ("function", "surrogate")


class StraightThrough(Mapping):
    r"""Any function as g, also a step: its values, with the gradient of a surrogate.

    .. math:: g(y) = f(y), \qquad \frac{\partial g}{\partial y} :=
              \frac{\partial s}{\partial y}

    This is the straight-through estimator. A step, a rounding or a choice of the largest has a
    gradient of zero almost everywhere, and nothing would be learned through it. Here training is
    told the gradient of s, by default of the identity, as if s had been applied. That gradient is
    biased: it belongs to another function than the one whose values are seen, so that a step
    against it need not lower the loss, and where it vanishes the loss need not have a minimum. An
    s that flattens out, such as tanh, stops the learning of rows that lie far from a step; try the
    identity first. Scores, codes and samples use f alone.

    If f is a mapping, its weights are not trained and its other methods, such as ``penalty`` or
    ``regions``, are not used.

    It costs f and s once per row. Use it for a z that is to be discrete: binary or ordinal codes.

    Parameters
    ----------
    function : callable or torch.nn.Module
        f: maps a tensor of shape (n, n_components) to one with n rows.
    surrogate : callable, torch.nn.Module or None, default=None
        s: a differentiable function whose values have the shape of f's. Weights that it has are
        trained. None stands for the identity, which suits an f that keeps the number of columns.

    Raises
    ------
    ValueError
        By ``build``, if one of them cannot be called, or if they return different shapes.

    References
    ----------
    Bengio, Léonard and Courville, "Estimating or propagating gradients through stochastic neurons
    for conditional computation", arXiv 1308.3432, 2013.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import StraightThrough
    >>> y = torch.tensor([[-0.3, 1.7]], requires_grad=True)
    >>> z = StraightThrough(torch.round, surrogate=torch.tanh)(y)
    >>> z.detach()
    tensor([[0., 2.]])
    >>> z.sum().backward()
    >>> y.grad
    tensor([[0.9151, 0.1250]])
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        surrogate: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.function = function
        self.surrogate = surrogate

    def build(self, n_components: int) -> None:
        """Build those of the two that are mappings, and compare their shapes."""
        super().build(n_components)
        for name in _NAMES:
            value = getattr(self, name)
            if not (callable(value) or (value is None and name == "surrogate")):
                raise ValueError(f"{name} must be a function or a torch.nn.Module, got {value!r}.")
            if isinstance(value, nn.Module):
                build(value, n_components)
        output_width(self, n_components)

    def forward(self, y: Tensor) -> Tensor:
        """Return function(y), with the gradient of surrogate(y)."""
        value = self.function(y).detach()
        guide = y if self.surrogate is None else self.surrogate(y)
        if value.shape != guide.shape:
            surrogate = "the identity" if self.surrogate is None else repr(self.surrogate)
            raise ValueError(
                f"function={self.function!r} returns shape {tuple(value.shape)}, its surrogate, "
                f"{surrogate}, {tuple(guide.shape)}: pass a surrogate, a differentiable function "
                "that returns the same shape"
            )
        # The bracket is exactly zero, so that the value is exactly that of the function.
        return value + (guide - guide.detach())
