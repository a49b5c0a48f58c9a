"""Parameters and attributes as JSON, their arrays beside it; no class is named by the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.mixture import GaussianMixture

from sklearn_intelvae._part import Part
from sklearn_intelvae.contrast import ContrastParts
from sklearn_intelvae.estimators._shelves import NAMES_OF_PARTS, PART_CLASSES
from sklearn_intelvae.model import Parts

_KINDS_OF_PARTS = (Parts, ContrastParts)

_OF_A_MIXTURE = (
    "weights_",
    "means_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
    "converged_",
    "n_iter_",
    "lower_bound_",
    "lower_bounds_",
    "n_features_in_",
)


class Missing:
    """Marks an object that a file cannot carry."""

    def __init__(self, description: str) -> None:
        self.description = description


def pack(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    """Return ``value`` as JSON, with its arrays put into ``tensors``."""
    if isinstance(value, bool | int | float | str | None):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        tensors[name] = np.ascontiguousarray(value).reshape(value.shape)
        return {"array": name}
    if isinstance(value, np.ndarray):
        return {"strings": value.tolist()}
    if isinstance(value, _KINDS_OF_PARTS):
        return {"parts": pack(value._asdict(), name, tensors)}
    if isinstance(value, range):
        value = tuple(value)
    if isinstance(value, list | tuple):
        items = [pack(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {k: pack(v, f"{name}.{k}", tensors) for k, v in value.items()}}
    if isinstance(value, np.random.RandomState):
        return {"random_state": pack(value.get_state(legacy=False), name, tensors)}
    if isinstance(value, Part) and type(value) in NAMES_OF_PARTS:
        params = {k: pack(v, f"{name}.{k}", tensors) for k, v in value.get_params(False).items()}
        if not any("missing" in v for v in params.values() if isinstance(v, dict)):
            return {"part": NAMES_OF_PARTS[type(value)], "params": params}
    if isinstance(value, type) and getattr(torch.optim, value.__name__, None) is value:
        return {"optimizer": value.__name__}
    if isinstance(value, type) and value in NAMES_OF_PARTS:
        return {"class": NAMES_OF_PARTS[value]}
    if type(value) is GaussianMixture:
        fitted = {k: v for k, v in vars(value).items() if k in _OF_A_MIXTURE}
        state = {"params": value.get_params(), "fitted": fitted}
        return {"gaussian_mixture": pack(state, name, tensors)}
    kind = f"the class {value.__name__}" if isinstance(value, type) else None
    return {"missing": kind or f"an object of class {type(value).__name__}"}


def unpack(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Undo :func:`pack`."""
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "part" in value:
        params = {k: unpack(v, tensors) for k, v in value["params"].items()}
        if value["part"] not in PART_CLASSES:
            raise ValueError(f"the file names a part {value['part']!r} that is not in the package.")
        return PART_CLASSES[value["part"]](**params)
    ((kind, content),) = value.items()
    if kind == "array":
        return tensors[content]
    if kind == "strings":
        return np.array(content, dtype=object)
    if kind == "optimizer":
        return vars(torch.optim)[content]
    if kind == "class":
        return PART_CLASSES[content]
    if kind == "missing":
        return Missing(content)
    if kind == "gaussian_mixture":
        return _mixture(**unpack(content, tensors))
    items = unpack(content, tensors) if kind in ("parts", "random_state") else content
    if kind == "parts":
        return next(cls for cls in _KINDS_OF_PARTS if set(cls._fields) == set(items))(**items)
    if kind == "random_state":
        random_state = np.random.RandomState()
        random_state.set_state(items)
        return random_state
    if kind == "tuple":
        return tuple(unpack(item, tensors) for item in content)
    return {k: unpack(v, tensors) for k, v in content.items()}


def _mixture(params: dict[str, Any], fitted: dict[str, Any]) -> GaussianMixture:
    mixture = GaussianMixture(**params)
    vars(mixture).update(fitted)
    return mixture
