"""What a fit is given, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from sklearn_intelvae.objectives import Objective

_BATCH_RANGE = 32, 256
_MIN_EPOCHS = 20


class ModelParts(Protocol):
    """Unbuilt parts, as :class:`~sklearn_intelvae.models.VAEParts`."""

    def build(self, n_features: int, n_components: int, generator: torch.Generator) -> Any:
        """Return a model of copies of the parts."""

    def check_support(self, *tables: np.ndarray | None) -> None:
        """Raise ValueError if a table has values outside the support of the likelihood."""

    @property
    def n_trials(self) -> int:
        """Number of short trial fits before a fit."""


class TrainingBudget(NamedTuple):
    """The warm-up of a training, and its length if the number of epochs is not given.

    Attributes
    ----------
    steps_per_row : int
        Steps for each training row; more would overfit a small table.
    max_steps : int
        Upper limit of the steps, enough for a large table.
    open_ended_steps : int
        Steps that a warm-up refers to if epochs are requested one at a time.
    warmup : float
        Fraction of the training during which the warm-up lasts, whatever its length.
    """

    steps_per_row: int
    max_steps: int
    open_ended_steps: int
    warmup: float = 0.0

    def n_epochs(self, n_rows: int, batch_size: int) -> int:
        """Return the number of epochs of a fit.

        Parameters
        ----------
        n_rows : int
            Number of training rows.
        batch_size : int
            Number of rows of a batch.

        Returns
        -------
        n_epochs : int
            At least 20.
        """
        steps = min(self.steps_per_row * n_rows, self.max_steps)
        return max(math.ceil(steps * batch_size / n_rows), _MIN_EPOCHS)


@dataclass(frozen=True, kw_only=True)
class FitSpec:
    """Everything that the parameters of an estimator say about a fit, read once.

    Fields with the name of an estimator's parameter hold its resolved value. The metadata of a
    field name the parameter of the skorch net that it determines and, if they have other names,
    the parameters of an estimator that determine the field.

    Attributes
    ----------
    parts : ModelParts
        Unbuilt parts of the model.
    objective : Objective
        Not built.
    n_components : int
        Number of columns of y.
    budget : TrainingBudget
        The warm-up, and the length of the training if ``max_iter`` is None.
    learning_rate : callable or None
        Maps the fraction of the epochs that have passed to a factor of the learning rate; None for
        a constant rate.
    learning_rate_init, validation_fraction, tol : float
    batch_size, max_iter : int or None
        None means a value that depends on the number of rows.
    n_init, n_iter_no_change, verbose : int
    early_stopping : bool
    skorch_callbacks : tuple
    skorch_params : dict
    device : torch.device
    seed : int
    """

    parts: Any = field(
        metadata={"skorch": "module", "parameters": "encoder, mapping and the other parts"}
    )
    objective: Objective = field(metadata={"skorch": "criterion"})
    n_components: int
    budget: TrainingBudget = field(
        metadata={"skorch": "warmup_steps", "parameters": "kl_warmup or game_start"}
    )
    learning_rate: Callable[[float], float] | None = field(metadata={"skorch": "schedule"})
    learning_rate_init: float = field(metadata={"skorch": "lr"})
    batch_size: int | None = field(metadata={"skorch": "batch_size"})
    max_iter: int | None = field(metadata={"skorch": "max_epochs"})
    n_init: int
    early_stopping: bool = field(metadata={"skorch": "train_split"})
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    skorch_callbacks: tuple[Any, ...] = field(metadata={"skorch": "callbacks"})
    skorch_params: dict[str, Any]
    device: torch.device = field(metadata={"skorch": "device"})
    seed: int = field(metadata={"skorch": "seed", "parameters": "random_state"})
    verbose: int = field(metadata={"skorch": "verbose"})

    def resolved_batch_size(self, n_rows: int) -> int:
        """Return the number of rows of a batch.

        Parameters
        ----------
        n_rows : int
            Number of training rows.

        Returns
        -------
        size : int
            By default about a sixteenth of the rows, from 32 to 256.
        """
        size = self.batch_size
        if size is None:
            size = int(np.clip(2 ** round(math.log2(max(n_rows, 1) / 16)), *_BATCH_RANGE))
        return min(size, n_rows)


def skorch_parameters_of_fields() -> dict[str, str]:
    """Return the skorch parameters that a spec determines, and the parameters that do."""
    return {
        f.metadata["skorch"]: f.metadata.get("parameters", f.name)
        for f in fields(FitSpec)
        if "skorch" in f.metadata
    }


@dataclass(frozen=True)
class FitData:
    """The validated tables of a fit, by field of :class:`~sklearn_intelvae.objectives.Batch`.

    Attributes
    ----------
    train : dict of ndarray
        "x" of shape (n_samples, n_features), and where given "weight" of shape (n_samples,) and
        "previous" of the shape of "x".
    valid : dict of ndarray or None
        The same for rows to validate on.
    """

    train: dict[str, np.ndarray]
    valid: dict[str, np.ndarray] | None = None

    @property
    def weighted_rows(self) -> np.ndarray:
        """The rows of "x" whose weight is not 0."""
        x, weight = self.train["x"], self.train.get("weight")
        return x if weight is None or weight.all() else x[weight > 0]


@dataclass(frozen=True)
class FitResult:
    """The state of a training, at its end or at the end of an epoch.

    Attributes
    ----------
    parts : ModelParts
        The unbuilt parts of ``model``.
    model : torch.nn.Module
        In evaluation mode.
    objective : Objective
        Built.
    history : list of dict
        One row for each epoch, earlier fits that this one continued included.
    state : dict
        What training needs to continue: the optimizer's state, the generator, the steps done.
    index : ndarray of int64
        The rows of the training table that were trained on.
    """

    parts: Any
    model: nn.Module
    objective: Objective
    history: list[dict[str, Any]]
    state: dict[str, Any]
    index: np.ndarray
