"""Laplace distributions, one for each row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae.distributions._gaussian import elementwise, factors, total


@dataclass(frozen=True)
class Laplace:
    """Independent Laplace distributions with density ``exp(-|x - mean| / scale) / (2 scale)``.

    Parameters
    ----------
    mean : Tensor of shape (n, d)
        Means, which are also the medians.
    log_scale : Tensor of shape (), (d,) or (n, d)
        Log of the mean absolute deviation.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import Laplace
    >>> p = Laplace(torch.zeros(1, 2), torch.tensor(0.5).log())
    >>> p.log_prob(torch.ones(1, 2))
    tensor([-4.])
    """

    mean: Tensor
    log_scale: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density of each row, summed over features.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Real numbers.

        Returns
        -------
        log_prob : Tensor of shape (n,)
            In nats.
        """
        distance = elementwise(F.l1_loss, self.mean, x)
        n_features = x.shape[-1]
        constant = n_features * math.log(2) + total(self.log_scale, n_features)
        return torch.addcmul(-constant, *factors(distance, (-self.log_scale).exp()), value=-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value for each row, by inversion of the distribution function.

        Parameters
        ----------
        generator : torch.Generator
            Source of the random numbers.

        Returns
        -------
        x : Tensor of shape (n, d)
            Drawn values.
        """
        m = self.mean
        uniform = torch.rand(m.shape, generator=generator, dtype=m.dtype, device=m.device) - 0.5
        magnitude = -torch.log1p(-2 * uniform.abs().clamp(max=0.5 - 2**-25))
        return m + self.log_scale.exp() * uniform.sign() * magnitude
