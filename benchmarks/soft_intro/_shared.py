"""What the benchmarks of the soft-introspective VAE share: the scale, and more."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from _holes import coverage, hole_share, off_curve_share
from _images import IMAGE_SHAPES, fid, frechet, images, n_compared, others
from _report import mean_and_spread, resumed, scale_and_flags, write

__all__ = [
    "IMAGE_SHAPES",
    "Scale",
    "command_line",
    "coverage",
    "fid",
    "frechet",
    "hole_share",
    "images",
    "mean_and_spread",
    "n_compared",
    "off_curve_share",
    "others",
    "resumed",
    "write",
]


class Scale(NamedTuple):
    """How much of everything."""

    name: str
    plane: dict[str, object]
    """Networks and length of the training for densities in the plane."""
    data: dict[str, dict[str, object]]
    """Sets of images, and for each the number of components and the length of the training."""
    n_images: int
    """Training images."""
    of_images: dict[str, object]
    """Networks for images."""
    convolutions: bool
    """Whether the networks of images are convolutions."""


SCALES = {
    "small": Scale(
        "small",
        {"hidden_layer_sizes": (128, 128, 128), "batch_size": 256, "max_iter": 20},
        {
            "digits": {"n_components": 10, "max_iter": 640},
            "mnist": {"n_components": 32, "batch_size": 256, "max_iter": 150},
            "fashion-mnist": {"n_components": 32, "batch_size": 256, "max_iter": 150},
        },
        10_000,
        {"hidden_layer_sizes": (128, 128)},
        convolutions=False,
    ),
    "full": Scale(
        "full",
        {"hidden_layer_sizes": (256, 256, 256, 256), "batch_size": 512, "max_iter": 154},
        {
            "mnist": {"n_components": 32, "max_iter": 220},
            "fashion-mnist": {"n_components": 32, "max_iter": 220},
            "cifar10": {"n_components": 128, "max_iter": 220},
        },
        60_000,
        {"hidden_layer_sizes": (256,)},
        convolutions=True,
    ),
}


def command_line(description: str | None, **flags: str) -> tuple[Scale, argparse.Namespace]:
    """Read the command line; each further flag comes with its help."""
    options = scale_and_flags(description, SCALES, **flags)
    return SCALES[options.scale], options
