"""Convolutional encoder and decoder for rows that are images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from sklearn_intelvae._part import Network
from sklearn_intelvae.networks._mlp import ACTIVATIONS

_KERNEL, _STRIDE, _PADDING = 4, 2, 1


class _ImageNetwork(Network):
    """The hyper-parameters that encoder and decoder share."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "image_shape": ["array-like"],
        "channels": ["array-like"],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
    }

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        channels: Sequence[int] = (32, 64),
        n_hidden: int = 128,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.channels = channels
        self.n_hidden = n_hidden
        self.activation = activation

    def _sizes(self, n_features: int, multiple_allowed: bool) -> list[tuple[int, ...]]:
        """Return the sides of the image before and after each halving."""
        self._validate()
        n_pixels = math.prod(_ints(self.image_shape))
        if n_features % n_pixels or (not multiple_allowed and n_features != n_pixels):
            raise ValueError(
                f"image_shape={tuple(self.image_shape)} has {n_pixels} values, but the rows of "
                f"X have {n_features}. Set image_shape=(channels, height, width) to the shape of "
                "one row, or image_shape=None for a table."
            )
        sides = _ints(self.image_shape[1:])
        sizes = [tuple(s >> i for s in sides) for i in range(len(self.channels) + 1)]
        if min(sizes[-1]) < 1:
            raise ValueError(
                f"channels={tuple(self.channels)} halves images of shape {tuple(self.image_shape)} "
                f"{len(self.channels)} times, which leaves nothing of them; give fewer channels, "
                "as in encoder=ConvEncoder(image_shape, channels=(16,)), and so for the decoder."
            )
        return sizes


class ConvEncoder(_ImageNetwork):
    """Strided convolutions, each halving the image, then one hidden linear layer.

    Parameters
    ----------
    image_shape : (int, int, int), default=(1, 28, 28)
        Channels, height and width of the image in each row.
    channels : sequence of int, default=(32, 64)
        Number of channels after each convolution; at most as many convolutions as the image can be
        halved.
    n_hidden : int, default=128
        Width of the hidden linear layer.
    activation : str, default="relu"
        One of :data:`sklearn_intelvae.networks.ACTIVATIONS`.

    Raises
    ------
    ValueError
        By ``build``, if the rows do not have the size of the image, or the image is too small.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.networks import ConvEncoder
    >>> network = ConvEncoder(image_shape=(1, 8, 8), channels=(4,))
    >>> network.build(64, 3)
    >>> network(torch.zeros(5, 64)).shape
    torch.Size([5, 3])
    """

    def build(self, n_inputs: int, n_outputs: int) -> None:
        """Create the layers; ``n_inputs`` is channels * height * width."""
        sizes = self._sizes(n_inputs, multiple_allowed=False)
        activation = ACTIVATIONS[self.activation]
        shape, channels = _ints(self.image_shape), _ints(self.channels)
        layers: list[nn.Module] = [nn.Unflatten(1, shape)]
        for widths in pairwise((shape[0], *channels)):
            layers += [nn.Conv2d(*widths, _KERNEL, _STRIDE, _PADDING), activation()]
        n_flat = channels[-1] * math.prod(sizes[-1])
        layers += [nn.Flatten(), nn.Linear(n_flat, self.n_hidden), activation()]
        self.layers = nn.Sequential(*layers, nn.Linear(self.n_hidden, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels * height * width) to (n, n_outputs)."""
        return self.layers(x)


class ConvDecoder(_ImageNetwork):
    """One hidden linear layer, then transposed convolutions, each doubling the image.

    Parameters
    ----------
    image_shape : (int, int, int), default=(1, 28, 28)
        Channels, height and width of the image in each row.
    channels : sequence of int, default=(32, 64)
        Numbers of channels as in :class:`ConvEncoder`, used in the opposite order.
    n_hidden : int, default=128
        Width of the hidden linear layer.
    activation : str, default="relu"
        One of :data:`sklearn_intelvae.networks.ACTIVATIONS`.

    Raises
    ------
    ValueError
        By ``build``, if the rows do not have the size of the image, or the image is too small.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.networks import ConvDecoder
    >>> network = ConvDecoder(image_shape=(1, 8, 8), channels=(4,))
    >>> network.build(3, 64)
    >>> network(torch.zeros(5, 3)).shape
    torch.Size([5, 64])
    """

    def build(self, n_inputs: int, n_outputs: int) -> None:
        """Create the layers; ``n_outputs`` is a multiple of channels * height * width."""
        sizes = self._sizes(n_outputs, multiple_allowed=True)[::-1]
        n_channels = n_outputs // math.prod(sizes[-1])
        channels = _ints(self.channels)
        first = (channels[-1], *sizes[0])
        activation = ACTIVATIONS[self.activation]
        layers: list[nn.Module] = [nn.Linear(n_inputs, self.n_hidden), activation()]
        layers += [nn.Linear(self.n_hidden, math.prod(first)), activation()]
        layers += [nn.Unflatten(1, first)]
        for widths, size in zip(
            pairwise((*channels[::-1], n_channels)), pairwise(sizes), strict=True
        ):
            layers += [_doubling(*widths, *size), activation()]
        self.layers = nn.Sequential(*layers[:-1], nn.Flatten())

    def forward(self, z: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        return self.layers(z)


def _doubling(
    n_in: int, n_out: int, size_in: Sequence[int], size_out: Sequence[int]
) -> nn.ConvTranspose2d:
    """Return the transposed convolution that undoes a halving, odd sides included."""
    odd = (size_out[0] - 2 * size_in[0], size_out[1] - 2 * size_in[1])
    return nn.ConvTranspose2d(n_in, n_out, _KERNEL, _STRIDE, _PADDING, output_padding=odd)


def _ints(values: Sequence[int]) -> tuple[int, ...]:
    """Return small integers of NumPy, whose products overflow, as Python's."""
    return tuple(map(int, values))
