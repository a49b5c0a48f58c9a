"""Training: the only room that uses skorch; it receives a spec and returns a result."""

from sklearn_intelvae.training._fit import train
from sklearn_intelvae.training._net import cosine_decay
from sklearn_intelvae.training._skorch import Attributes, SklearnCallbacks
from sklearn_intelvae.training._spec import FitData, FitResult, FitSpec, TrainingBudget

__all__ = [
    "Attributes",
    "FitData",
    "FitResult",
    "FitSpec",
    "SklearnCallbacks",
    "TrainingBudget",
    "cosine_decay",
    "train",
]
