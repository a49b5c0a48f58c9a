"""The base class of priors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sklearn_intelvae._part import Part
from sklearn_intelvae.distributions import Density, PosteriorDistribution

Encode = Callable[[Tensor], PosteriorDistribution]


class Prior(Part):
    """Base class of priors; a subclass gives ``density``, which returns p(y).

    Attributes
    ----------
    has_modes : bool
        Whether the density is a :class:`~sklearn_intelvae.distributions.MixtureDensity`; False by
        default. An estimator with such a prior has ``predict_proba`` and ``sample(mode=...)``.

    Examples
    --------
    >>> import math, torch
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.distributions import Density
    >>> from sklearn_intelvae.priors import Prior
    >>> class LogisticDensity(Density):
    ...     def __init__(self, n_components, scale):
    ...         self.n_components, self.scale = n_components, scale
    ...
    ...     def log_prob(self, y):
    ...         t = (y / self.scale).abs()
    ...         return (-t - 2 * torch.exp(-t).log1p() - math.log(self.scale)).sum(-1)
    ...
    ...     def sample(self, n_samples, generator):
    ...         shape, device = (n_samples, self.n_components), generator.device
    ...         share = torch.rand(shape, generator=generator, device=device)
    ...         return self.scale * share.logit(eps=1e-6)
    >>> class Logistic(Prior):
    ...     def __init__(self, scale=0.5):
    ...         super().__init__()
    ...         self.scale = scale
    ...
    ...     def density(self, encode):
    ...         return LogisticDensity(self.n_components, self.scale)
    >>> InteLVAE(prior=Logistic(scale=0.3))
    InteLVAE(prior=Logistic(scale=0.3))
    """

    has_modes: bool = False
    n_components: int

    def build(self, n_components: int, n_features: int) -> None:
        """Store the size of y as ``n_components``; a subclass also creates its weights.

        Parameters
        ----------
        n_components, n_features : int
            Numbers of columns of y and of X.
        """
        self._validate()
        self.n_components = n_components

    def density(self, encode: Encode) -> Density:
        """Return p(y), given the current encoder if the prior depends on it.

        Parameters
        ----------
        encode : callable
            Maps rows of X, a tensor of shape (n, n_features), to q(y | x). Do not keep it: the
            encoder changes at every step, and would be saved with the prior.
        """
        raise NotImplementedError

    def follow(self, encode: Encode) -> None:
        """Update the prior's own weights from the encoder; called after ``set_progress``.

        Parameters
        ----------
        encode : callable
            As in ``density``.
        """


def rows_in_random_order(X: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Return n rows of X in random order, repeated if X has fewer."""
    order = torch.randperm(len(X), generator=generator)
    return X[order[torch.arange(n) % len(X)]]
