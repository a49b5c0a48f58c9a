"""The prior that is a mixture of posteriors."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae._part import Encode, Prior
from sklearn_intelvae.distributions import GaussianMixture
from sklearn_intelvae.priors._pseudo_inputs import rows_in_random_order


class Vamp(Prior):
    r"""The VampPrior: the mean of the posteriors of learned pseudo-inputs.

    .. math:: p(y) = \frac1K \sum_{k=1}^{K} q(y \mid u_k)

    The prior that maximizes the bound is the mean posterior of the training rows. This prior
    approximates it with few rows :math:`u_k`, of the width of X, which are trained with the rest of
    the model. It has no structure of its own: use it when p(y) should follow the data, and as a
    baseline. Each training step encodes K more rows. The KL term has no closed form and is
    estimated at the sampled y.

    Parameters
    ----------
    n_modes : int, default=50
        Number of pseudo-inputs, K. They start at randomly chosen training rows, which repeat if
        there are fewer than K.

    Raises
    ------
    ValueError
        By ``build``, if ``n_modes`` is not a positive integer.

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
    >>> vae = InteLVAE(2, prior=Vamp(n_modes=10), max_iter=5, random_state=0).fit(X)
    >>> vae.module_.prior.pseudo_inputs.shape
    torch.Size([10, 4])
    >>> vae.module_.prior_distribution().log_prob(torch.zeros(3, 2)).shape
    torch.Size([3])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_modes": [Interval(Integral, 1, None, closed="left")],
    }

    has_modes = True
    pseudo_inputs: Tensor

    def __init__(self, n_modes: int = 50) -> None:
        super().__init__()
        self.n_modes = n_modes

    def build(self, n_components: int, n_features: int) -> None:
        """Create the pseudo-inputs, of shape (n_modes, n_features)."""
        super().build(n_components, n_features)
        self.pseudo_inputs = nn.Parameter(torch.zeros(self.n_modes, n_features))

    @torch.no_grad()
    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Start the pseudo-inputs at rows of X."""
        self.pseudo_inputs.copy_(rows_in_random_order(X, self.n_modes, generator))

    def density(self, encode: Encode) -> GaussianMixture:
        """Return the mixture of the current posteriors; their covariances are not used."""
        q = encode(self.pseudo_inputs).marginals()
        return GaussianMixture(q.mean, q.log_scale, torch.zeros_like(q.mean[:, 0]))
