"""The base class of objectives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_intelvae._part import Part, call
from sklearn_intelvae.exceptions import not_given
from sklearn_intelvae.models import VAE, Forward

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """The rows of one step, by name, and what the step needs besides.

    Attributes
    ----------
    x : Tensor of shape (n, n_features)
        Rows of X.
    generator : torch.Generator
        Source of the noise of the step.
    progress : float
        The fraction of the warm-up that has passed: grows from 0 to 1, then stays 1.
    weight : Tensor of shape (n,) or None
        Weights of the rows, with mean 1 over all rows; None if all are equal. The training step
        multiplies the loss by them; an objective needs them only for statistics of the batch.
    previous : Tensor of shape (n, n_features) or None
        The row before each row, for objectives with ``uses_pairs``.
    cache : dict
        Results that a player leaves for the next players of the same step.
    """

    x: Tensor
    generator: torch.Generator
    progress: float = 1.0
    weight: Tensor | None = None
    previous: Tensor | None = None
    cache: dict[str, Any] = field(default_factory=dict)


class Objective(Part):
    """Base class of objectives; a subclass gives ``loss``.

    A training step visits the players in turn: loss, gradient with respect to the parameters of
    that player, optimizer step. An objective with weights of its own, such as a discriminator,
    creates them in ``build`` and names them as a player. For an objective with a likelihood term
    and a cost of y, derive from :class:`VariationalObjective` instead.

    Attributes
    ----------
    uses_pairs : bool
        Whether the objective needs the row before each row, ``batch.previous``; False by default.
    trains_variance : bool
        Whether the variance of q(y | x) is trained; True by default. If False, reports ignore it.
    needs_warmup : bool
        Whether training must pass through a warm-up, from random weights; False by default. Then a
        model may start at a linear model, at full warm-up.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.objectives import Objective
    >>> class MeanSquaredError(Objective):
    ...     trains_variance = False
    ...
    ...     def loss(self, player, model, batch):
    ...         error = (model.decode_mean(model.transform(batch.x)) - batch.x).square().sum(-1)
    ...         return error, {"error": error}
    >>> X = load_digits().data[:200] / 16
    >>> vae = InteLVAE(2, objective=MeanSquaredError(), max_iter=3, random_state=0).fit(X)
    >>> "error" in vae.history_[-1]
    True
    """

    uses_pairs: bool = False
    trains_variance: bool = True
    needs_warmup: bool = False

    def build(self, model: VAE) -> None:
        """Check the hyper-parameters; a subclass also creates weights of its own.

        Parameters
        ----------
        model : VAE
            The built model.
        """
        self._validate()

    def check_data(self, X: Tensor) -> list[str]:
        """Return warnings about the training rows, before a fit begins.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_features)
            Rows whose weight is not 0.

        Returns
        -------
        messages : list of str
            By default none.
        """
        return []

    def players(self, model: VAE) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of each player.

        Parameters
        ----------
        model : VAE
            The built model.

        Returns
        -------
        players : dict of list of Parameter
            By the player's name, in the order of their steps: disjoint, and together all that are
            trained.
        """
        return {"model": [p for p in model.parameters() if p.requires_grad]}

    def loss(self, player: str, model: VAE, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the loss that a player minimizes, and the terms to record.

        Parameters
        ----------
        player : str
            A name that ``players`` returns.
        model : VAE
            The built model.
        batch : Batch
            The rows of the step.

        Returns
        -------
        loss : Tensor of shape (n,)
            In nats per row, before sample weights.
        terms : dict of Tensor
            Each of shape (n,) or (), in nats: "reconstruction", "kl" and "total_correlation"
            without the weights that they have in the loss, "penalty" with the weight that the
            mapping gives it.
        """
        raise not_given(self, "loss")

    def validation_loss(self, model: VAE, batch: Batch) -> Tensor:
        """Return the loss that early stopping monitors, at full warm-up.

        Parameters
        ----------
        model : VAE
            The built model.
        batch : Batch
            The rows of the step.

        Returns
        -------
        loss : Tensor of shape (n,)
            By default that of the first player.
        """
        first = next(iter(self.players(model)))
        return self.loss(first, model, batch)[0]

    def epoch_stats(self, model: VAE) -> dict[str, float]:
        """Return further numbers to record at the end of an epoch.

        Parameters
        ----------
        model : VAE
            The built model.

        Returns
        -------
        numbers : dict of float
            By name; by default none.
        """
        return {}

    def check_history(self, history: list[dict[str, Any]]) -> list[str]:
        """Return warnings about a finished fit.

        Parameters
        ----------
        history : list of dict
            The rows of ``history_``, one for each epoch.

        Returns
        -------
        messages : list of str
            By default none.
        """
        return []


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean over the first dimension; rows of weight 0 are ignored."""
    if weight is None:
        return values.mean(0)
    return torch.tensordot(weight, values, 1) / weight.sum().clamp(min=1e-30)


def observe_and_terms_of_mapping(model: VAE, batch: Batch, run: Forward) -> Terms:
    """Pass draws and means on to the mapping, and return what it adds to the loss.

    An objective calls this once per step. A further player of the same step calls
    :func:`terms_of_mapping`.
    """
    if model.training:
        call(model.mapping.observe, run.q.mean.detach(), run.y.detach(), batch.weight)
    return terms_of_mapping(model, batch, run)


def joined(terms: Terms, extra: Terms) -> Terms:
    """Return the terms of the objective and of the mapping; no name may be in both."""
    if both := sorted(terms.keys() & extra.keys()):
        raise ValueError(
            f"loss_terms of the mapping returned {both}, which the objective records too: rename "
            "them."
        )
    return terms | extra


def terms_of_mapping(model: VAE, batch: Batch, run: Forward) -> Terms:
    """Return the terms that the mapping adds to the loss of the rows, by name."""
    return call(model.mapping.loss_terms, batch.x, run.q.mean, run.y, run.z)
