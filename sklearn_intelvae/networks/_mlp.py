"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from sklearn_intelvae._part import Network

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
}
"""The activations by name."""


class MLP(Network):
    """A multilayer perceptron: linear layers with an activation between them.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(128, 128)
        Widths of the hidden layers; an empty sequence makes the network linear.
    activation : {"identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh", \
"logistic"}, default="relu"
        Applied after every layer but the last.

    Raises
    ------
    ValueError
        By ``build``, if a width is not a positive integer or the activation is unknown.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.networks import MLP
    >>> network = MLP((16,))
    >>> network.build(4, 3)
    >>> network(torch.zeros(5, 4)).shape
    torch.Size([5, 3])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
    }

    def __init__(
        self, hidden_layer_sizes: Sequence[int] = (128, 128), activation: str = "relu"
    ) -> None:
        super().__init__()
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation

    def build(self, n_inputs: int, n_outputs: int) -> None:
        """Create the layers."""
        self._validate()
        sizes = tuple(self.hidden_layer_sizes)
        if not all(isinstance(size, Integral) and size > 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes of MLP must be positive integers, got {sizes!r}.")
        *hidden, last = pairwise((n_inputs, *sizes, n_outputs))
        layers: list[nn.Module] = []
        for widths in hidden:
            layers += [nn.Linear(*widths), ACTIVATIONS[self.activation]()]
        self.layers = nn.Sequential(*layers, nn.Linear(*last))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        return self.layers(x)
