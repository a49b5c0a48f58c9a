"""Kinds of models: what the fit and the files need to know of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Kind(ABC):
    """How a kind of model is described, built, begun and judged."""

    @abstractmethod
    def parts(self, estimator: Any) -> Any:
        """Return a named tuple of the unbuilt parts that the estimator's parameters describe."""

    @abstractmethod
    def build(
        self, parts: Any, n_features: int, n_components: int, generator: torch.Generator
    ) -> nn.Module:
        """Return a model of copies of the parts."""

    def initialise(self, model: Any, rows: Tensor, generator: torch.Generator) -> None:
        """Let a new model see the training rows."""
        return

    def check_rows(self, parts: Any, *tables: np.ndarray | None) -> None:
        """Refuse tables that the parts cannot explain."""
        return

    def n_trials(self, estimator: Any) -> int:
        """Return how many starts are to be tried before the fit."""
        return 1

    def is_guided(self, model: Any) -> bool:
        """Whether a mapping says where rows should go, which a short fit begins with."""
        return False

    def attributes(self, model: Any, X: np.ndarray) -> dict[str, Any]:
        """Return the fitted attributes that only this kind of model has."""
        return {}

    def warn(self, estimator: Any, attributes: dict[str, Any]) -> None:
        """Warn if the fit has come to nothing."""
        return
