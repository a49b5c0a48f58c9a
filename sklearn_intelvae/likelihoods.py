"""Likelihoods: from the decoder's output to p(X | z)."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from sklearn_intelvae._moments import supported_noise
from sklearn_intelvae._part import Likelihood, Linearization
from sklearn_intelvae.distributions import Bernoulli as BernoulliRows
from sklearn_intelvae.distributions import Distribution, Normal
from sklearn_intelvae.distributions import Laplace as LaplaceRows

__all__ = ["Bernoulli", "Gaussian", "Laplace", "Likelihood", "Linearization"]

_LOG_SCALE_SPEED = 10.0
"""Adam changes a parameter by about the learning rate per step. The log of the scale may have to
fall by several units within a few thousand steps, so it is this factor times its parameter."""


_SMALLEST_EXCESS = 1e-4
"""At its bound a scale could not be trained; this is the log of the factor that it starts above."""

_MIXED = 0.25
"""Fraction of the warm-up in which scales of features share their gradients, less and less."""

_RAREST = 1e-3
"""The logits of features that are hardly ever 0, or 1, start as if it were this share of rows."""

_EDGE = 1e-5
"""Values this far outside [0, 1] are rounding errors of a scaler in float32."""


class _LocationScale(Likelihood):
    """A likelihood whose mean is the decoder's output, with a fixed or learned scale."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "scale": [
            StrOptions({"learned", "per_feature"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "min_scale": [Interval(Real, 0, 1, closed="neither")],
    }

    log_bound: Tensor
    fixed_log_scale: Tensor
    is_informed: Tensor

    _variance_of_unit_scale: ClassVar[float] = 1.0

    def __init__(self, scale: float | str = "per_feature", min_scale: float = 0.01) -> None:
        super().__init__()
        self.scale = scale
        self.min_scale = min_scale
        self.progress = 1.0

    def build(self, n_features: int) -> None:
        """Create the scale: one number, or one for each feature."""
        super().build(n_features)
        shape = (n_features,) if self.scale == "per_feature" else ()
        if isinstance(self.scale, str):
            bound = math.log(self.min_scale)
            start = math.log(math.expm1(-bound)) / _LOG_SCALE_SPEED
            self.register_buffer("log_bound", torch.full(shape, bound))
            self.excess = nn.Parameter(torch.full(shape, start))
        else:
            self.register_buffer("fixed_log_scale", torch.full(shape, math.log(float(self.scale))))
        self.register_buffer("is_informed", torch.zeros(()))

    @property
    def standardization(self) -> str:  # type: ignore[override]
        """The columns one by one if each has its scale, otherwise so that all keep one unit."""
        if not isinstance(self.scale, str):
            return "center"
        return "columns" if self.scale == "per_feature" else "table"

    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Start a learned scale at the standard deviation of the training rows, and bound it."""
        if not isinstance(self.scale, str):
            return
        spread = _spread(X)
        if self.scale == "per_feature":
            smallest = supported_noise(X, self.min_scale).clamp(min=self.min_scale, max=1.0)
            self.log_bound += (spread * smallest / self.min_scale).log()
            self._set_log_scale(spread.log())
        else:
            self.log_bound += spread.log().mean()
            self._set_log_scale(spread.square().mean().sqrt().log())

    def set_progress(self, fraction: float) -> None:
        """Set the fraction of the warm-up that has passed."""
        self.progress = fraction

    def linearize(self, mean: np.ndarray, variance: np.ndarray) -> Linearization:
        """Return the likelihood itself, or of another than the Gaussian one of its variance."""
        known = not isinstance(self.scale, str)
        scale = (self.fixed_log_scale if known else self.log_bound).double().exp().numpy(force=True)
        noise = np.broadcast_to(self._variance_of_unit_scale * scale**2, mean.shape)
        return Linearization(
            output=mean,
            slope=np.ones_like(mean),
            noise=noise if known else None,
            is_shared=self.scale == "learned",
            min_noise=np.zeros_like(mean) if known else noise,
        )

    def set_noise(self, variance: np.ndarray | None, factor: float) -> None:
        """Set a learned scale to these variances, or to the present ones, times a factor.

        The scales then differ already, and their gradients are not mixed.
        """
        if not isinstance(self.scale, str):
            return
        if variance is None:
            log_scale = self.log_scale().detach().cpu().double()
        else:
            log_scale = torch.from_numpy(0.5 * np.log(variance / self._variance_of_unit_scale))
            log_scale = log_scale if self.scale == "per_feature" else log_scale.mean()
        self._set_log_scale(log_scale + 0.5 * math.log(factor))
        self.is_informed.fill_(1)

    @torch.no_grad()
    def _set_log_scale(self, log_scale: Tensor) -> None:
        above = (log_scale - self.log_bound.cpu().double()).clamp(min=_SMALLEST_EXCESS)
        self.excess.copy_(above.expm1().log() / _LOG_SCALE_SPEED)

    def log_scale(self) -> Tensor:
        """Return the log of the scale.

        Returns
        -------
        log_scale : Tensor of shape () or (n_features,)
            One number, or one for each feature.
        """
        if not isinstance(self.scale, str):
            return self.fixed_log_scale
        excess = self.excess if self.progress >= _MIXED else self._with_mixed_gradients()
        return self.log_bound + F.softplus(_LOG_SCALE_SPEED * excess)

    def _with_mixed_gradients(self) -> Tensor:
        """Return ``excess``, whose gradients are at first the mean over the features.

        From random weights the feature that is reconstructed best would otherwise get the smallest
        scale, hence the largest gradients, and the others might never be learned.
        """
        own_share = self.is_informed.clamp(min=self.progress / _MIXED)
        mixed = torch.lerp(self.excess.mean(), self.excess, own_share)
        return self.excess.detach() + (mixed - mixed.detach())

    def mean(self, h: Tensor) -> Tensor:
        """Return the decoder's output, which is the mean."""
        return h


class Gaussian(_LocationScale):
    r"""Normal likelihood p(x | z) = N(x; decoder(z), s^2), for real numbers.

    Parameters
    ----------
    scale : "per_feature", "learned" or float, default="per_feature"
        Standard deviation s: one learned number for each feature, one for all features, or a fixed
        positive number in the unit of X. One for all, as in PCA, suits features with a common unit,
        such as the pixels of an image; the features with the largest variance then matter most.
    min_scale : float, default=0.01
        Lower bound of a learned scale, as a fraction of the standard deviation of the feature, or
        of the geometric mean of these if all features share one scale. Without a bound the density
        of a feature that is reconstructed exactly grows without limit.

    Notes
    -----
    A standard deviation that a few rows determine says little about further rows. With

    .. math:: n_j = \Big(\sum_i (x_{ij} - \bar x_j)^2\Big)^2 \Big/
              \sum_i (x_{ij} - \bar x_j)^4,

    the number of rows that determine it, the scale of feature j is at least 1 / n_j of the
    standard deviation, or the leave-one-out error of a ridge regression on the other features if
    that is smaller. For normal features this matters only below 300 rows; a feature that is
    constant except in one row is not modeled more precisely than by its standard deviation.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.likelihoods import Gaussian
    >>> likelihood = Gaussian(scale=1.0)
    >>> likelihood.build(2)
    >>> round(float(likelihood(torch.zeros(1, 2)).log_prob(torch.zeros(1, 2))), 4)
    -1.8379
    """

    def forward(self, h: Tensor) -> Distribution:
        """Return the Gaussians around ``h``."""
        return Normal(h, self.log_scale())


class Laplace(_LocationScale):
    """Laplace likelihood, exp(-abs(x - decoder(z)) / s) / (2 s), for numbers with outliers.

    Parameters
    ----------
    scale : "per_feature", "learned" or float, default="per_feature"
        Mean absolute deviation s, as for :class:`Gaussian`.
    min_scale : float, default=0.01
        Lower bound of a learned scale, as for :class:`Gaussian`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.likelihoods import Laplace
    >>> likelihood = Laplace(scale=0.5)
    >>> likelihood.build(2)
    >>> float(likelihood(torch.zeros(1, 2)).log_prob(torch.ones(1, 2)))
    -4.0
    """

    _variance_of_unit_scale = 2.0

    def forward(self, h: Tensor) -> Distribution:
        """Return the Laplace distributions around ``h``."""
        return LaplaceRows(h, self.log_scale())


class Bernoulli(Likelihood):
    """Bernoulli likelihood of zeros and ones; the decoder's output holds the logits.

    Values between 0 and 1, such as the gray levels of an image, are accepted, as is usual for
    VAEs; the result of ``log_prob`` is then the negative cross-entropy, not a log density.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.likelihoods import Bernoulli
    >>> p = Bernoulli()(torch.zeros(1, 2))
    >>> p.mean
    tensor([[0.5000, 0.5000]])
    """

    def check_support(self, X: np.ndarray) -> None:
        """Raise ValueError if a value of X lies outside [0, 1]."""
        low, high = float(X.min()), float(X.max())
        if low < -_EDGE or high > 1 + _EDGE:
            raise ValueError(
                f"likelihood='bernoulli' needs X in [0, 1], but X ranges from {low:.4g} to "
                f"{high:.4g}. Rescale X, for instance with MinMaxScaler(clip=True) or by dividing "
                "gray levels by their maximum, or choose likelihood='gaussian'."
            )

    def forward(self, h: Tensor) -> Distribution:
        """Return the Bernoulli distributions with logits ``h``."""
        return BernoulliRows(h)

    def linearize(self, mean: np.ndarray, variance: np.ndarray) -> Linearization:
        """Return the Gaussian of the working response of logistic regression, at the mean of X."""
        share = np.clip(mean, _RAREST, 1 - _RAREST)
        information = share * (1 - share)
        return Linearization(
            output=np.log(share / (1 - share)),
            slope=1 / information,
            noise=1 / information,
            is_shared=False,
            min_noise=np.zeros_like(mean),
        )


def _spread(X: Tensor) -> Tensor:
    """Return the standard deviation of each column; 1 for a constant one, as in StandardScaler."""
    spread = X.std(dim=0, correction=0)
    return torch.where(spread > 0, spread, 1.0).double()
