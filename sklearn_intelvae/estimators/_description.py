"""What the parameters of an estimator describe: its parts, and whether they still do."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_intelvae._part import Part
from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._shelves import resolve

_OF_TRAINING = {
    "kl_warmup",
    "learning_rate",
    "learning_rate_init",
    "batch_size",
    "max_iter",
    "n_init",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "warm_start",
    "callbacks",
    "net_params",
    "device",
    "random_state",
    "verbose",
}
_OF_USE = {"codes"}


def description(estimator: Any) -> dict[str, Any]:
    """Return the parameters that say what the model and the objective are, as they are now."""
    params = estimator.get_params(deep=False)
    return {name: described(v) for name, v in params.items() if name not in _OF_TRAINING | _OF_USE}


def described(value: Any) -> Any:
    """Return a part as its class and hyper-parameters, and anything else as it is."""
    if not isinstance(value, Part):
        return value
    params = value.get_params(deep=False)
    return {"part": type(value).__name__} | {name: described(v) for name, v in params.items()}


def refuse_another_model(estimator: Any) -> None:
    """Refuse to go on training a model that the parameters no longer describe."""
    now, then = description(estimator), estimator._described
    changed = [name for name in now if not _same(now[name], then[name])]
    if changed:
        raise ValueError(
            f"training cannot go on with another {', '.join(changed)} than the fitted model has: "
            "set it back, or fit anew with warm_start=False."
        )


def _same(a: Any, b: Any) -> bool:
    """Whether two descriptions mean the same; objects of one's own do only if identical."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    if a is b:
        return True
    try:
        return np.shape(a) == np.shape(b) and bool(np.all(np.asarray(a == b)))
    except (TypeError, ValueError):
        return False


def network(estimator: Any, parameter: str) -> Any:
    """Return the encoder or decoder: by default convolutions for images, else an MLP."""
    value = getattr(estimator, parameter)
    if value == "auto":
        value = "mlp" if estimator.image_shape is None else "conv"
    settings: dict[str, Any] = {"activation": estimator.activation}
    hidden = _inputs.layer_sizes("hidden_layer_sizes", estimator.hidden_layer_sizes)
    shape = _inputs.checked_image_shape(estimator.image_shape)
    if value == "mlp":
        settings["hidden_layer_sizes"] = hidden if parameter == "encoder" else hidden[::-1]
    elif value == "conv":
        if shape is None:
            raise ValueError(
                f"{parameter}='conv' needs image_shape=(channels, height, width), got None."
            )
        settings["image_shape"] = shape
        settings["n_hidden"] = hidden[-1] if hidden else 128
    return resolve(parameter, value, **settings)
