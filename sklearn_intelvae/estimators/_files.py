"""Models as files: pickles without tensors, and a format that never executes code."""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from sklearn_intelvae._part import Part, is_ours, nested_parts
from sklearn_intelvae._random import OwnRandomness, generator_from, own_torch_state
from sklearn_intelvae._version import __version__
from sklearn_intelvae.estimators._json import NotSaved, first_missing, pack, unpack
from sklearn_intelvae.estimators._old_formats import (
    upgraded_content,
    upgraded_params,
    upgraded_state,
    upgraded_training_state,
)
from sklearn_intelvae.estimators._parameters import described, description, is_same, resolve

FORMAT = 3
_NOT_SAVED = {"_sklearn_version", "_skl_callbacks", "_metadata_request"}
_WITH_OBJECTS = {"module_", "objective_", "_parts_at_fit", "_description"}
"""Attributes in which ``load`` puts objects of the caller."""
_NEEDED = _WITH_OBJECTS | {"history_", "_training_state", "n_features_in_"}


@own_torch_state()
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
        "attributes": _without_missing({name: pack(state[name], name, tensors) for name in fitted}),
        "metadata_requests": _metadata_requests(estimator),
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
    content, tensors, file_format, version = _read(Path(path))
    if content["class"] != cls.__name__:
        raise ValueError(
            f"{path} holds a {content['class']}; load it with {content['class']}.load."
        )
    origin = f"{path}, written by sklearn_intelvae {version},"
    content = upgraded_content(content, file_format)
    params = _unpacked(content["params"], tensors, origin)
    params = upgraded_params(params, set(cls._get_param_names()), file_format)
    _check_names(cls, params, objects, origin)
    state = _unpacked(content["attributes"], tensors, origin)
    _check_attributes(state, origin)
    _refuse_needless_objects(params, state, objects, path)
    estimator = cls(**_with_objects(params, objects, path, cls.__name__))
    _refuse_other_parts(state["_description"], objects, path)
    state["_parts_at_fit"] = _with_parts(state["_parts_at_fit"], objects, path, cls.__name__)
    state["_description"] = _completed_description(estimator, state["_description"], objects)
    if _not_saved(state["objective_"]["part"]):
        given = objects.get("objective")
        objective = estimator._objective() if given is None else resolve("objective", given)
        state["objective_"]["part"] = objective
    state = upgraded_state(state, file_format)
    try:
        estimator.__setstate__(vars(estimator) | state)
    except RuntimeError as error:
        raise ValueError(
            f"the weights in {path} do not fit the objects passed to load: {error}"
        ) from error
    if file_format == 1:
        estimator._training_state = upgraded_training_state(
            estimator._training_state,
            estimator.module_,
            estimator.objective_,
            (estimator.skorch_params or {}).get("optimizer", torch.optim.Adam).__name__,
        )
    _restore_metadata_requests(estimator, content.get("metadata_requests", {}))
    return estimator


def _unpacked(values: dict[str, Any], tensors: dict[str, np.ndarray], origin: str) -> Any:
    """Unpack values, and say which file they are from if a part no longer takes them."""
    try:
        return {name: unpack(value, tensors) for name, value in values.items()}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{origin} describes a part that version {__version__} does not have: {error}. Load it "
            "with the version that wrote it."
        ) from error


def _check_names(cls: Any, params: dict[str, Any], objects: dict[str, Any], origin: str) -> None:
    known = set(cls._get_param_names())
    if unknown := sorted(set(objects) - known):
        raise TypeError(f"{cls.__name__} has no parameters {unknown}.")
    if unknown := sorted(set(params) - known):
        raise ValueError(
            f"{origin} has the parameters {unknown}, which {cls.__name__} of version {__version__} "
            "does not have. Load it with the version that wrote it."
        )


def _check_attributes(state: dict[str, Any], origin: str) -> None:
    if lacking := sorted(_NEEDED - state.keys()):
        raise ValueError(
            f"{origin} lacks {', '.join(lacking)}. Load it with the version that wrote it."
        )


def _completed_description(
    estimator: Any, saved: dict[str, Any], objects: dict[str, Any]
) -> dict[str, Any]:
    """Return the description of the fitted model; what the file lacks is as the parameters say.

    A parameter that the version which wrote the file did not have is missing from it, and objects
    of the caller replace those that the file does not hold.
    """
    now = description(estimator._all_params())
    kept = {k: v for k, v in saved.items() if k in now and not _not_saved(v)}
    given = {k: described(objects[k]) for k in objects.keys() & now.keys() - kept.keys()}
    return now | given | kept


def _metadata_requests(estimator: Any) -> dict[str, dict[str, Any]]:
    """Return what ``set_fit_request`` and its kind have set, by method."""
    requests = vars(estimator).get("_metadata_request")
    methods = {} if requests is None else vars(requests)
    return {
        method: dict(request.requests)
        for method, request in methods.items()
        if getattr(request, "requests", None)
    }


def _restore_metadata_requests(estimator: Any, saved: dict[str, dict[str, Any]]) -> None:
    if not saved:
        return
    requests = estimator._get_metadata_request()
    for method, values in saved.items():
        for parameter, alias in values.items():
            getattr(requests, method).add_request(param=parameter, alias=alias)
    estimator._metadata_request = requests


def _replace(path: Path, data: bytes) -> None:
    """Write a file in one step, after everything is written.

    A symbolic link is kept and the file that it points to replaced; an existing file keeps its
    mode. Processes and threads that write to one path do not disturb each other: the last one wins.
    What is no regular file, such as a pipe, is written to.
    """
    try:
        path = path.resolve()
    except RuntimeError as error:
        raise OSError(f"{path} is in a loop of symbolic links") from error
    if path.is_symlink():  # as of Python 3.13
        raise OSError(f"{path} is in a loop of symbolic links")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}: create it first")
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    partial = path.with_name(f".{uuid4().hex}.partial")
    try:
        partial.write_bytes(data)
        if path.exists():
            partial.chmod(path.stat().st_mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


_INSTEAD = {
    "density_": "call fit_density again after load, fit a GaussianMixture, or pickle the estimator",
    "_training_state": (
        "training that continues from the file starts with a new optimizer; pickle the estimator "
        "to keep its state"
    ),
}


def _without_missing(attributes: dict[str, Any]) -> dict[str, Any]:
    """Omit, with a warning, the attributes that a file cannot hold.

    Of ``history_`` only entries are omitted, of ``_training_state`` the optimizer's state.
    """
    kept = {}
    for name, value in attributes.items():
        missing = None if name in _WITH_OBJECTS else first_missing(value)
        if missing:
            remedy = _INSTEAD.get(name, "set it again after load, or pickle the estimator")
            warnings.warn(
                f"{name} holds {missing}, which a file does not hold, and which is omitted: "
                f"{remedy}.",
                UserWarning,
                stacklevel=4,
            )
            if name == "_training_state":
                value = {"dict": value["dict"] | {"optimizer": None}}
            elif name == "history_":
                value = [{"dict": _held(row["dict"])} for row in value]
            else:
                continue
        kept[name] = value
    return kept


def _held(items: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in items.items() if not first_missing(value)}


def _weights(module: torch.nn.Module) -> dict[str, Any]:
    state = module.state_dict()
    return {k: v.numpy(force=True) if isinstance(v, torch.Tensor) else v for k, v in state.items()}


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
    training = state["_training_state"]
    progress = training.get("last_progress", training["progress"])
    for part in nested_parts(model, objective):
        if not is_ours(part):  # those of the package keep it among their weights
            part.set_progress(progress)
    _fill(model, state["module_"])
    _fill(objective, state["objective_"]["weights"])
    return model.eval(), objective


def _fill(module: torch.nn.Module, weights: dict[str, np.ndarray]) -> None:
    module.load_state_dict(
        {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in weights.items()}
    )


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


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], int, str]:
    """Return header, tensors, format and version of an undamaged file of this package."""
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
    content = json.loads(metadata["content"])
    return content, tensors, int(number), metadata.get("version", "unknown")


def _with_objects(
    params: dict[str, Any], objects: dict[str, Any], path: Any, name: str
) -> dict[str, Any]:
    """Put the caller's objects in the place of those that the file does not hold."""
    defining = _defining(params)
    given = {k: v for k, v in objects.items() if k not in defining or _not_saved(params.get(k))}
    params = params | given
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


def _with_parts(parts: Any, objects: dict[str, Any], path: Any, name: str) -> Any:
    """Put the caller's objects among the parts that the model was fitted with."""
    given = {}
    for parameter, part in parts._asdict().items():
        if missing := _not_saved(part):
            if parameter not in objects:
                raise ValueError(
                    f"{path} holds a model that was fitted with {parameter} set to "
                    f"{missing.description}, which a file does not hold: "
                    f"{name}.load(path, {parameter}=...)."
                )
            given[parameter] = resolve(parameter, objects[parameter])
    return parts._replace(**given)


def _refuse_needless_objects(
    params: dict[str, Any], state: dict[str, Any], objects: dict[str, Any], path: Any
) -> None:
    """Refuse objects other than those that the file holds for the parameters of the model."""
    parts = state["_parts_at_fit"]._asdict() | {"objective": state["objective_"]["part"]}
    for name in sorted(objects.keys() & _defining(params)):
        held = parts.get(name, params.get(name))
        given = resolve(name, objects[name]) if name in parts else objects[name]
        if not (_not_saved(params.get(name)) or _not_saved(held) or is_same(given, held)):
            raise ValueError(
                f"{path} holds {name}={params.get(name)!r}: do not pass {name} to load. To replace "
                "it for another fit, use set_params."
            )


def _refuse_other_parts(fitted: dict[str, Any], objects: dict[str, Any], path: Any) -> None:
    """Refuse parts of another class, or with other hyper-parameters, than the fitted ones."""
    for name in sorted(objects.keys() & fitted.keys()):
        then, now = fitted[name], described(objects[name])
        if isinstance(then, dict) and not _not_saved(then) and not is_same(then, now):
            shown = {k: v for k, v in then.items() if k != "part"}
            raise ValueError(
                f"{path} holds a model that was fitted with {name}={then.get('part')} of {shown}, "
                f"got {objects[name]!r}: pass an object of the same class and hyper-parameters."
            )


def _defining(params: dict[str, Any]) -> set[str]:
    """Return the names of the parameters that define the model."""
    return set(description(params))
