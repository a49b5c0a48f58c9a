"""Priors: the distribution p(y) of the intermediary latent."""

from sklearn_intelvae.priors._base import Prior
from sklearn_intelvae.priors._mixture import Mixture
from sklearn_intelvae.priors._normal import Normal
from sklearn_intelvae.priors._spike_and_slab import SpikeAndSlab
from sklearn_intelvae.priors._vamp import Vamp

__all__ = ["Mixture", "Normal", "Prior", "SpikeAndSlab", "Vamp"]
