"""How large the experiments with soft-introspective VAEs are."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    """Data sets, networks and lengths of the training."""

    name: str
    n_rows: int
    """Training rows of a density in the plane."""
    plane: dict[str, object]
    """Networks and length for densities in the plane."""
    data: dict[str, dict[str, object]]
    """Data sets of images; number of components and length for each."""
    n_images: int
    """Training images."""
    images: dict[str, object]
    """Networks for images."""
    convolutions: bool
    """Whether the networks for images are convolutional."""
    digits: dict[str, object]
    """Number of components and length for digits, where other things than scale are compared."""
    long_plane: dict[str, object]
    """The same for shapes in the plane."""


_DIGITS = {"n_components": 10, "max_iter": 640}
_LONG_PLANE = {"n_components": 2, "max_iter": 192}

SCALES = {
    "quick": Scale(
        "quick",
        2000,
        {"hidden_layer_sizes": (32, 32), "batch_size": 256, "max_iter": 4},
        {"digits": {"n_components": 10, "max_iter": 5}},
        500,
        {"hidden_layer_sizes": (32,)},
        convolutions=False,
        digits={"n_components": 10, "max_iter": 5},
        long_plane={"n_components": 2, "max_iter": 4},
    ),
    "small": Scale(
        "small",
        100_000,
        {"hidden_layer_sizes": (128, 128, 128), "batch_size": 256, "max_iter": 20},
        {
            "digits": {"n_components": 10, "max_iter": 640},
            "mnist": {"n_components": 32, "batch_size": 256, "max_iter": 150},
            "fashion-mnist": {"n_components": 32, "batch_size": 256, "max_iter": 150},
        },
        10_000,
        {"hidden_layer_sizes": (128, 128)},
        convolutions=False,
        digits=_DIGITS,
        long_plane=_LONG_PLANE,
    ),
    "full": Scale(
        "full",
        100_000,
        {"hidden_layer_sizes": (256, 256, 256, 256), "batch_size": 512, "max_iter": 154},
        {
            "mnist": {"n_components": 32, "max_iter": 220},
            "fashion-mnist": {"n_components": 32, "max_iter": 220},
            "cifar10": {"n_components": 128, "max_iter": 220},
        },
        60_000,
        {"hidden_layer_sizes": (256,)},
        convolutions=True,
        digits=_DIGITS,
        long_plane=_LONG_PLANE,
    ),
}
