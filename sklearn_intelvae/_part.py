"""What every exchangeable part of a model has in common."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn


class Part(BaseEstimator, nn.Module):
    """A module whose constructor takes hyper-parameters only and whose weights come from ``build``.

    scikit-learn's ``get_params``, ``set_params``, ``clone`` and ``repr`` therefore work on it:
    a clone has no weights, and a grid search reaches its hyper-parameters by name.

    The constructor stores each argument, unchanged, under its own name, after calling
    ``super().__init__()``. Each base class declares ``build`` with the sizes that its parts need;
    it creates parameters and layers, and checks the hyper-parameters against
    ``_parameter_constraints``, which are written as those of scikit-learn's estimators.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Set starting values from the training rows; called once, before training.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_features)
            The training rows; if they are weighted, rows drawn in proportion to their weights.
        generator : torch.Generator
            Source of every random number that the part draws here.
        """

    def set_progress(self, fraction: float) -> None:
        """Adapt to the fraction of the warm-up that has passed; called before each step.

        Parameters
        ----------
        fraction : float
            Grows from 0 to 1, then stays 1.
        """

    def _validate(self) -> None:
        """Raise ValueError if a hyper-parameter is outside its range."""
        BaseEstimator._validate_params(self)

    def __setattr__(self, name: str, value: Any) -> None:
        """Let any value replace a module, which torch refuses; ``build`` checks the value."""
        if not isinstance(value, nn.Module) and name in self.__dict__.get("_modules", ()):
            del self._modules[name]
        super().__setattr__(name, value)


def untrained_copy(part: Any) -> Any:
    """Return a copy that can be trained without changing ``part``.

    The copy of a :class:`Part` has no weights; the copy of any other module has copies of the
    weights that the module carries.
    """
    return clone(part) if isinstance(part, Part) else copy.deepcopy(part)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a part or one of its methods such that it cannot change the caller's data.

    A user's module may work in place, as ``nn.ReLU(inplace=True)`` does, so it receives copies of
    tensors and arrays. The parts of this package never work in place and receive these themselves.
    """
    owner = getattr(function, "__self__", function)
    if not is_ours(owner):
        arguments = tuple(map(copied, arguments))
    return function(*arguments)


def copied(value: Any) -> Any:
    """Return a copy of a tensor or an array, and any other value unchanged."""
    if isinstance(value, Tensor):
        return value.clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def is_ours(value: object) -> bool:
    """Return whether the class of ``value`` is defined in this package."""
    return type(value).__module__.partition(".")[0] == __name__.partition(".")[0]
