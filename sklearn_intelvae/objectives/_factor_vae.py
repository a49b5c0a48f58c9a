"""The FactorVAE: a second player that looks for dependence."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae.model import Model, Pass
from sklearn_intelvae.networks import MLP
from sklearn_intelvae.objectives._base import Batch
from sklearn_intelvae.objectives._elbo import Bound, Terms


class FactorVAE(Bound):
    r"""The evidence lower bound, with a weight on the total correlation that a discriminator sees.

    .. math:: -\log p(x \mid z) + \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \gamma\, \big( D_0(y) - D_1(y) \big)

    The discriminator D, the second player, tells draws of y from rows in which each component is
    taken from another row of the batch, so that they are independent. Its two logits differ by the
    log ratio of the densities, whose mean is the total correlation of y. It has the optimizer and
    the learning rate of the model; KL and total correlation grow with the warm-up. Early stopping
    and ``n_init`` go by the bound.

    Parameters
    ----------
    gamma : float, default=6.0
        Weight of the total correlation.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Widths of the discriminator's hidden layers; six of 1000 in the paper, for images.

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

    def build(self, model: Model) -> None:
        """Make the discriminator."""
        super().build(model)
        self.discriminator = MLP(self.hidden_layer_sizes, activation="leaky_relu")
        self.discriminator.build(model.n_components, 2)

    def players(self, model: Model) -> dict[str, list[nn.Parameter]]:
        """Return the model's parameters and the discriminator's."""
        return super().players(model) | {"discriminator": list(self.discriminator.parameters())}

    def loss(self, player: str, model: Model, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the weighted bound, or how badly the discriminator tells the two kinds apart."""
        if player == "model":
            return super().loss(player, model, batch)
        y = _drawn(model, batch)
        mixed = y.gather(0, _sources(y, batch))
        return 0.5 * (self._surprise(y, 0) + self._surprise(mixed, 1)), {}

    def validation_loss(self, model: Model, batch: Batch) -> Tensor:
        """Return the bound alone: what the discriminator says depends on how good it is."""
        _, terms = self.loss("model", model, batch._replace(warmup=1.0))
        return sum((terms[t] for t in ("kl", "penalty") if t in terms), terms["reconstruction"])

    def cost(self, model: Model, batch: Batch, run: Pass, terms: Terms) -> Tensor:
        """Return the KL and the weighted total correlation."""
        if batch.memo is not None:
            batch.memo["y"] = run.y.detach()
        joint, independent = self.discriminator(run.y).unbind(-1)
        terms["total_correlation"] = joint - independent
        cost = torch.add(terms["kl"], terms["total_correlation"], alpha=self.gamma)
        return batch.warmup * cost

    def _surprise(self, y: Tensor, kind: int) -> Tensor:
        """Return minus the log probability that D gives to the right kind."""
        return -F.log_softmax(self.discriminator(y), dim=-1)[:, kind]


def _drawn(model: Model, batch: Batch) -> Tensor:
    """Return the draws of y that the model has just been trained on."""
    if batch.memo and "y" in batch.memo:
        return batch.memo["y"]
    with torch.no_grad():
        return model.encode(batch.x).sample(batch.generator)


def _sources(y: Tensor, batch: Batch) -> Tensor:
    """Return for each column an order of the rows of its own, or rows drawn by their weight."""
    if batch.weight is None or not batch.weight.any():
        return torch.rand(y.shape, generator=batch.generator, device=y.device).argsort(dim=0)
    shares = batch.weight.expand(y.shape[1], -1)
    return shares.multinomial(len(y), replacement=True, generator=batch.generator).T
