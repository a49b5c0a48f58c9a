"""The state of any torch optimizer, as arrays and numbers by the names of the parameters."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_HYPERPARAMETERS = {"params", "lr", "initial_lr", "momentum", "betas"}
"""Entries of a group that the user or a schedule sets: never part of the state."""
_USUAL = {"state", "param_groups"}
"""The entries of an optimizer's ``state_dict`` that torch itself defines."""
_NEED_STATE = {"momentum", "amsgrad", "centered"}
"""Options that decide what the state of an optimizer consists of."""


def group_numbers(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return the entries of each parameter group that an optimizer itself may change."""
    return [
        {name: _portable(v) for name, v in group.items() if name not in _HYPERPARAMETERS}
        for group in optimizer.param_groups
    ]


def optimizer_state(
    optimizer: torch.optim.Optimizer,
    parameters: dict[str, nn.Parameter],
    initial_groups: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the state of an optimizer.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    parameters : dict of Parameter
        The parameters by name.
    initial_groups : list of dict
        The result of :func:`group_numbers` for the new optimizer.

    Returns
    -------
    state : dict
        "class" names the optimizer, "options" says which of its options are on, "slots" has the
        state of each parameter that has any, "shared" the state that belongs to no parameter,
        "further" other entries of its ``state_dict``, and "groups" the entries of each parameter
        group that the optimizer has changed.
    """
    whole = optimizer.state_dict()
    state = whole.get("state", {})  # a wrapper may name its entries otherwise
    names = _names_by_position(optimizer, parameters)
    # A callback may have added groups.
    pairs: Any = zip_longest(group_numbers(optimizer), initial_groups, fillvalue={})
    return {
        "class": type(optimizer).__name__,
        "options": _options(optimizer),
        "slots": {names[k]: _portable(v) for k, v in state.items() if k in names},
        "shared": {k: _portable(v) for k, v in state.items() if isinstance(k, str)},
        "further": {k: _portable(v) for k, v in whole.items() if k not in _USUAL},
        "groups": [_changed(now, then) for now, then in pairs],
    }


def _changed(now: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in now.items() if name not in then or not _equal(v, then[name])}


def _names_by_position(
    optimizer: torch.optim.Optimizer, parameters: dict[str, nn.Parameter]
) -> dict[int, str]:
    """Return the names of the parameters by the numbers that the optimizer's state_dict has."""
    ordered = [p for group in optimizer.param_groups for p in group["params"]]
    name_of = {id(parameter): name for name, parameter in parameters.items()}
    return {i: name_of[id(p)] for i, p in enumerate(ordered) if id(p) in name_of}


def _options(optimizer: torch.optim.Optimizer) -> dict[str, bool]:
    """Return which of the options that decide what the state consists of are on."""
    return {n: bool(value) for n, value in optimizer.defaults.items() if n in _NEED_STATE}


def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    parameters: dict[str, nn.Parameter],
    state: dict[str, Any] | None,
) -> None:
    """Restore the state of an optimizer; one of another class or with other options starts anew.

    None means that there is no state.
    """
    if state is None:
        return
    options = _options(optimizer)
    same_options = all(options.get(k, on) == on for k, on in state.get("options", {}).items())
    if state["class"] != type(optimizer).__name__ or not same_options:
        return
    position = {name: i for i, name in _names_by_position(optimizer, parameters).items()}
    slots = {position[n]: _restored(v) for n, v in state["slots"].items() if n in position}
    shared = {key: _restored(value) for key, value in state.get("shared", {}).items()}
    further = {key: _restored(value) for key, value in state.get("further", {}).items()}
    whole = optimizer.state_dict()
    usual = {"state": slots | shared, "param_groups": whole.get("param_groups")}
    optimizer.load_state_dict(further | {k: v for k, v in usual.items() if k in whole})
    for group, saved in zip(optimizer.param_groups, state["groups"], strict=False):
        group.update({name: _restored(value) for name, value in saved.items()})


def _portable(value: Any) -> Any:
    """Return tensors as arrays, and nested values likewise."""
    if isinstance(value, Tensor):
        if value.dtype in (torch.bfloat16, torch.float16):
            return {"dtype": str(value.dtype), "values": value.float().numpy(force=True).copy()}
        return value.numpy(force=True).copy()
    if isinstance(value, dict):
        return {name: _portable(v) for name, v in value.items()}
    return _mapped(_portable, value)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to the items of a list or a tuple, and return other values unchanged."""
    if isinstance(value, tuple) and type(value) is not tuple:  # a named tuple
        return type(value)(*map(function, value))
    return type(value)(map(function, value)) if isinstance(value, list | tuple) else value


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=True)
    return repr(a) == repr(b)


def _restored(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    if isinstance(value, dict):
        if set(value) == {"dtype", "values"}:
            dtype = getattr(torch, value["dtype"].removeprefix("torch."))
            return torch.tensor(value["values"]).to(dtype)
        return {name: _restored(v) for name, v in value.items()}
    return _mapped(_restored, value)
