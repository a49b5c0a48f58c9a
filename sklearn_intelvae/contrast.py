"""The model of pairs: a representation, and what tells pairs that belong together from others."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_intelvae._part import fresh, sized_network
from sklearn_intelvae._random import OwnRandomness

__all__ = [
    "Contrast",
    "ContrastParts",
    "PairRegression",
    "RunningNorm",
    "build_contrast",
    "log_odds",
]

_MOMENTUM = 0.05
_WIDTH = 16


class ContrastParts(NamedTuple):
    """Parts that are not built yet, from which any number of models can be."""

    encoder: Any


class PairRegression(nn.Module):
    r"""The log odds that one row follows another, as a sum over components.

    .. math:: r(h, h') = \sum_j \psi_j(h_j, h'_j) + m

    Each :math:`\psi_j` is a small network of its own. That no term sees two components is what sets
    them apart. A fixed form, such as :math:`-|h_j - h'_j|`, would suit factors that mostly move
    little and sometimes far, and find mixtures of others.
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        k, n = n_components, _WIDTH
        self.first = nn.Parameter(torch.randn(k, 3, n))
        self.second = nn.Parameter(torch.randn(k, n, n) / n**0.5)
        self.last = nn.Parameter(torch.randn(k, n, 1) / n**0.5)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, h: Tensor, previous: Tensor) -> Tensor:
        """Return the log odds of each pair, shape (n,)."""
        pairs = torch.stack([h, previous, torch.ones_like(h)], dim=-1).transpose(0, 1)
        hidden = F.silu(F.silu(pairs @ self.first) @ self.second)
        return (hidden @ self.last).sum(0)[:, 0] + self.offset


class RunningNorm(nn.BatchNorm1d):
    """Batch normalisation whose averages are those of the latest batches, soon after the start."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise by the batch in training mode, else by the averages."""
        if self.training:
            n_batches: Any = self.num_batches_tracked
            self.momentum = max(_MOMENTUM, min(1.0, 3 / (int(n_batches) + 1)))
        return super().forward(x)


class Contrast(nn.Module):
    """A representation h(x) of unit variance, and the log odds that one row follows another.

    Made by :func:`build_contrast`. In training mode h is normalised by the batch, else by the
    averages that training has gathered.
    """

    def __init__(self, encoder: nn.Module, n_features: int, n_components: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_components = n_components
        self.encoder = encoder
        self.norm = RunningNorm(n_components, affine=False)
        self.regression = PairRegression(n_components)

    def represent(self, x: Tensor) -> Tensor:
        """Return h(x) of each row."""
        return self.norm(self.encoder(x))

    def forward(self, x: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """Return h of rows and of those before them, normalised together."""
        h, before = self.represent(torch.cat([x, previous])).chunk(2)
        return h, before


def log_odds(
    regression: nn.Module,
    h: Tensor,
    previous: Tensor,
    generator: torch.Generator,
    weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the log odds of the pairs, and of pairs that a random cycle of the rows makes.

    With weights the rows before are drawn by them instead.
    """
    if weight is None or not weight.any():
        order = torch.randperm(len(h), generator=generator, device=h.device)
        other = torch.empty_like(previous)
        other[order] = previous[order.roll(1)]
    else:
        other = previous[weight.multinomial(len(h), replacement=True, generator=generator)]
    return regression(h, previous), regression(h, other)


def build_contrast(
    parts: ContrastParts, n_features: int, n_components: int, generator: torch.Generator
) -> Contrast:
    """Build a model for rows of ``n_features`` numbers, of a copy of the encoder."""
    encoder = fresh(parts.encoder)
    with OwnRandomness(generator):
        encoder = sized_network(encoder, n_features, n_components)
        return Contrast(encoder, n_features, n_components).float()
