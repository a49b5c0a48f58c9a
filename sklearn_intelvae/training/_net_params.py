"""Further parameters of the skorch net that users pass."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from sklearn_intelvae.training._net import MultiPlayerNet
from sklearn_intelvae.training._spec import skorch_parameters_of_fields

_DATA = "dataset", "iterator_train", "iterator_valid"
_UNUSED = {"warm_start": "warm_start"}


def net_params(skorch_params: dict[str, Any]) -> dict[str, Any]:
    """Return the user's parameters of the net, with Adam as the default optimizer.

    Raises
    ------
    TypeError, ValueError
        If a parameter is determined by the estimator, or cannot work here.
    """
    determined = dict.fromkeys(_own_parameters(), "") | skorch_parameters_of_fields() | _UNUSED
    for name in skorch_params:
        prefix = name.split("__")[0]
        if prefix in determined and not name.startswith("callbacks__"):
            by = determined[prefix]
            raise ValueError(
                f"skorch_params[{name!r}] is set by the estimator itself"
                f"{f', from {by}' if by else ''}: remove it."
            )
        if prefix in _DATA:
            raise ValueError(
                f"skorch_params[{name!r}] has no effect: batches are index selections on a tensor "
                "that stays in memory. Remove it."
            )
    _check_optimizer(skorch_params.get("optimizer", torch.optim.Adam))
    if "optimizer" in skorch_params:
        return dict(skorch_params)
    return {"optimizer": torch.optim.Adam, "optimizer__fused": True} | skorch_params


def _own_parameters() -> set[str]:
    """Return the parameters of the net that skorch does not have."""
    return set(inspect.signature(MultiPlayerNet.__init__).parameters) - {"self", "args", "kwargs"}


def _check_optimizer(optimizer: Any) -> None:
    if optimizer is torch.optim.LBFGS:
        raise ValueError(
            "skorch_params['optimizer'] cannot be LBFGS: the noise differs between its evaluations "
            "of the loss. Use a stochastic optimizer, such as torch.optim.Adam."
        )
    if not callable(optimizer):
        raise TypeError(
            "skorch_params['optimizer'] must be the class of an optimizer, such as "
            f"torch.optim.SGD, got {optimizer!r}."
        )
