"""What comes of a trained net: fitted attributes, a warning, or an error with advice."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from sklearn_intelvae.estimators._description import description
from sklearn_intelvae.estimators._inputs import Data
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.training import PlayerNet

STEPS_TO_LEARN = 1000


def attributes_of(
    estimator: Any, net: PlayerNet, parts: Any, data: Data, resume: bool
) -> dict[str, Any]:
    """Return the fitted attributes that the net's present state amounts to."""
    earlier = estimator.history_ if resume else []
    rows = [{k: v for k, v in row.items() if k != "batches"} for row in net.history]
    for row in rows:
        row["epoch"] += len(earlier)
    history = [*earlier, *rows]
    module = _uncompiled(net.module_).eval()
    attributes = {
        "module_": module,
        "history_": history,
        "n_iter_": len(history),
        "loss_curve_": [row["train_loss"] for row in history],
        "validation_scores_": [-row["valid_loss"] for row in history if "valid_loss" in row],
        **estimator._kind.attributes(module, data.X),
        "_given_pairs": data.X_prev is not None,
        "_n_intermediary": module.n_components,
        "_objective": net.criterion_,
        "_parts": parts,
        "_described": description(estimator),
        "_training_state": net.state(),
    }
    return attributes | _as_fitted(estimator, attributes)._attributes_of_rows(data.X)


def _as_fitted(estimator: Any, attributes: dict[str, Any]) -> Any:
    """Return what the estimator would be with these attributes, and leave it alone."""
    fitted = object.__new__(type(estimator))
    vars(fitted).update(vars(estimator) | attributes)
    return fitted


def _uncompiled(module: Any) -> Any:
    """Return the model inside what torch.compile makes of it."""
    return getattr(module, "_orig_mod", module)


def warn_beforehand(estimator: Any, objective: Objective, X: np.ndarray) -> None:
    """Pass on what the objective has to say before the training."""
    for caution in objective.caution(torch.from_numpy(X)):
        warnings.warn(f"{type(estimator).__name__}: {caution}", UserWarning, stacklevel=6)


def warn_as_advised(estimator: Any, attributes: dict[str, Any]) -> None:
    """Pass on what the objective has to say about the course of the training."""
    if attributes["_training_state"]["steps_done"] < STEPS_TO_LEARN:
        return
    advice = attributes["_objective"].advice(attributes["history_"])
    if advice is not None:
        warnings.warn(f"{type(estimator).__name__}: {advice}", ConvergenceWarning, stacklevel=6)


def explained(estimator: Any, attributes: dict[str, Any], X: np.ndarray) -> DivergenceError:
    """Return the error with advice and with an estimator that holds the last finite weights."""
    epoch = attributes["n_iter_"] + 1
    survivor = _as_fitted(estimator, attributes)
    spread = float(X.std(dtype=np.float64))
    scale = (
        f"X has a standard deviation of {spread:.3g}: scale it first, with StandardScaler or "
        "MinMaxScaler. "
        if not 1e-2 < spread < 1e2
        else ""
    )
    return DivergenceError(
        f"{type(estimator).__name__} diverged: the loss or a weight became non-finite in epoch "
        f"{epoch}. {scale}Try a smaller learning_rate_init "
        f"(now {estimator.learning_rate_init}), a larger scale or min_scale of the likelihood, or "
        "gradient clipping (callbacks=[skorch.callbacks.GradientNormClipping(1.0)]). The last "
        "finite weights are kept in this error's attribute 'estimator'.",
        epoch,
        survivor,
    )
