"""A mapping of some of the components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral

import torch
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sklearn_intelvae._part import build
from sklearn_intelvae.mappings._base import Mapping


def _inner_has(method: str) -> Callable[[OnComponents], bool]:
    """Return a check of whether the inner mapping has a method."""
    return lambda outer: hasattr(outer.mapping, method)


class OnComponents(Mapping):
    """Apply a mapping to some of the components of y and leave the others as they are.

    z begins with what the mapping makes of the components that it is given, in the order in which
    they are named; the others follow, unchanged, in the order that they had. ``penalty``,
    ``guide``, ``regions`` and ``to_decoder`` are those of the inner mapping, if it has them. It
    costs what the inner mapping costs, and a reordering of columns. Use it when only a part of what
    varies has the structure, such as an angle beside a size and a colour.

    Parameters
    ----------
    mapping : torch.nn.Module
        A mapping, or a module of your own; wrap a function as ``Function(...)``. Its settings are
        reached by name: ``mapping__mapping__n_clusters`` in the grid of an estimator.
    components : sequence of int
        Which components of y it is given, counted from 0.

    Raises
    ------
    ValueError
        By ``build``, if ``mapping`` is no module, or ``components`` are not some of those that
        there are, each once.

    Examples
    --------
    A circle and a line:

    >>> import torch
    >>> from sklearn_intelvae.mappings import OnComponents, Sphere
    >>> g = OnComponents(Sphere(), components=(1, 2))
    >>> g.build(3)
    >>> g(torch.tensor([[7.0, 3.0, 4.0]]))
    tensor([[0.6000, 0.8000, 7.0000]])
    """

    order: Tensor

    def __init__(self, mapping: nn.Module, components: Sequence[int]) -> None:
        super().__init__()
        self.mapping = mapping
        self.components = components

    def build(self, n_components: int) -> None:
        """Build the inner mapping for the components that it is given."""
        super().build(n_components)
        if not isinstance(self.mapping, nn.Module):
            raise ValueError(
                f"mapping must be a mapping or a torch.nn.Module, got {self.mapping!r}; wrap a "
                "function as Function(...)."
            )
        given = _checked(self.components, n_components)
        others = [i for i in range(n_components) if i not in given]
        self.register_buffer("order", torch.tensor([*given, *others]), persistent=False)
        build(self.mapping, len(given))

    def initialise(self, X: Tensor, generator: torch.Generator) -> None:
        """Show the training rows to the inner mapping."""
        if hasattr(self.mapping, "initialise"):
            self.mapping.initialise(X, generator)  # type: ignore[operator]

    def _split(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the components that are mapped, and the others."""
        y = y.index_select(1, self.order)
        return y[:, : len(self.components)], y[:, len(self.components) :]

    def forward(self, y: Tensor) -> Tensor:
        """Return what is mapped, then the rest."""
        given, others = self._split(y)
        return torch.cat([self.mapping(given), others], dim=1)

    @available_if(_inner_has("notice"))
    def notice(self, y: Tensor, weight: Tensor | None) -> None:
        """Show the inner mapping its part of the draws."""
        self.mapping.notice(self._split(y)[0], weight)  # type: ignore[operator]

    @available_if(_inner_has("to_decoder"))
    def to_decoder(self, z: Tensor) -> Tensor:
        """Return what the inner mapping gives to the decoder, then the rest."""
        n_mapped = z.shape[1] - len(self.order) + len(self.components)
        given = self.mapping.to_decoder(z[:, :n_mapped])  # type: ignore[operator]
        return torch.cat([given, z[:, n_mapped:]], dim=1)

    @available_if(_inner_has("penalty"))
    def penalty(self, y: Tensor, z: Tensor) -> Tensor:
        """Return the inner mapping's penalty, in nats."""
        given, others = self._split(y)
        mapped = z[:, : z.shape[1] - others.shape[1]]
        return self.mapping.penalty(given, mapped)  # type: ignore[operator]

    @available_if(_inner_has("guide"))
    def guide(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the inner mapping's pull on each row, in nats."""
        return self.mapping.guide(x, self._split(y)[0])  # type: ignore[operator]

    @available_if(_inner_has("regions"))
    def regions(self, y: Tensor) -> Tensor:
        """Return the inner mapping's region of each row."""
        return self.mapping.regions(self._split(y)[0])  # type: ignore[operator]


def _checked(components: Sequence[int], n_components: int) -> list[int]:
    """Return the components as distinct integers from 0 to n_components - 1."""
    given = list(components) if isinstance(components, Iterable) else []
    known = all(isinstance(i, Integral) and 0 <= i < n_components for i in given)
    if not given or not known or len(set(given)) < len(given):
        raise ValueError(
            f"components={components!r} must name some of n_components={n_components} components, "
            f"each once, by integers from 0 to {n_components - 1}."
        )
    return [int(i) for i in given]
