"""The FactorVAE: a discriminator estimates the total correlation."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae._random import draws_by_weight
from sklearn_intelvae.models import VAE, Forward
from sklearn_intelvae.networks import MLP
from sklearn_intelvae.objectives._base import Batch, Terms
from sklearn_intelvae.objectives._elbo import VariationalObjective


class FactorVAE(VariationalObjective):
    r"""The evidence lower bound, and the total correlation as a discriminator estimates it.

    .. math:: -\log p(x \mid z) + \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \gamma\, \big( D_0(y) - D_1(y) \big)

    The discriminator D, the second player, classifies draws of y against rows whose components are
    permuted among the rows of the batch and therefore independent. The difference of its two logits
    estimates the log ratio of the densities, whose mean is the total correlation of y. It has the
    optimizer and the learning rate of the model; the weights of KL and total correlation grow
    during the warm-up. Early stopping and ``n_init`` use the evidence lower bound.

    Parameters
    ----------
    gamma : float, default=6.0
        Weight of the total correlation.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Widths of the hidden layers of the discriminator; six of 1000 in the paper, for images.

    References
    ----------
    Kim and Mnih, "Disentangling by Factorising", ICML 2018.

    Examples
    --------
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.datasets import make_entangled_factors
    >>> from sklearn_intelvae.objectives import FactorVAE
    >>> X = make_entangled_factors(500, random_state=0).X
    >>> vae = InteLVAE(4, objective=FactorVAE(gamma=4), max_iter=3, random_state=0).fit(X)
    >>> "discriminator_loss" in vae.history_[-1]
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "gamma": [Interval(Real, 0, None, closed="left")],
        "hidden_layer_sizes": ["array-like"],
    }

    def __init__(self, gamma: float = 6.0, hidden_layer_sizes: Sequence[int] = (64, 64)) -> None:
        super().__init__()
        self.gamma = gamma
        self.hidden_layer_sizes = hidden_layer_sizes

    def build(self, model: VAE) -> None:
        """Create the discriminator."""
        super().build(model)
        self.discriminator = MLP(self.hidden_layer_sizes, activation="leaky_relu")
        self.discriminator.build(model.n_components, 2)

    def players(self, model: VAE) -> dict[str, list[nn.Parameter]]:
        """Return the model's parameters and the discriminator's."""
        return super().players(model) | {"discriminator": list(self.discriminator.parameters())}

    def loss(self, player: str, model: VAE, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the loss of the model, or the cross-entropy of the discriminator."""
        if player == "model":
            return super().loss(player, model, batch)
        y = _cached_draws(model, batch)
        permuted = y.gather(0, _sources(y, batch))
        return 0.5 * (self._cross_entropy(y, 0) + self._cross_entropy(permuted, 1)), {}

    def validation_loss(self, model: VAE, batch: Batch) -> Tensor:
        """Return the evidence lower bound alone, which does not depend on the discriminator."""
        _, terms = self.loss("model", model, batch)
        return sum((terms[t] for t in ("kl", "penalty") if t in terms), terms["reconstruction"])

    def cost(self, model: VAE, batch: Batch, run: Forward, terms: Terms) -> Tensor:
        """Return KL + gamma * total correlation of each row."""
        batch.cache["y"] = run.y.detach()
        joint, independent = self.discriminator(run.y).unbind(-1)
        terms["total_correlation"] = joint - independent
        cost = torch.add(terms["kl"], terms["total_correlation"], alpha=self.gamma)
        return batch.progress * cost

    def _cross_entropy(self, y: Tensor, label: int) -> Tensor:
        """Return minus the log probability that D assigns to the label of each row."""
        return -F.log_softmax(self.discriminator(y), dim=-1)[:, label]


def _cached_draws(model: VAE, batch: Batch) -> Tensor:
    """Return the draws of y of the model's turn in this step, or new ones."""
    if "y" in batch.cache:
        return batch.cache["y"]
    with torch.no_grad():
        return model.encode(batch.x).sample(batch.generator)


def _sources(y: Tensor, batch: Batch) -> Tensor:
    """Return a permutation of the rows for each column, or rows drawn by their weights."""
    if batch.weight is None:
        return torch.rand(
            y.shape, generator=batch.generator, dtype=y.dtype, device=y.device
        ).argsort(dim=0)
    n = y.numel()
    return draws_by_weight(batch.weight, n, batch.generator).reshape(y.shape)
