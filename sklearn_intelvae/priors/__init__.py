"""Priors: the distribution p(y) of the intermediary latent."""

from sklearn_intelvae._part import Prior
from sklearn_intelvae.priors._fitted_mixture import FittedMixture
from sklearn_intelvae.priors._laplace import Laplace
from sklearn_intelvae.priors._mixture import Mixture
from sklearn_intelvae.priors._normal import Normal
from sklearn_intelvae.priors._spike_and_slab import SpikeAndSlab
from sklearn_intelvae.priors._vamp import Vamp
from sklearn_intelvae.priors._vamp_init_mixture import VampInitMixture
from sklearn_intelvae.priors._variance_clip import AdaptiveVarianceClip

__all__ = [
    "AdaptiveVarianceClip",
    "FittedMixture",
    "Laplace",
    "Mixture",
    "Normal",
    "Prior",
    "SpikeAndSlab",
    "Vamp",
    "VampInitMixture",
]
