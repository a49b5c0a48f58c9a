"""The mixture of Gaussians, fixed or learned."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae.priors._base import Prior
from sklearn_intelvae.priors._gaussians import Gaussians

_LOG_SCALE = (-4.0, 3.0)


class Mixture(Prior):
    r"""A mixture of diagonal Gaussians, learned with the rest of the model or fixed.

    .. math:: p(y) = \sum_{k=1}^{K} w_k\, \mathcal N\big(y;\, m_k, \operatorname{diag}(s_k^2)\big)

    The clusters that :class:`~sklearn_intelvae.mappings.Clusters` cuts into a normal prior are here
    in the prior itself. The KL term has no closed form and is estimated at the sampled y, which is
    noisier; a density costs two products of matrices and memory for n K numbers.

    Parameters
    ----------
    n_components : int, default=10
        Number of Gaussians, K, as in :class:`sklearn.mixture.GaussianMixture`. The size of y is the
        estimator's ``n_components``.
    learn : bool, default=True
        Whether means, scales and weights are trained. They start from, or if False stay at, what
        the other parameters say and equal weights.
    means : array-like of shape (n_components, size of y) or None, default=None
        The means :math:`m_k`. None draws them from :math:`N(0, \mathrm{spread}^2)`.
    spread : float, default=1.0
        Standard deviation of means that are drawn, in the units of y.
    scale : float, default=0.5
        Standard deviation :math:`s_k` in all dimensions, between 0.02 and 20. Gaussians that
        start at 1, on top of one another, hardly part.

    Raises
    ------
    ValueError
        By ``build``, if a parameter is out of its range or the shape of ``means`` does not fit.

    Notes
    -----
    The log of a learned scale stays between -4 and 3, so that no Gaussian can close in on a single
    code.

    References
    ----------
    Miao, Mathieu, Siddharth, Teh and Rainforth, "On Incorporating Inductive Biases into VAEs",
    ICLR 2022: the fixed mixture is a baseline there.
    Jiang, Zheng, Tan, Tang and Zhou, "Variational Deep Embedding", IJCAI 2017: the learned one.

    Examples
    --------
    The baseline of two clusters in the plane, with a log-variance of 1:

    >>> import math, torch
    >>> from sklearn_intelvae.priors import Mixture
    >>> prior = Mixture(2, learn=False, means=[[-2, 0], [2, 0]], scale=math.exp(0.5))
    >>> prior.build(n_components=2, n_features=5)
    >>> y = prior.sample(1000, torch.Generator().manual_seed(0))
    >>> prior.log_prob(y).shape
    torch.Size([1000])
    >>> prior.responsibilities(torch.tensor([[-8.0, 0.0], [0.0, 3.0]])).round(decimals=2)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])

    The baseline of four has ``means=[[-2, -2], [-2, 2], [2, -2], [2, 2]]``, followed by zeros where
    y has more components.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "learn": ["boolean"],
        "spread": [Interval(Real, 0, None, closed="neither")],
        "scale": [Interval(Real, 0.02, 20, closed="both")],
    }

    has_modes = True
    centres: Tensor
    widths: Tensor
    logits: Tensor

    def __init__(
        self,
        n_components: int = 10,
        learn: bool = True,
        means: Any = None,
        spread: float = 1.0,
        scale: float = 0.5,
    ) -> None:
        super().__init__()
        self.n_components = n_components
        self.learn = learn
        self.means = means
        self.spread = spread
        self.scale = scale

    def build(self, n_components: int, n_features: int) -> None:
        """Make means, scales and weights for y of ``n_components``."""
        self._validate()
        centres = self._start(n_components)
        start = {
            "centres": centres,
            "widths": torch.full_like(centres, _width(self.scale)),
            "logits": torch.zeros(len(centres)),
        }
        for name, value in start.items():
            if self.learn:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    @property
    def n_modes(self) -> int:
        """Number of Gaussians."""
        return self.n_components

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log density of each row."""
        return self._density().log_prob(y)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw a Gaussian for each row, then the row from it."""
        return self._density().sample(n_samples, generator)

    def responsibilities(self, y: Tensor) -> Tensor:
        """Return the probability of each Gaussian given y, shape (n, K); rows sum to one."""
        return self._density().responsibilities(y)

    def component(self, k: int) -> Gaussians:
        """Return one of the Gaussians alone."""
        return self._density().component(k)

    def detached(self) -> Gaussians:
        """Return the density as it now is, of which no gradient is known."""
        return self._density().detached()

    def _density(self) -> Gaussians:
        low, high = _LOG_SCALE
        return Gaussians(self.centres, low + (high - low) * self.widths.sigmoid(), self.logits)

    def _start(self, size: int) -> Tensor:
        """Return the means that were given, or drawn ones."""
        if self.means is None:
            return self.spread * torch.randn(self.n_components, size)
        means = torch.tensor(np.asarray(self.means, dtype=np.float32))
        if means.shape != (self.n_components, size) or not means.isfinite().all():
            raise ValueError(
                f"means must hold {self.n_components} rows (n_components of the mixture) of {size} "
                f"finite numbers (n_components of the estimator), got {self.means!r}."
            )
        return means


def _width(scale: float) -> float:
    """Return the number whose sigmoid is the place of log(scale) between the bounds."""
    low, high = _LOG_SCALE
    place = (math.log(scale) - low) / (high - low)
    return math.log(place / (1 - place))
