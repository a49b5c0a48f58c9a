"""One mapping after another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sklearn_intelvae._part import build, output_width
from sklearn_intelvae.mappings._base import Mapping


def _one_has(method: str) -> Callable[[Compose], bool]:
    """Return a check of whether one of the two mappings has a method."""
    return lambda mapping: hasattr(mapping.first, method) or hasattr(mapping.second, method)


class Compose(Mapping):
    """Apply one mapping after the other: g(y) = second(first(y)).

    The second is built for what the first returns, whatever its width. The composition has
    ``penalty`` and ``guide`` if one of the two has, the sum of theirs, and ``regions`` if one of
    the two has: those of the first, or else those of the second at first(y), and
    ``to_decoder`` if the second has it. It costs what its mappings cost, and the first once more at
    each training step for each of these. Use it to give z two structures at a time; for more than
    two mappings, compose compositions.

    Parameters
    ----------
    first, second : torch.nn.Module
        Mappings, or modules of your own; wrap a function as ``Function(...)``. Their settings are
        reached by name: ``mapping__first__n_clusters`` in the grid of an estimator.

    Raises
    ------
    ValueError
        By ``build``, if one of them is no module, or does not suit the number of columns it gets.

    Examples
    --------
    Correlated components on a circle:

    >>> import torch
    >>> from sklearn_intelvae.mappings import Compose, Linear, Sphere
    >>> g = Compose(Linear([[1.0, 0.0], [1.0, 1.0]]), Sphere())
    >>> g.build(2)
    >>> g(torch.tensor([[3.0, 1.0]]))
    tensor([[0.6000, 0.8000]])
    >>> hasattr(g, "regions")
    False
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def build(self, n_components: int) -> None:
        """Build the first for y, and the second for what the first returns."""
        super().build(n_components)
        for name in ("first", "second"):
            if not isinstance(getattr(self, name), nn.Module):
                raise ValueError(
                    f"{name} must be a mapping or a torch.nn.Module, got "
                    f"{getattr(self, name)!r}; wrap a function as Function(...)."
                )
        build(self.first, n_components)
        build(self.second, output_width(self.first, n_components))

    def initialise(self, X: Tensor, generator: torch.Generator) -> None:
        """Show the training rows to both."""
        for mapping in (self.first, self.second):
            if hasattr(mapping, "initialise"):
                mapping.initialise(X, generator)  # type: ignore[operator]

    def forward(self, y: Tensor) -> Tensor:
        """Return second(first(y))."""
        return self.second(self.first(y))

    @available_if(_one_has("notice"))
    def notice(self, y: Tensor, weight: Tensor | None) -> None:
        """Show the draws to both, each as it gets them."""
        for mapping, inputs in ((self.first, y), (self.second, self.first(y))):
            if hasattr(mapping, "notice"):
                mapping.notice(inputs, weight)  # type: ignore[operator]

    @available_if(lambda mapping: hasattr(mapping.second, "to_decoder"))
    def to_decoder(self, z: Tensor) -> Tensor:
        """Return what the second mapping gives to the decoder."""
        return self.second.to_decoder(z)  # type: ignore[operator]

    @available_if(_one_has("penalty"))
    def penalty(self, y: Tensor, z: Tensor) -> Tensor:
        """Return the sum of the penalties, in nats."""
        between = self.first(y)
        passes = ((self.first, y, between), (self.second, between, z))
        penalty = y.new_zeros(())
        for mapping, inputs, outputs in passes:
            if hasattr(mapping, "penalty"):
                penalty = penalty + mapping.penalty(inputs, outputs)  # type: ignore[operator]
        return penalty

    @available_if(_one_has("guide"))
    def guide(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the sum of the pulls, in nats."""
        pull = y.new_zeros(())
        for mapping, inputs in ((self.first, y), (self.second, self.first(y))):
            if hasattr(mapping, "guide"):
                pull = pull + mapping.guide(x, inputs)  # type: ignore[operator]
        return pull

    @available_if(_one_has("regions"))
    def regions(self, y: Tensor) -> Tensor:
        """Return the region of each row in the first mapping that has regions."""
        if hasattr(self.first, "regions"):
            return self.first.regions(y)  # type: ignore[operator]
        return self.second.regions(self.first(y))  # type: ignore[operator]
