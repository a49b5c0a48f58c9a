"""The geometry of clusters: a line or a plane, cut into parts that move away from one another."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NEAREST = 1e-3
_SHARPNESS = 5.0
_WIDE = 0.3
_MEMORY = 0.1
_LEAST_SHARE = 0.2
_LEAST_GUESSED_SHARE = 0.5


class Sectors(nn.Module):
    """K sectors of a plane, or, if K is 2, the halves of its first axis.

    A single part is never moved. Sector 0 lies around the positive first axis, the others follow
    counter-clockwise; of two halves the positive one comes first.

    Attributes
    ----------
    shares : Tensor of shape (K,)
        The standard normal mass of each part.
    seen : Tensor of shape (K,)
        A running mean of the shares of the training rows.
    least : Tensor of shape (K,)
        A part that holds less than this share of the rows is short of them.
    """

    shares: Tensor
    seen: Tensor
    least: Tensor

    def __init__(self, n_parts: int) -> None:
        super().__init__()
        self.n_parts = n_parts
        equal = torch.full((n_parts,), 1 / n_parts)
        self.register_buffer("shares", equal)
        self.register_buffer("seen", equal.clone())
        self.register_buffer("least", _LEAST_SHARE * equal)

    def depth(self, y: Tensor) -> Tensor:
        """Return how deep each row lies inside each part, (n, K), negative outside.

        It is the distance to the part's border, or to the tip of a sector where that is nearer.
        """
        if self.n_parts == 1:
            return y.new_zeros(len(y), 1)
        if self.n_parts == 2:
            beyond = y[:, 0] - _normal_quantile(self.shares[1])
            return torch.stack([beyond, -beyond], dim=1)
        at_origin = (y == 0).all(dim=1)
        angle = torch.atan2(y[:, 1], y[:, 0] + at_origin)
        off = torch.remainder(angle[:, None] - self._bisectors() + math.pi, 2 * math.pi) - math.pi
        gap = (math.pi * self.shares - off.abs()).clamp(-math.pi / 2, math.pi / 2)
        return _length(y)[:, None] * gap.sin()

    def regions(self, y: Tensor) -> Tensor:
        """Return the part, 0 to K - 1, of each row."""
        return self.depth(y).argmax(dim=1)

    def forward(self, y: Tensor, shift: float, power: float) -> Tensor:
        """Move each row along its part's bisector by shift times depth**power."""
        depth, part = self.depth(y).max(dim=1)
        step = shift * _steep_power(depth.clamp(min=0), power)
        return y + step[:, None] * self._directions()[part][:, : y.shape[1]]

    def notice(self, y: Tensor, weight: Tensor | None) -> None:
        """Move the running mean of the shares towards those of these rows."""
        shares = torch.bincount(self.regions(y), weight, self.n_parts).to(self.seen)
        if shares.sum() > 0:
            self.seen.lerp_(shares / shares.sum(), _MEMORY)

    def guess(self, shares: Tensor) -> None:
        """Expect these shares of the rows."""
        self.seen.copy_(shares)
        self.least.copy_(_LEAST_GUESSED_SHARE * shares)

    def follow(self, rate: float) -> None:
        """Let the shares of the prior move towards those that are seen."""
        self.shares.lerp_(torch.maximum(self.seen, self.least), rate)
        self.shares /= self.shares.sum()

    def lack(self) -> Tensor:
        """Return how short of rows each part is, from 0 to 1."""
        return (1 - self.seen / self.least).relu()

    def soft_lack(self, y: Tensor) -> Tensor:
        """Return how short of these rows the parts are, together and differentiably."""
        sharpness = 2 * _SHARPNESS * math.sin(math.pi / self.n_parts)
        shares = (sharpness * self.depth(y)).softmax(dim=1).mean(dim=0)
        return (1 - shares / self.least).relu().sum()

    def surprise(self, y: Tensor, part: Tensor) -> Tensor:
        """Return, in nats, how far each row is from lying inside the given part.

        The scale of a distance is the part's width where that is small.
        """
        width = (math.pi * self.shares.clamp(max=0.5)).sin()[part]
        sharpness = (_SHARPNESS * (_WIDE / width).clamp(min=1))[:, None]
        return F.cross_entropy(sharpness * self.depth(y), part, reduction="none")

    def _bisectors(self) -> Tensor:
        """Return the angle of each sector's bisector."""
        middles = self.shares.cumsum(dim=0) - (self.shares + self.shares[0]) / 2
        return 2 * math.pi * middles

    def _directions(self) -> Tensor:
        if self.n_parts == 2:
            return self.shares.new_tensor([[1.0, 0.0], [-1.0, 0.0]])
        angles = self._bisectors()
        return torch.stack([angles.cos(), angles.sin()], dim=1)


def _normal_quantile(share: Tensor) -> Tensor:
    return math.sqrt(2) * torch.erfinv(2 * share - 1)


def _length(y: Tensor, eps: float = 1e-20) -> Tensor:
    """Return the length of each row, with a finite gradient at the origin."""
    return (y.square().sum(dim=1) + eps).sqrt()


def _steep_power(depth: Tensor, power: float) -> Tensor:
    """Return depth**power, whose slope is taken no nearer to the border than ``_NEAREST``."""
    slope = power * depth.detach().clamp(min=_NEAREST) ** (power - 1)
    return depth.detach() ** power + slope * (depth - depth.detach())
