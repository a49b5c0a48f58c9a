"""What every exchangeable part of a model has in common."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator, clone
from torch import nn


class Part(BaseEstimator, nn.Module):
    """A module whose constructor takes hyper-parameters only and whose weights come from ``build``.

    scikit-learn's ``get_params``, ``set_params``, ``clone`` and ``repr`` therefore work on it:
    a clone has no weights, and a grid search may reach its hyper-parameters by name.

    The constructor stores each argument, unchanged, under its own name, after calling
    ``super().__init__()``. ``build`` makes parameters and layers; what sizes it is given
    depends on the room. The base classes' ``build`` checks the hyper-parameters against
    ``_parameter_constraints``, which are written as those of scikit-learn's estimators.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def _validate(self) -> None:
        """Raise ValueError where a hyper-parameter is out of its range."""
        BaseEstimator._validate_params(self)

    def __setattr__(self, name: str, value: Any) -> None:
        """Let anything take the place of a module, which torch refuses; ``build`` may object."""
        if not isinstance(value, nn.Module) and name in self.__dict__.get("_modules", ()):
            del self._modules[name]
        super().__setattr__(name, value)


def fresh(part: Any) -> Any:
    """Return a copy that can be trained while ``part`` stays as it is.

    A :class:`Part` comes back without weights; any other module keeps a copy of those it carries;
    a class is instantiated.
    """
    if isinstance(part, type):
        return part()
    return clone(part) if isinstance(part, Part) else copy.deepcopy(part)


def build(part: nn.Module, *sizes: int) -> nn.Module:
    """Make the part's weights, if it is of the kind that has a ``build`` method."""
    if callable(getattr(part, "build", None)):
        part.build(*sizes)  # type: ignore[operator]
    return part


def output_width(module: nn.Module, n_inputs: int) -> int:
    """Return how many columns ``module`` makes of a matrix with ``n_inputs`` columns.

    Raises
    ------
    ValueError
        If the module fails on such a matrix, or does not return one row for each row.
    """
    name = type(module).__name__
    training = module.training
    try:
        with torch.no_grad():
            outputs = module.eval()(torch.randn(3, n_inputs))
    except Exception as error:
        raise ValueError(
            f"{name} failed on a batch of shape (3, {n_inputs}): {error}. It must accept a float32 "
            f"tensor of shape (n_samples, {n_inputs}) for any n_samples."
        ) from error
    finally:
        module.train(training)
    shape = tuple(getattr(outputs, "shape", ()))
    if len(shape) != 2 or shape[0] != 3:
        raise ValueError(
            f"{name} returned {f'shape {shape}' if shape else type(outputs).__name__} for a batch "
            f"of shape (3, {n_inputs}); it must return a tensor of shape (n_samples, n_outputs)."
        )
    return shape[1]


def sized_network(module: nn.Module, n_inputs: int, n_outputs: int) -> nn.Module:
    """Build a network for so many inputs; a linear layer adapts one of another width."""
    if callable(getattr(module, "build", None)):
        return build(module, n_inputs, n_outputs)
    width = output_width(module, n_inputs)
    if width == n_outputs:
        return module
    return nn.Sequential(module, nn.Linear(width, n_outputs))
