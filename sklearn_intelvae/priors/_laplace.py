"""The prior with heavy tails."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sklearn_intelvae import distributions
from sklearn_intelvae.priors._base import Prior

_SCALE = math.sqrt(0.5)


class Laplace(Prior):
    r"""Independent components of unit variance, each with a Laplace distribution.

    .. math:: p(y) = \prod_j \frac{1}{\sqrt 2} e^{-\sqrt 2\, |y_j|}

    Unlike the normal distribution, it has axes: turned, it is another distribution. If factors with
    tails heavier than a Gaussian's made the data, the prior fits best where each component is one
    of them; a mixture of two is closer to a Gaussian, and so less likely. That is independent
    component analysis. A diagonal posterior has axes too, the local principal
    directions; with ``posterior="full"`` the prior decides alone.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.priors import Laplace
    >>> prior = Laplace()
    >>> prior.build(n_components=2, n_features=5)
    >>> y = prior.sample(20_000, torch.Generator().manual_seed(0))
    >>> round(float(y.var()), 1)
    1.0
    """

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log density of each row."""
        return -y.abs().sum(-1) / _SCALE - y.shape[-1] * math.log(2 * _SCALE)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw independent components."""
        zeros = torch.zeros(n_samples, self.n_components, device=generator.device)
        log_scale = zeros.new_tensor(math.log(_SCALE))
        return distributions.Laplace(zeros, log_scale).sample(generator)

    def kl(self, q: distributions.Normal) -> Tensor:
        """Return KL(q || p) of each row in closed form."""
        return self.kl_per_component(q).sum(-1)

    def kl_per_component(self, q: distributions.Normal) -> Tensor:
        """Return what each component adds to it, shape (n, n_components)."""
        return q.kl_from_laplace(0.0, _SCALE)
