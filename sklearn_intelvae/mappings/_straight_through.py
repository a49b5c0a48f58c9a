"""The mapping for functions that have no useful gradient."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from sklearn_intelvae._checks import output_width
from sklearn_intelvae._part import Mapping, call
from sklearn_intelvae.mappings._nested import build_nested

_NAMES = ("function", "surrogate")


class StraightThrough(Mapping):
    r"""Any function as g, also a step: its values, with the gradient of a surrogate.

    .. math:: g(y) = f(y), \qquad \frac{\partial g}{\partial y} :=
              \frac{\partial s}{\partial y}

    This is the straight-through estimator. A step, a rounding or an argmax has a gradient of zero
    almost everywhere, and nothing would be learned through it. Training uses the gradient of s, by
    default the identity, instead. That gradient is biased, since it belongs to another function: a
    step against it need not lower the loss, and where it vanishes the loss need not have a minimum.
    With an s that saturates, such as tanh, rows far from a step learn nothing; try the identity
    first. Scores, codes and samples use f alone.

    If f is a mapping, its weights are not trained and its hooks, such as ``loss_terms`` or
    ``regions``, are not used.

    The cost is f and s once per row. Use it for a discrete z: binary or ordinal codes.

    Parameters
    ----------
    function : callable or torch.nn.Module
        The function f, which maps a tensor of shape (n, n_components) to one with n rows.
    surrogate : callable, torch.nn.Module or None, default=None
        The surrogate s, a differentiable function whose values have the shape of those of f. Its
        weights, if it has any, are trained. None means the identity, for an f that keeps the number
        of columns.

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
        """Build f and s if they are mappings, and compare the shapes that they return."""
        super().build(n_components)
        for name in _NAMES:
            value = getattr(self, name)
            if not (callable(value) or (value is None and name == "surrogate")):
                raise ValueError(f"{name} must be a function or a torch.nn.Module, got {value!r}.")
            if isinstance(value, nn.Module):
                build_nested(value, n_components, name)
        output_width(self, n_components, "mapping")

    def forward(self, y: Tensor) -> Tensor:
        """Return function(y), with the gradient of surrogate(y)."""
        value = call(self.function, y).detach().to(y.dtype)
        guide = y if self.surrogate is None else call(self.surrogate, y)
        if value.shape != guide.shape:
            surrogate = "the identity" if self.surrogate is None else repr(self.surrogate)
            raise ValueError(
                f"function={self.function!r} returns shape {tuple(value.shape)}, its surrogate, "
                f"{surrogate}, {tuple(guide.shape)}: pass a surrogate, a differentiable function "
                "that returns the same shape"
            )
        # The difference is exactly zero, so that the value is exactly that of the function.
        return value + (guide - guide.detach())
