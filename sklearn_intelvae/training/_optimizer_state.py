"""The state of any torch optimizer, as arrays and numbers by the names of the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_HYPERPARAMETERS = {"params", "lr", "initial_lr", "momentum", "betas"}
"""Entries of a group that the user or a schedule sets: never part of the state."""


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
        "class" names the optimizer, "slots" has the state of each parameter that has any, and
        "groups" the entries of each parameter group that the optimizer has changed.
    """
    slots = {
        name: {slot: _portable(value) for slot, value in optimizer.state[parameter].items()}
        for name, parameter in parameters.items()
        if parameter in optimizer.state
    }
    groups = [
        {name: v for name, v in now.items() if name not in then or repr(v) != repr(then[name])}
        for now, then in zip(group_numbers(optimizer), initial_groups, strict=True)
    ]
    return {"class": type(optimizer).__name__, "slots": slots, "groups": groups}


def restore_optimizer(
    optimizer: torch.optim.Optimizer, parameters: dict[str, nn.Parameter], state: dict[str, Any]
) -> None:
    """Restore the state of an optimizer of the same class; one of another class starts anew."""
    if state["class"] != type(optimizer).__name__:
        return
    ordered = [p for group in optimizer.param_groups for p in group["params"]]
    position = {id(p): i for i, p in enumerate(ordered)}
    slots = {
        position[id(parameters[name])]: {slot: _restored(value) for slot, value in values.items()}
        for name, values in state["slots"].items()
        if name in parameters and id(parameters[name]) in position
    }
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
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
    if isinstance(value, list | tuple):
        return type(value)(map(_portable, value))
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    if isinstance(value, dict):
        if set(value) == {"dtype", "values"}:
            dtype = getattr(torch, value["dtype"].removeprefix("torch."))
            return torch.tensor(value["values"]).to(dtype)
        return {name: _restored(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_restored, value))
    return value
