"""What a fit is given, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from sklearn_intelvae.objectives import Objective

_BATCH_RANGE = 32, 256
_MIN_EPOCHS = 20
_RISE, _FIRST_RATE = 0.3, 1e-3
_NOISE_RATE_PER_ROW = 5e-4
_CLEARLY_NONLINEAR, _LOWEST_RATE = 0.4, 0.05


class ModelParts(Protocol):
    """Unbuilt parts, as :class:`~sklearn_intelvae.models.VAEParts`."""

    def build(self, n_features: int, n_components: int, generator: torch.Generator) -> Any:
        """Return a model of copies of the parts."""

    def check_support(self, *tables: np.ndarray | None) -> None:
        """Raise ValueError if a table has values outside the support of the likelihood."""

    def starts_linear(self, n_features: int, n_components: int) -> bool:
        """Return whether a model of these sizes starts at a linear model."""

    @property
    def n_trials(self) -> int:
        """Number of short trial fits before a fit."""


Schedule = Callable[[float], float]
"""Maps the fraction of the training that has passed to a factor of the learning rate."""


def constant_rate(fraction: float) -> float:
    """Return 1, whatever fraction of the training has passed."""
    return 1.0


def cosine_decay(fraction: float) -> float:
    """Return the factor of a half cosine from 1 to 0 after this fraction of the training."""
    return 0.5 * (1 + math.cos(math.pi * fraction))


def one_cycle(fraction: float) -> float:
    """Return a factor that grows linearly to 1, and falls to 0 along a half cosine."""
    if fraction < _RISE:
        return max(fraction, _FIRST_RATE) / _RISE
    return cosine_decay((fraction - _RISE) / (1 - _RISE))


class Recipe(NamedTuple):
    """The settings of a training that its parameters leave open, for one kind of model.

    Attributes
    ----------
    steps_per_row : float
        Steps for each training row; more would overfit a small table.
    max_steps : int
        Upper limit of the steps, enough for some thousand rows.
    limit_per_row : float
        The upper limit grows with the table: it is at least this number of steps for each row.
    max_limit : int
        The largest upper limit, for any number of rows.
    open_ended_steps : int
        Steps that a warm-up refers to if epochs are requested one at a time.
    batches_per_epoch : int
        The number of batches in an epoch, if they have from 32 to 256 rows.
    learning_rate_init : float
        Largest learning rate.
    schedule : callable
        Of the learning rate.
    warmup : float
        Fraction of the training during which the warm-up lasts, whatever its length.
    costs_warm_up : bool
        Whether the costs in the objective grow during the warm-up too, and not only the parts
        follow it.
    linear_rate : float
        Learning rate of the linear functions beside the networks, relative to that of the networks.
    noise_rates : (float, float)
        Smallest and largest learning rate of the noise of the likelihood, relative to that of the
        networks. Between them it is proportional to the number of rows for each column.
    """

    steps_per_row: float
    max_steps: int
    open_ended_steps: int
    limit_per_row: float = 0.0
    max_limit: int = 0
    batches_per_epoch: int = 16
    learning_rate_init: float = 1e-3
    schedule: Schedule = cosine_decay
    warmup: float = 0.0
    costs_warm_up: bool = True
    linear_rate: float = 1.0
    noise_rates: tuple[float, float] = (1.0, 1.0)

    def noise_rate(self, n_rows: int, n_columns: int) -> float:
        """Return the relative learning rate of the noise.

        Parameters
        ----------
        n_rows, n_columns : int
            Size of the table of training rows. With few rows for each column, a high rate fits the
            noise to these rows, and held-out rows get a lower likelihood.

        Returns
        -------
        rate : float
            Within ``noise_rates``.
        """
        rate = _NOISE_RATE_PER_ROW * n_rows / n_columns
        return float(np.clip(rate, *self.noise_rates))

    def relative_rate(self, excess_nonlinearity: float) -> float:
        """Return the learning rate of the networks, relative to the full one.

        Parameters
        ----------
        excess_nonlinearity : float
            About 0 for rows from which there is nothing to learn but a linear model; the networks
            would overfit them.

        Returns
        -------
        rate : float
            From 0.05 to 1.
        """
        return float(np.clip(excess_nonlinearity / _CLEARLY_NONLINEAR, _LOWEST_RATE, 1))

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
        limit = max(self.max_steps, min(self.limit_per_row * n_rows, self.max_limit))
        steps = min(self.steps_per_row * n_rows, limit)
        return max(math.ceil(steps * batch_size / n_rows), _MIN_EPOCHS)

    def batch_size(self, n_rows: int) -> int:
        """Return the number of rows of a batch.

        Parameters
        ----------
        n_rows : int
            Number of training rows.

        Returns
        -------
        size : int
            A power of two, from 32 to 256.
        """
        size = 2 ** round(math.log2(max(n_rows, 1) / self.batches_per_epoch))
        return int(np.clip(size, *_BATCH_RANGE))


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
    recipe : Recipe
        What the parameters leave open.
    recipe_from_linear : Recipe
        The same for a model that starts at a linear model.
    learning_rate : callable or None
        The schedule; None means that of the recipe.
    learning_rate_init, batch_size, max_iter : float, int, int, or None
        None means the value of the recipe.
    validation_fraction, tol : float
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
    recipe: Recipe = field(
        metadata={"skorch": "warmup_steps", "parameters": "kl_warmup or game_start"}
    )
    recipe_from_linear: Recipe
    learning_rate: Schedule | None = field(metadata={"skorch": "schedule"})
    learning_rate_init: float | None = field(metadata={"skorch": "lr"})
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

    def completed(self, n_features: int) -> FitSpec:
        """Return the spec with one recipe, and the values of it that the parameters leave open.

        Parameters
        ----------
        n_features : int
            Number of columns of X.

        Returns
        -------
        spec : FitSpec
            Whose ``learning_rate`` and ``learning_rate_init`` are not None.
        """
        parts, recipe = self.parts, self.recipe
        if parts.starts_linear(n_features, self.n_components):
            if self.objective.needs_warmup:
                parts = parts._replace(linear_path=False)
            else:
                recipe = self.recipe_from_linear
        rate = self.learning_rate_init
        return replace(
            self,
            parts=parts,
            recipe=recipe,
            learning_rate=self.learning_rate or recipe.schedule,
            learning_rate_init=recipe.learning_rate_init if rate is None else rate,
        )

    def resolved_batch_size(self, n_rows: int) -> int:
        """Return the number of rows of a batch.

        Parameters
        ----------
        n_rows : int
            Number of training rows.

        Returns
        -------
        size : int
            At most that number.
        """
        return min(self.batch_size or self.recipe.batch_size(n_rows), n_rows)


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
        "x" of shape (n_samples, n_features), standardized as the likelihood needs it, and where
        given "weight" of shape (n_samples,) and "previous" of the shape of "x".
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
        What training needs to continue: the optimizer's state, the generator, the steps done, the
        relative learning rate, and the noise before it was corrected.
    index : ndarray of int64
        The rows of the training table that were trained on.
    """

    parts: Any
    model: nn.Module
    objective: Objective
    history: list[dict[str, Any]]
    state: dict[str, Any]
    index: np.ndarray
