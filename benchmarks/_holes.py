"""Measures of generated points against the shape that they should have."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from sklearn_intelvae import datasets

CURVES = ("circle", "square", "star", "infinity")
_NEAR = 0.25
_N_POINTS, _N_ARCS = 20000, 100


def hole_share(name: str, X: np.ndarray) -> float:
    """Return the share of rows in the hole of a shape, well away from its curve.

    The hole of the two Gaussians is the strip between them.
    """
    x, y = X.T
    inside = {
        "circle": lambda: np.hypot(x, y) < 1.5,
        "square": lambda: np.maximum(abs(x), abs(y)) < 1.1,
        "star": lambda: np.hypot(x, y) < 0.45,
        "infinity": lambda: _inside_a_lobe(x, y) & (_distances(name, X) > _NEAR),
        "two_gaussians": lambda: abs(x) < 1,
    }
    return float(inside[name]().mean())


def off_curve_share(name: str, X: np.ndarray, distance: float = _NEAR) -> float:
    """Return the share of rows farther than ``distance`` from the curve."""
    return float((_distances(name, X) > distance).mean())


def coverage(name: str, X: np.ndarray) -> float:
    """Return the share of 100 arcs of the curve, equally long, that have a row within 0.25."""
    curve, arc = _curve(name)
    near = cKDTree(X).query(curve)[0] <= _NEAR
    return float((np.bincount(arc, near, minlength=_N_ARCS) > 0).mean())


def _inside_a_lobe(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return abs(y) < abs(x) * np.sqrt(np.clip(1 - x**2 / 4, 0, None))


def _distances(name: str, X: np.ndarray) -> np.ndarray:
    return cKDTree(_curve(name)[0]).query(X)[0]


@cache
def _curve(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return points along the curve, densely spaced, and the number of the arc of each."""
    points, t = getattr(datasets, f"make_{name}")(_N_POINTS, random_state=0)
    points = points[np.argsort(t)]
    steps = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)
    length = np.cumsum(steps)
    return points, np.minimum(_N_ARCS * length / length[-1], _N_ARCS - 1).astype(int)
