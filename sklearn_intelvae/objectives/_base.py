"""The base class of objectives."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sklearn_intelvae._part import Part
from sklearn_intelvae.model import Model


class Batch(NamedTuple):
    """What an objective is given at a step."""

    x: Tensor
    """Rows of X, (n, n_features)."""
    generator: torch.Generator
    """Source of the step's noise."""
    warmup: float = 1.0
    """Grows from 0 to 1 while the weight of the KL term is warmed up, then stays 1."""
    weight: Tensor | None = None
    """Weight of each row, one on average over all rows; None if they are equal. The loss is
    weighted by the training step, not by the objective."""


class Objective(Part):
    """Base class of objectives; a subclass gives ``loss``.

    A training step visits the players in turn: loss, gradient with respect to that player's
    parameters alone, optimizer step. An objective with weights of its own, such as a
    discriminator, makes them in ``build`` and names them as a player.
    """

    def build(self, model: Model) -> None:
        """Make the objective's own weights, if it has any."""

    def players(self, model: Model) -> dict[str, list[nn.Parameter]]:
        """Return each player's parameters: disjoint, and together all that is to be trained."""
        return {"model": [p for p in model.parameters() if p.requires_grad]}

    def loss(self, player: str, model: Model, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what ``player`` minimises and the terms worth recording.

        Returns
        -------
        loss : Tensor of shape (n,)
            Nats of each row, before sample weights.
        terms : dict of Tensor
            Each of shape (n,) or (), in nats: reconstruction, kl, total_correlation without the
            weights that they have in the loss, penalty with the weight that its mapping gives it.
        """
        raise NotImplementedError

    def validation_loss(self, model: Model, batch: Batch) -> Tensor:
        """Return the loss, fully warmed up, that early stopping watches, shape (n,)."""
        first = next(iter(self.players(model)))
        return self.loss(first, model, batch._replace(warmup=1.0))[0]
