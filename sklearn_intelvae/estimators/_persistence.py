"""Models as files: pickles free of tensors, and a format that never runs code."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise
from sklearn.utils.validation import check_is_fitted

from sklearn_intelvae._part import Part
from sklearn_intelvae._random import OwnRandomness, generator_from
from sklearn_intelvae._version import __version__
from sklearn_intelvae.estimators._codec import Missing, pack, unpack
from sklearn_intelvae.estimators._description import described
from sklearn_intelvae.estimators._kind import Kind
from sklearn_intelvae.estimators._shelves import resolve

FORMAT = 1
_ATTRIBUTES = (
    "n_features_in_",
    "feature_names_in_",
    "n_iter_",
    "loss_curve_",
    "validation_scores_",
    "history_",
    "kl_per_component_",
    "active_components_",
    "labels_",
    "density_",
    "_n_intermediary",
    "_given_pairs",
    "_training_state",
    "_parts",
    "_objective",
    "_described",
    "module_",
)


class PersistenceMixin:
    """Pickling, ``save`` and ``load``."""

    def __getstate__(self):
        """Return the state with arrays in place of torch's modules."""
        state = super().__getstate__().copy()
        if "module_" in state:
            state["module_"] = _weights(self.module_)
            state["_objective"] = {
                "part": _unbuilt(self._objective),
                "weights": _weights(self._objective),
            }
        return state

    def __setstate__(self, state):
        """Rebuild the modules from the parts and the arrays."""
        state = dict(state)
        if "module_" in state:
            state["module_"], state["_objective"] = _rebuilt(self._kind, state)
        super().__setstate__(state)

    def save(self, path):
        """Write the fitted estimator to one file, as safetensors with a JSON header.

        The file holds parameters, fitted attributes, weights, the optimizer's state, the versions
        of the libraries, and a checksum. Objects of your own, such as a mapping of your own class
        or callbacks, are not written; hand them to ``load``. A ``density_`` is written if it is a
        GaussianMixture; any other is left out, with a warning.

        Parameters
        ----------
        path : str or path-like
            An existing file is replaced, at once and only when all is written.
        """
        check_is_fitted(self)
        state = self.__getstate__()
        tensors: dict[str, np.ndarray] = {}
        names = sorted(self.get_params(deep=False))
        attributes = {
            name: pack(state[name], name, tensors) for name in _ATTRIBUTES if name in state
        }
        content = {
            "class": type(self).__name__,
            "params": {name: pack(state[name], f"params.{name}", tensors) for name in names},
            "attributes": _without_foreign_density(attributes),
            "versions": _versions(),
        }
        metadata = {
            "format": f"sklearn_intelvae {FORMAT}",
            "version": __version__,
            "content": json.dumps(content),
        }
        metadata["sha256"] = _checksum(metadata, tensors)
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            partial.write_bytes(serialise(tensors, metadata))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path, **objects):
        """Return the fitted estimator that ``save`` wrote.

        Nothing in the file is executed, and no class is imported on its word.

        Parameters
        ----------
        path : str or path-like
        **objects
            Parameters that held objects of your own when the estimator was saved, as they were
            given to the constructor, for instance ``mapping=Ring()``.

        Returns
        -------
        estimator : an instance of this class

        Raises
        ------
        ValueError
            If the file is damaged, was written by a newer version, holds another class, or needs
            an object that was not given.
        """
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
        state["_parts"] = _with_parts(state["_parts"], objects)
        state["_described"] |= {
            name: described(value) for name, value in objects.items() if name in state["_described"]
        }
        estimator = cls(**params)
        if "objective" in objects or _gap(state["_objective"]["part"]):
            state["_objective"]["part"] = estimator._objective_part()
        try:
            estimator.__setstate__(vars(estimator) | state)
        except RuntimeError as error:
            raise ValueError(
                f"the weights in {path} do not fit the objects given to load: {error}"
            ) from error
        return estimator


def _without_foreign_density(attributes: dict[str, Any]) -> dict[str, Any]:
    """Leave out a density that a file cannot carry."""
    density = attributes.get("density_", {})
    if "missing" not in density:
        return attributes
    warnings.warn(
        f"density_ is {density['missing']}, which a file does not carry, and is left out: call "
        "fit_density again after load, fit a GaussianMixture, or pickle the estimator.",
        UserWarning,
        stacklevel=3,
    )
    return {name: value for name, value in attributes.items() if name != "density_"}


def _weights(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy(force=True) for name, value in module.state_dict().items()}


def _unbuilt(part: Any) -> Any:
    """Return a copy of a part without the weights that building or training gave it."""
    return part.__sklearn_clone__() if isinstance(part, Part) else copy.deepcopy(part).cpu()


def _rebuilt(kind: Kind, state: dict[str, Any]) -> tuple[torch.nn.Module, Any]:
    """Build the modules anew and fill in their weights."""
    generator = generator_from(0)
    sizes = state["n_features_in_"], state["_n_intermediary"]
    model = kind.build(state["_parts"], *sizes, generator)
    objective = _unbuilt(state["_objective"]["part"])
    with OwnRandomness(generator):
        objective.build(model)
        objective.float()
    _fill(model, state["module_"])
    _fill(objective, state["_objective"]["weights"])
    return model.eval(), objective


def _fill(module: torch.nn.Module, weights: dict[str, np.ndarray]) -> None:
    module.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})


def _versions() -> dict[str, str]:
    import sklearn
    import skorch

    return {
        "sklearn_intelvae": __version__,
        "scikit-learn": sklearn.__version__,
        "skorch": skorch.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def _checksum(metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 digest of all that the file holds but the digest itself."""
    header = {name: value for name, value in metadata.items() if name != "sha256"}
    shapes = {name: [str(t.dtype), list(t.shape)] for name, t in tensors.items()}
    digest = hashlib.sha256(json.dumps([header, shapes], sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the tensors of a file that is whole and ours."""
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
            f"{path} is damaged, or is no model file: {error}. Copy or save it again."
        ) from error
    if _checksum(metadata, tensors) != metadata.get("sha256"):
        raise ValueError(f"{path} is damaged: its checksum does not match. Copy or save it again.")
    return json.loads(metadata["content"]), tensors


def _with_objects(
    params: dict[str, Any], objects: dict[str, Any], path: Any, name: str
) -> dict[str, Any]:
    """Put the caller's objects where the file had to leave gaps."""
    params = params | objects
    for parameter, value in params.items():
        if parameter != "callbacks" and (gap := _gap(value)):
            raise ValueError(
                f"{path} was saved with {parameter} set to {gap.description}, which a file does "
                f"not carry: {name}.load(path, {parameter}=...)."
            )
    return {k: None if _gap(v) else v for k, v in params.items()}


def _gap(value: Any) -> Missing | None:
    """Return the first object that is missing from ``value``, if there is one."""
    if isinstance(value, dict | list | tuple):
        items = value.values() if isinstance(value, dict) else value
        return next(filter(None, map(_gap, items)), None)
    return value if isinstance(value, Missing) else None


def _with_parts(parts: Any, objects: dict[str, Any]) -> Any:
    """Put the caller's objects among the parts."""
    given = {name: resolve(name, objects[name]) for name in parts._fields if name in objects}
    return parts._replace(**given)
