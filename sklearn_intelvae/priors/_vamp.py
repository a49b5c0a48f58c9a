"""The prior that is a mixture of posteriors."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.priors._base import Prior
from sklearn_intelvae.priors._gaussians import Gaussians


class Vamp(Prior):
    r"""The mean of the posteriors of learned pseudo-inputs.

    .. math:: p(y) = \frac1K \sum_{k=1}^{K} q(y \mid u_k)

    The prior that makes the bound largest is the mean posterior of the training rows. This one
    stands for it with few rows :math:`u_k`, of the width of X, which are trained with the rest of
    the model. It says nothing of its own about the latent: use it when p(y) should follow the data,
    and as a baseline. Each training step encodes K more rows. The KL term has no closed form and is
    estimated at the sampled y.

    Parameters
    ----------
    n_pseudo_inputs : int, default=50
        Number of pseudo-inputs, K. They start at training rows chosen at random, which repeat if
        there are fewer than K.

    Raises
    ------
    ValueError
        By ``build``, if ``n_pseudo_inputs`` is less than 1 or no integer.

    Notes
    -----
    A built prior has ``given`` in place of ``log_prob`` and ``sample``; of a fitted estimator,
    ``module_.p_y()`` returns the density.

    References
    ----------
    Tomczak and Welling, "VAE with a VampPrior", AISTATS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.priors import Vamp
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> vae = InteLVAE(2, prior=Vamp(n_pseudo_inputs=10), max_iter=5, random_state=0).fit(X)
    >>> vae.module_.prior.pseudo_inputs.shape
    torch.Size([10, 4])
    >>> vae.module_.p_y().log_prob(torch.zeros(3, 2)).shape
    torch.Size([3])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_pseudo_inputs": [Interval(Integral, 1, None, closed="left")],
    }

    has_modes = True
    pseudo_inputs: Tensor

    def __init__(self, n_pseudo_inputs: int = 50) -> None:
        super().__init__()
        self.n_pseudo_inputs = n_pseudo_inputs

    def build(self, n_components: int, n_features: int) -> None:
        """Make room for the pseudo-inputs."""
        super().build(n_components, n_features)
        self.pseudo_inputs = nn.Parameter(torch.zeros(self.n_pseudo_inputs, n_features))

    @torch.no_grad()
    def initialise(self, X: Tensor, generator: torch.Generator) -> None:
        """Start the pseudo-inputs at rows of X."""
        self.pseudo_inputs.copy_(in_random_order(X, self.n_pseudo_inputs, generator))

    def given(self, encode: Callable[[Tensor], Normal]) -> Gaussians:
        """Return p(y) as the encoder now makes it; of a full covariance the variances alone."""
        q = encode(self.pseudo_inputs).marginals()
        return Gaussians(q.mean, q.log_scale, torch.zeros_like(q.mean[:, 0]))


def in_random_order(X: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Return n rows of X, which repeat if there are fewer."""
    order = torch.randperm(len(X), generator=generator)
    return X[order[torch.arange(n) % len(X)]]
