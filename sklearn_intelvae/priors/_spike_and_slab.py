"""The sparse prior: each component is near zero or standard normal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae._part import Encode, Prior
from sklearn_intelvae.distributions import Density
from sklearn_intelvae.distributions._gaussian import HALF_LOG_2PI


class SpikeAndSlab(Prior):
    r"""Independent components, each from a narrow or from a standard normal distribution.

    .. math:: p(y) = \prod_j \big( \pi\, \mathcal N(y_j; 0, s^2)
              + (1 - \pi)\, \mathcal N(y_j; 0, 1) \big)

    Under this prior a row uses a share of :math:`1 - \pi` of the components, and the others are
    near zero: sparsity by the prior, in place of sparsity by the mapping
    (:class:`~sklearn_intelvae.mappings.DimensionSelector`). The KL term has no closed form and is
    estimated at the sampled y. The prior has no weights and costs two densities per component.

    Parameters
    ----------
    spike_probability : float, default=0.8
        Share :math:`\pi` of components near zero, between 0 and 1.
    spike_scale : float, default=0.05
        Standard deviation s of those, between 0 and 1; that of the others is 1.

    Raises
    ------
    ValueError
        By ``build``, if a parameter is not between 0 and 1.

    References
    ----------
    Mathieu, Rainforth, Siddharth and Teh, "Disentangling Disentanglement in Variational
    Autoencoders", ICML 2019.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.priors import SpikeAndSlab
    >>> prior = SpikeAndSlab(spike_probability=0.8)
    >>> prior.build(n_components=50, n_features=100)
    >>> y = prior.density(encode=None).sample(1000, torch.Generator().manual_seed(0))
    >>> round(float((y.abs() < 0.1).float().mean()), 1)
    0.8
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "spike_probability": [Interval(Real, 0, 1, closed="neither")],
        "spike_scale": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(self, spike_probability: float = 0.8, spike_scale: float = 0.05) -> None:
        super().__init__()
        self.spike_probability = spike_probability
        self.spike_scale = spike_scale

    def density(self, encode: Encode) -> SpikeAndSlabDensity:
        """Return the product of the two-component mixtures."""
        return SpikeAndSlabDensity(self.n_components, self.spike_probability, self.spike_scale)


@dataclass(frozen=True)
class SpikeAndSlabDensity(Density):
    """The density of :class:`SpikeAndSlab`."""

    n_components: int
    spike_probability: float
    spike_scale: float

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log density of each row, shape (n,)."""
        half = 0.5 * y.square()
        log_spike = math.log(self.spike_probability / self.spike_scale)
        spike = log_spike - half / self.spike_scale**2
        slab = math.log1p(-self.spike_probability) - half
        return (torch.logaddexp(spike, slab) - HALF_LOG_2PI).sum(-1)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw the mixture component of each value, then the value."""
        settings = {"generator": generator, "dtype": torch.float32, "device": generator.device}
        shape = n_samples, self.n_components
        spiked = torch.rand(shape, **settings) < self.spike_probability  # type: ignore[call-overload]
        y = torch.randn(shape, **settings)  # type: ignore[call-overload]
        return torch.where(spiked, self.spike_scale * y, y)
