"""Objectives: what each player of the training minimises."""

from sklearn_intelvae.objectives._base import Batch, Objective
from sklearn_intelvae.objectives._bound import importance_weighted_bound
from sklearn_intelvae.objectives._elbo import ELBO
from sklearn_intelvae.objectives._soft_intro import SoftIntro

__all__ = ["ELBO", "Batch", "Objective", "SoftIntro", "importance_weighted_bound"]
