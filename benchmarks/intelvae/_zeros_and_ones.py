"""MNIST's zeros and ones in exact proportions, and who tells them apart."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
from _shared import Scale, images
from sklearn.linear_model import LogisticRegression

_MOST_ROWS = 10_000


def training_rows(share_of_zeros: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return as many different training images, up to 10,000, as have exactly this share."""
    X, y, _, _ = images("mnist")
    zeros, ones = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    share = Fraction(share_of_zeros).limit_denominator(1000)
    most = min(_MOST_ROWS, len(zeros) / share, len(ones) / (1 - share))
    n_rows = int(most // share.denominator) * share.denominator
    n_zeros = int(share * n_rows)
    generator = np.random.default_rng(seed)
    rows = np.concatenate(
        [generator.permutation(zeros)[:n_zeros], generator.permutation(ones)[: n_rows - n_zeros]]
    )
    return X[rows], y[rows]


def held_out_rows() -> tuple[np.ndarray, np.ndarray]:
    """Return the 980 zeros among the test images and as many ones."""
    _, _, X, y = images("mnist")
    zeros, ones = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    rows = np.concatenate([zeros, ones[: len(zeros)]])
    return X[rows], y[rows]


@cache
def classifier() -> LogisticRegression:
    """Return a logistic regression fitted to all zeros and ones among the training images."""
    X, y, _, _ = images("mnist")
    return LogisticRegression(max_iter=1000).fit(X[y < 2], y[y < 2])


def settings(scale: Scale) -> dict[str, object]:
    """Return the parameters that all models of zeros and ones have in common."""
    common = {"likelihood": "bernoulli", "batch_size": 128}
    if scale.name == "full":
        return common | scale.network() | {"max_iter": 60}
    return common | {"hidden_layer_sizes": (256, 256), "max_iter": 12}
