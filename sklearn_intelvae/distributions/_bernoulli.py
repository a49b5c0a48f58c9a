"""Bernoulli distributions, one for each row."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae.distributions._gaussian import elementwise


@dataclass(frozen=True)
class Bernoulli:
    """Independent Bernoulli distributions with success probability sigmoid(logits).

    Parameters
    ----------
    logits : Tensor of shape (n, d)
        Log odds of a one.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import Bernoulli
    >>> Bernoulli(torch.zeros(1, 2)).mean
    tensor([[0.5000, 0.5000]])
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """The success probabilities, shape (n, d)."""
        return self.logits.sigmoid()

    def log_prob(self, x: Tensor) -> Tensor:
        """Return x log p + (1 - x) log(1 - p) of each row, summed over features.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Values between 0 and 1.

        Returns
        -------
        log_prob : Tensor of shape (n,)
            In nats.
        """
        return -elementwise(F.binary_cross_entropy_with_logits, self.logits, x).sum(-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value for each row and feature.

        Parameters
        ----------
        generator : torch.Generator
            Source of the random numbers.

        Returns
        -------
        x : Tensor of shape (n, d)
            Zeros and ones.
        """
        return torch.bernoulli(self.mean, generator=generator)
