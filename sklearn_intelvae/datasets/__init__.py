"""Image data sets as tables, from files on this machine or from OpenML, and shapes to draw."""

from sklearn_intelvae.datasets._densities import (
    make_checkerboard,
    make_eight_gaussians,
    make_rings,
    make_two_spirals,
)
from sklearn_intelvae.datasets._fetch import fetch_fashion_mnist, fetch_mnist
from sklearn_intelvae.datasets._shapes import (
    make_circle,
    make_infinity,
    make_square,
    make_star,
    make_two_gaussians,
)

__all__ = [
    "fetch_fashion_mnist",
    "fetch_mnist",
    "make_checkerboard",
    "make_circle",
    "make_eight_gaussians",
    "make_infinity",
    "make_rings",
    "make_square",
    "make_star",
    "make_two_gaussians",
    "make_two_spirals",
]
