"""Objectives: what each player of the training minimises."""

from sklearn_intelvae.objectives._annealed_capacity import AnnealedCapacity
from sklearn_intelvae.objectives._autoencoder import Autoencoder
from sklearn_intelvae.objectives._base import Batch, Objective
from sklearn_intelvae.objectives._beta_tc import BetaTC
from sklearn_intelvae.objectives._bound import importance_weighted_bound
from sklearn_intelvae.objectives._dip import DIP
from sklearn_intelvae.objectives._elbo import ELBO, VariationalObjective
from sklearn_intelvae.objectives._factor_vae import FactorVAE
from sklearn_intelvae.objectives._permutation_contrast import PermutationContrast
from sklearn_intelvae.objectives._slow_vae import SlowVAE
from sklearn_intelvae.objectives._soft_intro import SoftIntro

__all__ = [
    "DIP",
    "ELBO",
    "AnnealedCapacity",
    "Autoencoder",
    "Batch",
    "BetaTC",
    "FactorVAE",
    "Objective",
    "PermutationContrast",
    "SlowVAE",
    "SoftIntro",
    "VariationalObjective",
    "importance_weighted_bound",
]
