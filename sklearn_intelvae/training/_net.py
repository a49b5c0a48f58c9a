"""The net: skorch's loop around one training step for every objective."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer, PrintLog
from skorch.utils import TeeGenerator
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd

from sklearn_intelvae._random import generator_from
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import Batch
from sklearn_intelvae.training._batches import Batches, Rows

Record = dict[str, Tensor]


class StopTraining(Exception):
    """Raised inside the loop when a callback has asked to stop."""


class PlayerNet(NeuralNet):
    """A skorch net that visits the objective's players in turn at every step.

    For each player: loss, gradient with respect to that player's parameters, optimizer step.
    The module is a built model, the criterion a built objective, and data come as :class:`Rows`.

    Parameters
    ----------
    *args, **kwargs
        Those of ``skorch.NeuralNet``.
    seed : int
        Seeds the order of the rows and the noise.
    schedule : {"constant", "cosine"}
        The learning rate over the epochs of one call of :meth:`train`.
    warmup_steps : float
        Steps of the warm-up, in which objective and prior are told how much of it is over.
    batch_events : bool
        Whether to tell the callbacks about batches, and to record each batch's loss for them.
    """

    def __init__(
        self,
        *args: Any,
        seed: int = 0,
        schedule: str = "constant",
        warmup_steps: float = 0.0,
        batch_events: bool = True,
        **kwargs: Any,
    ) -> None:
        self.seed = seed
        self.schedule = schedule
        self.warmup_steps = warmup_steps
        self.batch_events = batch_events
        super().__init__(*args, **kwargs)

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        log = [("print_log", PrintLog())] if self.verbose else []
        return [("epoch_timer", EpochTimer()), *log]

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> PlayerNet:
        """Make one optimizer for each player, and start the clock and the generator."""
        self.players_ = self.criterion_.players(self.module_)
        self._check_players()
        for player, parameters in self.players_.items():
            own = set(map(id, parameters))
            named = [(n, p) for n, p in self.get_all_learnable_params() if id(p) in own]
            args, kwargs = self.get_params_for_optimizer("optimizer", named)
            setattr(self, self._optimizer_name(player), self.optimizer(*args, **kwargs))
        self.steps_done_ = 0
        self.warmed_up_ = 0.0
        self.generator_ = generator_from(self.seed, self.device)
        return self

    def _check_players(self) -> None:
        owned = [id(p) for parameters in self.players_.values() for p in parameters]
        trainable = {id(p) for _, p in self.get_all_learnable_params() if p.requires_grad}
        if len(owned) != len(set(owned)) or set(owned) != trainable:
            raise ValueError(
                f"the players of {type(self.criterion_).__name__} must own every trainable "
                "parameter of the model and of the objective, each once: they own "
                f"{len(owned)}, of which {len(set(owned))} differ, and {len(trainable)} can be "
                "trained. Correct its players method."
            )

    def train(
        self, train: Rows, valid: Rows | None, n_epochs: int, horizon: int | None = None
    ) -> PlayerNet:
        """Run ``n_epochs`` epochs, or fewer if a callback stops them.

        The schedule of the learning rate spans ``horizon`` epochs, by default those.

        Raises
        ------
        DivergenceError
            If the loss or a weight is not finite; the module then holds the last finite weights.
        """
        self.horizon_ = horizon or n_epochs
        self._keep_weights()
        self.notify("on_train_begin", X=train, y=None)
        with suppress(StopTraining), self._dropout_of_our_own():
            self.fit_loop((train, valid), epochs=n_epochs)
        self.notify("on_train_end", X=train, y=None)
        return self

    @contextmanager
    def _dropout_of_our_own(self) -> Iterator[None]:
        """Seed torch's global generator while dropout, which knows no other, draws from it."""
        if not any(isinstance(m, _DropoutNd) for m in self.module_.modules()):
            yield
            return
        with torch.random.fork_rng(devices=[] if self.device == "cpu" else None):
            torch.manual_seed(self.generator_.initial_seed() + self.steps_done_)
            yield

    def state(self) -> dict[str, Any]:
        """Return, as arrays and numbers, what :meth:`restore` needs to go on training."""
        optimizers = {
            player: {
                str(index): {name: value.numpy(force=True) for name, value in slots.items()}
                for index, slots in self._optimizer(player).state_dict()["state"].items()
            }
            for player in self.players_
        }
        generator = self.generator_.get_state().numpy()
        return {
            "optimizers": optimizers,
            "generator": generator,
            "device": torch.device(self.device).type,
            "steps_done": self.steps_done_,
            "warmup": self.warmup,
        }

    def restore(self, state: dict[str, Any]) -> PlayerNet:
        """Go on where another net with the same players left off."""
        for player, slots_of_parameters in state["optimizers"].items():
            optimizer = self._optimizer(player)
            slots = {
                int(index): {name: torch.as_tensor(value).clone() for name, value in slots.items()}
                for index, slots in slots_of_parameters.items()
            }
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": slots, "param_groups": groups})
        if state["device"] == torch.device(self.device).type:
            self.generator_.set_state(torch.as_tensor(state["generator"]))
        self.steps_done_ = state["steps_done"]
        self.warmed_up_ = state["warmup"]
        return self

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; a KeyboardInterrupt from one is its way to end the training."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as error:
            if method_name in ("on_epoch_end", "on_batch_end"):
                raise StopTraining from error
            raise

    def _notify_of_batch(self, method_name: str, **cb_kwargs: Any) -> None:
        if self.batch_events:
            self.notify(method_name, **cb_kwargs)

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Return the rows to train on and the rows to validate on, which come split."""
        return X

    def get_iterator(self, dataset: Rows, training: bool = False) -> Batches:
        """Return the batches of one pass, shuffled when training."""
        return Batches(dataset, self.batch_size, self.generator_ if training else None)

    @property
    def warmup(self) -> float:
        """How much of the warm-up is over, from 0 to 1; a longer one takes nothing of it back."""
        share = self.steps_done_ / self.warmup_steps if self.warmup_steps else 1.0
        return min(1.0, max(share, self.warmed_up_))

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run one pass and record its means, with one transfer from the device at its end."""
        if iterator is None:
            return
        self._set_training(training)
        steps = self._training_steps if training else self._validation_steps
        sizes, records = zip(*steps(iterator), strict=True)
        for name in records[0]:
            self.history.record(name, _mean([record[name] for record in records], sizes))
        if training:
            for name, value in self.criterion_.summary(self.module_).items():
                self.history.record(name, value)
            self._refuse_divergence()
        else:
            *earlier, latest = self.history[:, "valid_loss"]
            self.history.record("valid_loss_best", latest < min(earlier, default=math.inf))

    def _training_steps(self, batches: Batches) -> Iterator[tuple[int, Record]]:
        self._set_learning_rate()
        warming = [part for part in self.module_.modules() if hasattr(part, "warm_up")]
        for batch in batches:
            for part in warming:
                part.warm_up(self.warmup)
            self._notify_of_batch("on_batch_begin", batch=batch, training=True)
            record = self.train_step(batch)
            self.steps_done_ += 1
            if self.batch_events:
                self.history.record_batch("train_loss", record["train_loss"].item())
            loss = record["train_loss"]
            self._notify_of_batch("on_batch_end", batch=batch, training=True, loss=loss)
            yield len(batch[0]), record

    def _validation_steps(self, batches: Batches) -> Iterator[tuple[int, Record]]:
        generator = generator_from(self.seed + 1, self.device)
        for batch in batches:
            self._notify_of_batch("on_batch_begin", batch=batch, training=False)
            record = self.validation_step(batch, generator=generator)
            loss = record["valid_loss"]
            self._notify_of_batch("on_batch_end", batch=batch, training=False, loss=loss)
            yield len(batch[0]), record

    def train_step(self, batch: Any, **fit_params: Any) -> Record:
        """Let each player make one step; return its loss and terms."""
        x, weight, previous = batch
        data = Batch(x, self.generator_, self.warmup, weight, previous, memo={})
        record: Record = {}
        for player, parameters in self.players_.items():
            loss, terms = self.criterion_.loss(player, self.module_, data)
            if loss.shape != x.shape[:1]:
                raise ValueError(
                    f"{type(self.criterion_).__name__}.loss returned shape {tuple(loss.shape)} for "
                    f"{len(x)} rows; it must return the loss of each row."
                )
            total = _weighted_mean(loss, weight)
            for parameter in parameters:
                parameter.grad = None
            total.backward(inputs=parameters)
            self._notify_of_batch(
                "on_grad_computed",
                named_parameters=TeeGenerator(self.get_all_learnable_params()),
                batch=batch,
                training=True,
            )
            self._optimizer(player).step()
            record[f"{player}_loss" if record else "train_loss"] = total.detach()
            record |= {name: _recorded(term, weight) for name, term in terms.items()}
        return record

    @torch.no_grad()
    def validation_step(self, batch: Any, **fit_params: Any) -> Record:
        """Return the fully warmed up loss on one batch."""
        x, weight, previous = batch
        data = Batch(x, fit_params["generator"], previous=previous)
        loss = self.criterion_.validation_loss(self.module_, data)
        return {"valid_loss": _weighted_mean(loss, weight)}

    def _set_learning_rate(self) -> None:
        """Follow the schedule; a constant rate is left to skorch's LRScheduler, if there is one."""
        if self.schedule == "cosine":
            done = (len(self.history) - 1) / self.horizon_
            factor = 0.5 * (1 + math.cos(math.pi * done))
            for player in self.players_:
                for group in self._optimizer(player).param_groups:
                    group["lr"] = factor * group.setdefault("initial_lr", group["lr"])

    def _optimizer(self, player: str) -> torch.optim.Optimizer:
        return getattr(self, self._optimizer_name(player))

    def _optimizer_name(self, player: str) -> str:
        first = next(iter(self.players_))
        return "optimizer_" if player == first else f"optimizer_{player}_"

    def _refuse_divergence(self) -> None:
        if math.isfinite(self.history[-1, "train_loss"]) and self._weights_are_finite():
            self._keep_weights()
            return
        for part, weights in self._finite_weights:
            part.load_state_dict(weights)
        steps_done, warmed_up, generator = self.steps_done_, self.warmed_up_, self.generator_
        self.initialize_optimizer()
        self.steps_done_, self.warmed_up_, self.generator_ = steps_done, warmed_up, generator
        epoch = self.history[-1, "epoch"]
        del self.history[-1]
        raise DivergenceError(f"the loss or a weight became non-finite in epoch {epoch}", epoch)

    def _weights_are_finite(self) -> bool:
        norms = torch._foreach_norm([p.detach() for _, p in self.get_all_learnable_params()])
        return bool(torch.isfinite(torch.stack(norms)).all())

    def _keep_weights(self) -> None:
        self._finite_weights = [
            (part, {name: value.clone() for name, value in part.state_dict().items()})
            for part in (self.module_, self.criterion_)
        ]


def _recorded(term: Tensor, weight: Tensor | None) -> Tensor:
    """Return what a term adds to its mean, which weights of rows change as they do the loss."""
    if weight is None:
        return term.detach()
    return (weight if term.ndim else weight.mean()) * term.detach()


def _weighted_mean(loss: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean of a batch; weights average one over the whole data set."""
    return loss.mean() if weight is None else (weight * loss).mean()


def _mean(values: list[Tensor], sizes: tuple[int, ...]) -> float:
    """Return the mean over all rows of values that are per row, or means of a batch."""
    if values[0].ndim:
        return torch.cat(values).mean().item()
    weights = torch.tensor(sizes, dtype=torch.float32, device=values[0].device)
    return ((torch.stack(values) * weights).sum() / weights.sum()).item()
