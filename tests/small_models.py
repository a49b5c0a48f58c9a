"""Small models for the tests of their parts."""

import torch

from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import Identity
from sklearn_intelvae.models import VAEParts
from sklearn_intelvae.networks import MLP
from sklearn_intelvae.posteriors import DiagonalGaussian
from sklearn_intelvae.priors import Normal


def seeded(seed=0):
    """Return a generator that starts at ``seed``."""
    return torch.Generator().manual_seed(seed)


def vae_parts(**changes):
    """Return unbuilt parts with hidden layers of 8 units, of which some are replaced."""
    parts = {
        "encoder": MLP((8,)),
        "posterior": DiagonalGaussian(),
        "mapping": Identity(),
        "decoder": MLP((8,)),
        "likelihood": Gaussian(),
        "prior": Normal(),
    }
    return VAEParts(**parts | changes)


def small_vae(n_features=5, n_components=2, **changes):
    """Return a built model; its parts are not initialized from rows."""
    return vae_parts(**changes).build(n_features, n_components, seeded())
