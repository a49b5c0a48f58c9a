"""scikit-learn's callbacks, where the installed version has them (1.9 and later)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn_intelvae.training import FitTaskCallback

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin in versions before 1.9."""


class FitTasks:
    """The tasks that scikit-learn's callbacks are told of, if there is any to tell.

    A fit consists of epochs; one from several starts consists of starts, and these of epochs.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, n_epochs: int, n_init: int, silent: bool = False
    ) -> None:
        self.told = {"estimator": estimator, "X": X, "y": X if y is None else y}
        self.n_epochs = n_epochs
        self.n_init = n_init
        self.fit: Any = None
        self.start: FitTaskCallback | None = None
        if not silent and hasattr(estimator, "_init_callback_context"):
            n_subtasks = n_epochs if n_init == 1 else n_init
            self.fit = estimator._init_callback_context(max_subtasks=n_subtasks)

    def of_a_start(
        self, attributes: Callable[[Any], dict[str, Any]]
    ) -> list[tuple[str, FitTaskCallback]]:
        """Return the skorch callback that reports on one start."""
        if self.fit is None:
            return []
        task = self.fit
        if self.n_init > 1:
            task = task.subcontext("start", max_subtasks=self.n_epochs)
        self.start = FitTaskCallback(task, **self.told, attributes=attributes)
        return [("sklearn", self.start)]

    @property
    def stopped(self) -> bool:
        """Whether a callback has asked, at the end of a start, for no further ones."""
        return self.start is not None and self.start.stopped

    def begin(self) -> None:
        """Open the fit, which has several starts."""
        if self.fit is not None:
            self.fit.call_on_fit_task_begin(**self.told)

    def pass_over(self, net: Any) -> None:
        """Close a start that diverged, if others may follow."""
        if self.start is not None and self.n_init > 1:
            self.start.on_train_end(net)

    def end(self, attributes: dict[str, Any]) -> None:
        """Close the fit, which has several starts."""
        if self.fit is not None:
            self.fit.call_on_fit_task_end(
                **self.told, reconstruction_attributes=lambda: copy.deepcopy(attributes)
            )
