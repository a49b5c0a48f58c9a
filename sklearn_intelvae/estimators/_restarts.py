"""Several fits from different starts, of which the best is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from sklearn_intelvae._random import generator_from
from sklearn_intelvae.estimators._callbacks import FitTasks
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import Batch
from sklearn_intelvae.training import Batches, PlayerNet, Rows

_JUDGED_ROWS = 10_000

Fit = tuple[PlayerNet, dict[str, Any]]


class Start(NamedTuple):
    """A fit from one start, and how good it is."""

    objective: float
    attributes: dict[str, Any]


def seeds_of_starts(seed: int, n_init: int) -> list[int]:
    """Return a seed for each start; the first is the fit's own, as if there were no other."""
    later = np.random.default_rng(seed).integers(2**31, size=n_init - 1)
    return [seed, *map(int, later)]


def seeds_of_trials(seed: int, n_trials: int) -> list[int]:
    """Return a seed for each trial of a start; the first is the start's own."""
    return [seed, *map(int, np.random.default_rng([seed, 1]).integers(2**31, size=n_trials - 1))]


def best_of(
    fit_from: Callable[[int], Fit],
    judge: Callable[[PlayerNet], float],
    seeds: list[int],
    tasks: FitTasks,
    verbose: bool,
) -> dict[str, Any]:
    """Fit from each seed, and return the attributes of the fit with the lowest objective.

    Raises
    ------
    DivergenceError
        The first one, if all fits diverge.
    """
    best: Start | None = None
    failure: DivergenceError | None = None
    tasks.begin()
    for number, seed in enumerate(seeds, 1):
        found = _start(fit_from, judge, seed)
        if verbose:
            print(f"start {number} of {len(seeds)}: {_told(found, best)}")
        if isinstance(found, Start):
            best, failure = (found if _is_better(found, best) else best), None
        elif best is None:
            failure = failure or found
        del found  # or a third model would be alive while the next one is trained
        if tasks.stopped:
            break
    if failure is not None:
        raise failure
    tasks.end(best.attributes)
    return best.attributes


def _start(
    fit_from: Callable[[int], Fit], judge: Callable[[PlayerNet], float], seed: int
) -> Start | DivergenceError:
    try:
        net, attributes = fit_from(seed)
    except DivergenceError as error:
        return error
    return Start(judge(net), attributes)


def _is_better(found: Start, best: Start | None) -> bool:
    return best is None or found.objective < best.objective


def _told(found: Start | DivergenceError, best: Start | None) -> str:
    if isinstance(found, DivergenceError):
        return f"diverged in epoch {found.epoch}"
    return f"objective {found.objective:.6g}{', the best' if _is_better(found, best) else ''}"


def rows_to_judge_by(train: Rows, valid: Rows | None) -> Rows:
    """Return the rows set aside, or else some of those to train on, evenly spaced."""
    if valid is not None:
        return valid
    return replace(train, index=train.index[:: -(-len(train) // _JUDGED_ROWS)])


def objective_of(net: PlayerNet, rows: Rows, seed: int) -> float:
    """Return the objective of a trained net, fully warmed up, in nats per row.

    The noise depends on ``seed`` alone, so that differences between nets are not chance.
    Infinite if the objective is not finite.
    """
    net.module_.eval()
    net.criterion_.eval()
    generator = generator_from(seed, net.device)
    total, mass = 0.0, 0.0
    with torch.no_grad():
        for x, weight, previous in Batches(rows, net.batch_size):
            batch = Batch(x, generator, previous=previous)
            loss = net.criterion_.validation_loss(net.module_, batch)
            weight = torch.ones_like(loss) if weight is None else weight
            total += (weight * loss).sum().item()
            mass += weight.sum().item()
    return total / mass if math.isfinite(total) and mass else math.inf
