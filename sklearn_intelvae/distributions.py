"""Distributions over rows: the last dimension is the event, everything is in nats.

torch's own distributions draw from the global generator and cannot be given another; these draw
from the generator that they are handed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Bernoulli", "Distribution", "FullNormal", "Laplace", "Normal"]

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


class _Gaussian:
    """What Gaussians with mean, variance and log_scale do whatever their covariance is.

    Terms of a component are those given the components before it, and add up; what each alone has
    to say the marginals know.
    """

    def sample(self: Any, generator: torch.Generator) -> Tensor:
        """Draw once for each row, differentiably in the parameters."""
        m = self.mean
        return self.at(torch.randn(m.shape, generator=generator, dtype=m.dtype, device=m.device))

    def kl_from_standard(self: Any) -> Tensor:
        """Return what each component adds to KL(self || N(0, I)) of each row, shape (n, d)."""
        return 0.5 * (self.mean.square() + self.variance - 1) - self.log_scale

    def entropy_per_component(self: Any) -> Tensor:
        """Return what each component adds to the entropy of each row, shape (n, d)."""
        return self.log_scale + HALF_LOG_2PI + 0.5

    def kl_from_laplace(self: Any, location: Tensor | float, scale: float) -> Tensor:
        """Return what each component adds to KL(self || Laplace(location, scale)), shape (n, d)."""
        distance = expected_distance(self.mean - location, self.variance.sqrt())
        return distance / scale + math.log(2 * scale) - self.entropy_per_component()


@dataclass(frozen=True)
class Normal(_Gaussian):
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

    @property
    def variance(self) -> Tensor:
        """The variance, in the shape of ``log_scale``."""
        return (2 * self.log_scale).exp()

    @property
    def covariance(self) -> Tensor:
        """The diagonal covariance of each row, shape (n, d, d)."""
        return torch.diag_embed(self.variance.expand_as(self.mean))

    def detached(self) -> Normal:
        """Return the same distributions, of which no gradient is known."""
        return Normal(self.mean.detach(), self.log_scale.detach())

    def marginals(self) -> Normal:
        """Return the distributions of the components, each alone."""
        return self

    def mixture_log_prob(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the log density of the mixture of all n rows, and of each of its components.

        y has shape (m, d), the weights of the rows (n,); the densities (m,) and (m, d).
        """
        logs = _log_prob_of_pairs(y, self.mean, self.log_scale.expand_as(self.mean))
        return _log_mean_exp(logs.sum(0), weight), _log_mean_exp(logs, weight).T


@dataclass(frozen=True)
class FullNormal(_Gaussian):
    """Gaussians with covariances, N(mean, L L^T).

    ``mean`` has shape (n, d), the lower triangular ``factor`` L (n, d, d), its diagonal positive.
    """

    mean: Tensor
    factor: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log N(x; mean, L L^T) of each row."""
        t = self._whitened((x - self.mean)[..., None])[..., 0]
        volume = self.log_scale.sum(-1) + x.shape[-1] * HALF_LOG_2PI
        return -0.5 * t.square().sum(-1) - volume

    def at(self, noise: Tensor) -> Tensor:
        """Return the points that standard normal ``noise`` stands for."""
        return self.mean + (self.factor @ noise[..., None])[..., 0]

    @property
    def variance(self) -> Tensor:
        """The variance of each component, shape (n, d)."""
        return self.factor.square().sum(-1)

    @property
    def covariance(self) -> Tensor:
        """The covariance of each row, shape (n, d, d)."""
        return self.factor @ self.factor.mT

    @property
    def log_scale(self) -> Tensor:
        """The logarithms of L's diagonal: the scale of each component, given those before it."""
        return self.factor.diagonal(dim1=-2, dim2=-1).log()

    def detached(self) -> FullNormal:
        """Return the same distributions, of which no gradient is known."""
        return FullNormal(self.mean.detach(), self.factor.detach())

    def marginals(self) -> Normal:
        """Return the distributions of the components, each alone."""
        return Normal(self.mean, 0.5 * self.variance.log())

    def mixture_log_prob(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the log density of the mixture of all n rows, and of each of its components.

        y has shape (m, d), the weights of the rows (n,); the densities (m,) and (m, d).
        """
        apart = (y[:, None] - self.mean).permute(1, 2, 0)  # (n, d, m)
        volume = self.log_scale.sum(-1, keepdim=True) + y.shape[-1] * HALF_LOG_2PI
        joint = -0.5 * self._whitened(apart).square().sum(1) - volume
        marginal = _log_prob_of_pairs(y, self.mean, 0.5 * self.variance.log())
        return _log_mean_exp(joint.T, weight), _log_mean_exp(marginal, weight).T

    def _whitened(self, columns: Tensor) -> Tensor:
        """Return L^-1 times each row's columns, shape (n, d, m)."""
        return torch.linalg.solve_triangular(self.factor, columns, upper=False)


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


def expected_distance(mean: Tensor, scale: Tensor) -> Tensor:
    """Return E|t| of t ~ N(mean, scale^2), elementwise."""
    ratio = mean / scale
    peak = scale * math.sqrt(2 / math.pi) * torch.exp(-0.5 * ratio.square())
    return peak + mean * torch.erf(ratio / math.sqrt(2))


def _log_prob_of_pairs(y: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return log N(y_i; mean_j, scale_j^2) of all components and pairs, shape (d, m, n)."""
    y, mean, log_scale = (t.T.contiguous() for t in (y, mean, log_scale))
    t = (y[:, :, None] - mean[:, None]) * (-log_scale).exp()[:, None]
    return torch.addcmul((-log_scale - HALF_LOG_2PI)[:, None], t, t, value=-0.5)


def _log_mean_exp(logs: Tensor, weight: Tensor | None) -> Tensor:
    """Return the log of the mean over the last dimension, weighted if there are weights."""
    if weight is None:
        return logs.logsumexp(-1) - math.log(logs.shape[-1])
    weight = torch.where(weight.sum() > 0, weight, 1.0)
    return (logs + (weight / weight.sum()).log()).logsumexp(-1)


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
