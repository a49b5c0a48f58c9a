"""The objective of permutation-contrastive learning."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae.models import PCLModel
from sklearn_intelvae.models._pcl import log_odds
from sklearn_intelvae.objectives._base import Batch, Objective, Terms

_CHANCE = 0.52


class PermutationContrast(Objective):
    r"""Classify pairs of consecutive rows against random pairs.

    With r the log odds of :class:`~sklearn_intelvae.models.PCLModel`, x' the row before x and
    x* the row before a random other row,

    .. math:: \tfrac{1}{2} \log(1 + e^{-r(x, x')}) + \tfrac{1}{2} \log(1 + e^{r(x, x^*)}).

    The objective of :class:`~sklearn_intelvae.PCL`, whose model has no likelihood.

    References
    ----------
    Hyvärinen and Morioka, "Nonlinear ICA of Temporally Dependent Stationary Sources", AISTATS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae import PCL
    >>> X = np.random.default_rng(0).normal(size=(100, 3)).cumsum(axis=0)
    >>> pcl = PCL(2, max_iter=2, random_state=0).fit(X)
    >>> type(pcl.objective_).__name__, "accuracy" in pcl.history_[-1]
    ('PermutationContrast', True)
    """

    uses_pairs = True

    def loss(  # type: ignore[override]
        self, player: str, model: PCLModel, batch: Batch
    ) -> tuple[Tensor, Terms]:
        """Return the cross-entropy of both kinds of pairs of each row."""
        h, previous = model(batch.x, batch.previous)
        real, other = log_odds(model.regression, h, previous, batch.generator, batch.weight)
        accuracy = 0.5 * ((real > 0).to(real) + (other < 0).to(real))
        return 0.5 * (F.softplus(-real) + F.softplus(other)), {"accuracy": accuracy}

    def check_history(self, history: list[dict[str, Any]]) -> list[str]:
        """Warn if the two kinds of pairs are not distinguished better than by chance."""
        if history[-1]["accuracy"] > _CHANCE:
            return []
        return [
            "consecutive rows are not distinguished from random pairs (accuracy "
            f"{history[-1]['accuracy']:.2f}), so that nothing has been learned. Pass the rows in "
            "their order in time, or X_prev; more epochs (max_iter) may help."
        ]
