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

from sklearn_intelvae._part import Likelihood
from sklearn_intelvae.distributions import Bernoulli as BernoulliRows
from sklearn_intelvae.distributions import Distribution, Normal
from sklearn_intelvae.distributions import Laplace as LaplaceRows

__all__ = ["Bernoulli", "Gaussian", "Laplace", "Likelihood"]

_LOG_SCALE_SPEED = 10.0
"""Adam changes a parameter by about the learning rate per step. The log of the scale may have to
fall by several units within a few thousand steps, so it is this factor times its parameter."""


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

    def __init__(self, scale: float | str = "learned", min_scale: float = 0.01) -> None:
        super().__init__()
        self.scale = scale
        self.min_scale = min_scale

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

    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Start a learned scale at the standard deviation of the training rows."""
        if isinstance(self.scale, str):
            overall = X.std(correction=0)
            spread = X.std(dim=0, correction=0) if self.scale == "per_feature" else overall
            spread = torch.where(spread > 0, spread, torch.where(overall > 0, overall, 1.0))
            self.log_bound += spread.log()

    def log_scale(self) -> Tensor:
        """Return the log of the scale.

        Returns
        -------
        log_scale : Tensor of shape () or (n_features,)
            One number, or one for each feature.
        """
        if not isinstance(self.scale, str):
            return self.fixed_log_scale
        return self.log_bound + F.softplus(_LOG_SCALE_SPEED * self.excess)

    def mean(self, h: Tensor) -> Tensor:
        """Return the decoder's output, which is the mean."""
        return h


class Gaussian(_LocationScale):
    r"""Normal likelihood p(x | z) = N(x; decoder(z), s^2), for real numbers.

    Parameters
    ----------
    scale : "learned", "per_feature" or float, default="learned"
        Standard deviation s in the units of X: one learned number, one for each feature, or a
        fixed positive number.
    min_scale : float, default=0.01
        Lower bound of a learned scale, as a fraction of the standard deviation of X. Without a
        bound the density of a feature that is reconstructed exactly grows without limit.

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
    scale : "learned", "per_feature" or float, default="learned"
        Mean absolute deviation s in the units of X, as for :class:`Gaussian`.
    min_scale : float, default=0.01
        Lower bound of a learned scale, as a fraction of the standard deviation of X.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.likelihoods import Laplace
    >>> likelihood = Laplace(scale=0.5)
    >>> likelihood.build(2)
    >>> float(likelihood(torch.zeros(1, 2)).log_prob(torch.ones(1, 2)))
    -4.0
    """

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
