"""The prior with heavy tails."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_intelvae._part import Encode, Prior
from sklearn_intelvae.distributions import Density, PosteriorDistribution
from sklearn_intelvae.distributions import Laplace as LaplaceRows

_SCALE = math.sqrt(0.5)


class Laplace(Prior):
    r"""Independent components of unit variance, each with a Laplace distribution.

    .. math:: p(y) = \prod_j \frac{1}{\sqrt 2} e^{-\sqrt 2\, |y_j|}

    Unlike the normal distribution, it is not invariant under rotations. If factors with tails
    heavier than a Gaussian's generated the data, the bound is largest where each component is one
    factor: a mixture of two factors is closer to a Gaussian and less likely under this prior. This
    is independent component analysis. A diagonal posterior has preferred axes as well, the local
    principal directions; with ``posterior="full"`` the prior alone determines the axes.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.priors import Laplace
    >>> prior = Laplace()
    >>> prior.build(n_components=2, n_features=5)
    >>> y = prior.density(encode=None).sample(20_000, torch.Generator().manual_seed(0))
    >>> round(float(y.var()), 1)
    1.0
    """

    def density(self, encode: Encode) -> StandardLaplace:
        """Return the Laplace distribution of unit variance."""
        return StandardLaplace(self.n_components)


@dataclass(frozen=True)
class StandardLaplace(Density):
    """Independent Laplace components of unit variance; the KL divergence has a closed form."""

    n_components: int

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log density of each row, shape (n,)."""
        return -y.abs().sum(-1) / _SCALE - y.shape[-1] * math.log(2 * _SCALE)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw independent components, shape (n_samples, n_components)."""
        shape, device = (n_samples, self.n_components), generator.device
        zeros = torch.zeros(shape, dtype=torch.float32, device=device)
        return LaplaceRows(zeros, zeros.new_tensor(math.log(_SCALE))).sample(generator)

    def kl(self, q: PosteriorDistribution, y: Tensor) -> Tensor:
        """Return KL(q || p) of each row in closed form, shape (n,)."""
        return self.kl_per_component(q).sum(-1)

    def kl_per_component(self, q: PosteriorDistribution) -> Tensor:
        """Return the terms of KL(q || p) per row and component, shape (n, n_components)."""
        return q.kl_from_laplace(0.0, _SCALE)
