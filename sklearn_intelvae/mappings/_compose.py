"""One mapping after another."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from sklearn_intelvae._checks import output_width
from sklearn_intelvae._part import Mapping, call
from sklearn_intelvae.exceptions import not_given
from sklearn_intelvae.mappings._nested import build_nested


class Compose(Mapping):
    """Apply one mapping after the other: g(y) = second(first(y)).

    The second is built for the output of the first, whatever its width. Use it to give z two
    structures at a time; for more than two mappings, compose compositions. The loss terms are the
    sums of those of both mappings; the regions are those of the first mapping that has regions;
    the decoder's input is that of the second. The cost is that of both mappings, and that of the
    first once more at each training step for each of these.

    Parameters
    ----------
    first, second : torch.nn.Module
        Mappings, or plain modules; wrap a function as ``Function(...)``. Their settings have the
        names ``mapping__first__n_clusters`` and so on in the grid of an estimator.

    Raises
    ------
    ValueError
        By ``build``, if one of them is not a module, or cannot process the number of columns that
        it receives.

    Examples
    --------
    Correlated components on a circle:

    >>> import torch
    >>> from sklearn_intelvae.mappings import Compose, Linear, Sphere
    >>> g = Compose(Linear([[1.0, 0.0], [1.0, 1.0]]), Sphere())
    >>> g.build(2)
    >>> g(torch.tensor([[3.0, 1.0]]))
    tensor([[0.6000, 0.8000]])
    >>> g.has_regions
    False
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def build(self, n_components: int) -> None:
        """Build the first mapping for y, and the second for the output of the first."""
        super().build(n_components)
        build_nested(self.first, n_components, "first")
        if not isinstance(self.second, nn.Module):
            build_nested(self.second, n_components, "second")
        build_nested(self.second, output_width(self.first, n_components), "second")

    def forward(self, y: Tensor) -> Tensor:
        """Return second(first(y))."""
        return call(self.second, call(self.first, y))

    def loss_terms(self, x: Tensor, mean: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return the sums of the terms of both mappings."""
        terms: dict[str, Tensor] = {}
        for mapping, (inner_mean, inner_y, inner_z) in self._passes(mean, y, z):
            for name, term in call(mapping.loss_terms, x, inner_mean, inner_y, inner_z).items():
                terms[name] = terms[name] + term if name in terms else term
        return terms

    def observe(self, mean: Tensor, y: Tensor, weight: Tensor | None) -> None:
        """Pass means and draws on to both mappings, each as it receives them."""
        for mapping, (inner_mean, inner_y, _) in self._passes(mean, y, y):
            call(mapping.observe, inner_mean, inner_y, weight)

    def to_decoder(self, z: Tensor) -> Tensor:
        """Return the decoder's input of the second mapping."""
        return call(self.second.to_decoder, z) if isinstance(self.second, Mapping) else z

    @property
    def has_regions(self) -> bool:  # type: ignore[override]
        """Whether one of the two mappings has regions."""
        return any(isinstance(m, Mapping) and m.has_regions for m in (self.first, self.second))

    @property
    def has_free_scale(self) -> bool:  # type: ignore[override]
        """Whether that holds for both mappings."""
        return all(isinstance(m, Mapping) and m.has_free_scale for m in (self.first, self.second))

    def regions(self, y: Tensor) -> Tensor:
        """Return the regions of the first mapping that has regions."""
        for mapping, (_, inner_y, _) in self._passes(y, y, y):
            if mapping.has_regions:
                return call(mapping.regions, inner_y)
        raise not_given(self, "regions")

    def _passes(
        self, mean: Tensor, y: Tensor, z: Tensor
    ) -> Iterator[tuple[Mapping, tuple[Tensor, Tensor, Tensor]]]:
        """Yield each mapping that has hooks, with mean, input and output as it sees them."""
        if not isinstance(self.second, Mapping):
            if isinstance(self.first, Mapping):
                yield self.first, (mean, y, call(self.first, y))
            return
        between = call(self.first, y)
        if isinstance(self.first, Mapping):
            yield self.first, (mean, y, between)
        yield self.second, (between if mean is y else call(self.first, mean), between, z)
