"""The density that several priors share: a mixture of diagonal Gaussians."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    _kept: list[tuple[Tensor, ...]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

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
        middle, of_square, of_row, offset, constant = self._expansion()
        rows = (y - middle).reshape(-1, y.shape[-1])
        exponent = F.linear(rows.square(), of_square, offset)
        joint = torch.addmm(exponent, rows, of_row) + constant
        return joint.reshape(*y.shape[:-1], -1)

    def _expansion(self) -> tuple[Tensor, ...]:
        """Return the coefficients of the log density, which only a fixed one can keep.

        They are those around the middle of the means, since the terms of the expansion cancel and
        their rounding does not.
        """
        if self._kept:
            return self._kept[0]
        middle = self.mean.detach().mean(0)
        mean = self.mean - middle
        precision = (-2 * self.log_scale).exp()
        pull = precision * mean
        volume = self.log_scale.sum(-1) + mean.shape[-1] * HALF_LOG_2PI
        expansion = (
            middle,
            -0.5 * precision,
            pull.T,
            -0.5 * (pull * mean).sum(-1),
            self.logits.log_softmax(0) - volume,
        )
        if not any(value.requires_grad for value in self._tensors()):
            self._kept.append(expansion)
        return expansion
