"""What users pass to skorch, checked, and scikit-learn's callbacks."""

from __future__ import annotations

import copy
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    InputShapeSetter,
    LoadInitState,
    PassthroughScoring,
    TrainEndCheckpoint,
)
from skorch.callbacks.scoring import ScoringBase

from sklearn_intelvae.training._spec import (
    FitResult,
    FitSpec,
    constant_rate,
    skorch_parameters_of_fields,
)

Attributes = Callable[[FitResult], dict[str, Any]]


def skorch_callbacks(spec: FitSpec, validates: bool) -> list[Any]:
    """Return the user's callbacks, and early stopping if requested.

    Raises
    ------
    TypeError, ValueError
        If a callback is not one of skorch's, or cannot work here.
    """
    callbacks = [_checked_entry(entry, spec, validates) for entry in spec.skorch_callbacks]
    if spec.early_stopping and validates:
        stopping = WarmedUpEarlyStopping(
            patience=spec.n_iter_no_change,
            threshold=spec.tol,
            threshold_mode="abs",
            load_best=True,
        )
        callbacks.append(("early_stopping", stopping))
    return callbacks


_CHECKPOINT = (
    "it would write the files of a skorch net, which load does not read. early_stopping=True "
    "restores the best weights, and save writes the fitted estimator"
)
_REFUSED: dict[type, str] = {
    ScoringBase: (
        "it would apply skorch's own predictions. history_ has the loss and its terms for each "
        "epoch; for scores of validation rows pass X_val to fit, or pass scikit-learn's "
        "ScoringMonitor to set_callbacks"
    ),
    PassthroughScoring: "history_ already has the mean of each loss over the epoch",
    Checkpoint: _CHECKPOINT,
    TrainEndCheckpoint: _CHECKPOINT,
    LoadInitState: "use load, and continue with warm_start=True or partial_fit",
    InputShapeSetter: "the networks are sized at fit",
}
"""Callbacks of skorch that cannot work here, and what to use instead."""


def _checked_entry(entry: Any, spec: FitSpec, validates: bool) -> Any:
    """Return a callback, or a pair of name and callback; classes are called."""
    if not isinstance(entry, tuple):
        return _checked_callback(entry, spec, validates)
    if len(entry) != 2:
        raise TypeError(
            f"skorch_callbacks holds {entry!r}; its items are callbacks or pairs of a name and a "
            "callback."
        )
    return entry[0], _checked_callback(entry[1], spec, validates)


def _checked_callback(callback: Any, spec: FitSpec, validates: bool) -> Any:
    kind = callback if isinstance(callback, type) else type(callback)
    name = kind.__name__
    for cls, remedy in _REFUSED.items():
        if issubclass(kind, cls):
            raise ValueError(f"skorch_callbacks holds {name}, which is not supported: {remedy}.")
    if isinstance(callback, type):
        try:
            callback = callback()
        except TypeError as error:
            raise TypeError(
                f"skorch_callbacks holds the class {name}, which needs arguments: pass an instance."
            ) from error
    if not hasattr(callback, "on_epoch_end"):
        raise TypeError(
            f"skorch_callbacks holds {callback!r}, which is not a skorch callback. Derive it from "
            "skorch.callbacks.Callback; pass scikit-learn's callbacks to set_callbacks."
        )
    if hasattr(callback, "policy") and spec.learning_rate is not constant_rate:
        raise ValueError(
            f"skorch_callbacks holds {name}, but learning_rate is a schedule that sets the rate "
            "itself; set learning_rate='constant' to let the callback set it."
        )
    if getattr(callback, "monitor", None) == "valid_loss" and not validates:
        raise ValueError(
            f"skorch_callbacks holds {name}, which monitors the loss on validation rows, but there "
            "are none: pass X_val to fit, or set early_stopping=True; partial_fit has none."
        )
    return callback


class WarmedUpEarlyStopping(EarlyStopping):
    """skorch's early stopping, which ignores the epochs of the warm-up.

    During the warm-up a different loss is minimized, so that a low validation loss does not mean a
    good fit.
    """

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Compare the validation loss of an epoch after the warm-up."""
        if net.progress >= 1:
            super().on_epoch_end(net, **kwargs)


class SklearnCallbacks:
    """The tasks that scikit-learn's callbacks are notified about.

    A fit consists of epochs; a fit from several starts consists of starts, and these of epochs.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext or None
        None if there is nothing to notify.
    arguments : dict
        The arguments of the notifications: the estimator, X and y.
    attributes : callable
        Maps a result to the fitted attributes that an estimator would have now; called only if a
        callback requests them.
    """

    def __init__(
        self,
        context: Callable[[int], Any] | None = None,
        arguments: dict[str, Any] | None = None,
        attributes: Attributes | None = None,
    ) -> None:
        self.context = context
        self.arguments = arguments or {}
        self.attributes = attributes
        self.fit: Any = None
        self.start: EpochCallback | None = None

    def open(self, n_epochs: int, n_init: int) -> None:
        """Create the task of the fit, with the numbers of its epochs and starts."""
        self.n_epochs = n_epochs
        self.n_init = n_init
        if self.context is not None:
            self.fit = self.context(n_epochs if n_init == 1 else n_init)

    def callback_for_start(
        self, result_of: Callable[[Any], FitResult]
    ) -> list[tuple[str, EpochCallback]]:
        """Return the skorch callback that reports the epochs of one start.

        Parameters
        ----------
        result_of : callable
            Maps the net to its current result.
        """
        if self.fit is None:
            return []
        task = self.fit
        if self.n_init > 1:
            task = task.subcontext("start", max_subtasks=self.n_epochs)
        self.start = EpochCallback(task, self.arguments, lambda net: self._copied(result_of(net)))
        return [("sklearn", self.start)]

    @property
    def stopped(self) -> bool:
        """Whether a callback requested, at the end of a start, that no further ones follow."""
        return self.start is not None and self.start.stopped

    def begin(self) -> None:
        """Report the begin of a fit from several starts."""
        if self.fit is not None:
            self.fit.call_on_fit_task_begin(**self.arguments)

    def skip_start(self, net: Any) -> None:
        """Report the end of a start that diverged, if others may follow."""
        if self.start is not None and self.n_init > 1:
            self.start.on_train_end(net)

    def end(self, result: FitResult) -> None:
        """Report the end of a fit from several starts."""
        if self.fit is not None:
            self.fit.call_on_fit_task_end(
                **self.arguments, reconstruction_attributes=lambda: self._copied(result)
            )

    def _copied(self, result: FitResult) -> dict[str, Any]:
        assert self.attributes is not None
        return copy.deepcopy(self.attributes(result))


class EpochCallback(Callback):
    """Report each epoch to scikit-learn's callbacks, and stop when one of them requests it.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The context of the task that consists of the epochs.
    arguments : dict
        The arguments of the notifications.
    attributes : callable
        Maps the net to the fitted attributes that an estimator would have now.
    """

    def __init__(
        self, context: Any, arguments: dict[str, Any], attributes: Callable[[Any], dict[str, Any]]
    ) -> None:
        self.context = context
        self.arguments = arguments
        self.attributes = attributes
        self.stopped = False

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Report the begin of the task."""
        self.context.call_on_fit_task_begin(**self.arguments)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Report the end of the task, and note whether a callback requests no further ones."""
        self.stopped = self._end(self.context, net)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Report the begin of an epoch."""
        self.task_ = self.context.subcontext("epoch").call_on_fit_task_begin(**self.arguments)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Report the end of an epoch."""
        if self._end(self.task_, net):
            raise KeyboardInterrupt

    def _end(self, task: Any, net: Any) -> bool:
        return task.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes=lambda: self.attributes(net)
        )


_DATA = "dataset", "iterator_train", "iterator_valid"
_FURTHER = {
    "warm_start": "warm_start",
    "batch_events": "skorch_callbacks",
    "relative_rates": "learning_rate_init",
    "costs_warm_up": "kl_warmup",
}


def net_params(skorch_params: dict[str, Any]) -> dict[str, Any]:
    """Return the user's parameters of the net, with Adam as the default optimizer.

    Raises
    ------
    TypeError, ValueError
        If a parameter is determined by the estimator, or cannot work here.
    """
    determined = skorch_parameters_of_fields() | _FURTHER
    for name in skorch_params:
        if not isinstance(name, str):
            raise TypeError(f"skorch_params must have names as keys, got {name!r}.")
        prefix = name.split("__")[0]
        if prefix in determined and not name.startswith("callbacks__"):
            by = determined[prefix]
            raise ValueError(
                f"skorch_params[{name!r}] is set by the estimator itself"
                f"{f', from {by}' if by else ''}: remove it."
            )
        if prefix in _DATA:
            raise ValueError(
                f"skorch_params[{name!r}] has no effect: batches are index selections on a tensor "
                "that stays in memory. Remove it."
            )
    _check_optimizer(skorch_params.get("optimizer", torch.optim.Adam))
    if skorch_params.get("optimizer__differentiable"):
        raise ValueError(
            "skorch_params['optimizer__differentiable'] cannot be True, since weights are updated "
            "in place. Remove it."
        )
    if "optimizer" in skorch_params:
        return dict(skorch_params)
    fused = not skorch_params.get("optimizer__foreach")
    return {"optimizer": torch.optim.Adam, "optimizer__fused": fused} | skorch_params


def _check_optimizer(optimizer: Any) -> None:
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.LBFGS):
        raise ValueError(
            "skorch_params['optimizer'] cannot be LBFGS: the noise differs between its evaluations "
            "of the loss. Use a stochastic optimizer, such as torch.optim.Adam."
        )
    if not callable(optimizer):
        raise TypeError(
            "skorch_params['optimizer'] must be the class of an optimizer, such as "
            f"torch.optim.SGD, got {optimizer!r}."
        )


@contextmanager
def recorded_interrupts() -> Iterator[list[int]]:
    """Yield a list to which each SIGINT is added before its handler runs.

    The handler is replaced by one that records and calls it, in the main thread only, where Python
    runs handlers. If there is no handler of Python's, nothing is replaced.
    """
    recorded: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield recorded
        return

    def record(number: int, frame: Any) -> None:
        recorded.append(number)
        handler(number, frame)
        recorded.pop()  # the handler did not interrupt

    signal.signal(signal.SIGINT, record)
    try:
        yield recorded
    finally:
        if signal.getsignal(signal.SIGINT) is record:
            signal.signal(signal.SIGINT, handler)
