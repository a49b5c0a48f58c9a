"""The mapping whose levels are conditioned on the levels before them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from numbers import Integral
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from sklearn_intelvae._part import Mapping
from sklearn_intelvae.networks import ACTIVATIONS, MLP


class Hierarchy(Mapping):
    r"""Split y into levels; each level of z is conditioned on the previous one.

    .. math:: z_0 = y_0, \qquad z_i = a\big(\mathrm{MLP}_i([z_{i-1}, y_i])\big)

    The levels of z are as wide as those of y. The first level influences all others, the last
    level no other, so that the first level represents coarse properties of a row and the last its
    details. The networks are learned; each costs one small pass per row. Use it when coarse
    properties of the data determine which finer ones are possible.

    To vary one level of some rows and keep the levels before it, change ``y[:, g.levels[i]]`` and
    map again; after a fit g is ``vae.module_.mapping`` and y is ``vae.encode(X)[0]``.

    Parameters
    ----------
    splits : int or sequence of int, default=2
        Number of levels, of equal size except the last, which has the remaining components; or the
        size of each level, from the first to the last.
    hidden_layer_sizes : sequence of int, default=()
        Widths of the hidden layers of each network; the paper has none.
    activation : str, default="relu"
        Applied after every layer of the networks, including the last: one of
        :data:`sklearn_intelvae.networks.ACTIVATIONS`. With "relu", as in the paper, levels after
        the first are non-negative and many of their values are zero; with "leaky_relu" or
        "identity" z depends on every component of y.

    Attributes
    ----------
    levels : list of slice
        The columns of each level, in y and in z. Set by ``build``.

    Raises
    ------
    ValueError
        By ``build``, if the sizes do not sum to the number of components, a level would be empty,
        or the activation is unknown.

    References
    ----------
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, appendix B.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import Hierarchy
    >>> g = Hierarchy(splits=(2, 3))
    >>> g.build(5)
    >>> g.levels
    [slice(0, 2, None), slice(2, 5, None)]
    >>> y = torch.randn(10, 5, generator=torch.Generator().manual_seed(0))
    >>> z = g(y)
    >>> y[:, g.levels[1]] = 0.0
    >>> bool(torch.equal(g(y)[:, g.levels[0]], z[:, g.levels[0]]))
    True
    """

    has_free_scale = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "activation": [StrOptions(set(ACTIVATIONS))],
    }

    def __init__(
        self,
        splits: int | Sequence[int] = 2,
        hidden_layer_sizes: Sequence[int] = (),
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.splits = splits
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation

    def build(self, n_components: int) -> None:
        """Divide the components among the levels and create a network for each but the first."""
        super().build(n_components)
        sizes = _sizes_of_levels(self.splits, n_components)
        ends = accumulate(sizes)
        self.levels = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        self.networks = nn.ModuleList(self._network(*pair) for pair in pairwise(sizes))

    def _network(self, size_before: int, size: int) -> nn.Module:
        network = MLP(self.hidden_layer_sizes, self.activation)
        network.build(size_before + size, size)
        return nn.Sequential(network, ACTIVATIONS[self.activation]())

    def forward(self, y: Tensor) -> Tensor:
        """Return the levels of z, side by side."""
        first, *others = (y[:, level] for level in self.levels)
        z = [first]
        for network, level in zip(self.networks, others, strict=True):
            z.append(network(torch.cat([z[-1], level], dim=1)))
        return torch.cat(z, dim=1)


def _sizes_of_levels(splits: Any, n_components: int) -> list[int]:
    """Return the number of components of each level."""
    if isinstance(splits, Integral) and int(splits) > 0:
        equal = [n_components // int(splits)] * (int(splits) - 1)
        sizes = [*equal, n_components - sum(equal)]
    else:
        sizes = list(splits) if isinstance(splits, Iterable) else []
    positive = all(isinstance(size, Integral) and size > 0 for size in sizes)
    if not positive or sum(sizes) != n_components:
        raise ValueError(
            f"splits={splits!r} does not divide n_components={n_components} into levels: give "
            f"their number, from 1 to {n_components}, or positive sizes that add up to "
            f"{n_components}, or set n_components to what they add up to."
        )
    return [int(size) for size in sizes]
