"""Reading of model files in older formats.

Format 1 has other names. Formats 1 and 2 are of models that see X as it is, return whitened codes
and have no linear paths.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from sklearn_intelvae._random import generator_from, own_torch_state
from sklearn_intelvae.likelihoods import Gaussian, Laplace
from sklearn_intelvae.mappings import DimensionSelector, Function

Packed = Any

_PARTS = {"VampMixture": "VampInitMixture"}
_PARAMS_OF_PARTS = {
    "Clusters": {"guidance": "guidance_weight", "balance": "balance_weight"},
    "DimensionSelector": {"regularise": "regularize"},
    "Mixture": {"n_components": "n_modes"},
    "Vamp": {"n_pseudo_inputs": "n_modes"},
    "DIP": {"of": "covariance_of"},
    "SoftIntro": {
        "suspicion": "fake_weight",
        "onset": "game_start",
        "beta_judged": "beta_fake_rec",
        "responsibility": "responsibility_weight",
    },
}
_WEIGHTS_OF_PARTS = {
    "Clusters": {
        "centres": "centers",
        "guesses": "cluster_of_center",
        "seen": "running_shares",
        "least": "min_shares",
    },
    "ICA": {"shares": "recent_weights", "n_noticed": "n_observed", "n_turns": "n_rotations"},
    "Mixture": {"centres": "centers"},
}
_PARAMS = {
    "codes": "output",
    "callbacks": "skorch_callbacks",
    "net_params": "skorch_params",
    "regularise": "regularize",
    "guidance": "guidance_weight",
    "responsibility": "responsibility_weight",
}
_OUTPUTS = {"z": "representation", "intermediary": "posterior_mean", "both": "both"}
_PRIOR_PARAMS = {
    "n_prior_components": "n_modes",
    "learn_prior": "learn",
    "learn_weights": "learn_weights",
    "clip_prior_variance": "clip_variance",
}
_ATTRIBUTES = {
    "_parts": "_parts_at_fit",
    "_objective": "objective_",
    "_given_pairs": "_fitted_to_pairs",
}
_OLD_ATTRIBUTES = {"_n_intermediary", "_described"}

_PARAMS_OF_PLAIN_VAES = {"linear_path": False, "whiten": True}
_NEW_BUFFERS = {
    DimensionSelector: {"sharpness": 1, "reach": np.inf}
    | dict.fromkeys(("weight", "_plain", "_recent", "_reduction"), 0),
    Gaussian: {"is_informed": 1},
    Laplace: {"is_informed": 1},
}
"""Buffers that parts did not have, with values that have no effect."""


def upgraded_params(params: dict[str, Any], names: set[str], file_format: int) -> dict[str, Any]:
    """Return the parameters of an estimator, with those that older ones did not have.

    Parameters
    ----------
    params : dict
        Those in the file.
    names : set of str
        Those that the estimator has today.
    file_format : int
    """
    if file_format >= 3:
        return params
    return {k: v for k, v in _PARAMS_OF_PLAIN_VAES.items() if k in names} | params


def upgraded_content(content: dict[str, Any], file_format: int) -> dict[str, Any]:
    """Return the JSON of a file with the names of today."""
    if file_format > 1:
        return content
    content = _renamed_parts(content)
    attributes = {
        _ATTRIBUTES.get(name, name): value
        for name, value in content["attributes"].items()
        if name not in _OLD_ATTRIBUTES
    }
    parts = attributes["_parts_at_fit"]["parts"]["dict"]
    weights = attributes["module_"]["dict"]
    for role, part in parts.items():
        weights = _renamed_weights(weights, f"{role}.", part)
    attributes["module_"] = {"dict": weights}
    params = _renamed_params(content["class"], content["params"])
    attributes["_description"] = {"dict": {}}  # that of the parameters
    return content | {"params": params, "attributes": attributes}


def upgraded_state(state: dict[str, Any], file_format: int) -> dict[str, Any]:
    """Return the unpacked attributes of a file as those of today."""
    if file_format == 1:
        state = _with_names_of_format_2(state)
    if file_format < 3:
        n_features = state["n_features_in_"]
        state = state | {"_location": np.zeros(n_features), "_unit": np.ones(n_features)}
        state["module_"] = _with_new_buffers(state)
    return state


@own_torch_state()
def _with_new_buffers(state: dict[str, Any]) -> dict[str, Any]:
    """Return the weights with the buffers that parts have had since."""
    sizes = state["n_features_in_"], state["_description"]["n_components"]
    model = state["_parts_at_fit"].build(*sizes, generator_from(0))
    added = {
        f"{prefix}.{name}": np.asarray(value, np.float32)
        for prefix, part in model.named_modules()
        for kind, values in _NEW_BUFFERS.items()
        if isinstance(part, kind)
        for name, value in values.items()
    }
    return added | state["module_"]


def _with_names_of_format_2(state: dict[str, Any]) -> dict[str, Any]:
    training = dict(state["_training_state"])
    training["progress"] = training.pop("warmup")
    mapping = getattr(state["_parts_at_fit"], "mapping", None)
    if isinstance(mapping, Function) and isinstance(mapping.function, nn.Module):
        state = state | {"module_": _with_prefix(state["module_"], "mapping.", "function.")}
    return state | {"_training_state": training}


def upgraded_training_state(
    state: dict[str, Any], model: nn.Module, objective: Any, optimizer: str
) -> dict[str, Any]:
    """Return a training state whose optimizer slots have the names of the parameters.

    Parameters
    ----------
    state : dict
        With the slots of each player, by the position of the parameter.
    model, objective : torch.nn.Module
    optimizer : str
        The name of the class of the optimizer.
    """
    names = {id(p): f"model.{name}" for name, p in model.named_parameters()}
    names |= {id(p): f"objective.{name}" for name, p in objective.named_parameters()}
    slots = {}
    for player, parameters in objective.players(model).items():
        own = set(map(id, parameters))
        ordered = [name for key, name in names.items() if key in own]
        for position, values in state["optimizers"].get(player, {}).items():
            slots[ordered[int(position)]] = values
    kept = {name: value for name, value in state.items() if name != "optimizers"}
    return kept | {"optimizer": {"class": optimizer, "slots": slots, "groups": []}}


def _renamed_parts(value: Packed) -> Packed:
    """Rename the classes of parts and their hyper-parameters, at any depth."""
    if isinstance(value, list):
        return [_renamed_parts(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "part" in value and isinstance(value.get("params"), dict):
        renames = _PARAMS_OF_PARTS.get(value["part"], {})
        params = {renames.get(k, k): _renamed_parts(v) for k, v in value["params"].items()}
        return {"part": _PARTS.get(value["part"], value["part"]), "params": params}
    return {name: _renamed_parts(item) for name, item in value.items()}


def _renamed_weights(weights: dict[str, Packed], prefix: str, part: Packed) -> dict[str, Packed]:
    """Rename the weights of a part and of the parts inside it."""
    if not isinstance(part, dict) or "part" not in part:
        return weights
    renames = _WEIGHTS_OF_PARTS.get(part["part"], {})
    renamed = {}
    for name, value in weights.items():
        head, _, last = name.rpartition(".")
        inside = name.startswith(prefix)
        own = inside and not any(name.startswith(f"{prefix}{p}.") for p in part["params"])
        new = renames.get(last, last) if own else last
        renamed[f"{head}.{new}" if head else new] = value
    for name, inner in part["params"].items():
        renamed = _renamed_weights(renamed, f"{prefix}{name}.", inner)
    return renamed


def _with_prefix(weights: dict[str, Any], role: str, prefix: str) -> dict[str, Any]:
    """Insert a prefix into the names of the weights of one part."""
    return {
        f"{role}{prefix}{name.removeprefix(role)}" if name.startswith(role) else name: value
        for name, value in weights.items()
    }


def _renamed_params(class_name: str, params: dict[str, Packed]) -> dict[str, Packed]:
    """Rename the parameters of an estimator."""
    if class_name == "SoftIntroVAE":
        params = _params_of_game(params)
    renamed = {_PARAMS.get(name, name): value for name, value in params.items()}
    if "output" in renamed:
        renamed["output"] = _OUTPUTS[renamed["output"]]
    return {k: "vamp-init-mixture" if v == "vamp-mixture" else v for k, v in renamed.items()}


def _params_of_game(params: dict[str, Packed]) -> dict[str, Packed]:
    """Replace the parameters of the prior and the two warm-ups of a SoftIntroVAE."""
    params = dict(params)
    start = params.pop("vae_warmup", 0.13)
    params.pop("game_warmup", None)
    release = params.pop("vamp_warmup", 0.8)
    settings = {new: params.pop(old) for old, new in _PRIOR_PARAMS.items() if old in params}
    params["game_start"] = min(start, 0.5)
    if params.get("prior") in ("mixture", "vamp-mixture"):
        settings["release"] = 0.5 * release if start else 0.0
        params["prior"] = {"part": "VampInitMixture", "params": settings}
    elif params.get("prior") == "vamp":
        params["prior"] = {"part": "Vamp", "params": {"n_modes": settings.get("n_modes", 10)}}
    return params
