"""The density that several priors share: a mixture of diagonal Gaussians."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae.distributions import HALF_LOG_2PI, Normal


@dataclass(frozen=True)
class Gaussians:
    """A mixture of K Gaussians N(mean_k, diag(exp(log_scale_k)^2)) with weights softmax(logits).

    ``mean`` and ``log_scale`` have shape (K, d), ``logits`` has shape (K,).
    """

    mean: Tensor
    log_scale: Tensor
    logits: Tensor

    @property
    def n_modes(self) -> int:
        """K."""
        return len(self.logits)

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log density of each row of y, whose shape is (..., d)."""
        return self._log_joint(y).logsumexp(-1)

    def responsibilities(self, y: Tensor) -> Tensor:
        """Return the probability of each component given y, shape (..., K)."""
        return self._log_joint(y).softmax(-1)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw a component for each row, then the row.

        Weights that are not numbers count as equal, so that rows of a diverging model can be drawn
        and its loss shows that it diverges.
        """
        shares = self.logits.softmax(0).nan_to_num(1.0)
        k = torch.multinomial(shares, n_samples, replacement=True, generator=generator)
        return Normal(self.mean[k], self.log_scale[k]).sample(generator)

    def component(self, k: int) -> Gaussians:
        """Return one of the Gaussians alone."""
        return Gaussians(*(value[k : k + 1] for value in self._tensors()))

    def detached(self) -> Gaussians:
        """Return the same density, of which no gradient is known."""
        return Gaussians(*(value.detach() for value in self._tensors()))

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.mean, self.log_scale, self.logits

    def _log_joint(self, y: Tensor) -> Tensor:
        """Return log(weight_k) + log N(y; mean_k, scale_k^2), shape (..., K).

        The square is expanded, so that nothing of shape (n, K, d) is made.
        """
        # Around their middle, since the terms of the expansion cancel and their rounding does not.
        middle = self.mean.detach().mean(0)
        mean, rows = self.mean - middle, (y - middle).reshape(-1, y.shape[-1])
        precision = (-2 * self.log_scale).exp()
        pull = precision * mean
        exponent = F.linear(rows.square(), -0.5 * precision, -0.5 * (pull * mean).sum(-1))
        volume = self.log_scale.sum(-1) + mean.shape[-1] * HALF_LOG_2PI
        joint = torch.addmm(exponent, rows, pull.T) + (self.logits.log_softmax(0) - volume)
        return joint.reshape(*y.shape[:-1], -1)
