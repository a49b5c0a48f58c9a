"""Distributions over rows: the last dimension is the event, everything is in nats.

torch's own distributions draw from the global generator and cannot be given another; these draw
from the generator that they are handed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Bernoulli", "Distribution", "Laplace", "Normal"]

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
"""Minus the log density of the standard normal at zero."""


class Distribution(Protocol):
    """What the rest of the package asks of a distribution."""

    @property
    def mean(self) -> Tensor:
        """The mean of each row."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density of each row, shape (..., n)."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw once for each row of parameters."""


@dataclass(frozen=True)
class Normal:
    """Independent Gaussians, N(mean, exp(log_scale)^2).

    ``log_scale`` is one number, one per feature, or one per row and feature.
    """

    mean: Tensor
    log_scale: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log N(x; mean, scale^2), summed over features."""
        n_features = x.shape[-1]
        if self.log_scale.shape == self.mean.shape:  # no sum over features to share
            t = (x - self.mean) * (-self.log_scale).exp()
            total = torch.addcmul(self.log_scale, t, t, value=0.5).sum(-1)
            return -(total + n_features * HALF_LOG_2PI)
        squared = _elementwise(F.mse_loss, self.mean, x)
        precision = (-2 * self.log_scale).exp()
        constant = n_features * HALF_LOG_2PI + _total(self.log_scale, n_features)
        return torch.addcmul(-constant, *_factors(squared, precision), value=-0.5)

    def at(self, noise: Tensor) -> Tensor:
        """Return the points that standard normal ``noise`` stands for."""
        return torch.addcmul(self.mean, self.log_scale.exp(), noise)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw once for each row, differentiably in the parameters."""
        m = self.mean
        return self.at(torch.randn(m.shape, generator=generator, dtype=m.dtype, device=m.device))

    @property
    def variance(self) -> Tensor:
        """The variance, in the shape of ``log_scale``."""
        return (2 * self.log_scale).exp()

    def detached(self) -> Normal:
        """Return the same distributions, of which no gradient is known."""
        return Normal(self.mean.detach(), self.log_scale.detach())

    def kl_from_standard(self) -> Tensor:
        """Return KL(self || N(0, 1)) of each row and component, shape (n, d)."""
        return 0.5 * (self.mean.square() + self.variance - 1) - self.log_scale


@dataclass(frozen=True)
class Laplace:
    """Independent Laplace distributions with density ``exp(-|x - mean| / scale) / (2 scale)``."""

    mean: Tensor
    log_scale: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density, summed over features."""
        distance = _elementwise(F.l1_loss, self.mean, x)
        n_features = x.shape[-1]
        constant = n_features * math.log(2) + _total(self.log_scale, n_features)
        return torch.addcmul(-constant, *_factors(distance, (-self.log_scale).exp()), value=-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw once for each row, by inverting the distribution function."""
        m = self.mean
        uniform = torch.rand(m.shape, generator=generator, dtype=m.dtype, device=m.device) - 0.5
        magnitude = -torch.log1p(-2 * uniform.abs().clamp(max=0.5 - 2**-25))
        return m + self.log_scale.exp() * uniform.sign() * magnitude


@dataclass(frozen=True)
class Bernoulli:
    """Independent Bernoulli distributions with success probability sigmoid(logits)."""

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """The success probabilities."""
        return self.logits.sigmoid()

    def log_prob(self, x: Tensor) -> Tensor:
        """Return x log p + (1 - x) log(1 - p), summed over features."""
        return -_elementwise(F.binary_cross_entropy_with_logits, self.logits, x).sum(-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw zeros and ones."""
        return torch.bernoulli(self.mean, generator=generator)


def _elementwise(loss, parameters: Tensor, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    """Apply one of torch's fused losses without reduction (particles broadcast over rows)."""
    return loss(parameters, x.expand_as(parameters), reduction="none")


def _total(per_feature: Tensor, n_features: int) -> Tensor:
    """Sum over features a quantity that may be one number for all of them."""
    return per_feature * n_features if per_feature.ndim == 0 else per_feature.sum(-1)


def _factors(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return two factors of the weighted sum over features, the first cheap if weight is shared."""
    if weight.ndim == 0:
        return values.sum(-1), weight
    return (values @ weight if weight.ndim == 1 else (values * weight).sum(-1)), weight.new_ones(())
