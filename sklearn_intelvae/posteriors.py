"""Posteriors: from the encoder's output to q(y | X)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae._part import Part
from sklearn_intelvae.distributions import FullNormal, Normal

__all__ = ["DiagonalGaussian", "FullGaussian"]


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

    def n_outputs(self, n_components: int) -> int:
        """Return how many numbers the encoder has to give for each row."""
        return 2 * n_components

    def forward(self, h: Tensor) -> Normal:
        """Map (n, 2 n_components) to the distributions of n rows."""
        mean, log_variance = h.chunk(2, dim=-1)
        return Normal(mean, 0.5 * F.hardtanh(log_variance, *_LOG_VARIANCE))

    def mean(self, h: Tensor) -> Tensor:
        """Return the means alone, all that a representation needs."""
        return h.chunk(2, dim=-1)[0]


class FullGaussian(Part):
    """q(y | x) = N(mean(x), L(x) L(x)^T), with a covariance of its own for each row.

    The encoder gives the mean, the logarithms of the squares of L's diagonal, kept within the range
    that variances have in :class:`DiagonalGaussian`, and what is below the diagonal, as it is.

    A diagonal posterior is cheapest where the decoder's columns are orthogonal, and so it turns the
    axes of y into local principal directions. This one can be turned with any axes: with a normal
    prior these mean nothing, and with another prior, such as
    :class:`~sklearn_intelvae.priors.Laplace`, what the prior asks for decides alone.

    References
    ----------
    Rolinek, Zietlow and Martius, "Variational Autoencoders Pursue PCA Directions (by Accident)",
    CVPR 2019, where it is a control.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.posteriors import FullGaussian
    >>> q = FullGaussian()(torch.zeros(5, FullGaussian().n_outputs(3)))
    >>> q.mean.shape, q.factor.shape
    (torch.Size([5, 3]), torch.Size([5, 3, 3]))
    """

    def n_outputs(self, n_components: int) -> int:
        """Return how many numbers the encoder has to give for each row."""
        return n_components + n_components * (n_components + 1) // 2

    def forward(self, h: Tensor) -> FullNormal:
        """Map (n, n_outputs(n_components)) to the distributions of n rows."""
        d = _n_components(h.shape[-1])
        mean, log_variance, below = h.split([d, d, h.shape[-1] - 2 * d], dim=-1)
        diagonal = (0.5 * F.hardtanh(log_variance, *_LOG_VARIANCE)).exp()
        rows, columns = torch.tril_indices(d, d, -1, device=h.device)
        factor = torch.diag_embed(diagonal)
        factor[..., rows, columns] = below
        return FullNormal(mean, factor)

    def mean(self, h: Tensor) -> Tensor:
        """Return the means alone, all that a representation needs."""
        return h[..., : _n_components(h.shape[-1])]


def _n_components(n_outputs: int) -> int:
    """Return the d with d + d (d + 1) / 2 = n_outputs."""
    return (math.isqrt(8 * n_outputs + 9) - 3) // 2
