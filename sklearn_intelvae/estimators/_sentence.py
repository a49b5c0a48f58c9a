"""The kind of model with an intermediary latent."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._description import network
from sklearn_intelvae.estimators._kind import Kind
from sklearn_intelvae.estimators._outcome import STEPS_TO_LEARN
from sklearn_intelvae.estimators._shelves import resolve
from sklearn_intelvae.model import Model, Parts, build_model, check_hooks

_DIAGNOSTIC_ROWS = 2048
_ACTIVE_VARIANCE = 0.01
_EMPTY = 0.1


class Sentence(Kind):
    """X -> encoder -> q(y | X) -> y -> mapping -> z -> decoder -> p(X | z)."""

    def parts(self, estimator: Any) -> Parts:
        """Return the words that the parameters describe."""
        return Parts(
            encoder=network(estimator, "encoder"),
            posterior=estimator._posterior_part(),
            mapping=estimator._mapping_part(),
            decoder=network(estimator, "decoder"),
            likelihood=resolve("likelihood", estimator.likelihood),
            prior=estimator._prior_part(),
        )

    def build(
        self, parts: Parts, n_features: int, n_components: int, generator: torch.Generator
    ) -> Model:
        """Return a model of copies of the parts."""
        return build_model(parts, n_features, n_components, generator)

    def initialise(self, model: Model, rows: Tensor, generator: torch.Generator) -> None:
        """Let likelihood, mapping and prior see the training rows."""
        if hasattr(model.likelihood, "initialise"):
            model.likelihood.initialise(rows)  # type: ignore[operator]
        for part in (model.mapping, model.prior):
            if hasattr(part, "initialise"):
                part.initialise(rows, generator)
        check_hooks(model, rows[:3])

    def check_rows(self, parts: Parts, *tables: np.ndarray | None) -> None:
        """Ask the likelihood whether it can explain the tables."""
        _inputs.check_support(parts.likelihood, *tables)

    def n_trials(self, estimator: Any) -> int:
        """Return how many trials the mapping, or one inside it, asks for."""
        mapping = estimator._mapping_part()
        parts = mapping.modules() if isinstance(mapping, torch.nn.Module) else [mapping]
        asked = {type(part).__name__: getattr(part, "n_trials", 1) for part in parts}
        for name, n_trials in asked.items():
            _inputs.check_count(f"n_trials of {name}", n_trials)
        return max(asked.values())

    def is_guided(self, model: Model) -> bool:
        """Whether the mapping guides its rows."""
        return hasattr(model.mapping, "guide")

    def attributes(self, model: Model, X: np.ndarray) -> dict[str, Any]:
        """Return how much each component of y tells about X."""
        rows = torch.from_numpy(X[:: -(-len(X) // _DIAGNOSTIC_ROWS)])
        with torch.inference_mode():
            q = model.encode(rows.to(next(model.parameters()).device))
            p = model.p_y()
            if hasattr(p, "kl_per_component"):
                kl = p.kl_per_component(q.marginals()).mean(dim=0)
            else:
                spread = q.mean.var(dim=0, correction=0) + q.variance.mean(dim=0)
                kl = 0.5 * spread.log() - q.marginals().log_scale.mean(dim=0)
            active = q.mean.var(dim=0, correction=0) > _ACTIVE_VARIANCE
        return {
            "kl_per_component_": kl.numpy(force=True),
            "active_components_": np.flatnonzero(active.numpy(force=True)),
        }

    def warn(self, estimator: Any, attributes: dict[str, Any]) -> None:
        """Warn if the latent is empty although there was time to fill it."""
        steps_done = attributes["_training_state"]["steps_done"]
        empty = attributes["kl_per_component_"].max() < _EMPTY
        if steps_done >= STEPS_TO_LEARN and empty and not len(attributes["active_components_"]):
            warnings.warn(
                f"Every component of the latent of this {type(estimator).__name__} has collapsed "
                "to the prior: the representation says nothing about X. Try more epochs "
                f"(max_iter), {estimator._against_collapse}.",
                ConvergenceWarning,
                stacklevel=6,
            )
