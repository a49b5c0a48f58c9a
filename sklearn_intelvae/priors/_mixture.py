"""The mixture of Gaussians, fixed or learned."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae._part import Encode, Prior
from sklearn_intelvae.distributions import GaussianMixture

_LOG_SCALE_RANGE = (-4.0, 3.0)


class Mixture(Prior):
    r"""A mixture of diagonal Gaussians, learned with the rest of the model or fixed.

    .. math:: p(y) = \sum_{k=1}^{K} w_k\, \mathcal N\big(y;\, m_k, \operatorname{diag}(s_k^2)\big)

    Clusters are modes of the prior here; :class:`~sklearn_intelvae.mappings.Clusters` instead
    divides a normal prior. The KL term has no closed form and is estimated at the sampled y, which
    is noisier; a density costs two products of matrices and memory for n K numbers.

    Parameters
    ----------
    n_modes : int, default=10
        Number of Gaussians, K.
    learn : bool, default=True
        Whether means, scales and weights are trained, from the starting values that the other
        parameters give and equal weights; with False they stay at these values.
    means : array-like of shape (n_modes, n_components) or None, default=None
        The means :math:`m_k`. None draws them from :math:`N(0, \mathrm{spread}^2)`.
    spread : float, default=1.0
        Standard deviation of means that are drawn, in the unit of y.
    scale : float, default=0.5
        Standard deviation :math:`s_k` in all dimensions, between 0.02 and 20, in the unit of y.
        Gaussians that start with 1 overlap and hardly separate.

    Raises
    ------
    ValueError
        By ``build``, if a parameter is outside its range or the shape of ``means`` is wrong.

    Notes
    -----
    The log of a learned scale stays between -4 and 3, so that no Gaussian can shrink to a single
    code.

    References
    ----------
    Miao, Mathieu, Siddharth, Teh and Rainforth, "On Incorporating Inductive Biases into VAEs",
    ICLR 2022: the fixed mixture is a baseline there.
    Jiang, Zheng, Tan, Tang and Zhou, "Variational Deep Embedding", IJCAI 2017: the learned one.

    Examples
    --------
    The baseline with two clusters in the plane and a log-variance of 1:

    >>> import math, torch
    >>> from sklearn_intelvae.priors import Mixture
    >>> prior = Mixture(2, learn=False, means=[[-2, 0], [2, 0]], scale=math.exp(0.5))
    >>> prior.build(n_components=2, n_features=5)
    >>> p_y = prior.density(encode=None)
    >>> p_y.sample(1000, torch.Generator().manual_seed(0)).shape
    torch.Size([1000, 2])
    >>> p_y.responsibilities(torch.tensor([[-8.0, 0.0], [0.0, 3.0]])).round(decimals=2)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])

    The baseline with four clusters has ``means=[[-2, -2], [-2, 2], [2, -2], [2, 2]]``, with zeros
    for further components of y.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_modes": [Interval(Integral, 1, None, closed="left")],
        "learn": ["boolean"],
        "spread": [Interval(Real, 0, None, closed="neither")],
        "scale": [Interval(Real, 0.02, 20, closed="both")],
    }

    has_modes = True
    centers: Tensor
    widths: Tensor
    logits: Tensor

    def __init__(
        self,
        n_modes: int = 10,
        learn: bool = True,
        means: Any = None,
        spread: float = 1.0,
        scale: float = 0.5,
    ) -> None:
        super().__init__()
        self.n_modes = n_modes
        self.learn = learn
        self.means = means
        self.spread = spread
        self.scale = scale

    def build(self, n_components: int, n_features: int) -> None:
        """Create means, scales and weights for y of ``n_components``."""
        super().build(n_components, n_features)
        centers = self._initial_means(n_components)
        start = {
            "centers": centers,
            "widths": torch.full_like(centers, _width(self.scale)),
            "logits": torch.zeros(len(centers)),
        }
        for name, value in start.items():
            if self.learn:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def density(self, encode: Encode) -> GaussianMixture:
        """Return the mixture."""
        low, high = _LOG_SCALE_RANGE
        log_scale = low + (high - low) * self.widths.sigmoid()
        return GaussianMixture(self.centers, log_scale, self.logits)

    def _initial_means(self, size: int) -> Tensor:
        """Return the given means, or drawn ones."""
        if self.means is None:
            return self.spread * torch.randn(self.n_modes, size)
        means = torch.tensor(np.asarray(self.means, dtype=np.float32))
        if means.shape != (self.n_modes, size) or not means.isfinite().all():
            raise ValueError(
                f"means of Mixture must have {self.n_modes} rows (n_modes) of {size} finite "
                f"numbers (n_components of the estimator), got {self.means!r}."
            )
        return means


def _width(scale: float) -> float:
    """Return the number whose sigmoid is the position of log(scale) between the bounds."""
    low, high = _LOG_SCALE_RANGE
    place = (math.log(scale) - low) / (high - low)
    return math.log(place / (1 - place))
