"""The geometry of clusters: a line or a plane, divided into parts that are pushed apart."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NEAREST = 1e-3
_SHARPNESS = 5.0
_WIDE = 0.3
_MEMORY = 0.1
_MIN_SHARE = 0.2
_MIN_TARGET_SHARE = 0.5


class Sectors(nn.Module):
    """K sectors of a plane, or, if K is 2, the halves of its first axis.

    A single part is never moved. Sector 0 is centered on the positive first axis, the others follow
    counter-clockwise; of two halves the positive one comes first.

    Attributes
    ----------
    shares : Tensor of shape (K,)
        The standard normal mass of each part.
    running_shares : Tensor of shape (K,)
        A running mean of the shares of the training rows.
    min_shares : Tensor of shape (K,)
        A part with a smaller running share has a deficit of rows.
    """

    shares: Tensor
    running_shares: Tensor
    min_shares: Tensor

    def __init__(self, n_parts: int) -> None:
        super().__init__()
        self.n_parts = n_parts
        equal = torch.full((n_parts,), 1 / n_parts)
        self.register_buffer("shares", equal)
        self.register_buffer("running_shares", equal.clone())
        self.register_buffer("min_shares", _MIN_SHARE * equal)

    def depth(self, y: Tensor) -> Tensor:
        """Return the signed depth of each row inside each part, (n, K), negative outside.

        It is the distance to the border of the part, or to the tip of a sector if that is nearer.
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
        """Move each row along the bisector of its part by shift * depth**power."""
        depth, part = self.depth(y).max(dim=1)
        step = shift * _steep_power(depth.clamp(min=0), power)
        return y + step[:, None] * self._directions()[part][:, : y.shape[1]]

    def observe(self, y: Tensor, weight: Tensor | None) -> None:
        """Update the running shares with the (weighted) shares of these rows."""
        shares = torch.bincount(self.regions(y), weight, self.n_parts).to(self.running_shares)
        if shares.sum() > 0:
            self.running_shares.lerp_(shares / shares.sum(), _MEMORY)

    def set_target(self, shares: Tensor) -> None:
        """Start the running shares, and the minimal ones, from expected shares of the rows."""
        self.running_shares.copy_(shares)
        self.min_shares.copy_(_MIN_TARGET_SHARE * shares)

    def update_shares(self, rate: float) -> None:
        """Move the shares of the prior towards the running shares of the rows."""
        self.shares.lerp_(torch.maximum(self.running_shares, self.min_shares), rate)
        self.shares /= self.shares.sum()

    def deficit(self) -> Tensor:
        """Return the relative deficit of rows in each part, from 0 to 1, shape (K,)."""
        return (1 - self.running_shares / self.min_shares).relu()

    def deficit_loss(self, y: Tensor) -> Tensor:
        """Return the sum of the parts' deficits among these rows, differentiable, shape ()."""
        sharpness = 2 * _SHARPNESS * math.sin(math.pi / self.n_parts)
        shares = (sharpness * self.depth(y)).softmax(dim=1).mean(dim=0)
        return (1 - shares / self.min_shares).relu().sum()

    def classification_loss(self, y: Tensor, part: Tensor) -> Tensor:
        """Return the cross-entropy of the given part of each row, in nats, shape (n,).

        The logits are the depths, in units of the part's width if that is small.
        """
        width = (math.pi * self.shares.clamp(max=0.5)).sin()[part]
        sharpness = (_SHARPNESS * (_WIDE / width).clamp(min=1))[:, None]
        return F.cross_entropy(sharpness * self.depth(y), part, reduction="none")

    def _bisectors(self) -> Tensor:
        """Return the angle of the bisector of each sector."""
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
    """Return depth**power; its gradient is that at ``_NEAREST`` for any smaller depth."""
    slope = power * depth.detach().clamp(min=_NEAREST) ** (power - 1)
    return depth.detach() ** power + slope * (depth - depth.detach())
