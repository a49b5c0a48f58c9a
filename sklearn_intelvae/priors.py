"""Priors: the distribution p(y) of the intermediary latent."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_intelvae import distributions
from sklearn_intelvae._part import Part

__all__ = ["Normal", "Prior"]


class Prior(Part):
    """Base class of priors; a subclass gives ``log_prob`` and ``sample``.

    A subclass that knows them in closed form gives ``kl(q)``, of each row, which is otherwise
    estimated at the sampled y, and ``kl_per_component(q)``, if the prior's components are
    independent.
    """

    def build(self, n_components: int) -> None:
        """Take the size of y and make the prior's weights, if it has any."""
        self.n_components = n_components

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log p(y) of each row, in nats; y has shape (..., n_components)."""
        raise NotImplementedError

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw ``n_samples`` rows of y on the generator's device."""
        raise NotImplementedError


class Normal(Prior):
    """The standard normal distribution N(0, I).

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.priors import Normal
    >>> prior = Normal()
    >>> prior.build(2)
    >>> prior.sample(3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 2])
    """

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log N(y; 0, I) of each row."""
        zero = y.new_zeros(())
        return distributions.Normal(zero.expand_as(y), zero).log_prob(y)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw standard normal rows."""
        shape = (n_samples, self.n_components)
        return torch.randn(shape, generator=generator, device=generator.device)

    def kl(self, q: distributions.Normal) -> Tensor:
        """Return KL(q || N(0, I)) of each row in closed form."""
        return self.kl_per_component(q).sum(-1)

    def kl_per_component(self, q: distributions.Normal) -> Tensor:
        """Return KL(q_j || N(0, 1)) of each row and component, shape (n, n_components)."""
        return q.kl_from_standard()
