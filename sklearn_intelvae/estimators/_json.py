"""Parameters and attributes as JSON and arrays; a file never names a class to import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.mixture import GaussianMixture

from sklearn_intelvae._part import Part
from sklearn_intelvae.models import PCLParts, VAEParts

_MODEL_PARTS = VAEParts, PCLParts
_MAX_BYTES = 8
"""The size of the largest numbers that a file holds."""

_MIXTURE_ATTRIBUTES = (
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


_ROOMS = "networks", "mappings", "objectives", "posteriors", "likelihoods", "priors"


def _subclasses(cls: type) -> Iterator[type]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _parts_by_name() -> dict[str, type[Part]]:
    """Return the public parts by class name, or by room and class name if several share it."""
    found = {}
    for cls in _subclasses(Part):
        package, _, rest = cls.__module__.partition(".")
        room = rest.partition(".")[0]
        if package == "sklearn_intelvae" and room in _ROOMS and not cls.__name__.startswith("_"):
            found[_ROOMS.index(room), cls.__name__] = cls
    classes: dict[str, type[Part]] = {}
    for (room, name), cls in sorted(found.items(), key=lambda item: item[0]):
        classes[f"{_ROOMS[room]}.{name}" if name in classes else name] = cls
    return classes


PART_CLASSES = _parts_by_name()
"""The classes of parts by the names that files have for them."""

NAMES_OF_PARTS = {cls: name for name, cls in PART_CLASSES.items()}


class NotSaved:
    """Marks an object that a file does not hold."""

    def __init__(self, description: str) -> None:
        self.description = description


def pack(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    """Return ``value`` as JSON, with its arrays added to ``tensors``."""
    if isinstance(value, bool | int | float | str | None):
        return value
    if isinstance(value, np.generic):
        item = value.item()
        return float(item) if isinstance(item, np.generic) else pack(item, name, tensors)
    if isinstance(value, np.ndarray):
        return _pack_array(value, name, tensors)
    if isinstance(value, _MODEL_PARTS):
        return {"parts": pack(value._asdict(), name, tensors)}
    if isinstance(value, range):
        value = tuple(value)
    if isinstance(value, list | tuple):
        items = [pack(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {k: pack(v, f"{name}.{k}", tensors) for k, v in value.items()}}
    return _pack_object(value, name, tensors)


def _pack_array(value: np.ndarray, name: str, tensors: dict[str, np.ndarray]) -> Any:
    if value.dtype == object and all(isinstance(item, str) for item in value.ravel()):
        return {"strings": value.tolist()}
    if value.dtype.kind == "U":
        return {"text": value.tolist()}
    if value.dtype.kind not in "biuf" or value.dtype.itemsize > _MAX_BYTES:
        return {"missing": f"an array of dtype {value.dtype}"}
    native = value.astype(value.dtype.newbyteorder("="), copy=False)
    tensors[name] = np.ascontiguousarray(native).reshape(value.shape)
    return {"array": name}


def _pack_object(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.random.RandomState):
        state = value.get_state(legacy=False)
        if state["bit_generator"] == "MT19937":
            return {"random_state": pack(state, name, tensors)}
    if isinstance(value, Part) and type(value) in NAMES_OF_PARTS:
        params = {k: pack(v, f"{name}.{k}", tensors) for k, v in value.get_params(False).items()}
        if not first_missing([*params.values()]):
            return {"part": NAMES_OF_PARTS[type(value)], "params": params}
    if isinstance(value, type) and getattr(torch.optim, value.__name__, None) is value:
        return {"optimizer": value.__name__}
    if isinstance(value, type) and value in NAMES_OF_PARTS:
        return {"class": NAMES_OF_PARTS[value]}
    if type(value) is GaussianMixture:
        fitted = {k: v for k, v in vars(value).items() if k in _MIXTURE_ATTRIBUTES}
        state = {"params": value.get_params(), "fitted": fitted}
        return {"gaussian_mixture": pack(state, name, tensors)}
    if isinstance(value, NotSaved):
        return {"missing": value.description}
    kind = f"the class {value.__name__}" if isinstance(value, type) else None
    return {"missing": kind or f"an object of class {type(value).__name__}"}


def first_missing(packed: Any) -> str | None:
    """Return the description of the first object that a packed value does not hold, if any."""
    if isinstance(packed, list):
        return next(filter(None, map(first_missing, packed)), None)
    if not isinstance(packed, dict):
        return None
    if "missing" in packed:
        return packed["missing"]
    named = [packed[kind] for kind in ("dict", "params") if kind in packed]
    nested = [packed[kind] for kind in ("tuple", "parts", "gaussian_mixture") if kind in packed]
    return first_missing([*(v for items in named for v in items.values()), *nested])


def unpack(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Undo :func:`pack`."""
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "part" in value:
        params = {k: unpack(v, tensors) for k, v in value["params"].items()}
        return _class_of_part(value["part"])(**params)
    ((kind, content),) = value.items()
    if kind == "array":
        return tensors[content]
    if kind == "strings":
        return np.array(content, dtype=object)
    if kind == "text":
        return np.array(content, dtype=str)
    if kind == "optimizer":
        return vars(torch.optim)[content]
    if kind == "class":
        return _class_of_part(content)
    if kind == "missing":
        return NotSaved(content)
    if kind == "tuple":
        return tuple(unpack(item, tensors) for item in content)
    return _unpack_object(kind, content, tensors)


def _unpack_object(kind: str, content: Any, tensors: dict[str, np.ndarray]) -> Any:
    if kind == "gaussian_mixture":
        return _mixture(**unpack(content, tensors))
    if kind == "parts":
        items = unpack(content, tensors)
        return next(cls for cls in _MODEL_PARTS if _fits(cls, set(items)))(**items)
    if kind == "random_state":
        random_state = np.random.RandomState()
        random_state.set_state(unpack(content, tensors))
        return random_state
    return {k: unpack(v, tensors) for k, v in content.items()}


def _class_of_part(name: str) -> type[Part]:
    if name not in PART_CLASSES:
        raise ValueError(f"the file names a part {name!r} that the package does not have.")
    return PART_CLASSES[name]


def _mixture(params: dict[str, Any], fitted: dict[str, Any]) -> GaussianMixture:
    mixture = GaussianMixture(**params)
    for name, value in fitted.items():
        setattr(mixture, name, value)
    return mixture


def _fits(cls: Any, names: set[str]) -> bool:
    """Return whether a named tuple can be made from fields of these names."""
    return set(cls._fields) - set(cls._field_defaults) <= names <= set(cls._fields)
