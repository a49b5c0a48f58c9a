"""From parameters and data to the attributes of a fitted estimator."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from sklearn_intelvae._part import fresh
from sklearn_intelvae._random import OwnRandomness, draw_seed, generator_from
from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._callbacks import fit_task_callbacks
from sklearn_intelvae.estimators._description import (
    description,
    refuse_another_model,
    resolved_objective,
    resolved_parts,
)
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.model import Model, Parts, build_model
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.training import Batches, PlayerNet, Rows, WarmedUpEarlyStopping

_DIAGNOSTIC_ROWS = 2048
_ACTIVE_VARIANCE = 0.01
_STEPS_TO_LEARN = 1000


def fitted_attributes(
    estimator: Any,
    X: np.ndarray,
    weight: np.ndarray | None,
    X_val: np.ndarray | None,
    y: Any,
    resume: bool,
    one_epoch: bool,
) -> dict[str, Any]:
    """Train, and return what makes ``estimator`` a fitted one; it is not touched itself."""
    device = _inputs.resolve_device(estimator.device)
    seed = draw_seed(estimator.random_state)
    parts, model, objective = _words(estimator, X, X_val, seed, resume)
    model, objective = model.to(device).train(), objective.to(device)
    train, valid = _rows(estimator, X, weight, X_val, device, seed, one_epoch)

    batch_size = _inputs.resolve_batch_size(estimator.batch_size, len(train))
    horizon = _inputs.resolve_max_iter(estimator.max_iter, len(train), batch_size)
    n_epochs = 1 if one_epoch else horizon
    open_ended = one_epoch and estimator.max_iter == "auto"
    steps = _STEPS_TO_LEARN if open_ended else horizon * len(Batches(train, batch_size))

    def attributes(net: PlayerNet) -> dict[str, Any]:
        return _attributes(estimator, net, parts, X, resume)

    def snapshot(net: PlayerNet) -> dict[str, Any]:
        return copy.deepcopy(attributes(net))

    callbacks = _callbacks(estimator, valid)
    if not one_epoch:
        callbacks += fit_task_callbacks(estimator, X, y, n_epochs, snapshot)
    net = PlayerNet(
        model,
        objective,
        **_settings(estimator),
        seed=seed,
        schedule=estimator.learning_rate,
        warmup_steps=estimator.kl_warmup * steps,
        batch_events=bool(estimator.callbacks),
        batch_size=batch_size,
        callbacks=callbacks,
        device=device,
    ).initialize()
    if resume:
        net.restore(estimator._training_state)
    try:
        net.train(train, valid, n_epochs)
    except DivergenceError as error:
        raise _explained(estimator, attributes(net), X) from error
    result = attributes(net)
    _warn_of_collapse(estimator, result["active_components_"], net.steps_done_)
    return result


def _warn_of_collapse(estimator: Any, active: np.ndarray, steps: int) -> None:
    """Warn if the latent is empty although there was time to fill it."""
    if steps >= _STEPS_TO_LEARN and not len(active):
        warnings.warn(
            f"Every component of the latent of this {type(estimator).__name__} has collapsed to "
            "the prior: the representation says nothing about X. Try more epochs (max_iter), a "
            "longer kl_warmup, a smaller beta, or likelihood=Gaussian(scale=...) with a scale well "
            "below the spread of the features.",
            ConvergenceWarning,
            stacklevel=6,
        )


def _words(
    estimator: Any, X: np.ndarray, X_val: np.ndarray | None, seed: int, resume: bool
) -> tuple[Parts, Model, Objective]:
    """Return unbuilt parts, a model and an objective: new ones, or copies of the fitted ones."""
    if resume:
        refuse_another_model(estimator)
        _inputs.check_support(estimator._parts.likelihood, X, X_val)
        model, objective = copy.deepcopy((estimator.module_, estimator._objective))
        return estimator._parts, model, objective
    generator = generator_from(seed)
    with OwnRandomness(generator):
        parts = Parts(*map(fresh, resolved_parts(estimator)))
        objective = fresh(resolved_objective(estimator))
    if not isinstance(objective, Objective):
        raise TypeError(
            f"objective={estimator.objective!r} must derive from "
            "sklearn_intelvae.objectives.Objective, or be one of the names that it may have."
        )
    _inputs.check_support(parts.likelihood, X, X_val)
    model = build_model(parts, X.shape[1], estimator.n_components, generator)
    if hasattr(model.likelihood, "initialise"):
        model.likelihood.initialise(torch.from_numpy(X))
    if hasattr(model.prior, "initialise"):
        model.prior.initialise(torch.from_numpy(X), generator)
    with OwnRandomness(generator):
        objective.build(model)
    return parts, model, objective


def _rows(
    estimator: Any,
    X: np.ndarray,
    weight: np.ndarray | None,
    X_val: np.ndarray | None,
    device: str,
    seed: int,
    one_epoch: bool,
) -> tuple[Rows, Rows | None]:
    """Return the rows to train on and those to validate on, on the device."""
    x = torch.from_numpy(X).to(device)
    w = None if weight is None else torch.from_numpy(weight).to(device)
    everything = torch.arange(len(x), device=device)
    if X_val is not None:
        index = torch.arange(len(X_val), device=device)
        return Rows(x, w, everything), Rows(torch.from_numpy(X_val).to(device), None, index)
    if not estimator.early_stopping or one_epoch:
        return Rows(x, w, everything), None
    train, valid = _inputs.split_rows(
        len(x), estimator.validation_fraction, generator_from(seed + 2)
    )
    return Rows(x, w, train.to(device)), Rows(x, w, valid.to(device))


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


def _attributes(
    estimator: Any, net: PlayerNet, parts: Parts, X: np.ndarray, resume: bool
) -> dict[str, Any]:
    """Return the fitted attributes that the net's present state amounts to."""
    earlier = estimator.history_ if resume else []
    rows = [{k: v for k, v in row.items() if k != "batches"} for row in net.history]
    for row in rows:
        row["epoch"] += len(earlier)
    history = [*earlier, *rows]
    module = _uncompiled(net.module_).eval()
    return {
        "module_": module,
        "history_": history,
        "n_iter_": len(history),
        "loss_curve_": [row["train_loss"] for row in history],
        "validation_scores_": [-row["valid_loss"] for row in history if "valid_loss" in row],
        **_use_of_components(module, X),
        "_objective": net.criterion_,
        "_parts": parts,
        "_described": description(estimator),
        "_training_state": net.state(),
    }


def _uncompiled(module: Any) -> Model:
    """Return the model inside what torch.compile makes of it."""
    return getattr(module, "_orig_mod", module)


def _use_of_components(model: Model, X: np.ndarray) -> dict[str, Any]:
    """Return how much each component of y tells about X, and the width of z."""
    rows = torch.from_numpy(X[:: -(-len(X) // _DIAGNOSTIC_ROWS)])
    with torch.inference_mode():
        q = model.encode(rows.to(next(model.parameters()).device))
        p = model.p_y()
        if hasattr(p, "kl_per_component"):
            kl = p.kl_per_component(q).mean(dim=0)
        else:
            spread = q.mean.var(dim=0, correction=0) + q.variance.mean(dim=0)
            kl = 0.5 * spread.log() - q.log_scale.mean(dim=0)
        active = q.mean.var(dim=0, correction=0) > _ACTIVE_VARIANCE
        n_latent = model.mapping(q.mean[:1]).shape[1]
    return {
        "kl_per_component_": kl.numpy(force=True),
        "active_components_": np.flatnonzero(active.numpy(force=True)),
        "_n_intermediary": len(active),
        "_n_features_out": n_latent,
    }


def _explained(estimator: Any, attributes: dict[str, Any], X: np.ndarray) -> DivergenceError:
    """Return the error with advice and with an estimator that holds the last finite weights."""
    epoch = attributes["n_iter_"] + 1
    survivor = copy.copy(estimator)
    vars(survivor).update(attributes)
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
