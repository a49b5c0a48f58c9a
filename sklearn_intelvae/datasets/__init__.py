"""Synthetic data of known structure, and image data sets as tables."""

from sklearn_intelvae.datasets._densities import (
    make_checkerboard,
    make_eight_gaussians,
    make_rings,
    make_two_spirals,
)
from sklearn_intelvae.datasets._dsprites import fetch_dsprites
from sklearn_intelvae.datasets._entangled import EntangledFactors, make_entangled_factors
from sklearn_intelvae.datasets._fetch import fetch_fashion_mnist, fetch_mnist
from sklearn_intelvae.datasets._perturb import Perturbed, perturb_dataset, uniform_noise_control
from sklearn_intelvae.datasets._shapes import (
    make_circle,
    make_infinity,
    make_square,
    make_star,
    make_two_gaussians,
)
from sklearn_intelvae.datasets._sprites import make_mini_sprites, make_sprites

__all__ = [
    "EntangledFactors",
    "Perturbed",
    "fetch_dsprites",
    "fetch_fashion_mnist",
    "fetch_mnist",
    "make_checkerboard",
    "make_circle",
    "make_eight_gaussians",
    "make_entangled_factors",
    "make_infinity",
    "make_mini_sprites",
    "make_rings",
    "make_sprites",
    "make_square",
    "make_star",
    "make_two_gaussians",
    "make_two_spirals",
    "perturb_dataset",
    "uniform_noise_control",
]
