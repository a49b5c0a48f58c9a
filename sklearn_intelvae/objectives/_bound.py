"""The lower bound on log p(x) that scores a model."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sklearn_intelvae._part import call
from sklearn_intelvae.distributions import Density, PosteriorDistribution
from sklearn_intelvae.models import VAE


def importance_weighted_bound(model: VAE, x: Tensor, noise: Tensor) -> Tensor:
    r"""Return the importance-weighted lower bound on log p(x) of each row, in nats.

    .. math:: \log \frac1K \sum_k \frac{p(x \mid g(y_k))\, p(y_k)}{q(y_k \mid x)},
              \qquad y_k \sim q(y \mid x)

    It grows with K towards log p(x). No term is omitted or reweighted, whatever the objective
    that the model was trained with.

    Parameters
    ----------
    model : VAE
        A trained model.
    x : Tensor of shape (n, n_features)
        Rows of X.
    noise : Tensor of shape (K, n, n_components)
        Standard normal noise, from which the K particles of each row are computed.

    Returns
    -------
    bound : Tensor of shape (n,)
        In nats.

    References
    ----------
    Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.objectives import importance_weighted_bound
    >>> X = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
    >>> model = InteLVAE(2, max_iter=2, random_state=0).fit(X).module_
    >>> noise = torch.randn(8, 3, 2, generator=torch.Generator().manual_seed(0))
    >>> importance_weighted_bound(model, X[:3], noise).shape
    torch.Size([3])
    """
    q, p_y = model.encode(x), model.prior_distribution()
    weights = [
        _log_weight(model, q, p_y, x, call(q.reparameterize, particle)) for particle in noise
    ]
    return torch.logsumexp(torch.stack(weights), dim=0) - math.log(len(weights))


def _log_weight(model: VAE, q: PosteriorDistribution, p_y: Density, x: Tensor, y: Tensor) -> Tensor:
    """Return log p(x, y) - log q(y | x) of each row at one particle."""
    log_p_x = call(model.decode(model.map(y)).log_prob, x)
    return log_p_x + call(p_y.log_prob, y) - call(q.log_prob, y)
