"""Posteriors: from the encoder's output to q(y | X)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae._part import Posterior
from sklearn_intelvae.distributions import FullNormal, Normal

__all__ = ["DiagonalGaussian", "FullGaussian", "Posterior"]


_LOG_VARIANCE = (-18.0, 4.0)


class DiagonalGaussian(Posterior):
    """Diagonal q(y | x) = N(mean(x), diag(variance(x))), as in Kingma and Welling (2014).

    The first half of the encoder's output is the mean, the second half the log variance, limited
    to [-18, 4]. A posterior much wider than the prior is never better, but for a row far from all
    others the encoder may return a large variance, and the sampled y would then dominate the loss.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.posteriors import DiagonalGaussian
    >>> q = DiagonalGaussian()(torch.zeros(5, 6))
    >>> q.mean.shape, float(q.variance[0, 0])
    (torch.Size([5, 3]), 1.0)
    """

    def n_outputs(self, n_components: int) -> int:
        """Return 2 n_components."""
        return 2 * n_components

    def forward(self, h: Tensor) -> Normal:
        """Map (n, 2 n_components) to the distributions of n rows."""
        mean, log_variance = h.chunk(2, dim=-1)
        return Normal(mean, 0.5 * F.hardtanh(log_variance, *_LOG_VARIANCE))

    def mean(self, h: Tensor) -> Tensor:
        """Return the means alone, shape (n, n_components)."""
        return h.chunk(2, dim=-1)[0]

    def outputs_for(self, covariance: Tensor) -> Tensor:
        """Return zeros, and the log variances of the components given all others."""
        variance = (1 / torch.linalg.inv(covariance).diagonal()).float()
        return torch.cat([torch.zeros_like(variance), variance.log()])


class FullGaussian(Posterior):
    """Gaussian q(y | x) = N(mean(x), L(x) L(x)^T), with a full covariance for each row.

    The encoder's output holds the mean, the log squares of L's diagonal, limited like the log
    variances of :class:`DiagonalGaussian`, and the elements of L below the diagonal.

    With a diagonal posterior the bound is largest where the columns of the decoder's Jacobian are
    orthogonal, so the axes of y align with local principal directions of X. A full posterior has no
    preferred axes: with a normal prior the axes are arbitrary, and with another prior, such as
    :class:`~sklearn_intelvae.priors.Laplace`, the prior alone determines them.

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
        """Return n_components for the mean, and n_components (n_components + 1) / 2 for L."""
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
        """Return the means alone, shape (n, n_components)."""
        return h[..., : _n_components(h.shape[-1])]

    def outputs_for(self, covariance: Tensor) -> Tensor:
        """Return zeros, and the logarithms and other elements of the Cholesky factor."""
        factor = torch.linalg.cholesky(covariance)
        rows, columns = torch.tril_indices(len(factor), len(factor), -1)
        diagonal = factor.diagonal()
        below = factor[rows, columns]
        return torch.cat([torch.zeros_like(diagonal), 2 * diagonal.log(), below]).float()


def _n_components(n_outputs: int) -> int:
    """Return the d with d + d (d + 1) / 2 = n_outputs."""
    return (math.isqrt(8 * n_outputs + 9) - 3) // 2
