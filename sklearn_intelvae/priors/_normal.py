"""The standard normal prior."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_intelvae import distributions
from sklearn_intelvae.priors._base import Prior


class Normal(Prior):
    """The standard normal distribution N(0, I).

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.priors import Normal
    >>> prior = Normal()
    >>> prior.build(n_components=2, n_features=5)
    >>> prior.sample(3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 2])
    """

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log N(y; 0, I) of each row."""
        zero = y.new_zeros(())
        return distributions.Normal(zero.expand_as(y), zero).log_prob(y)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw standard normal rows."""
        shape, device = (n_samples, self.n_components), generator.device
        return torch.randn(shape, generator=generator, dtype=torch.float32, device=device)

    def kl(self, q: distributions.Normal) -> Tensor:
        """Return KL(q || N(0, I)) of each row in closed form."""
        return self.kl_per_component(q).sum(-1)

    def kl_per_component(self, q: distributions.Normal) -> Tensor:
        """Return KL(q_j || N(0, 1)) of each row and component, shape (n, n_components)."""
        return q.kl_from_standard()
