"""Checks of what users hand in, and the choices that "auto" leaves to the data."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils import assert_all_finite, check_array, check_consistent_length
from sklearn.utils.validation import _check_sample_weight, validate_data

_BATCH = (32, 256)
_FEWEST_EPOCHS = 20


def validated(estimator: Any, X: Any, *, reset: bool = False, min_samples: int = 1) -> np.ndarray:
    """Return X as a C-ordered, writeable float32 table that suits ``estimator``.

    Whether it is finite is left to :func:`refuse_nonfinite`.
    """
    with np.errstate(over="ignore"):
        X = validate_data(
            estimator,
            _as_numpy(X),
            dtype=np.float32,
            order="C",
            reset=reset,
            ensure_min_samples=min_samples,
            ensure_all_finite=False,
        )
    return X if X.flags.writeable else X.copy()


def refuse_nonfinite(X: torch.Tensor, estimator: Any, input_name: str = "X") -> None:
    """Raise ValueError, in scikit-learn's words, if a number is not finite.

    A sum that is finite proves that all is; torch takes it several times faster than
    scikit-learn's own check, which matters to a ``transform`` as short as its encoder.
    """
    if not X.sum().isfinite():
        with np.errstate(invalid="ignore"):
            name = type(estimator).__name__
            assert_all_finite(X.numpy(force=True), estimator_name=name, input_name=input_name)


def validated_codes(Z: Any, n_latent: int, name: str) -> np.ndarray:
    """Return latent codes as a float32 table with ``n_latent`` columns."""
    Z = check_array(_as_numpy(Z), dtype=np.float32, order="C")
    if Z.shape[1] != n_latent:
        raise ValueError(
            f"Z has {Z.shape[1]} columns, but the codes of this {name} have {n_latent}: pass "
            "codes as transform returns them."
        )
    return Z if Z.flags.writeable else Z.copy()


def validated_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return weights that average one, or None where all are equal."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float32, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("sample_weight holds only zeros: nothing is left to fit on.")
    weight = weight.astype(np.float64)
    return None if np.ptp(weight) == 0 else (weight / weight.mean()).astype(np.float32)


class Data(NamedTuple):
    """The checked tables that a fit is given."""

    X: np.ndarray
    weight: np.ndarray | None
    X_val: np.ndarray | None
    X_prev: np.ndarray | None


def validated_data(
    estimator: Any, X: Any, sample_weight: Any, X_val: Any, X_prev: Any, *, reset: bool
) -> Data:
    """Check the tables that a fit is given; all but X may be missing."""
    X = validated(estimator, X, reset=reset, min_samples=2)
    refuse_nonfinite(torch.from_numpy(X), estimator)
    weight = validated_weight(sample_weight, X)
    others: dict[str, np.ndarray | None] = {"X_val": X_val, "X_prev": X_prev}
    for name, table in others.items():
        if table is not None:
            others[name] = _validated_beside(estimator, table, name)
    if X_prev is not None:
        check_consistent_length(X, others["X_prev"])
        if X_val is not None:
            raise ValueError(
                "X_val cannot stand beside X_prev, since nothing says what comes before its rows: "
                "leave it out, or set early_stopping=True, which sets pairs aside."
            )
    return Data(X, weight, **others)


def _validated_beside(estimator: Any, table: Any, name: str) -> np.ndarray:
    """Check a table that comes beside X, and say which one is wrong."""
    try:
        table = validated(estimator, table)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    refuse_nonfinite(torch.from_numpy(table), estimator, name)
    return table


def check_support(likelihood: Any, *tables: np.ndarray | None) -> None:
    """Ask the likelihood, if it has an opinion, whether it can explain the tables."""
    if hasattr(likelihood, "check"):
        for X in tables:
            if X is not None:
                likelihood.check(X)


def _as_numpy(X: Any) -> Any:
    """Return tensors as arrays, which scikit-learn can check, and anything else as it is."""
    return X.numpy(force=True) if isinstance(X, torch.Tensor) else X


def split_rows(
    n_samples: int, fraction: float, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which rows to train on and which to validate on: the last ones without a generator."""
    n_valid = math.ceil(fraction * n_samples)
    if n_samples - n_valid < 2:
        raise ValueError(
            f"early_stopping=True sets aside {n_valid} of {n_samples} rows "
            f"(validation_fraction={fraction}) and leaves too few to train on; pass more rows, a "
            "smaller validation_fraction, or X_val."
        )
    if generator is None:
        return torch.arange(n_samples - n_valid), torch.arange(n_samples - n_valid, n_samples)
    order = torch.randperm(n_samples, generator=generator, device=generator.device)
    return order[n_valid:], order[:n_valid]


def resolve_batch_size(batch_size: int | str, n_samples: int) -> int:
    """Return the number of rows of a batch: by default about a sixteenth, from 32 to 256."""
    if batch_size == "auto":
        power = 2 ** round(math.log2(max(n_samples, 1) / 16))
        batch_size = int(np.clip(power, *_BATCH))
    return min(int(batch_size), n_samples)


class Steps(NamedTuple):
    """How long to train where it is not said."""

    per_row: int
    most: int
    open_ended: int
    """Of a training of which one epoch after the other is asked for."""


def resolve_max_iter(max_iter: int | str, n_samples: int, batch_size: int, auto: Steps) -> int:
    """Return the number of epochs.

    By default those of some steps for each row, since more of them overfit a small table, but of no
    more than is enough for a large one, and no fewer than 20 epochs.
    """
    if max_iter == "auto":
        steps = min(auto.per_row * n_samples, auto.most)
        return max(math.ceil(steps * batch_size / n_samples), _FEWEST_EPOCHS)
    return int(max_iter)


def check_count(name: str, value: Any) -> None:
    """Refuse what is no number of things."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")


def layer_sizes(parameter: str, value: Any) -> tuple[int, ...]:
    """Return the widths of hidden layers as a tuple of positive integers."""
    sizes = tuple(value)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        raise ValueError(
            f"{parameter} must hold positive integers, got {value!r}; use () for no hidden layer."
        )
    return tuple(map(int, sizes))


def checked_image_shape(image_shape: Any) -> tuple[int, int, int] | None:
    """Return the shape of an image as three integers, or None for a table."""
    if image_shape is None:
        return None
    shape = tuple(image_shape)
    if len(shape) != 3 or not all(isinstance(n, Integral) and n > 0 for n in shape):
        raise ValueError(
            f"image_shape must be (channels, height, width), three positive integers, got "
            f"{image_shape!r}."
        )
    channels, height, width = map(int, shape)
    return channels, height, width


def resolve_device(device: str) -> str:
    """Return the device's name; "auto" is a GPU where torch finds one."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here: {error}. Use 'cpu' or 'auto'."
        ) from error
    return device


def checked_callbacks(callbacks: Any, validates: bool, schedule: str) -> list[Any]:
    """Return the user's skorch callbacks as a list."""
    for entry in callbacks or []:
        callback = entry[1] if isinstance(entry, tuple) else entry
        if not hasattr(callback, "on_epoch_end"):
            raise TypeError(
                f"callbacks holds {callback!r}, which is no skorch callback. Derive it from "
                "skorch.callbacks.Callback; scikit-learn's callbacks go to set_callbacks."
            )
        if hasattr(callback, "policy") and schedule != "constant":
            raise ValueError(
                f"callbacks holds {type(callback).__name__}, but learning_rate={schedule!r} sets "
                "the rate itself; set learning_rate='constant' to leave it to the callback."
            )
        if getattr(callback, "monitor", None) == "valid_loss" and not validates:
            raise ValueError(
                f"callbacks holds {type(callback).__name__}, which watches the loss on rows set "
                "aside, but there are none: pass X_val to fit, or set early_stopping=True."
            )
    return list(callbacks or [])


_NET_PARAMETERS_OF_OURS = {
    "batch_size": "batch_size",
    "callbacks": "callbacks",
    "criterion": "objective",
    "device": "device",
    "lr": "learning_rate_init",
    "max_epochs": "max_iter",
    "batch_events": "callbacks",
    "schedule": "learning_rate",
    "seed": "random_state",
    "warmup_steps": "kl_warmup, or vae_warmup and game_warmup",
    "module": "mapping, encoder, decoder, likelihood and prior",
    "train_split": "early_stopping, validation_fraction, or X_val in fit",
    "verbose": "verbose",
    "warm_start": "warm_start",
}


def checked_net_params(net_params: dict[str, Any] | None) -> dict[str, Any]:
    """Return skorch parameters, none of which this package names itself."""
    net_params = dict(net_params or {})
    for name in net_params:
        ours = _NET_PARAMETERS_OF_OURS.get(name.split("__")[0])
        if ours and not name.startswith("callbacks__"):
            raise ValueError(f"net_params[{name!r}] is set by the estimator's own: {ours}.")
        if name.split("__")[0] in ("dataset", "iterator_train", "iterator_valid"):
            raise ValueError(
                f"net_params[{name!r}] has no effect: batches are index selections on a tensor "
                "that stays in memory."
            )
    if net_params.get("optimizer") is torch.optim.LBFGS:
        raise ValueError(
            "net_params['optimizer'] cannot be LBFGS: noise differs between its evaluations of one "
            "loss. Use an optimizer for stochastic gradients, such as torch.optim.Adam."
        )
    if not callable(net_params.get("optimizer", torch.optim.Adam)):
        raise TypeError(
            f"net_params['optimizer'] must be an optimizer's class, such as torch.optim.SGD, got "
            f"{net_params['optimizer']!r}."
        )
    return net_params
