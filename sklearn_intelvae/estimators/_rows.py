"""From tables to rows on the device: those to train on, and those to validate on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sklearn_intelvae._random import generator_from
from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.training import Rows


def rows_of(
    estimator: Any,
    data: _inputs.Data,
    objective: Objective,
    device: str,
    seed: int,
    one_epoch: bool,
) -> tuple[Rows, Rows | None]:
    """Return the rows to train on and those to validate on, on the device."""
    if data.X_prev is not None and not objective.of_pairs:
        raise ValueError(
            f"X_prev has no effect on {type(objective).__name__}, which looks at single rows: "
            "leave it out, or take an objective of pairs, such as SlowVAE."
        )
    rows = _resident(data.X, data.weight, data.X_prev, objective.of_pairs, device)
    if data.X_val is not None:
        return rows, _resident(data.X_val, None, None, objective.of_pairs, device)
    if not estimator.early_stopping or one_epoch:
        return rows, None
    # of a series single rows are as good as known by their neighbours
    generator = None if rows.is_series else generator_from(seed + 2)
    train, valid = _inputs.split_rows(len(rows), estimator.validation_fraction, generator)
    train, valid = (rows.index[i.to(device)] for i in (train, valid))
    return replace(rows, index=train), replace(rows, index=valid)


def _resident(
    X: np.ndarray,
    weight: np.ndarray | None,
    X_prev: np.ndarray | None,
    of_pairs: bool,
    device: str,
) -> Rows:
    """Return rows on the device, with the row before each if pairs are asked for.

    The first row of a series has none before it, and is not among those to train on.
    """
    x = torch.from_numpy(X).to(device)
    w = None if weight is None else torch.from_numpy(weight).to(device)
    index = torch.arange(len(x), device=device)
    if not of_pairs:
        return Rows(x, w, index)
    if X_prev is not None:
        return Rows(x, w, index, torch.from_numpy(X_prev).to(device))
    if len(x) < 3:
        raise ValueError(
            f"a series of {len(x)} rows is too short for pairs: pass at least 3 rows in their "
            "order, or the row before each as X_prev."
        )
    if w is not None and not w[1:].any():
        raise ValueError(
            "sample_weight is zero for each row that has one before it: nothing is left to fit on."
        )
    return Rows(x, w, index[1:], is_series=True)
