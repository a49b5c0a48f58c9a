"""The standard normal prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_intelvae._part import Encode, Prior
from sklearn_intelvae.distributions import Density, PosteriorDistribution
from sklearn_intelvae.distributions import Normal as NormalRows


class Normal(Prior):
    """The standard normal distribution N(0, I).

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae import InteLVAE
    >>> X = torch.randn(100, 5, generator=torch.Generator().manual_seed(0)).numpy()
    >>> vae = InteLVAE(2, prior="normal", max_iter=2, random_state=0).fit(X)
    >>> vae.module_.prior_distribution().sample(3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 2])
    """

    def density(self, encode: Encode) -> StandardNormal:
        """Return N(0, I)."""
        return StandardNormal(self.n_components)


@dataclass(frozen=True)
class StandardNormal(Density):
    """The density N(0, I), whose KL divergence is known in closed form."""

    n_components: int

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log N(y; 0, I) of each row, shape (n,)."""
        zero = y.new_zeros(())
        return NormalRows(zero.expand_as(y), zero).log_prob(y)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw standard normal rows, shape (n_samples, n_components)."""
        shape, device = (n_samples, self.n_components), generator.device
        return torch.randn(shape, generator=generator, dtype=torch.float32, device=device)

    def kl(self, q: PosteriorDistribution, y: Tensor) -> Tensor:
        """Return KL(q || N(0, I)) of each row in closed form, shape (n,)."""
        return self.kl_per_component(q).sum(-1)

    def kl_per_component(self, q: PosteriorDistribution) -> Tensor:
        """Return KL(q_j || N(0, 1)) of each row and component, shape (n, n_components)."""
        return q.kl_from_standard()
