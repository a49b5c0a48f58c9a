"""What a fitted model gives: attributes, warnings, and functions of rows."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from sklearn_intelvae._checks import check_sentences
from sklearn_intelvae._part import call, device_of
from sklearn_intelvae._random import own_torch_state
from sklearn_intelvae.estimators._codes import units_of
from sklearn_intelvae.estimators._standardization import Standardization
from sklearn_intelvae.estimators._validation import check_finite
from sklearn_intelvae.models import VAE
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.objectives._base import weighted_mean
from sklearn_intelvae.training import FitData, FitResult

STEPS_TO_LEARN = 1000
"""A fit with fewer steps is not expected to have converged, and is not warned about."""

_DIAGNOSTIC_ROWS, _ROWS_OF_AXES = 2048, 10_000
_ACTIVE_VARIANCE = 0.01
_COLLAPSED_NATS = 0.1
_INSIDE = str(Path(__file__).parents[1]), str(Path(sklearn.__file__).parent), contextlib.__file__
"""Where the frames are that lie between a warning and the user's call."""


def fitted_attributes(result: FitResult, data: FitData, unit: float) -> dict[str, Any]:
    """Return the fitted attributes that follow from a result.

    Parameters
    ----------
    result : FitResult
    data : FitData
        The tables that the model was fitted to.
    unit : float
        The unit of the codes.
    """
    history = result.history
    attributes = {
        "module_": result.model,
        "objective_": result.objective,
        "history_": history,
        "n_iter_": len(history),
        "loss_curve_": [row["train_loss"] for row in history],
        "validation_scores_": [-row["valid_loss"] for row in history if "valid_loss" in row],
        "_parts_at_fit": result.parts,
        "_training_state": result.state,
        "_fitted_to_pairs": "previous" in data.train,
    }
    if isinstance(result.model, VAE):
        x, weight = data.train["x"], data.train.get("weight")

        def some(n):
            rows = _evenly_spaced(result.index, n)
            return x[rows], None if weight is None else weight[rows]

        attributes |= _components(result.model, *some(_DIAGNOSTIC_ROWS))
        of_z, of_y, axes = units_of(result.model, *some(_ROWS_OF_AXES), unit)
        attributes |= {"gain_": of_z, "_gain_of_mean": of_y, "_axes": axes}
    return attributes


def _evenly_spaced(index: np.ndarray, n: int) -> np.ndarray:
    """Return evenly spaced training rows, n at most."""
    return index[:: -(-len(index) // n)]


def _components(model: VAE, X: np.ndarray, weight: np.ndarray | None) -> dict[str, Any]:
    """Return the nats that each component of y carries, and the components that vary."""
    device = device_of(model)
    if weight is not None and weight.min() == weight.max():
        weight = None  # as in training, where equal weights count as none
    w = None if weight is None else torch.from_numpy(weight).to(device)
    with torch.inference_mode():
        q = model.encode(torch.from_numpy(X).to(device))
        variance = weighted_mean((q.mean - weighted_mean(q.mean, w)).square(), w)
        per_row = call(model.prior_distribution().kl_per_component, q.marginals())
        if per_row is not None:
            kl = weighted_mean(per_row, w)
        else:
            spread = variance + weighted_mean(q.variance, w)
            kl = 0.5 * spread.log() - weighted_mean(q.marginals().log_scale, w)
        active = variance > _ACTIVE_VARIANCE
    return {
        "kl_per_component_": kl.numpy(force=True),
        "active_components_": np.flatnonzero(active.numpy(force=True)),
    }


def warn_before(objective: Objective, X: np.ndarray, name: str) -> None:
    """Issue the warnings of the objective about the training rows."""
    messages = call(objective.check_data, torch.from_numpy(X))
    for message in check_sentences(objective, "check_data", messages):
        warn(f"{name}: {message}", UserWarning)


def warn_after(attributes: dict[str, Any], name: str, collapse_advice: str) -> None:
    """Issue the warnings about a fit that was long enough to converge."""
    if attributes["_training_state"]["steps_done"] < STEPS_TO_LEARN:
        return
    kl = attributes.get("kl_per_component_")
    if kl is not None and kl.max() < _COLLAPSED_NATS and not len(attributes["active_components_"]):
        warn(
            f"Every component of the latent of this {name} has collapsed to the prior: the "
            "representation carries no information about X. Try more epochs (max_iter), "
            f"{collapse_advice}.",
            ConvergenceWarning,
        )
    objective = attributes["objective_"]
    messages = objective.check_history([dict(row) for row in attributes["history_"]])
    for message in check_sentences(objective, "check_history", messages):
        warn(f"{name}: {message}", ConvergenceWarning)


def divergence_message(name: str, epoch: int, learning_rate: Any) -> str:
    """Return the message of a DivergenceError, with the remedies."""
    return (
        f"{name} diverged: the loss or a weight became non-finite in epoch {epoch}. Try a "
        f"smaller learning_rate_init (now {learning_rate}), a larger scale or min_scale of the "
        "likelihood, or gradient clipping "
        "(skorch_callbacks=[skorch.callbacks.GradientNormClipping(1.0)]). The last finite weights "
        "are kept in this error's attribute 'estimator'."
    )


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning that points to the line outside of this package that led to it."""
    warnings.warn(message, category, stacklevel=_stacklevel())


def _stacklevel() -> int:
    """Return the stack level, for ``warn``, of the first frame outside package and scikit-learn."""
    level, frame = 1, sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    return level + 1


_CHUNK_NUMBERS = 2**21
_CHUNK_ROWS = 256, 4096


def apply(
    function: Callable[[Tensor], Tensor],
    X: np.ndarray,
    model: nn.Module,
    name: str,
    width: int = 1,
    standardization: Standardization | None = None,
) -> np.ndarray:
    """Apply ``function`` to some thousand rows at a time, without gradients.

    Parameters
    ----------
    function : callable
        Maps rows on the device of ``model`` to a tensor with as many rows.
    X : ndarray of shape (n_samples, n_features)
    model : torch.nn.Module
    name : str
        The name of the estimator, for the error if a value of X is not finite.
    width : int, default=1
        The number of values per row that ``function`` needs in memory, if more than X has.
    standardization : Standardization or None
        Applied to the rows first.
    """
    size = int(np.clip(_CHUNK_NUMBERS // max(X.shape[1], width), *_CHUNK_ROWS))
    device = device_of(model)
    outputs = None
    with own_torch_state(), torch.inference_mode():
        for start in range(0, len(X), size):
            rows = X[start : start + size]
            check_finite(rows, name)
            if standardization is not None:
                rows = standardization.apply(rows)
            output = function(torch.from_numpy(rows).to(device))
            if outputs is None:
                outputs = torch.empty((len(X), *output.shape[1:]), dtype=output.dtype)
            outputs[start : start + size] = output
    assert outputs is not None
    return outputs.numpy()
