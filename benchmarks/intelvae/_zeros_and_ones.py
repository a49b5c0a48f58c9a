"""Images of zeros and ones in exact proportions, and a classifier that tells them apart."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks._images import images
from benchmarks.intelvae._scale import Scale

_MOST_ROWS = 10_000


def training_rows(data: str, share_of_zeros: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct training images with exactly this share of zeros, at most 10,000."""
    X, y, _, _ = images(data)
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


def held_out_rows(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Return as many zeros as ones among the test images: 980 of each for MNIST."""
    _, _, X, y = images(data)
    zeros, ones = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    n = min(len(zeros), len(ones))
    rows = np.concatenate([zeros[:n], ones[:n]])
    return X[rows], y[rows]


@cache
def zero_one_classifier(data: str) -> LogisticRegression:
    """Return a logistic regression fitted to all zeros and ones among the training images."""
    X, y, _, _ = images(data)
    return LogisticRegression(max_iter=1000).fit(X[y < 2], y[y < 2])


def settings(scale: Scale) -> dict[str, object]:
    """Return the parameters that all models of zeros and ones have in common."""
    common = {"likelihood": "bernoulli", "batch_size": 128}
    if scale.name == "full":
        return common | scale.network() | {"max_iter": 60}
    return common | {"hidden_layer_sizes": (256, 256), "max_iter": 12} | scale.length()
