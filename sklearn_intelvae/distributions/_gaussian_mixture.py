"""The density that several priors share: a mixture of diagonal Gaussians."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae.distributions._density import MixtureDensity
from sklearn_intelvae.distributions._gaussian import HALF_LOG_2PI, Normal


@dataclass(frozen=True)
class GaussianMixture(MixtureDensity):
    """A mixture of K Gaussians N(mean_k, diag(exp(log_scale_k)^2)) with weights softmax(logits).

    Parameters
    ----------
    mean, log_scale : Tensor of shape (K, d)
        Means and log standard deviations.
    logits : Tensor of shape (K,)
        Log weights, up to a constant.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import GaussianMixture
    >>> p = GaussianMixture(torch.tensor([[-2.0], [2.0]]), torch.zeros(2, 1), torch.zeros(2))
    >>> p.responsibilities(torch.tensor([[0.0], [8.0]])).round(decimals=2)
    tensor([[0.5000, 0.5000],
            [0.0000, 1.0000]])
    """

    mean: Tensor
    log_scale: Tensor
    logits: Tensor

    @property
    def n_modes(self) -> int:  # type: ignore[override]
        """Number of Gaussians, K."""
        return len(self.logits)

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log density of each row of y, whose shape is (..., d)."""
        return self._log_joint(y).logsumexp(-1)

    def responsibilities(self, y: Tensor) -> Tensor:
        """Return the probability of each Gaussian given y, shape (..., K); rows sum to one."""
        return self._log_joint(y).softmax(-1)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw a Gaussian for each row, then the row from it, shape (n_samples, d).

        Weights that are not finite count as equal, so that a diverging model can still be sampled
        and its loss shows that it diverges.
        """
        shares = self.logits.softmax(0).nan_to_num(1.0)
        k = torch.multinomial(shares, n_samples, replacement=True, generator=generator)
        return Normal(self.mean[k], self.log_scale[k]).sample(generator)

    def mode(self, k: int) -> GaussianMixture:
        """Return Gaussian k alone."""
        return GaussianMixture(*(value[k : k + 1] for value in self._tensors()))

    def detached(self) -> GaussianMixture:
        """Return a detached copy (no gradients)."""
        return GaussianMixture(*(value.detach() for value in self._tensors()))

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.mean, self.log_scale, self.logits

    def _log_joint(self, y: Tensor) -> Tensor:
        """Return log(weight_k) + log N(y; mean_k, scale_k^2), shape (..., K).

        The square is expanded, so that no tensor of shape (n, K, d) is allocated.
        """
        # Relative to the mean of the means, since the terms of the expansion cancel there and
        # rounding errors do not.
        middle = self.mean.detach().mean(0)
        mean, rows = self.mean - middle, (y - middle).reshape(-1, y.shape[-1])
        precision = (-2 * self.log_scale).exp()
        pull = precision * mean
        exponent = F.linear(rows.square(), -0.5 * precision, -0.5 * (pull * mean).sum(-1))
        volume = self.log_scale.sum(-1) + mean.shape[-1] * HALF_LOG_2PI
        joint = torch.addmm(exponent, rows, pull.T) + (self.logits.log_softmax(0) - volume)
        return joint.reshape(*y.shape[:-1], -1)
