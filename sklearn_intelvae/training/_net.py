"""The net: skorch's loop around one training step for every objective."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, EpochTimer, PrintLog
from skorch.utils import TeeGenerator
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from sklearn_intelvae._checks import (
    check_epoch_stats,
    check_loss,
    check_players,
    check_validation_loss,
)
from sklearn_intelvae._part import copied, is_ours, nested_parts
from sklearn_intelvae._random import Stream, generator_from, seed_of
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import Batch
from sklearn_intelvae.training._optimizer_state import (
    group_numbers,
    optimizer_state,
    restore_optimizer,
)
from sklearn_intelvae.training._rows import Batches, Rows, Tensors
from sklearn_intelvae.training._skorch import recorded_interrupts
from sklearn_intelvae.training._spec import Schedule, constant_rate

Record = dict[str, Tensor]
_STOCHASTIC = _DropoutNd, nn.RReLU, nn.MultiheadAttention, nn.RNNBase
"""Layers of torch that draw from its global generator."""


class StopTraining(Exception):
    """Raised inside the loop when a callback has requested to stop."""


class MultiPlayerNet(NeuralNet):
    """A skorch net that updates the players of the objective in turn at every step.

    For each player: loss, gradient with respect to that player's parameters, optimizer step.
    The module is a built model, the criterion a built objective, and data are :class:`Rows`.
    One optimizer holds the parameters of all players, so that callbacks act on every player.

    Parameters
    ----------
    *args, **kwargs
        Those of ``skorch.NeuralNet``.
    seed : int
        Seed of the order of the rows and of the noise.
    schedule : callable
        Maps the fraction of the steps of one call of :meth:`train` that have passed to a factor of
        the learning rate.
    relative_rates : (float, float, float)
        Learning rates of the networks, of the linear functions beside them and of the noise of the
        likelihood, relative to that of all other parameters.
    warmup_steps : float
        Number of steps of the warm-up.
    costs_warm_up : bool
        Whether objectives see the warm-up; otherwise only parts do.
    batch_events : bool
        Whether to notify the callbacks about batches, and to record each batch's loss for them.
    """

    callbacks_: list[Any]

    def __init__(
        self,
        *args: Any,
        seed: int = 0,
        schedule: Schedule = constant_rate,
        relative_rates: tuple[float, float, float] = (1.0, 1.0, 1.0),
        warmup_steps: float = 0.0,
        costs_warm_up: bool = True,
        batch_events: bool = True,
        **kwargs: Any,
    ) -> None:
        self.seed = seed
        self.schedule = schedule
        self.relative_rates = relative_rates
        self.warmup_steps = warmup_steps
        self.costs_warm_up = costs_warm_up
        self.batch_events = batch_events
        super().__init__(*args, **kwargs)

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        log = [("print_log", PrintLog())] if self.verbose else []
        return [("epoch_timer", EpochTimer()), *log]

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> MultiPlayerNet:
        """Create the optimizer, and start the step counter and the generator."""
        self.players_ = check_players(self.criterion_, self.criterion_.players(self.module_))
        self._check_ownership()
        named = [(name, p) for name, p in self.get_all_learnable_params() if p.requires_grad]
        (groups, *args), kwargs = self.get_params_for_optimizer("optimizer", named)
        self.optimizer_ = self.optimizer(self._with_relative_rates(groups), *args, **kwargs)
        self.initial_groups_ = group_numbers(self.optimizer_)
        self.all_parts_are_ours_ = is_ours(self.criterion_) and all(
            map(is_ours, nested_parts(self.module_, self.criterion_))
        )
        self.corrected_noise_: dict[str, Any] = {}
        self.steps_done_ = 0
        self.earlier_progress_ = 0.0
        self.generator_ = generator_from(self.seed, self.device)
        return self

    def _with_relative_rates(self, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Divide the parameters by their learning rates, unless the user has."""
        if len(groups) > 1 or set(self.relative_rates) == {1.0}:
            return groups
        networks, linear, noise = self.relative_rates
        model = uncompiled(self.module_)
        owned = [p for network in (model.encoder, model.decoder) for p in network.parameters()]
        factors = {id(p): networks for p in owned}
        factors |= {id(p): linear for p in model.linear_parameters()}
        factors |= {id(p): noise for p in model.likelihood.parameters()}
        divided: dict[float, list[nn.Parameter]] = {f: [] for f in (1.0, *self.relative_rates)}
        for parameter in groups[0]["params"]:
            divided[factors.get(id(parameter), 1.0)].append(parameter)
        return [{"params": own, "lr": factor * self.lr} for factor, own in divided.items() if own]

    def _check_ownership(self) -> None:
        owned = [id(p) for parameters in self.players_.values() for p in parameters]
        trainable = {id(p) for _, p in self.get_all_learnable_params() if p.requires_grad}
        if len(owned) != len(set(owned)) or set(owned) != trainable:
            raise ValueError(
                f"the players of {type(self.criterion_).__name__} must own every trainable "
                "parameter of the model and of the objective exactly once: they own "
                f"{len(owned)}, {len(set(owned))} of them different, and {len(trainable)} are "
                "trainable. Correct its players method."
            )

    def train(
        self, train: Rows, valid: Rows | None, n_epochs: int, horizon: int | None = None
    ) -> MultiPlayerNet:
        """Run ``n_epochs`` epochs, or fewer if a callback stops them.

        The schedule of the learning rate spans ``horizon`` epochs, by default ``n_epochs``.

        Raises
        ------
        DivergenceError
            If the loss or a weight is not finite; the module then has the last finite weights.
        """
        self.first_step_ = self.steps_done_
        self.horizon_ = (horizon or n_epochs) * len(Batches(train, self.batch_size))
        self._keep_weights()
        with self._restored_flags(), recorded_interrupts() as self.interrupts_:
            self.notify("on_train_begin", X=train, y=None)
            with suppress(StopTraining), self._seeded_dropout():
                self.fit_loop((train, valid), epochs=n_epochs)
            if len(self.history) and "train_loss" not in self.history[-1]:
                del self.history[-1]  # an epoch that a callback ended before its last batch
            self._notify_of_end(train)
        return self

    def _notify_of_end(self, train: Rows) -> None:
        """Notify of the end; without a finished epoch there are no best weights to restore."""
        callbacks = self.callbacks_
        if not self.history:
            self.callbacks_ = [pair for pair in callbacks if not isinstance(pair[1], EarlyStopping)]
        try:
            self.notify("on_train_end", X=train, y=None)
        finally:
            self.callbacks_ = callbacks

    @contextmanager
    def _restored_flags(self) -> Iterator[None]:
        """Start without gradients, and undo at the end what callbacks froze."""
        parameters = [p for _, p in self.get_all_learnable_params()]
        self._flags = [(p, p.requires_grad) for p in parameters]
        for parameter in parameters:
            parameter.grad = None
        try:
            yield
        finally:
            for parameter, flag in self._flags:
                parameter.requires_grad_(flag)
                parameter.grad = None

    @contextmanager
    def _seeded_dropout(self) -> Iterator[None]:
        """Seed torch's global generator, the only one that dropout can use, and restore it."""
        modules = *self.module_.modules(), *self.criterion_.modules()
        if not any(isinstance(m, _STOCHASTIC) for m in modules):
            yield
            return
        with torch.random.fork_rng(devices=[] if self._device_type() == "cpu" else None):
            seed = seed_of(self.seed, Stream.DROPOUT, self.steps_done_)
            if self._device_type() == "cpu":
                torch.default_generator.manual_seed(seed)  # of this device only
            else:
                torch.manual_seed(seed)
            yield

    def _device_type(self) -> str:
        return torch.device(self.device).type

    def state(self) -> dict[str, Any]:
        """Return, as arrays and numbers, what :meth:`restore` needs to continue the training."""
        return {
            "optimizer": optimizer_state(
                self.optimizer_, self._named_parameters(), self.initial_groups_
            ),
            "generator": self.generator_.get_state().numpy(),
            "device": self._device_type(),
            "steps_done": self.steps_done_,
            "progress": self.progress,
            "last_progress": self._progress_after(max(0, self.steps_done_ - 1)),
            "network_rate": self.relative_rates[0],
            **self.corrected_noise_,
        }

    def restore(self, state: dict[str, Any]) -> MultiPlayerNet:
        """Continue where another net with the same model and objective stopped."""
        restore_optimizer(self.optimizer_, self._named_parameters(), state["optimizer"])
        if state["device"] == self._device_type():
            self.generator_.set_state(torch.tensor(state["generator"]))
        self.steps_done_ = state["steps_done"]
        self.earlier_progress_ = state["progress"]
        return self

    def _named_parameters(self) -> dict[str, nn.Parameter]:
        return named_parameters(self.module_, uncompiled(self.criterion_))

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; one that raises KeyboardInterrupt ends the training.

        A KeyboardInterrupt that the user caused, by Ctrl-C, is raised again.
        """
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as error:
            if method_name in ("on_epoch_end", "on_batch_end") and not self.interrupts_:
                raise StopTraining from error
            raise

    def _notify_of_batch(self, method_name: str, **cb_kwargs: Any) -> None:
        if self.batch_events:
            if "loss" in cb_kwargs:  # a callback may change it in place
                cb_kwargs["loss"] = cb_kwargs["loss"].clone()
            self.notify(method_name, **cb_kwargs)

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Return the rows to train on and to validate on, which are already split."""
        return X

    def get_iterator(self, dataset: Rows, training: bool = False) -> Batches:
        """Return the batches of one pass, shuffled when training."""
        return Batches(dataset, self.batch_size, self.generator_ if training else None)

    @property
    def progress(self) -> float:
        """The fraction of the warm-up that has passed; never decreases, even if it is extended."""
        return self._progress_after(self.steps_done_)

    def _progress_after(self, n_steps: int) -> float:
        share = n_steps / self.warmup_steps if self.warmup_steps else 1.0
        return min(1.0, max(share, self.earlier_progress_))

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run one pass and record the means of the terms that every batch has."""
        if iterator is None:
            return
        self._set_training(training)
        steps = self._training_steps if training else self._validation_steps
        sizes, records = zip(*steps(iterator), strict=True)
        for name in records[0]:
            if all(name in record for record in records):
                self.history.record(name, _mean([record[name] for record in records], sizes))
        if training:
            stats = self.criterion_.epoch_stats(self.module_)
            for name, value in check_epoch_stats(self.criterion_, stats).items():
                self.history.record(name, value)
            self._refuse_divergence()
        else:
            *earlier, latest = self.history[:, "valid_loss"]
            self.history.record("valid_loss_best", latest < min(earlier, default=math.inf))

    def _training_steps(self, batches: Batches) -> Iterator[tuple[int, Record]]:
        for tensors in batches:
            self._set_learning_rate()
            progress = self.progress
            self.module_.set_progress(progress)
            self.criterion_.set_progress(progress)
            self._notify_of_batch("on_batch_begin", batch=tensors, training=True)
            record = self.train_step(tensors)
            self.steps_done_ += 1
            if self.batch_events:
                self.history.record_batch("train_loss", record["train_loss"].item())
            loss = record["train_loss"]
            self._notify_of_batch("on_batch_end", batch=tensors, training=True, loss=loss)
            yield len(tensors["x"]), record

    def _validation_steps(self, batches: Batches) -> Iterator[tuple[int, Record]]:
        generator = generator_from(seed_of(self.seed, Stream.VALIDATION_NOISE), self.device)
        for tensors in batches:
            self._notify_of_batch("on_batch_begin", batch=tensors, training=False)
            record = self.validation_step(tensors, generator=generator)
            loss = record["valid_loss"]
            self._notify_of_batch("on_batch_end", batch=tensors, training=False, loss=loss)
            yield len(tensors["x"]), record

    def train_step(self, batch: Tensors, **fit_params: Any) -> Record:
        """Update each player once; return the losses and terms."""
        progress = self.progress if self.costs_warm_up else 1.0
        data = Batch(**batch, generator=self.generator_, progress=progress)
        n, weight, criterion = len(data.x), data.weight, self.criterion_
        record: Record = {}
        for player, parameters in self.players_.items():
            returned = criterion.loss(player, self.module_, self._for_objective(data))
            if not self.all_parts_are_ours_:
                check_loss(criterion, returned, n)
            loss, terms = returned
            total = _weighted_mean(loss, weight)
            self._update(parameters, total, batch)
            record[f"{player}_loss" if record else "train_loss"] = total.detach()
            record |= {name: self._recorded(term, weight) for name, term in terms.items()}
        return record

    def _recorded(self, term: Tensor, weight: Tensor | None) -> Tensor:
        """Return the contributions of a term to its weighted mean over rows."""
        if weight is not None:
            return (weight if term.ndim else weight.mean()) * term.detach()
        # What is no result of our own may be updated in place before the end of the epoch.
        owned = self.all_parts_are_ours_ and term.requires_grad
        return term.detach() if owned else term.detach().clone()

    def _for_objective(self, batch: Batch) -> Batch:
        """Return the batch, with copies of its tensors if the objective is a class of the user."""
        if is_ours(self.criterion_):
            return batch
        names = (field.name for field in fields(batch) if field.name != "cache")
        return replace(batch, **{name: copied(getattr(batch, name)) for name in names})

    def _update(self, parameters: list[nn.Parameter], loss: Tensor, batch: Tensors) -> None:
        """Make an optimizer step for these parameters only: all others have no gradient.

        Callbacks may have frozen some of them.
        """
        parameters = [p for p in parameters if p.requires_grad]
        if not parameters:
            return
        if not loss.requires_grad:
            raise ValueError(
                f"{type(self.criterion_).__name__}.loss does not depend on the parameters that it "
                "is to train. Do not detach it."
            )
        loss.backward(inputs=parameters)
        if self.batch_events:
            named = TeeGenerator(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        self.optimizer_.step()
        for parameter in parameters:
            parameter.grad = None

    @torch.no_grad()
    def validation_step(self, batch: Tensors, **fit_params: Any) -> Record:
        """Return the loss of one batch at full warm-up."""
        data = Batch(**batch, generator=fit_params["generator"])
        loss = self.criterion_.validation_loss(self.module_, self._for_objective(data))
        loss = check_validation_loss(self.criterion_, loss, len(data.x))
        return {"valid_loss": _weighted_mean(loss, data.weight)}

    def _set_learning_rate(self) -> None:
        """Apply the schedule; a constant rate is left to skorch's LRScheduler, if there is one."""
        if self.schedule is constant_rate:
            return
        factor = self.schedule((self.steps_done_ - self.first_step_) / self.horizon_)
        for group in self.optimizer_.param_groups:
            group["lr"] = factor * group.setdefault("initial_lr", group["lr"])

    def _refuse_divergence(self) -> None:
        if math.isfinite(self.history[-1, "train_loss"]) and self._weights_are_finite():
            self._keep_weights()
            return
        for part, weights in self._finite_weights:
            part.load_state_dict(weights)
        for parameter, flag in self._flags:  # a callback may have frozen all of them
            parameter.requires_grad_(flag)
        kept = self.steps_done_, self.earlier_progress_, self.generator_
        self.initialize_optimizer()
        self.steps_done_, self.earlier_progress_, self.generator_ = kept
        epoch = self.history[-1, "epoch"]
        del self.history[-1]
        raise DivergenceError(f"the loss or a weight became non-finite in epoch {epoch}", epoch)

    def _weights_are_finite(self) -> bool:
        norms = torch._foreach_norm([p.detach() for _, p in self.get_all_learnable_params()])
        return bool(torch.isfinite(torch.stack(norms)).all())

    def _keep_weights(self) -> None:
        self._finite_weights = [
            (part, copied(dict(part.state_dict()))) for part in (self.module_, self.criterion_)
        ]


def named_parameters(model: nn.Module, objective: nn.Module) -> dict[str, nn.Parameter]:
    """Return all parameters of a model and an objective under names that differ."""
    owners = {"model": uncompiled(model), "objective": objective}
    return {
        f"{owner}.{name}": parameter
        for owner, module in owners.items()
        for name, parameter in module.named_parameters()
    }


def uncompiled(module: Any) -> Any:
    """Return the module inside the wrapper of torch.compile, or the module itself."""
    return getattr(module, "_orig_mod", module)


def _weighted_mean(loss: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean over a batch; weights have mean 1 over the whole data set."""
    return loss.mean() if weight is None else (weight * loss).mean()


def _mean(values: list[Tensor], sizes: tuple[int, ...]) -> float:
    """Return the mean over all rows of values per row, or of means of batches."""
    if values[0].ndim:
        return torch.cat(values).mean().item()
    weights = torch.tensor(sizes, dtype=torch.float32, device=values[0].device)
    return ((torch.stack(values) * weights).sum() / weights.sum()).item()
