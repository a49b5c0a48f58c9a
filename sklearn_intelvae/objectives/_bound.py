"""Lower bounds on log p(x), for scoring."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.model import Model


def importance_weighted_bound(model: Model, x: Tensor, noise: Tensor) -> Tensor:
    r"""Return the importance-weighted lower bound on log p(x) of each row, in nats.

    .. math:: \log \frac1K \sum_k \frac{p(x \mid g(y_k))\, p(y_k)}{q(y_k \mid x)},
              \qquad y_k \sim q(y \mid x)

    It grows with K towards log p(x). No term is left out or reweighted, whatever the objective
    that the model was trained on.

    Parameters
    ----------
    model : Model
    x : Tensor of shape (n, n_features)
    noise : Tensor of shape (K, n, n_components)
        Standard normal noise that picks the particles.

    References
    ----------
    Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
    """
    q, p_y = model.encode(x), model.p_y()
    weights = [_log_weight(model, q, p_y, x, q.at(particle)) for particle in noise]
    return torch.logsumexp(torch.stack(weights), dim=0) - math.log(len(weights))


def _log_weight(model: Model, q: Normal, p_y: Any, x: Tensor, y: Tensor) -> Tensor:
    """Return log p(x, y) - log q(y | x) of each row at one particle."""
    return model.decode(model.mapping(y)).log_prob(x) + p_y.log_prob(y) - q.log_prob(y)
