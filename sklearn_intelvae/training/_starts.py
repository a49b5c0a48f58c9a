"""Several fits from different starts; the best one is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from sklearn_intelvae._checks import check_validation_loss
from sklearn_intelvae._random import generator_from
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import Batch, Objective
from sklearn_intelvae.training._net import MultiPlayerNet
from sklearn_intelvae.training._rows import Batches, Rows
from sklearn_intelvae.training._skorch import SklearnCallbacks
from sklearn_intelvae.training._spec import FitResult

_MAX_EVALUATION_ROWS = 10_000

Fit = tuple[MultiPlayerNet, FitResult]


class Start(NamedTuple):
    """A fit from one start, and its objective, which is to be low."""

    objective: float
    result: FitResult


def best_of(
    fit_from: Callable[[int], Fit],
    evaluate: Callable[[MultiPlayerNet], float],
    seeds: list[int],
    callbacks: SklearnCallbacks,
    verbose: bool,
) -> FitResult:
    """Fit from each seed, and return the result with the lowest objective.

    Raises
    ------
    DivergenceError
        The first one, if all fits diverge.
    """
    best: Start | None = None
    failure: DivergenceError | None = None
    callbacks.begin()
    for number, seed in enumerate(seeds, 1):
        found = _start(fit_from, evaluate, seed)
        if verbose:
            print(f"start {number} of {len(seeds)}: {_summary_line(found, best)}")
        if isinstance(found, Start):
            best, failure = (found if _is_better(found, best) else best), None
        elif best is None:
            failure = failure or found
        del found  # otherwise a third model would be in memory while the next one is trained
        if callbacks.stopped:
            break
    if best is None:
        assert failure is not None
        raise failure
    callbacks.end(best.result)
    return best.result


def _start(
    fit_from: Callable[[int], Fit], evaluate: Callable[[MultiPlayerNet], float], seed: int
) -> Start | DivergenceError:
    try:
        net, result = fit_from(seed)
    except DivergenceError as error:
        return error
    return Start(evaluate(net), result)


def _is_better(found: Start, best: Start | None) -> bool:
    return best is None or found.objective < best.objective


def _summary_line(found: Start | DivergenceError, best: Start | None) -> str:
    if isinstance(found, DivergenceError):
        return f"diverged in epoch {found.epoch}"
    return f"objective {found.objective:.6g}{', the best' if _is_better(found, best) else ''}"


def evaluation_rows(train: Rows, valid: Rows | None) -> Rows:
    """Return the validation rows, or else evenly spaced training rows, at most about 10,000."""
    if valid is not None:
        return valid
    return train.subset(torch.arange(0, len(train), -(-len(train) // _MAX_EVALUATION_ROWS)))


def mean_objective(
    model: Any, objective: Objective, rows: Rows, *, batch_size: int, seed: int
) -> float:
    """Return the objective of a model at full warm-up, in nats per row.

    The noise depends only on ``seed``, so that models are compared with the same noise. Infinite if
    the objective is not finite.
    """
    model.eval()
    objective.eval()
    generator = generator_from(seed, rows.device)
    total, mass = 0.0, 0.0
    with torch.no_grad():
        for tensors in Batches(rows, batch_size):
            weight = tensors.pop("weight", None)
            batch = Batch(**tensors, generator=generator)
            loss = objective.validation_loss(model, batch)
            check_validation_loss(objective, loss, len(batch.x))
            weight = torch.ones_like(loss) if weight is None else weight
            total += (weight * loss).sum().item()
            mass += weight.sum().item()
    return total / mass if math.isfinite(total) and mass else math.inf
