"""Gaussian distributions, one for each row, and sums over features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae.exceptions import not_given

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
"""Minus the log density of the standard normal at zero."""


class PosteriorDistribution:
    """Base class of what a posterior returns: a Gaussian q(y | x) for each of n rows.

    A subclass has ``mean``, ``variance`` and ``log_scale``, each of shape (n, d), ``covariance``
    of shape (n, d, d), ``log_prob``, ``reparameterize``, ``marginals``, ``detached`` and
    ``mixture_log_prob``. ``log_scale`` is the log standard deviation of each component given the
    components before it, so that per-component terms follow the chain rule and sum to the joint.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.posteriors import FullGaussian
    >>> q = FullGaussian()(torch.zeros(3, 5))
    >>> q.mean.shape, q.covariance.shape, q.kl_from_standard().shape
    (torch.Size([3, 2]), torch.Size([3, 2, 2]), torch.Size([3, 2]))
    """

    mean: Tensor
    log_scale: Tensor
    variance: Tensor
    covariance: Tensor

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log density of each row.

        Parameters
        ----------
        y : Tensor of shape (n, d)
            One y for each row.

        Returns
        -------
        log_prob : Tensor of shape (n,)
            In nats.
        """
        raise not_given(self, "log_prob")

    def reparameterize(self, noise: Tensor) -> Tensor:
        """Return mean + scale * noise, differentiable in the parameters.

        Parameters
        ----------
        noise : Tensor of shape (n, d)
            Standard normal noise.

        Returns
        -------
        y : Tensor of shape (n, d)
            One draw for each row.
        """
        raise not_given(self, "reparameterize")

    def marginals(self) -> Any:
        """Return the distribution of each component alone.

        Returns
        -------
        marginals : Normal
            Independent Gaussians with the means and variances of this distribution.
        """
        raise not_given(self, "marginals")

    def detached(self) -> Any:
        """Return a detached copy (no gradients).

        Returns
        -------
        copy : PosteriorDistribution
            Of the same class.
        """
        raise not_given(self, "detached")

    def mixture_log_prob(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the log density of the mixture of all n rows, and of each of its components.

        Parameters
        ----------
        y : Tensor of shape (m, d)
            Where to evaluate the mixture.
        weight : Tensor of shape (n,) or None
            Weights of the n rows in the mixture; equal if None.

        Returns
        -------
        joint : Tensor of shape (m,)
            Log density of y, in nats.
        per_component : Tensor of shape (m, d)
            Log density of each component of y alone, in nats.
        """
        raise not_given(self, "mixture_log_prob")

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one y for each row, differentiable in the parameters.

        Parameters
        ----------
        generator : torch.Generator
            Source of the random numbers.

        Returns
        -------
        y : Tensor of shape (n, d)
            Drawn rows.
        """
        m = self.mean
        noise = torch.randn(m.shape, generator=generator, dtype=m.dtype, device=m.device)
        return self.reparameterize(noise)

    def kl_from_standard(self) -> Tensor:
        """Return the terms of KL(q || N(0, I)) per row and component.

        Returns
        -------
        terms : Tensor of shape (n, d)
            In nats.
        """
        return 0.5 * (self.mean.square() + self.variance - 1) - self.log_scale

    def entropy_per_component(self) -> Tensor:
        """Return the terms of the entropy per row and component.

        Returns
        -------
        terms : Tensor of shape (n, d)
            In nats.
        """
        return (self.log_scale + (HALF_LOG_2PI + 0.5)).expand_as(self.mean)

    def kl_from_laplace(self, location: Tensor | float, scale: float) -> Tensor:
        """Return the terms of KL(q || Laplace(location, scale)) per row and component.

        Parameters
        ----------
        location : Tensor or float
            Location of the Laplace distribution, one number or of shape (n, d).
        scale : float
            Its mean absolute deviation, positive.

        Returns
        -------
        terms : Tensor of shape (n, d)
            In nats.
        """
        distance = expected_distance(self.mean - location, self.variance.sqrt())
        return distance / scale + math.log(2 * scale) - self.entropy_per_component()


@dataclass(frozen=True)
class Normal(PosteriorDistribution):
    """Independent Gaussians, N(mean, exp(log_scale)^2).

    Parameters
    ----------
    mean : Tensor of shape (n, d)
        Means.
    log_scale : Tensor of shape (), (d,) or (n, d)
        Log standard deviation: one number, one per feature, or one per row and feature.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import Normal
    >>> q = Normal(torch.zeros(1, 2), torch.zeros(1, 2))
    >>> q.log_prob(torch.zeros(1, 2)).round(decimals=3)
    tensor([-1.8380])
    """

    mean: Tensor
    log_scale: Tensor

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log N(y; mean, scale^2) of each row, summed over features, shape (n,)."""
        n_features = y.shape[-1]
        if self.log_scale.shape == self.mean.shape:  # no sum over features to share
            t = (y - self.mean) * (-self.log_scale).exp()
            summed = torch.addcmul(self.log_scale, t, t, value=0.5).sum(-1)
            return -(summed + n_features * HALF_LOG_2PI)
        squared = elementwise(F.mse_loss, self.mean, y)
        precision = (-2 * self.log_scale).exp()
        constant = n_features * HALF_LOG_2PI + total(self.log_scale, n_features)
        return torch.addcmul(-constant, *factors(squared, precision), value=-0.5)

    def reparameterize(self, noise: Tensor) -> Tensor:
        """Return mean + scale * noise, differentiable in the parameters, shape (n, d)."""
        return torch.addcmul(self.mean, self.log_scale.exp(), noise)

    @property
    def variance(self) -> Tensor:  # type: ignore[override]
        """The variance, in the shape of ``log_scale``."""
        return (2 * self.log_scale).exp()

    @property
    def covariance(self) -> Tensor:  # type: ignore[override]
        """The diagonal covariance of each row, shape (n, d, d)."""
        return torch.diag_embed(self.variance.expand_as(self.mean))

    def detached(self) -> Normal:
        """Return a detached copy (no gradients)."""
        return Normal(self.mean.detach(), self.log_scale.detach())

    def marginals(self) -> Normal:
        """Return the distribution of each component alone: this distribution itself."""
        return self

    def mixture_log_prob(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the log density of the mixture of all n rows, and of each of its components.

        Parameters
        ----------
        y : Tensor of shape (m, d)
            Where to evaluate the mixture.
        weight : Tensor of shape (n,) or None
            Weights of the n rows in the mixture; equal if None.

        Returns
        -------
        joint : Tensor of shape (m,)
            Log density of y, in nats.
        per_component : Tensor of shape (m, d)
            Log density of each component of y alone, in nats.
        """
        logs = _log_prob_of_pairs(y, self.mean, self.log_scale.expand_as(self.mean))
        return _log_mean_exp(logs.sum(0), weight), _log_mean_exp(logs, weight).T


@dataclass(frozen=True)
class FullNormal(PosteriorDistribution):
    """Gaussians with full covariances, N(mean, L L^T).

    Parameters
    ----------
    mean : Tensor of shape (n, d)
        Means.
    factor : Tensor of shape (n, d, d)
        L, lower triangular with a positive diagonal.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import FullNormal
    >>> q = FullNormal(torch.zeros(1, 2), torch.tensor([[[1.0, 0.0], [1.0, 1.0]]]))
    >>> q.covariance
    tensor([[[1., 1.],
             [1., 2.]]])
    """

    mean: Tensor
    factor: Tensor

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log N(y; mean, L L^T) of each row, shape (n,)."""
        t = self._whitened((y - self.mean)[..., None])[..., 0]
        volume = self.log_scale.sum(-1) + y.shape[-1] * HALF_LOG_2PI
        return -0.5 * t.square().sum(-1) - volume

    def reparameterize(self, noise: Tensor) -> Tensor:
        """Return mean + L noise, differentiable in the parameters, shape (n, d)."""
        return self.mean + (self.factor @ noise[..., None])[..., 0]

    @property
    def variance(self) -> Tensor:  # type: ignore[override]
        """The variance of each component, shape (n, d)."""
        return self.factor.square().sum(-1)

    @property
    def covariance(self) -> Tensor:  # type: ignore[override]
        """The covariance of each row, shape (n, d, d)."""
        return self.factor @ self.factor.mT

    @property
    def log_scale(self) -> Tensor:  # type: ignore[override]
        """The log standard deviation of each component given those before it, shape (n, d)."""
        return self.factor.diagonal(dim1=-2, dim2=-1).log()

    def detached(self) -> FullNormal:
        """Return a detached copy (no gradients)."""
        return FullNormal(self.mean.detach(), self.factor.detach())

    def marginals(self) -> Normal:
        """Return the distribution of each component alone."""
        return Normal(self.mean, 0.5 * self.variance.log())

    def mixture_log_prob(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the log density of the mixture of all n rows, and of each of its components.

        Parameters
        ----------
        y : Tensor of shape (m, d)
            Where to evaluate the mixture.
        weight : Tensor of shape (n,) or None
            Weights of the n rows in the mixture; equal if None.

        Returns
        -------
        joint : Tensor of shape (m,)
            Log density of y, in nats.
        per_component : Tensor of shape (m, d)
            Log density of each component of y alone, in nats.
        """
        apart = (y[:, None] - self.mean).permute(1, 2, 0)  # (n, d, m)
        volume = self.log_scale.sum(-1, keepdim=True) + y.shape[-1] * HALF_LOG_2PI
        joint = -0.5 * self._whitened(apart).square().sum(1) - volume
        marginal = _log_prob_of_pairs(y, self.mean, 0.5 * self.variance.log())
        return _log_mean_exp(joint.T, weight), _log_mean_exp(marginal, weight).T

    def _whitened(self, columns: Tensor) -> Tensor:
        """Return L^-1 times the columns of each row, shape (n, d, m)."""
        return torch.linalg.solve_triangular(self.factor, columns, upper=False)


def _log_prob_of_pairs(y: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return log N(y_i; mean_j, scale_j^2) of all components and pairs, shape (d, m, n)."""
    y, mean, log_scale = (t.T.contiguous() for t in (y, mean, log_scale))
    t = (y[:, :, None] - mean[:, None]) * (-log_scale).exp()[:, None]
    return torch.addcmul((-log_scale - HALF_LOG_2PI)[:, None], t, t, value=-0.5)


def _log_mean_exp(logs: Tensor, weight: Tensor | None) -> Tensor:
    """Return the log of the (weighted) mean of exp(logs) over the last dimension."""
    if weight is None:
        return logs.logsumexp(-1) - math.log(logs.shape[-1])
    weight = torch.where(weight.sum() > 0, weight, 1.0)
    return (logs + (weight / weight.sum()).log()).logsumexp(-1)


def expected_distance(mean: Tensor, scale: Tensor) -> Tensor:
    """Return E|t| of t ~ N(mean, scale^2), elementwise."""
    ratio = mean / scale
    peak = scale * math.sqrt(2 / math.pi) * torch.exp(-0.5 * ratio.square())
    return peak + mean * torch.erf(ratio / math.sqrt(2))


def elementwise(loss: Callable[..., Tensor], parameters: Tensor, x: Tensor) -> Tensor:
    """Apply one of torch's fused losses without reduction; x broadcasts over particles."""
    return loss(parameters, x.expand_as(parameters), reduction="none")


def total(per_feature: Tensor, n_features: int) -> Tensor:
    """Sum a quantity over features; a scalar is one number for all of them."""
    return per_feature * n_features if per_feature.ndim == 0 else per_feature.sum(-1)


def factors(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return two factors of the sum over features of weight * values."""
    if weight.ndim == 0:
        return values.sum(-1), weight
    return (values @ weight if weight.ndim == 1 else (values * weight).sum(-1)), weight.new_ones(())
