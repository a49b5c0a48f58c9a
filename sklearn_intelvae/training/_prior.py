"""Fits of the prior to the codes of the training rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from sklearn_intelvae._part import Prior, call
from sklearn_intelvae._random import Stream, generator_from, seed_of
from sklearn_intelvae.models import VAE
from sklearn_intelvae.models._linear_start import evaluated
from sklearn_intelvae.training._rows import Batches, Rows

_ROWS_PER_COMPONENT, _ROW_RANGE = 200, (2500, 10_000)
_ROWS_AT_A_TIME = 1000


class PriorFits(Callback):
    """Fits the prior to the codes after half of a fit, and at its end.

    Parameters
    ----------
    rows : Rows
        The training rows.
    seed : int
        Seed of the draws.
    n_epochs : int
        Length of the fit.
    """

    def __init__(self, rows: Rows, seed: int, n_epochs: int) -> None:
        self.rows = rows
        self.seed = seed
        self.epoch = round(n_epochs / 2)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Fit the prior if half of the fit has passed."""
        if len(net.history) == self.epoch:
            fit_prior(net.module_, self.rows, self.seed, net.steps_done_)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Fit the prior to the final codes."""
        fit_prior(net.module_, self.rows, self.seed, net.steps_done_)


def fits_prior(model: Any) -> bool:
    """Return whether the prior of a model is to be fitted to codes."""
    return isinstance(model, VAE) and type(model.prior).fit_codes is not Prior.fit_codes


@torch.no_grad()
def fit_prior(model: VAE, rows: Rows, seed: int, n_steps_done: int = 0) -> None:
    """Fit the prior to a draw from q(y | x) of each row, of some thousand rows at most.

    Parameters
    ----------
    model : VAE
        The model.
    rows : Rows
        The training rows; if they are weighted, they are drawn in proportion to their weights.
    seed : int
        Seed of the draws.
    n_steps_done : int, default=0
        Number of the draws.
    """
    generator = generator_from(seed_of(seed, Stream.CODES, n_steps_done), rows.device)
    most = int(np.clip(_ROWS_PER_COMPONENT * model.n_components, *_ROW_RANGE))
    index = rows.some(most, generator)
    batches = Batches(replace(rows, index=index), _ROWS_AT_A_TIME)
    with evaluated(model):
        y = torch.cat([model.encode(tensors["x"]).sample(generator) for tensors in batches])
    if y.isfinite().all():
        call(model.prior.fit_codes, y)
