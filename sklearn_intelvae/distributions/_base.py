"""What the rest of the package asks of distributions."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from sklearn_intelvae._part import call

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
"""Minus the log density of the standard normal at zero."""


class Distribution(Protocol):
    """What a likelihood returns: one distribution p(x | z) for each of n rows.

    Any class with these three members will do; it need not derive from this one.
    """

    @property
    def mean(self) -> Tensor:
        """The mean of each row, shape (n, n_features)."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density of each row in nats, shape (n,), summed over features."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value for each row from ``generator``, shape (n, n_features)."""


class PosteriorDistribution:
    """Base class of what a posterior returns: a Gaussian q(y | x) for each of n rows.

    A subclass has ``mean``, ``variance`` and ``log_scale``, each of shape (n, d), ``covariance``
    of shape (n, d, d), ``log_prob``, ``reparameterize``, ``marginals``, ``detached`` and
    ``mixture_log_prob``. ``log_scale`` is the log standard deviation of each component given the
    components before it, so that per-component terms follow the chain rule and sum to the joint.
    """

    mean: Tensor
    log_scale: Tensor
    variance: Tensor
    covariance: Tensor

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log density of each row, shape (n,)."""
        raise NotImplementedError

    def reparameterize(self, noise: Tensor) -> Tensor:
        """Return mean + scale * noise, differentiable in the parameters, shape (n, d)."""
        raise NotImplementedError

    def marginals(self) -> Any:
        """Return the distribution of each component alone, a ``Normal``."""
        raise NotImplementedError

    def detached(self) -> Any:
        """Return a detached copy (no gradients)."""
        raise NotImplementedError

    def mixture_log_prob(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the log density of the mixture of all n rows, and of each of its components.

        Parameters
        ----------
        y : Tensor of shape (m, d)
        weight : Tensor of shape (n,) or None
            Weights of the n rows in the mixture; equal if None.

        Returns
        -------
        joint : Tensor of shape (m,)
        per_component : Tensor of shape (m, d)
        """
        raise NotImplementedError

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one y for each row, differentiable in the parameters, shape (n, d)."""
        m = self.mean
        noise = torch.randn(m.shape, generator=generator, dtype=m.dtype, device=m.device)
        return self.reparameterize(noise)

    def kl_from_standard(self) -> Tensor:
        """Return the terms of KL(q || N(0, I)) per row and component, shape (n, d)."""
        return 0.5 * (self.mean.square() + self.variance - 1) - self.log_scale

    def entropy_per_component(self) -> Tensor:
        """Return the terms of the entropy per row and component, shape (n, d)."""
        return self.log_scale + HALF_LOG_2PI + 0.5

    def kl_from_laplace(self, location: Tensor | float, scale: float) -> Tensor:
        """Return the terms of KL(q || Laplace(location, scale)), shape (n, d)."""
        distance = expected_distance(self.mean - location, self.variance.sqrt())
        return distance / scale + math.log(2 * scale) - self.entropy_per_component()


class Density:
    """Base class of what a prior returns: the density p(y), the same for all rows.

    A subclass gives ``log_prob`` and ``sample``. The other methods have defaults.

    Attributes
    ----------
    n_modes : int
        Number of modes of a :class:`MixtureDensity`; 0 for any other density.
    """

    n_modes: int = 0

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log p(y) of each row in nats, shape (n,); y has shape (n, n_components)."""
        raise NotImplementedError

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw rows on the generator's device, shape (n_samples, n_components), float32."""
        raise NotImplementedError

    def kl(self, q: PosteriorDistribution, y: Tensor) -> Tensor:
        """Return KL(q(y | x) || p(y)) of each row in nats, shape (n,).

        By default the estimate log q(y | x) - log p(y) at ``y``, one draw from q for each row. A
        density that has the divergence in closed form overrides this.
        """
        return q.log_prob(y) - call(self.log_prob, y)

    def kl_per_component(self, q: PosteriorDistribution) -> Tensor | None:
        """Return the terms of the KL divergence per row and component, shape (n, d).

        None, the default, means that the divergence is not a sum over components.
        """
        return None

    def detached(self) -> Density:
        """Return a detached copy (no gradients); by default the density itself."""
        return self


class MixtureDensity(Density):
    """Base class of densities with K modes."""

    def responsibilities(self, y: Tensor) -> Tensor:
        """Return the probability of each mode given y, shape (n, K); rows sum to one."""
        raise NotImplementedError

    def mode(self, k: int) -> Density:
        """Return the density of mode k alone."""
        raise NotImplementedError


def expected_distance(mean: Tensor, scale: Tensor) -> Tensor:
    """Return E|t| of t ~ N(mean, scale^2), elementwise."""
    ratio = mean / scale
    peak = scale * math.sqrt(2 / math.pi) * torch.exp(-0.5 * ratio.square())
    return peak + mean * torch.erf(ratio / math.sqrt(2))
