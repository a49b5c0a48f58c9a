"""A mapping of some of the components."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

import torch
from torch import Tensor, nn

from sklearn_intelvae._checks import check_output
from sklearn_intelvae._part import Mapping, call
from sklearn_intelvae.mappings._nested import build_nested


class OnComponents(Mapping):
    """Apply a mapping to some of the components of y and leave the others unchanged.

    The first columns of z are the output of the mapping for the components that it receives, in
    the order of ``components``; the other components follow in their original order. Loss terms,
    regions and the decoder's input are those of the inner mapping. The cost is that of the inner
    mapping and of a reordering of columns. Use it when only some of the factors have the structure,
    such as an angle beside a size and a color.

    Parameters
    ----------
    mapping : torch.nn.Module
        A mapping, or a plain module; wrap a function as ``Function(...)``. Its settings have the
        names ``mapping__mapping__n_clusters`` and so on in the grid of an estimator.
    components : sequence of int
        The components of y that it receives, counted from 0.

    Raises
    ------
    ValueError
        By ``build``, if ``mapping`` is not a module, or if ``components`` are not distinct
        components of y.

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
        """Build the inner mapping for the components that it receives."""
        super().build(n_components)
        selected = _checked(self.components, n_components)
        others = [i for i in range(n_components) if i not in selected]
        build_nested(self.mapping, len(selected), "mapping")
        check_output(self.mapping, len(selected), "mapping")
        self.register_buffer("order", torch.tensor([*selected, *others]), persistent=False)

    def forward(self, y: Tensor) -> Tensor:
        """Return the mapped components, then the others."""
        selected, others = self._split(y)
        return torch.cat([call(self.mapping, selected), others], dim=1)

    def loss_terms(self, x: Tensor, mean: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return the terms of the inner mapping."""
        if not isinstance(self.mapping, Mapping):
            return {}
        selected, others = self._split(y)
        mapped = z[:, : z.shape[1] - others.shape[1]]
        return call(self.mapping.loss_terms, x, self._split(mean)[0], selected, mapped)

    def observe(self, mean: Tensor, y: Tensor, weight: Tensor | None) -> None:
        """Pass the selected components of means and draws on to the inner mapping."""
        if isinstance(self.mapping, Mapping):
            call(self.mapping.observe, self._split(mean)[0], self._split(y)[0], weight)

    def to_decoder(self, z: Tensor) -> Tensor:
        """Return the decoder's input of the inner mapping, then the other components."""
        if not isinstance(self.mapping, Mapping):
            return z
        n_mapped = z.shape[1] - len(self.order) + len(self.components)
        mapped = call(self.mapping.to_decoder, z[:, :n_mapped])
        return torch.cat([mapped, z[:, n_mapped:]], dim=1)

    @property
    def has_regions(self) -> bool:  # type: ignore[override]
        """Whether the inner mapping has regions."""
        return isinstance(self.mapping, Mapping) and self.mapping.has_regions

    @property
    def has_free_scale(self) -> bool:  # type: ignore[override]
        """Whether the inner mapping has."""
        return isinstance(self.mapping, Mapping) and self.mapping.has_free_scale

    def regions(self, y: Tensor) -> Tensor:
        """Return the regions of the inner mapping."""
        return call(self.mapping.regions, self._split(y)[0])  # type: ignore[arg-type]

    def _split(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the selected components, and the others."""
        y = y.index_select(1, self.order)
        return y[:, : len(self.components)], y[:, len(self.components) :]


def _checked(components: Sequence[int], n_components: int) -> list[int]:
    """Return the components as distinct integers from 0 to n_components - 1."""
    selected = list(components) if isinstance(components, Iterable) else []
    valid = all(isinstance(i, Integral) and 0 <= i < n_components for i in selected)
    if not selected or not valid or len(set(selected)) < len(selected):
        raise ValueError(
            f"components={components!r} must name some of n_components={n_components} components, "
            f"each once, by integers from 0 to {n_components - 1}."
        )
    return [int(i) for i in selected]
