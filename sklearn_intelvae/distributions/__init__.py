"""Distributions: of the rows of a batch, and densities of y; everything is in nats.

torch's own distributions draw from the global generator; these draw from the generator that they
receive.
"""

from sklearn_intelvae.distributions._bernoulli import Bernoulli
from sklearn_intelvae.distributions._density import Density, Distribution, MixtureDensity
from sklearn_intelvae.distributions._gaussian import FullNormal, Normal, PosteriorDistribution
from sklearn_intelvae.distributions._gaussian_mixture import FullGaussianMixture, GaussianMixture
from sklearn_intelvae.distributions._laplace import Laplace

__all__ = [
    "Bernoulli",
    "Density",
    "Distribution",
    "FullGaussianMixture",
    "FullNormal",
    "GaussianMixture",
    "Laplace",
    "MixtureDensity",
    "Normal",
    "PosteriorDistribution",
]
