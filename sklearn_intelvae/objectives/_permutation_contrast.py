"""The objective of permutation-contrastive learning."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae.contrast import Contrast, log_odds
from sklearn_intelvae.objectives._base import Batch, Objective

_CHANCE = 0.52


class PermutationContrast(Objective):
    r"""Tell pairs of rows that follow one another from pairs that were put together at random.

    With r the log odds of :class:`~sklearn_intelvae.contrast.Contrast`, x' the row before x and
    x* one before another row,

    .. math:: \tfrac{1}{2} \log(1 + e^{-r(x, x')}) + \tfrac{1}{2} \log(1 + e^{r(x, x^*)}).

    For :class:`~sklearn_intelvae.PCL`, whose model has no likelihood.

    References
    ----------
    Hyvärinen and Morioka, "Nonlinear ICA of Temporally Dependent Stationary Sources", AISTATS 2017.
    """

    of_pairs = True

    def loss(  # type: ignore[override]
        self, player: str, model: Contrast, batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return how surprised the regression is by both kinds of pairs."""
        h, previous = model(batch.x, batch.previous)
        real, other = log_odds(model.regression, h, previous, batch.generator, batch.weight)
        accuracy = 0.5 * ((real > 0).to(real) + (other < 0).to(real))
        return 0.5 * (F.softplus(-real) + F.softplus(other)), {"accuracy": accuracy}

    def advice(self, history: list[dict[str, Any]]) -> str | None:
        """Tell if the two kinds of pairs cannot be told apart."""
        if history[-1]["accuracy"] > _CHANCE:
            return None
        return (
            "rows that follow one another cannot be told from others (accuracy "
            f"{history[-1]['accuracy']:.2f}), so that nothing has been learned. Pass the rows in "
            "their order in time, or X_prev; with more epochs (max_iter) it may still begin."
        )
