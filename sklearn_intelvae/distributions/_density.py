"""What priors return, and the protocol of what likelihoods return."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from sklearn_intelvae.distributions._gaussian import PosteriorDistribution
from sklearn_intelvae.exceptions import not_given


class Distribution(Protocol):
    """Protocol of what a likelihood returns: one distribution p(x | z) for each of n rows.

    Any class with these three members will do; it need not derive from this one.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import Normal
    >>> p = Normal(torch.zeros(3, 2), torch.zeros(3, 2))
    >>> p.mean.shape, p.log_prob(torch.ones(3, 2)).shape
    (torch.Size([3, 2]), torch.Size([3]))
    """

    @property
    def mean(self) -> Tensor:
        """The mean of each row, shape (n, n_features)."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density of each row, summed over features.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows of X.

        Returns
        -------
        log_prob : Tensor of shape (n,)
            In nats.
        """

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value for each row.

        Parameters
        ----------
        generator : torch.Generator
            Source of the random numbers.

        Returns
        -------
        x : Tensor of shape (n, n_features)
            Drawn rows.
        """


class Density:
    """Base class of what a prior returns: the density p(y), the same for all rows.

    A subclass gives ``log_prob`` and ``sample``. The other methods have defaults.

    Attributes
    ----------
    n_modes : int
        Number of modes of a :class:`MixtureDensity`; 0 for any other density.
    has_axes : bool
        Whether the axes of y have a meaning, True by default. If not, any linear function of y has
        a density of the same kind, and ``transform`` returns codes along their principal axes.

    Examples
    --------
    >>> import math, torch
    >>> from sklearn_intelvae.distributions import Density
    >>> class UnitCube(Density):
    ...     def log_prob(self, y):
    ...         inside = ((y >= 0) & (y <= 1)).all(-1)
    ...         return torch.where(inside, 0.0, -math.inf)
    ...
    ...     def sample(self, n_samples, generator):
    ...         return torch.rand(n_samples, 2, generator=generator, device=generator.device)
    >>> UnitCube().log_prob(torch.tensor([[0.5, 0.5], [0.5, 2.0]]))
    tensor([0., -inf])
    """

    n_modes: int = 0
    has_axes: bool = True

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log p(y) of each row.

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            Rows of y.

        Returns
        -------
        log_prob : Tensor of shape (n,)
            In nats.
        """
        raise not_given(self, "log_prob")

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw rows of y.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        generator : torch.Generator
            Source of the random numbers; the rows are on its device.

        Returns
        -------
        y : Tensor of shape (n_samples, n_components)
            Drawn rows, float32.
        """
        raise not_given(self, "sample")

    def kl(self, q: PosteriorDistribution, y: Tensor) -> Tensor:
        """Return KL(q(y | x) || p(y)) of each row.

        Parameters
        ----------
        q : PosteriorDistribution
            The distributions q(y | x) of n rows.
        y : Tensor of shape (n, n_components)
            One draw from q for each row.

        Returns
        -------
        kl : Tensor of shape (n,)
            In nats. By default the estimate log q(y | x) - log p(y) at ``y``; a density that has
            the divergence in closed form overrides this.
        """
        return q.log_prob(y.clone()) - self.log_prob(y.clone())

    def kl_per_component(self, q: PosteriorDistribution) -> Tensor | None:
        """Return the terms of the KL divergence per row and component.

        Parameters
        ----------
        q : PosteriorDistribution
            The distributions q(y | x) of n rows.

        Returns
        -------
        terms : Tensor of shape (n, n_components) or None
            In nats. None, the default, means that the divergence is not a sum over components.
        """
        return None

    def detached(self) -> Density:
        """Return a detached copy (no gradients).

        Returns
        -------
        density : Density
            By default the density itself.
        """
        return self


class MixtureDensity(Density):
    """Base class of densities with K modes.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import GaussianMixture, MixtureDensity
    >>> p = GaussianMixture(torch.tensor([[-2.0], [2.0]]), torch.zeros(2, 1), torch.zeros(2))
    >>> isinstance(p, MixtureDensity), p.mode(1).mean
    (True, tensor([[2.]]))
    """

    def responsibilities(self, y: Tensor) -> Tensor:
        """Return the probability of each mode given y.

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            Rows of y.

        Returns
        -------
        probability : Tensor of shape (n, K)
            Each row sums to one.
        """
        raise not_given(self, "responsibilities")

    def mode(self, k: int) -> Density:
        """Return the density of one mode alone.

        Parameters
        ----------
        k : int
            Number of the mode, from 0 to K - 1.

        Returns
        -------
        density : Density
            The mode's density, normalized.
        """
        raise not_given(self, "mode")
