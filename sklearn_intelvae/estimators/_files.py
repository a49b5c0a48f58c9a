"""Models as files: pickles without tensors, and a format that never executes code."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from sklearn_intelvae._part import Part
from sklearn_intelvae._random import OwnRandomness, generator_from
from sklearn_intelvae._torch_state import own_torch_state
from sklearn_intelvae._version import __version__
from sklearn_intelvae.estimators._json import NotSaved, pack, unpack
from sklearn_intelvae.estimators._parameters import described, resolve

FORMAT = 2
_NOT_SAVED = {"_sklearn_version", "_skl_callbacks"}


def state_with_arrays(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an estimator, with arrays in place of torch's modules."""
    state = state.copy()
    if "module_" in state:
        objective = state["objective_"]
        state["module_"] = _weights(state["module_"])
        state["objective_"] = {"part": _unbuilt(objective), "weights": _weights(objective)}
    return state


def state_with_modules(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an estimator, with modules rebuilt from the parts and the arrays."""
    state = dict(state)
    if "module_" in state:
        state["module_"], state["objective_"] = _rebuilt(state)
    return state


def save_estimator(estimator: Any, path: Any) -> None:
    """Write a fitted estimator to one file."""
    state = estimator.__getstate__()
    tensors: dict[str, np.ndarray] = {}
    names = sorted(estimator.get_params(deep=False))
    fitted = sorted(state.keys() - set(names) - _NOT_SAVED)
    content = {
        "class": type(estimator).__name__,
        "params": {name: pack(state[name], f"params.{name}", tensors) for name in names},
        "attributes": _without_unknown_density(
            {name: pack(state[name], name, tensors) for name in fitted}
        ),
        "versions": _versions(),
    }
    metadata = {
        "format": f"sklearn_intelvae {FORMAT}",
        "version": __version__,
        "content": json.dumps(content),
    }
    metadata["sha256"] = _checksum(metadata, tensors)
    _replace(Path(path), serialize(tensors, metadata))


def load_estimator(cls: Any, path: Any, objects: dict[str, Any]) -> Any:
    """Return the fitted estimator that :func:`save_estimator` wrote."""
    content, tensors = _read(Path(path))
    if content["class"] != cls.__name__:
        raise ValueError(
            f"{path} holds a {content['class']}; load it with {content['class']}.load."
        )
    params = {name: unpack(value, tensors) for name, value in content["params"].items()}
    unknown = set(objects) - set(params)
    if unknown:
        raise TypeError(f"{cls.__name__} has no parameters {sorted(unknown)}.")
    params = _with_objects(params, objects, path, cls.__name__)
    state = {name: unpack(value, tensors) for name, value in content["attributes"].items()}
    state["_parts_at_fit"] = _with_parts(state["_parts_at_fit"], objects)
    state["_description"] |= {
        name: described(value) for name, value in objects.items() if name in state["_description"]
    }
    estimator = cls(**params)
    if "objective" in objects or _not_saved(state["objective_"]["part"]):
        state["objective_"]["part"] = estimator._objective()
    try:
        estimator.__setstate__(vars(estimator) | state)
    except RuntimeError as error:
        raise ValueError(
            f"the weights in {path} do not fit the objects passed to load: {error}"
        ) from error
    return estimator


def _replace(path: Path, data: bytes) -> None:
    """Write a file in one step, after everything is written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _without_unknown_density(attributes: dict[str, Any]) -> dict[str, Any]:
    """Omit a density that a file cannot hold, with a warning."""
    density = attributes.get("density_", {})
    if "missing" not in density:
        return attributes
    warnings.warn(
        f"density_ is {density['missing']}, which a file does not hold, and is omitted: call "
        "fit_density again after load, fit a GaussianMixture, or pickle the estimator.",
        UserWarning,
        stacklevel=4,
    )
    return {name: value for name, value in attributes.items() if name != "density_"}


def _weights(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy(force=True) for name, value in module.state_dict().items()}


def _unbuilt(part: Any) -> Any:
    """Return a copy of a part without the weights that building or training gave it."""
    return part.__sklearn_clone__() if isinstance(part, Part) else copy.deepcopy(part).cpu()


@own_torch_state()
def _rebuilt(state: dict[str, Any]) -> tuple[torch.nn.Module, Any]:
    """Build the modules anew and load their weights."""
    generator = generator_from(0)
    sizes = state["n_features_in_"], state["_description"]["n_components"]
    model = state["_parts_at_fit"].build(*sizes, generator)
    objective = _unbuilt(state["objective_"]["part"])
    with OwnRandomness(generator):
        objective.build(model)
        objective.float()
    _fill(model, state["module_"])
    _fill(objective, state["objective_"]["weights"])
    return model.eval(), objective


def _fill(module: torch.nn.Module, weights: dict[str, np.ndarray]) -> None:
    module.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})


def _versions() -> dict[str, str]:
    """Return the versions of the libraries that a model depends on."""
    libraries = "scikit-learn", "skorch", "torch", "numpy"
    return {"sklearn_intelvae": __version__} | {name: version(name) for name in libraries}


def _checksum(metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 digest of everything that the file holds but the digest itself."""
    header = {name: value for name, value in metadata.items() if name != "sha256"}
    shapes = {name: [str(t.dtype), list(t.shape)] for name, t in tensors.items()}
    digest = hashlib.sha256(json.dumps([header, shapes], sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the tensors of an undamaged file of this package."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            kind, _, number = metadata.get("format", "").partition(" ")
            if kind != "sklearn_intelvae" or not number.isdigit():
                raise ValueError(f"{path} is not a model file of sklearn_intelvae.")
            if int(number) > FORMAT:
                raise ValueError(
                    f"{path} was written by sklearn_intelvae {metadata.get('version')} in format "
                    f"{number}; version {__version__} reads formats up to {FORMAT}. Upgrade "
                    "sklearn_intelvae to load it."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged, or is not a model file: {error}. Copy or save it again."
        ) from error
    if _checksum(metadata, tensors) != metadata.get("sha256"):
        raise ValueError(f"{path} is damaged: its checksum does not match. Copy or save it again.")
    return json.loads(metadata["content"]), tensors


def _with_objects(
    params: dict[str, Any], objects: dict[str, Any], path: Any, name: str
) -> dict[str, Any]:
    """Put the caller's objects in the place of those that the file does not hold."""
    params = params | objects
    for parameter, value in params.items():
        if parameter != "skorch_callbacks" and (missing := _not_saved(value)):
            raise ValueError(
                f"{path} was saved with {parameter} set to {missing.description}, which a file "
                f"does not hold: {name}.load(path, {parameter}=...)."
            )
    return {k: None if _not_saved(v) else v for k, v in params.items()}


def _not_saved(value: Any) -> NotSaved | None:
    """Return the first object in ``value`` that was not saved, if there is one."""
    if isinstance(value, dict | list | tuple):
        items = value.values() if isinstance(value, dict) else value
        return next(filter(None, map(_not_saved, items)), None)
    return value if isinstance(value, NotSaved) else None


def _with_parts(parts: Any, objects: dict[str, Any]) -> Any:
    """Put the caller's objects among the parts."""
    given = {name: resolve(name, objects[name]) for name in parts._fields if name in objects}
    return parts._replace(**given)
