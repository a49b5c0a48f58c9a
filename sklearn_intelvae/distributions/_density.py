"""What priors return, and the protocol of what likelihoods return."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from sklearn_intelvae.distributions._gaussian import PosteriorDistribution
from sklearn_intelvae.exceptions import not_given


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
        raise not_given(self, "log_prob")

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw rows on the generator's device, shape (n_samples, n_components), float32."""
        raise not_given(self, "sample")

    def kl(self, q: PosteriorDistribution, y: Tensor) -> Tensor:
        """Return KL(q(y | x) || p(y)) of each row in nats, shape (n,).

        By default the estimate log q(y | x) - log p(y) at ``y``, one draw from q for each row. A
        density that has the divergence in closed form overrides this.
        """
        return q.log_prob(y) - self.log_prob(y.clone())

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
        raise not_given(self, "responsibilities")

    def mode(self, k: int) -> Density:
        """Return the density of mode k alone."""
        raise not_given(self, "mode")
