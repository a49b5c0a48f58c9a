"""A fit: from a spec and data to a result."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_intelvae._part import call, detach_activations, untrained_copy
from sklearn_intelvae._random import (
    OwnRandomness,
    Stream,
    draws_by_weight,
    generator_from,
    own_torch_state,
    seed_of,
    seeds_of_starts,
    seeds_of_trials,
)
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.models import VAE
from sklearn_intelvae.models._linear_start import start_at_linear_model
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.training._components import choose_components
from sklearn_intelvae.training._net import MultiPlayerNet, uncompiled
from sklearn_intelvae.training._noise import (
    NoiseCorrection,
    final_prediction_error,
    undo_correction,
)
from sklearn_intelvae.training._pretrain import pretrain_encoder
from sklearn_intelvae.training._prior import PriorFits, fit_prior, fits_prior
from sklearn_intelvae.training._rows import Batches, Rows, split_rows
from sklearn_intelvae.training._skorch import SklearnCallbacks, net_params, skorch_callbacks
from sklearn_intelvae.training._spec import FitData, FitResult, FitSpec, Schedule, constant_rate
from sklearn_intelvae.training._starts import Fit, best_of, evaluation_rows, mean_objective

_TRIAL_STEPS = 160
_TRIAL_SHARE = 0.1
_SHORT_FIT, _PRETRAINING_STEPS = 200, 300
"""With 100 steps of pretraining, an encoder on the wrong side does not follow the guidance."""
_FEW_STEPS = 40
"""Fewer steps hardly leave the linear model, and its prior N(0, I)."""


@own_torch_state()
def train(
    spec: FitSpec,
    data: FitData,
    *,
    previous: FitResult | None = None,
    one_epoch: bool = False,
    callbacks: SklearnCallbacks | None = None,
) -> FitResult:
    """Fit a model to data.

    Parameters
    ----------
    spec : FitSpec
        What to fit, and how.
    data : FitData
        The validated tables.
    previous : FitResult or None, default=None
        A result to continue from; it is not changed.
    one_epoch : bool, default=False
        Whether to train for one epoch only.
    callbacks : SklearnCallbacks or None, default=None
        Callbacks of scikit-learn to notify.

    Returns
    -------
    result : FitResult
        The trained model and its history.

    Raises
    ------
    TypeError, ValueError
        If the spec or the data cannot be used; nothing is trained then.
    DivergenceError
        If the loss stops being finite; ``error.result`` has the last finite weights.
    """
    callbacks = callbacks or SklearnCallbacks()
    fit = _Fit.prepare(spec, data, previous, one_epoch, callbacks)
    n_init = 1 if previous is not None or one_epoch else spec.n_init
    callbacks.open(fit.n_epochs, n_init)
    if n_init == 1:
        return fit.from_seed(spec.seed)[1]
    rows = evaluation_rows(fit.train, fit.valid)
    seed = seed_of(spec.seed, Stream.COMPARISON)

    def evaluate(net: MultiPlayerNet) -> float:
        model, objective, size = net.module_, net.criterion_, net.batch_size
        return mean_objective(model, objective, rows, batch_size=size, seed=seed)

    seeds = seeds_of_starts(spec.seed, n_init)
    return best_of(fit.from_seed, evaluate, seeds, callbacks, verbose=bool(spec.verbose))


@dataclass(frozen=True)
class _Fit:
    """A fit whose rows and sizes are known; each start is one call of :meth:`from_seed`."""

    spec: FitSpec
    X: np.ndarray
    previous: FitResult | None
    train: Rows
    valid: Rows | None
    batch_size: int
    n_epochs: int
    one_epoch: bool
    horizon_steps: int
    steps_per_epoch: int
    schedule: Schedule
    user_callbacks: list[Any]
    net_params: dict[str, Any]
    callbacks: SklearnCallbacks

    @classmethod
    def prepare(
        cls,
        spec: FitSpec,
        data: FitData,
        previous: FitResult | None,
        one_epoch: bool,
        callbacks: SklearnCallbacks,
    ) -> _Fit:
        """Check spec and data against each other, and resolve what depends on the rows."""
        spec = spec.completed(data.train["x"].shape[1])
        train, valid = split_rows(data, spec, one_epoch)
        spec.parts.check_support(data.weighted_rows, data.valid and data.valid["x"])
        batch_size = spec.resolved_batch_size(len(train))
        n_epochs = spec.max_iter or spec.recipe.n_epochs(len(train), batch_size)
        steps_per_epoch = len(Batches(train, batch_size))
        open_ended = one_epoch and spec.max_iter is None
        steps = spec.recipe.open_ended_steps if open_ended else n_epochs * steps_per_epoch
        return cls(
            spec=spec,
            X=data.train["x"],
            previous=previous,
            train=train,
            valid=valid,
            batch_size=batch_size,
            n_epochs=1 if one_epoch else n_epochs,
            one_epoch=one_epoch,
            horizon_steps=steps,
            steps_per_epoch=steps_per_epoch,
            schedule=constant_rate if one_epoch else spec.learning_rate or spec.recipe.schedule,
            user_callbacks=skorch_callbacks(spec, valid is not None),
            net_params=net_params(spec.skorch_params),
            callbacks=callbacks,
        )

    def from_seed(self, seed: int) -> Fit:
        """Train once, with weights, an order of the rows and noise that follow from ``seed``."""
        seed = self._best_trial_seed(seed)
        model, objective, rate = self._model_and_objective(seed)
        self._pretrain(model, seed)
        callbacks = [
            *self.user_callbacks,
            *self._prior_fits(model, seed),
            *self._noise_correction(model),
            *self.callbacks.callback_for_start(self._result_of),
        ]
        net = self._net(model, objective, rate, seed, callbacks=callbacks)
        if self.previous is not None:
            net.restore(self.previous.state)
        try:
            net.train(self.train, self.valid, self.n_epochs)
        except DivergenceError as error:
            self.callbacks.skip_start(net)
            error.result = self._result_of(net)
            raise
        return net, self._result_of(net)

    def _result_of(self, net: MultiPlayerNet) -> FitResult:
        """Return the current state of a net as a result."""
        earlier = [] if self.previous is None else self.previous.history
        rows = [{k: v for k, v in row.items() if k != "batches"} for row in net.history]
        for row in rows:
            row["epoch"] += len(earlier)
        model = uncompiled(net.module_)
        for module in (model, uncompiled(net.criterion_)):
            detach_activations(module)
        return FitResult(
            parts=self.spec.parts if self.previous is None else self.previous.parts,
            model=model.eval(),
            objective=uncompiled(net.criterion_),
            history=[*earlier, *rows],
            state=net.state(),
            index=self.train.index.numpy(force=True),
        )

    def _best_trial_seed(self, seed: int) -> int:
        """Return ``seed`` or, if the mapping requests trials, the seed of the best trial.

        The fit that follows repeats the trial, unless callbacks, which trials do not have, change
        its course. There are no trials if all of them would take longer than half of the fit.
        """
        n_trials = 1 if self.previous is not None else self.spec.parts.n_trials
        if n_trials == 1 or n_trials * self._trial_epochs > self.n_epochs / 2:
            return seed
        return min(seeds_of_trials(seed, n_trials), key=self._trial)

    @property
    def _trial_epochs(self) -> int:
        steps = min(_TRIAL_STEPS, _TRIAL_SHARE * self.horizon_steps)
        return math.ceil(steps / self.steps_per_epoch)

    def _trial(self, seed: int) -> float:
        """Return the loss of a start after a few epochs, infinite if it diverges."""
        model, objective, rate = self._model_and_objective(seed)
        self._pretrain(model, seed)
        net = self._net(model, objective, rate, seed, verbose=0)
        try:
            net.train(self.train, None, self._trial_epochs, horizon=self.n_epochs)
        except DivergenceError:
            return math.inf
        losses = net.history[:, "train_loss"]
        return float(np.mean(losses[-math.ceil(len(losses) / 4) :]))

    def _pretrain(self, model: Any, seed: int) -> None:
        """Pretrain the encoder of a short fit on the guidance of the mapping."""
        is_short = self.horizon_steps < _SHORT_FIT
        if is_short and self.previous is None and isinstance(model, VAE):
            pretrain_encoder(
                model.to(self.spec.device),
                self.train,
                batch_size=self.batch_size,
                n_steps=_PRETRAINING_STEPS,
                lr=self.spec.learning_rate_init or self.spec.recipe.learning_rate_init,
                seed=seed_of(seed, Stream.PRETRAINING),
            )

    @property
    def _is_full(self) -> bool:
        """Whether this is a fit of more than few steps, and no call of partial_fit."""
        return self.horizon_steps >= _FEW_STEPS and not self.one_epoch

    def _fits_prior(self, model: Any) -> bool:
        return self._is_full and fits_prior(model)

    def _prior_fits(self, model: Any, seed: int) -> list[tuple[str, PriorFits]]:
        """Return the callback that fits the prior to the codes, if the prior asks for it."""
        if not self._fits_prior(model):
            return []
        return [("prior_fits", PriorFits(self.train, seed, self.n_epochs))]

    def _noise_correction(self, model: Any) -> list[tuple[str, NoiseCorrection]]:
        """Return the callback that corrects the noise: of fits from the linear model.

        What continues such a fit by single epochs keeps its factor.
        """
        factor = None if self.previous is None else self.previous.state.get("noise_factor")
        if self._is_full and isinstance(model, VAE) and model.has_linear_paths:
            n_fitted = min(self.spec.n_components + 1, self.X.shape[1])
            factor = final_prediction_error(self.train.effective_size, n_fitted)
        return [] if factor is None else [("noise_correction", NoiseCorrection(factor))]

    def _net(
        self, model: Any, objective: Objective, rate: float, seed: int, **settings: Any
    ) -> MultiPlayerNet:
        """Return an initialized net, whose model learns at a relative rate."""
        spec, recipe = self.spec, self.spec.recipe
        noise_rate = recipe.noise_rate(len(self.train), self.X.shape[1])
        return MultiPlayerNet(
            model.to(spec.device).train(),
            objective.to(spec.device),
            seed=seed,
            schedule=self.schedule,
            relative_rates=(rate, rate * recipe.linear_rate, rate * noise_rate),
            costs_warm_up=recipe.costs_warm_up,
            warmup_steps=recipe.warmup * self.horizon_steps,
            batch_events="callbacks" in settings and bool(spec.skorch_callbacks),
            batch_size=self.batch_size,
            device=str(spec.device),
            lr=spec.learning_rate_init,
            train_split=None,
            **{"verbose": spec.verbose} | self.net_params | settings,
        ).initialize()

    def _model_and_objective(self, seed: int) -> tuple[Any, Objective, float]:
        """Return a new model and objective, or copies of the fitted ones, and a learning rate.

        The rate is relative to the one of the spec. The networks, their linear functions and the
        noise have it.
        """
        if self.previous is not None:
            model, objective = copy.deepcopy((self.previous.model, self.previous.objective))
            undo_correction(model, self.previous.state)
            return model, objective, self.previous.state.get("network_rate", 1.0)
        spec, generator, rate, start = self.spec, generator_from(seed), 1.0, None
        with OwnRandomness(generator):
            objective = untrained_copy(spec.objective)
        model = spec.parts.build(self.X.shape[1], spec.n_components, generator)
        rows = self._rows_to_start_from(generator)
        model.initialize(rows, generator)
        if isinstance(model, VAE) and model.has_linear_paths:
            start = start_at_linear_model(
                model,
                *self._rows_and_weights(),
                to_convergence=self.horizon_steps < _FEW_STEPS,
            )
            if self._is_full:
                rate = spec.recipe.relative_rate(start.excess_nonlinearity())
        with OwnRandomness(generator):
            objective.build(model)
            objective.float()
            call(objective.initialize, rows, generator)
        if start is not None:
            model, objective = model.to(spec.device), objective.to(spec.device)
            choose_components(
                model, objective, start, self.train, batch_size=self.batch_size, seed=seed
            )
            if self._fits_prior(model):
                fit_prior(model, self.train, seed)
        return model, objective, rate

    def _rows_to_start_from(self, generator: torch.Generator) -> Tensor:
        """Return the training rows; if they are weighted, as many drawn by their weights."""
        X, index = torch.from_numpy(self.X), self.train.index.cpu()
        if "weight" in self.train.tensors:
            weight = self.train.tensors["weight"].cpu()[index]
            index = index[draws_by_weight(weight, len(index), generator)]
        elif len(index) == len(X):
            return X
        return X[index]

    def _rows_and_weights(self) -> tuple[Tensor, Tensor | None]:
        """Return the training rows, and their weights."""
        index = self.train.index.cpu()
        weight = self.train.tensors.get("weight")
        return torch.from_numpy(self.X)[index], None if weight is None else weight.cpu()[index]
