"""scikit-learn's callbacks, where the installed version has them (1.9 and later)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn_intelvae.training import FitTaskCallback

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin in versions before 1.9."""


def fit_task_callbacks(
    estimator: Any, X: Any, y: Any, n_epochs: int, attributes: Callable[[Any], dict[str, Any]]
) -> list[tuple[str, FitTaskCallback]]:
    """Return the skorch callback that reports to scikit-learn's, if there is any to report to."""
    if not hasattr(estimator, "_init_callback_context"):
        return []
    context = estimator._init_callback_context(max_subtasks=n_epochs)
    return [("sklearn", FitTaskCallback(context, estimator, X, X if y is None else y, attributes))]
