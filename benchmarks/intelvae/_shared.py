"""What the benchmarks of the InteL-VAE paper share: the scale, and what all benchmarks do."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from _holes import CURVES, coverage, hole_share, off_curve_share
from _images import fid, frechet, images, judge, others
from _report import RESULTS, mean_and_spread, resumed, scale_and_flags, write

__all__ = [
    "CURVES",
    "RESULTS",
    "Scale",
    "arguments",
    "command_line",
    "coverage",
    "fid",
    "frechet",
    "hole_share",
    "images",
    "judge",
    "mean_and_spread",
    "off_curve_share",
    "others",
    "resumed",
    "write",
]


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
    """Read the command line; each further flag comes with its help."""
    options = scale_and_flags(description, SCALES, **flags)
    return SCALES[options.scale], options
