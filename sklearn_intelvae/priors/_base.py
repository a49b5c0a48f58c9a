"""The base class of priors."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_intelvae._part import Part


class Prior(Part):
    """Base class of priors p(y); a subclass gives ``log_prob`` and ``sample``.

    It may give, besides:

    - ``kl(q)``, the KL divergence of each row's q(y | X) from the prior in closed form; without it
      the divergence is estimated at the sampled y;
    - ``kl_per_component(q)``, if the prior's components are independent;
    - ``initialise(X, generator)``, which sees the training rows once before training and may set
      starting values;
    - ``given(encode)``, instead of the first two, if p(y) depends on the encoder. It returns an
      object with ``log_prob`` and ``sample``, and ``kl`` if that is known. ``encode`` maps rows of
      X to q(y | X) and is handed over at each use: a prior keeps no reference to it;
    - ``warm_up(fraction)``, which is called before each training step with how much of the warm-up
      is over;
    - ``expect_game(begin)``, which a game's objective calls before training with the share of the
      warm-up at which it begins;
    - ``has_modes = True``, if p(y) is a mixture and has ``n_modes``, ``responsibilities(y)``, the
      probability of each mode, and ``component(k)``, the distribution of one: estimators then have
      ``predict_proba`` and ``sample(component=k)``;
    - ``detached()``, if it has weights: the same p(y), of which no gradient is known.

    Any ``torch.nn.Module`` with the same methods serves as well; the base class adds
    scikit-learn's parameters, so that the prior's settings can be cloned, printed and searched.

    Examples
    --------
    >>> import math, torch
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.priors import Prior
    >>> class Logistic(Prior):
    ...     def __init__(self, scale=0.5):
    ...         super().__init__()
    ...         self.scale = scale
    ...
    ...     def log_prob(self, y):
    ...         t = (y / self.scale).abs()
    ...         return (-t - 2 * torch.exp(-t).log1p() - math.log(self.scale)).sum(-1)
    ...
    ...     def sample(self, n_samples, generator):
    ...         shape, device = (n_samples, self.n_components), generator.device
    ...         share = torch.rand(shape, generator=generator, device=device)
    ...         return self.scale * share.logit(eps=1e-6)
    >>> InteLVAE(prior=Logistic(scale=0.3))
    InteLVAE(prior=Logistic(scale=0.3))
    """

    def build(self, n_components: int, n_features: int) -> None:
        """Take the sizes of y and X and make the prior's weights, if it has any."""
        self._validate()
        self.n_components = n_components

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log p(y) of each row, in nats; y has shape (..., n_components)."""
        raise NotImplementedError

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draw ``n_samples`` rows of y on the generator's device."""
        raise NotImplementedError
