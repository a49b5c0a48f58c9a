"""Training: the only room that uses skorch; it receives a spec and returns a result."""

from sklearn_intelvae.training._fit import train
from sklearn_intelvae.training._spec import FitData, FitResult, FitSpec, TrainingBudget

__all__ = ["FitData", "FitResult", "FitSpec", "TrainingBudget", "train"]
