"""The base class of objectives."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sklearn_intelvae._part import Part
from sklearn_intelvae.model import Model, Pass


class Batch(NamedTuple):
    """What an objective is given at a step."""

    x: Tensor
    """Rows of X, (n, n_features)."""
    generator: torch.Generator
    """Source of the step's noise."""
    warmup: float = 1.0
    """Share of the warm-up that is over: grows from 0 to 1, then stays 1."""
    weight: Tensor | None = None
    """Weight of each row, one on average over all rows; None if they are equal. The loss is
    weighted by the training step, not by the objective."""
    previous: Tensor | None = None
    """The row before each, for objectives of pairs; else None."""
    memo: dict[str, Any] | None = None
    """What a player leaves to those after it in the same step; None outside of training."""


class Objective(Part):
    """Base class of objectives; a subclass gives ``loss``.

    A training step visits the players in turn: loss, gradient with respect to that player's
    parameters alone, optimizer step. An objective with weights of its own, such as a
    discriminator, makes them in ``build`` and names them as a player. One that needs for each row
    the row before it says ``of_pairs = True``; one that trains no variance of q(y | x) says
    ``of_draws = False``.
    """

    of_pairs = False
    of_draws = True

    def build(self, model: Model) -> None:
        """Check the hyper-parameters, and make the objective's own weights, if it has any."""
        self._validate()

    def caution(self, X: Tensor) -> list[str]:
        """Return what to tell the user, if anything, before a fit to the rows X begins."""
        return []

    def initialise(self, X: Tensor) -> None:
        """See the training rows once before training, after ``build``."""

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

    def summary(self, model: Model) -> dict[str, float]:
        """Return what else is worth recording of an epoch, at its end."""
        return {}

    def advice(self, history: list[dict[str, Any]]) -> str | None:
        """Return what to tell the user of a fit whose epochs went like this, if anything."""
        return None


def mean_of_rows(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean over the rows of a batch, of which those without weight are none."""
    if weight is None:
        return values.mean(0)
    return torch.tensordot(weight, values, 1) / weight.sum().clamp(min=1e-30)


def terms_of_mapping(model: Model, batch: Batch, run: Pass) -> dict[str, Tensor]:
    """Return what the mapping adds to the loss of real rows, by name: penalty, guidance."""
    mapping: Any = model.mapping
    terms = {}
    if hasattr(mapping, "penalty"):
        terms["penalty"] = mapping.penalty(run.y, run.z)
    if model.training and hasattr(mapping, "guide"):
        terms["guidance"] = mapping.guide(batch.x, run.q.mean)
    return terms


def notify_mapping(model: Model, batch: Batch, y: Tensor) -> None:
    """Let the mapping see the codes of a batch that is trained on, if it wants to."""
    if model.training and hasattr(model.mapping, "notice"):
        model.mapping.notice(y.detach(), batch.weight)  # type: ignore[operator]
