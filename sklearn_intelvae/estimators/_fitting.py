"""From parameters and data to the attributes of a fitted estimator."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from sklearn_intelvae._part import fresh
from sklearn_intelvae._random import OwnRandomness, draw_seed, generator_from
from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._callbacks import FitTasks
from sklearn_intelvae.estimators._description import refuse_another_model
from sklearn_intelvae.estimators._outcome import (
    attributes_of,
    explained,
    warn_as_advised,
    warn_beforehand,
)
from sklearn_intelvae.estimators._restarts import (
    Fit,
    best_of,
    objective_of,
    rows_to_judge_by,
    seeds_of_starts,
    seeds_of_trials,
)
from sklearn_intelvae.estimators._rows import rows_of
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.training import (
    Batches,
    PlayerNet,
    Rows,
    WarmedUpEarlyStopping,
    follow_guidance,
)

_TRIAL_STEPS = 160
_TRIAL_SHARE = 0.1
_HEAD_START = 100


def fitted_attributes(
    estimator: Any, data: _inputs.Data, y: Any, resume: bool, one_epoch: bool
) -> dict[str, Any]:
    """Train, and return what makes ``estimator`` a fitted one; it is not touched itself."""
    device = _inputs.resolve_device(estimator.device)
    seed = draw_seed(estimator.random_state)
    objective = _objective_of(estimator)
    train, valid = rows_of(estimator, data, objective, device, seed, one_epoch)
    sizes = _sizes(estimator, train, one_epoch)
    n_init = 1 if resume or one_epoch else estimator.n_init
    tasks = FitTasks(estimator, data.X, y, sizes.n_epochs, n_init, silent=one_epoch)
    job = _Job(estimator, data, resume, train, valid, device, sizes, tasks)
    if not resume:
        warn_beforehand(estimator, objective, data.X)
    fit_from = partial(_fit_from, job)
    if n_init == 1:
        _, result = fit_from(seed)
    else:
        judge = partial(objective_of, rows=rows_to_judge_by(train, valid), seed=seed + 3)
        seeds = seeds_of_starts(seed, n_init)
        result = best_of(fit_from, judge, seeds, tasks, verbose=bool(estimator.verbose))
    estimator._kind.warn(estimator, result)
    warn_as_advised(estimator, result)
    return result


class _Sizes(NamedTuple):
    batch_size: int
    n_epochs: int
    warmup_steps: float
    trial_epochs: int
    head_start: int
    """Steps on the mapping's guidance alone, for a fit that is over before it could follow."""


def _sizes(estimator: Any, train: Rows, one_epoch: bool) -> _Sizes:
    batch_size = _inputs.resolve_batch_size(estimator.batch_size, len(train))
    horizon = _inputs.resolve_max_iter(
        estimator.max_iter, len(train), batch_size, estimator._auto_steps
    )
    open_ended = one_epoch and estimator.max_iter == "auto"
    steps_per_epoch = len(Batches(train, batch_size))
    steps = estimator._auto_steps.open_ended if open_ended else horizon * steps_per_epoch
    trial_epochs = math.ceil(min(_TRIAL_STEPS, _TRIAL_SHARE * steps) / steps_per_epoch)
    n_epochs = 1 if one_epoch else horizon
    warmup_steps = estimator._warmup * steps
    head_start = _HEAD_START if steps < 2 * _HEAD_START else 0
    return _Sizes(batch_size, n_epochs, warmup_steps, trial_epochs, head_start)


@dataclass(frozen=True)
class _Job:
    """What all starts of a fit have in common."""

    estimator: Any
    data: _inputs.Data
    resume: bool
    train: Rows
    valid: Rows | None
    device: str
    sizes: _Sizes
    tasks: FitTasks

    def rows_to_start_from(self, generator: torch.Generator) -> torch.Tensor:
        """Return the rows to train on; if they have weights, as many drawn by these."""
        X, index = torch.from_numpy(self.data.X), self.train.index.cpu()
        if self.train.weight is not None:
            weight = self.train.weight.cpu()[index]
            index = index[weight.multinomial(len(index), replacement=True, generator=generator)]
        elif len(index) == len(X):
            return X
        return X[index]


def _fit_from(job: _Job, seed: int) -> Fit:
    """Train once, with weights, an order of the rows and noise that follow from ``seed``."""
    seed = _promising(job, seed)
    parts, model, objective = _words(job, seed)

    def attributes(net: PlayerNet) -> dict[str, Any]:
        return attributes_of(job.estimator, net, parts, job.data, job.resume)

    callbacks = _callbacks(job.estimator, job.valid)
    callbacks += job.tasks.of_a_start(lambda net: copy.deepcopy(attributes(net)))
    net = _net(job, model, objective, seed, callbacks=callbacks)
    if job.resume:
        net.restore(job.estimator._training_state)
    try:
        net.train(job.train, job.valid, job.sizes.n_epochs)
    except DivergenceError as error:
        job.tasks.pass_over(net)
        raise explained(job.estimator, attributes(net), job.data.X) from error
    return net, attributes(net)


def _promising(job: _Job, seed: int) -> int:
    """Return ``seed`` or, if the mapping asks for trials, the seed of the best of them.

    The fit that follows repeats its trial, unless the callbacks, which trials are spared, change
    its course. There is no trial where all would take longer than half of the fit.
    """
    n_trials = 1 if job.resume else job.estimator._kind.n_trials(job.estimator)
    if n_trials == 1 or n_trials * job.sizes.trial_epochs > job.sizes.n_epochs / 2:
        return seed
    return min(seeds_of_trials(seed, n_trials), key=partial(_trial, job))


def _trial(job: _Job, seed: int) -> float:
    """Return the loss that a start comes to in a few epochs, infinite if it diverges."""
    _, model, objective = _words(job, seed)
    net = _net(job, model, objective, seed, verbose=0)
    try:
        net.train(job.train, None, job.sizes.trial_epochs, horizon=job.sizes.n_epochs)
    except DivergenceError:
        return math.inf
    losses = net.history[:, "train_loss"]
    return float(np.mean(losses[-math.ceil(len(losses) / 4) :]))


def _give_head_start(job: _Job, model: Any, seed: int) -> None:
    """Let the encoder of a short fit begin where the mapping would guide it."""
    if job.sizes.head_start and not job.resume and job.estimator._kind.is_guided(model):
        follow_guidance(
            model,
            job.train,
            batch_size=job.sizes.batch_size,
            n_steps=job.sizes.head_start,
            lr=job.estimator.learning_rate_init,
            seed=seed + 5,
        )


def _net(job: _Job, model: Any, objective: Objective, seed: int, **settings: Any) -> PlayerNet:
    """Return a net that is ready to train."""
    _give_head_start(job, model.to(job.device), seed)
    return PlayerNet(
        model.train(),
        objective.to(job.device),
        seed=seed,
        schedule=job.estimator.learning_rate,
        warmup_steps=job.sizes.warmup_steps,
        batch_events=bool(settings.get("callbacks")),
        batch_size=job.sizes.batch_size,
        device=job.device,
        **_settings(job.estimator) | settings,
    ).initialize()


def _words(job: _Job, seed: int) -> tuple[Any, Any, Objective]:
    """Return unbuilt parts, a model and an objective: new ones, or copies of the fitted ones."""
    estimator, kind, X = job.estimator, job.estimator._kind, job.data.X
    if job.resume:
        refuse_another_model(estimator)
        kind.check_rows(estimator._parts, X, job.data.X_val)
        model, objective = copy.deepcopy((estimator.module_, estimator._objective))
        return estimator._parts, model, objective
    generator = generator_from(seed)
    with OwnRandomness(generator):
        described = kind.parts(estimator)
        parts = type(described)(*map(fresh, described))
        objective = fresh(_objective_of(estimator))
    kind.check_rows(parts, X, job.data.X_val)
    model = kind.build(parts, X.shape[1], estimator.n_components, generator)
    rows = job.rows_to_start_from(generator)
    kind.initialise(model, rows, generator)
    with OwnRandomness(generator):
        objective.build(model)
        objective.float()
    objective.initialise(rows)
    return parts, model, objective


def _objective_of(estimator: Any) -> Objective:
    """Return the objective that the parameters describe."""
    objective = estimator._objective_part()
    if not isinstance(objective, Objective):
        raise TypeError(
            f"objective={objective!r} must derive from "
            "sklearn_intelvae.objectives.Objective, or be one of the names that it may have."
        )
    return objective


def _callbacks(estimator: Any, valid: Rows | None) -> list[Any]:
    """Return the user's callbacks, and early stopping if asked for."""
    callbacks = _inputs.checked_callbacks(
        estimator.callbacks, valid is not None, estimator.learning_rate
    )
    if estimator.early_stopping and valid is not None:
        stopping = WarmedUpEarlyStopping(
            patience=estimator.n_iter_no_change,
            threshold=estimator.tol,
            threshold_mode="abs",
            load_best=True,
        )
        callbacks.append(("early_stopping", stopping))
    return callbacks


def _settings(estimator: Any) -> dict[str, Any]:
    """Return the settings of the net that do not depend on the data."""
    net_params = _inputs.checked_net_params(estimator.net_params)
    if "optimizer" not in net_params:
        net_params = {"optimizer": torch.optim.Adam, "optimizer__fused": True} | net_params
    return {
        "lr": estimator.learning_rate_init,
        "train_split": None,
        "verbose": int(estimator.verbose),
    } | net_params
