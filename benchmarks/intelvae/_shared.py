"""What the benchmarks of the InteL-VAE paper share: the scale, the images, the judge of images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import _data
from _report import RESULTS, mean_and_spread, resumed, write

from sklearn_intelvae.metrics import ClassifierFeatures, frechet_distance

__all__ = [
    "RESULTS",
    "Scale",
    "arguments",
    "command_line",
    "fid",
    "frechet",
    "images",
    "judge",
    "mean_and_spread",
    "others",
    "resumed",
    "write",
]

_N_FRECHET, _N_FID = 5000, 2000


class Scale(NamedTuple):
    """How much of everything."""

    name: str
    n_images: int
    """Training images."""
    hidden_layer_sizes: tuple[int, ...]
    image_shape: tuple[int, int, int] | None
    """Convolutions at full scale, MLPs at small scale."""

    def network(self) -> dict[str, object]:
        """Return the estimator's parameters that set the size of its networks."""
        return {"hidden_layer_sizes": self.hidden_layer_sizes, "image_shape": self.image_shape}


SCALES = {
    "small": Scale("small", 10_000, (128, 128), None),
    "full": Scale("full", 60_000, (256,), (1, 28, 28)),
}


def arguments(description: str | None) -> Scale:
    """Read the scale from the command line."""
    return command_line(description)[0]


def command_line(description: str | None, **flags: str) -> tuple[Scale, argparse.Namespace]:
    """Read the command line, and use one thread, which is faster than two for small networks.

    Each further flag comes with its help.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--scale", choices=sorted(SCALES), default="small")
    for flag, text in flags.items():
        parser.add_argument(f"--{flag}", action="store_true", help=text)
    torch.set_num_threads(1)
    options = parser.parse_args()
    return SCALES[options.scale], options


@cache
def images(name: str) -> _data.Images:
    """Return X_train, y_train, X_test, y_test of "mnist" or "fashion-mnist"."""
    return {"mnist": _data.mnist, "fashion-mnist": _data.fashion_mnist}[name]()


@cache
def judge(name: str) -> ClassifierFeatures:
    """Return a classifier fitted to all training images, whose features compare images."""
    X, y, _, _ = images(name)
    return ClassifierFeatures(random_state=0).fit(X, y)


@cache
def _halves(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two halves of the test images, by lot: MNIST's first 5000 are neater than the rest."""
    X = images(name)[2]
    order = np.random.default_rng(0).permutation(len(X))
    return X[order[:_N_FRECHET]], X[order[_N_FRECHET:]]


def others(name: str) -> np.ndarray:
    """Return 5000 test images that are not those that samples are compared with."""
    return _halves(name)[1]


@cache
def _reference(name: str) -> np.ndarray:
    return judge(name).transform(_halves(name)[0])


def frechet(name: str, X: np.ndarray) -> float:
    """Return the Frechet distance of images from 5000 test images in the judge's features."""
    return frechet_distance(judge(name).transform(np.clip(X[:_N_FRECHET], 0, 1)), _reference(name))


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
