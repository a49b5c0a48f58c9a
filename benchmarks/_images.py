"""Images, and the Frechet distance of generated images from real ones.

The distance is measured in the features of a classifier of the same images, or in those of
Inception (FID).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks import _data
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
def classifier(name: str) -> ClassifierFeatures:
    """Return a classifier fitted to all training images; its features are used for distances."""
    X, y, _, _ = images(name)
    return ClassifierFeatures(random_state=0).fit(X, y)


def n_compared(name: str) -> int:
    """Return the size of each of two compared sets: half of the test images, at most 5000."""
    return min(_N_FRECHET, len(images(name)[2]) // 2)


@cache
def _halves(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two random halves of the test images; MNIST's first 5000 are neater than the rest."""
    X = images(name)[2]
    order = np.random.default_rng(0).permutation(len(X))
    n = n_compared(name)
    return X[order[:n]], X[order[n:]]


def others(name: str) -> np.ndarray:
    """Return the half of the test images that samples are not compared with."""
    return _halves(name)[1]


@cache
def _reference(name: str) -> np.ndarray:
    return classifier(name).transform(_halves(name)[0])


def frechet(name: str, X: np.ndarray) -> float:
    """Return the Frechet distance of images from test images in the classifier's features."""
    compared = np.clip(X[: n_compared(name)], 0, 1)
    return frechet_distance(classifier(name).transform(compared), _reference(name))


def fid(name: str, X: np.ndarray) -> float:
    """Return the Frechet inception distance of 2000 images from 2000 test images."""
    return frechet_distance(_inception()(np.clip(X[:_N_FID], 0, 1)), _inception_reference(name))


@cache
def _inception() -> Callable[[np.ndarray], np.ndarray]:
    return _data.inception()


@cache
def _inception_reference(name: str) -> np.ndarray:
    """Return the features of the test images; they take minutes and are cached with the data."""
    path = _data.cache_folder() / f"{_data.INCEPTION}-{name}-{_N_FID}-by-lot.npy"
    if not path.exists():
        np.save(path, _inception()(_halves(name)[0][:_N_FID]))
    return np.load(path)
