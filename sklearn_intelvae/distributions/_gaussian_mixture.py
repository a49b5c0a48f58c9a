"""The densities that several priors share: mixtures of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae.distributions._density import MixtureDensity
from sklearn_intelvae.distributions._gaussian import HALF_LOG_2PI, Normal, PosteriorDistribution


class _GaussianModes(MixtureDensity):
    """What mixtures of Gaussians with any covariances share."""

    mean: Tensor
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

    def _draw_modes(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw a Gaussian for each row, shape (n_samples,).

        Weights that are not finite count as equal, so that a diverging model can still be sampled
        and its loss shows that it diverges.
        """
        shares = self.logits.softmax(0).nan_to_num(1.0)
        return torch.multinomial(shares, n_samples, replacement=True, generator=generator)

    def _log_joint(self, y: Tensor) -> Tensor:
        """Return log(weight_k) + log N(y; mean_k, covariance_k), shape (..., K)."""
        raise NotImplementedError


@dataclass(frozen=True)
class GaussianMixture(_GaussianModes):
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

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw a Gaussian for each row, then the row from it, shape (n_samples, d)."""
        k = self._draw_modes(n_samples, generator)
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


@dataclass(frozen=True)
class FullGaussianMixture(_GaussianModes):
    """A mixture of K Gaussians with full covariances and weights softmax(logits).

    Parameters
    ----------
    mean : Tensor of shape (K, d)
        Means.
    factor : Tensor of shape (K, d, d)
        Upper triangular F with positive diagonals; the inverse of a covariance is F F^T.
    logits : Tensor of shape (K,)
        Log weights, up to a constant.
    is_standard : bool, default=False
        Whether the density is N(0, I), whose KL divergence has a closed form.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import FullGaussianMixture
    >>> mean = torch.tensor([[-2.0, 0.0], [2.0, 0.0]])
    >>> p = FullGaussianMixture(mean, torch.eye(2).expand(2, 2, 2), torch.zeros(2))
    >>> p.responsibilities(torch.tensor([[0.0, 0.0], [8.0, 0.0]])).round(decimals=2)
    tensor([[0.5000, 0.5000],
            [0.0000, 1.0000]])
    """

    mean: Tensor
    factor: Tensor
    logits: Tensor
    is_standard: bool = False
    has_axes = False

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw a Gaussian for each row, then the row from it, shape (n_samples, d)."""
        if self.n_modes > 1:
            k = self._draw_modes(n_samples, generator)
        else:  # the same draws as from the normal distribution
            k = torch.zeros(n_samples, dtype=torch.int64, device=generator.device)
        shape = n_samples, self.mean.shape[1]
        noise = torch.randn(shape, generator=generator, dtype=torch.float32, device=k.device)
        y = torch.empty_like(noise)
        for mode, (mean, factor) in enumerate(zip(self.mean, self.factor, strict=True)):
            rows = k == mode
            y[rows] = mean + torch.linalg.solve_triangular(
                factor, noise[rows], upper=True, left=False
            )
        return y

    def mode(self, k: int) -> FullGaussianMixture:
        """Return Gaussian k alone."""
        only = slice(k, k + 1)
        return FullGaussianMixture(self.mean[only], self.factor[only], self.logits[only])

    def detached(self) -> FullGaussianMixture:
        """Return a detached copy (no gradients)."""
        mean, factor, logits = (v.detach() for v in (self.mean, self.factor, self.logits))
        return FullGaussianMixture(mean, factor, logits, self.is_standard)

    def kl(self, q: PosteriorDistribution, y: Tensor) -> Tensor:
        """Return KL(q || p) of each row, shape (n,): the cross entropy at y unless p is N(0, I)."""
        if self.is_standard:
            return q.kl_from_standard().sum(-1)
        return -q.entropy_per_component().sum(-1) - self.log_prob(y)

    def kl_per_component(self, q: PosteriorDistribution) -> Tensor | None:
        """Return the terms of KL(q || N(0, I)), or None for any other density."""
        return q.kl_from_standard() if self.is_standard else None

    def _log_joint(self, y: Tensor) -> Tensor:
        """Return log(weight_k) + log N(y; mean_k, covariance_k), shape (..., K)."""
        k, d = self.mean.shape
        is_fixed = not any(v.requires_grad for v in (self.mean, self.factor, self.logits))
        whitening, offset, constant = self._fixed_terms if is_fixed else self._terms()
        white = torch.addmm(offset, y.reshape(-1, d), whitening).reshape(-1, k, d)
        joint = torch.add(constant, white.square().sum(-1), alpha=-0.5)
        return joint.reshape(*y.shape[:-1], k)

    @cached_property
    def _fixed_terms(self) -> tuple[Tensor, Tensor, Tensor]:
        with torch.inference_mode(False), torch.no_grad():  # a training may use them later
            return self._terms()

    def _terms(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return what whitens y for all Gaussians, a matrix and an offset, and log constants."""
        k, d = self.mean.shape
        whitening = self.factor.transpose(0, 1).reshape(d, k * d)
        offset = -(self.mean[:, None] @ self.factor).reshape(k * d)
        volume = d * HALF_LOG_2PI - self.factor.diagonal(dim1=1, dim2=2).log().sum(-1)
        return whitening, offset, self.logits.log_softmax(0) - volume
