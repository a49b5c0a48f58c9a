"""Images, and how far generated ones are from real ones in the features of two networks.

The networks are a classifier of the same images, and Inception.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import _data
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_intelvae.metrics import ClassifierFeatures, frechet_distance

IMAGE_SHAPES = {
    "digits": (1, 8, 8),
    "mnist": (1, 28, 28),
    "fashion-mnist": (1, 28, 28),
    "cifar10": (3, 32, 32),
}
_N_FRECHET, _N_FID = 5000, 2000


@cache
def images(name: str) -> _data.Images:
    """Return X_train, y_train, X_test, y_test of a data set of ``IMAGE_SHAPES``."""
    fetch = {
        "digits": _digits,
        "mnist": _data.mnist,
        "fashion-mnist": _data.fashion_mnist,
        "cifar10": _data.cifar10,
    }
    return fetch[name]()


def _digits() -> _data.Images:
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=1000, random_state=0)
    return X_train, y_train, X_test, y_test


@cache
def judge(name: str) -> ClassifierFeatures:
    """Return a classifier fitted to all training images, whose features compare images."""
    X, y, _, _ = images(name)
    return ClassifierFeatures(random_state=0).fit(X, y)


def n_compared(name: str) -> int:
    """Return how many images are compared with as many: half the test images, at most 5000."""
    return min(_N_FRECHET, len(images(name)[2]) // 2)


@cache
def _halves(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two halves of the test images, by lot: MNIST's first 5000 are neater than the rest."""
    X = images(name)[2]
    order = np.random.default_rng(0).permutation(len(X))
    n = n_compared(name)
    return X[order[:n]], X[order[n:]]


def others(name: str) -> np.ndarray:
    """Return the test images that are not those that samples are compared with."""
    return _halves(name)[1]


@cache
def _reference(name: str) -> np.ndarray:
    return judge(name).transform(_halves(name)[0])


def frechet(name: str, X: np.ndarray) -> float:
    """Return the Frechet distance of images from test images in the judge's features."""
    made = np.clip(X[: n_compared(name)], 0, 1)
    return frechet_distance(judge(name).transform(made), _reference(name))


def fid(name: str, X: np.ndarray) -> float:
    """Return the Frechet inception distance of 2000 images from 2000 of those test images."""
    return frechet_distance(_inception()(np.clip(X[:_N_FID], 0, 1)), _inception_reference(name))


@cache
def _inception() -> Callable[[np.ndarray], np.ndarray]:
    return _data.inception()


@cache
def _inception_reference(name: str) -> np.ndarray:
    """Return the test images' features, which take minutes and are kept beside the data."""
    path = _data._cache() / f"{_data.INCEPTION}-{name}-{_N_FID}-by-lot.npy"
    if not path.exists():
        np.save(path, _inception()(_halves(name)[0][:_N_FID]))
    return np.load(path)
