"""skorch callbacks of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skorch.callbacks import Callback, EarlyStopping


class WarmedUpEarlyStopping(EarlyStopping):
    """skorch's early stopping, for which the epochs of the warm-up do not count.

    What is minimised in them is another loss, so that they may well be better by the one that is
    validated, and not be what the user asked for.
    """

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Judge an epoch only once the warm-up is over."""
        if net.warmup >= 1:
            super().on_epoch_end(net, **kwargs)


class FitTaskCallback(Callback):
    """Report each epoch to scikit-learn's callbacks, and stop when one of them asks.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The context of the running ``fit``.
    estimator : estimator
        The estimator whose ``fit`` runs.
    X, y : ndarray
        What it is fitted on. An autoencoder's target is X itself, so that ``y`` may be X.
    attributes : callable
        Maps the net to the fitted attributes that a usable estimator would have now; called only
        if a callback wants to see one.
    """

    def __init__(
        self,
        context: Any,
        estimator: Any,
        X: Any,
        y: Any,
        attributes: Callable[[Any], dict[str, Any]],
    ) -> None:
        self.context = context
        self.estimator = estimator
        self.X = X
        self.y = y
        self.attributes = attributes
        self.stopped = False

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the task."""
        self.context.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the task, and note whether a callback wants no further ones beside it."""
        self.stopped = self._end(self.context, net)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Open a subtask."""
        self.task_ = self.context.subcontext("epoch").call_on_fit_task_begin(
            estimator=self.estimator, X=self.X, y=self.y
        )

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Close the subtask."""
        if self._end(self.task_, net):
            raise KeyboardInterrupt

    def _end(self, task: Any, net: Any) -> bool:
        return task.call_on_fit_task_end(
            estimator=self.estimator,
            X=self.X,
            y=self.y,
            reconstruction_attributes=lambda: self.attributes(net),
        )
