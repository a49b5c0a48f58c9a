"""Posteriors: from the encoder's output to q(y | X)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae._part import Part
from sklearn_intelvae.distributions import Normal

__all__ = ["DiagonalGaussian"]


_LOG_VARIANCE = (-12.0, 4.0)


class DiagonalGaussian(Part):
    """q(y | x) = N(mean(x), diag(variance(x))), the posterior of Kingma and Welling (2014).

    The encoder's output is cut in halves: the mean and the log-variance, which is kept between -12
    and 4. A posterior much wider than the prior is never better, but a row far from all others may
    ask for one, and its sampled y would then swamp the loss.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.posteriors import DiagonalGaussian
    >>> q = DiagonalGaussian()(torch.zeros(5, 6))
    >>> q.mean.shape, float(q.variance[0, 0])
    (torch.Size([5, 3]), 1.0)
    """

    outputs_per_component = 2

    def forward(self, h: Tensor) -> Normal:
        """Map (n, 2 n_components) to the distributions of n rows."""
        mean, log_variance = h.chunk(2, dim=-1)
        return Normal(mean, 0.5 * F.hardtanh(log_variance, *_LOG_VARIANCE))

    def mean(self, h: Tensor) -> Tensor:
        """Return the means alone, all that a representation needs."""
        return h.chunk(2, dim=-1)[0]
