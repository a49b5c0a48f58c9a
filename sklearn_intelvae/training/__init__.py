"""Training: the only room that uses skorch; it receives a spec and returns a result."""

from sklearn_intelvae.training._fit import train
from sklearn_intelvae.training._spec import FitData, FitResult, FitSpec, Recipe

__all__ = ["FitData", "FitResult", "FitSpec", "Recipe", "train"]
