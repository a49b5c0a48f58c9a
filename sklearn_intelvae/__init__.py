"""Representation learners with an inductive bias, for scikit-learn."""

from sklearn_intelvae._version import __version__
from sklearn_intelvae.estimators import (
    PCL,
    ClusteredInteLVAE,
    InteLVAE,
    SoftIntroVAE,
    SparseInteLVAE,
)
from sklearn_intelvae.exceptions import DivergenceError

__all__ = [
    "PCL",
    "ClusteredInteLVAE",
    "DivergenceError",
    "InteLVAE",
    "SoftIntroVAE",
    "SparseInteLVAE",
    "__version__",
]
