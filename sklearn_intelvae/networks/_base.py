"""The base class of networks."""

from __future__ import annotations

from torch import Tensor

from sklearn_intelvae._part import Part


class Network(Part):
    """Base class of encoders and decoders; a subclass gives ``build`` and ``forward``.

    A plain ``torch.nn.Module`` can be a network too: a linear layer adapts its output width.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.networks import Network
    >>> class Shallow(Network):
    ...     def __init__(self, width=64):
    ...         super().__init__()
    ...         self.width = width
    ...
    ...     def build(self, n_inputs, n_outputs):
    ...         sizes = nn.Linear(n_inputs, self.width), nn.Linear(self.width, n_outputs)
    ...         self.layers = nn.Sequential(sizes[0], nn.Tanh(), sizes[1])
    ...
    ...     def forward(self, x):
    ...         return self.layers(x)
    >>> InteLVAE(encoder=Shallow(32))
    InteLVAE(encoder=Shallow(width=32))
    """

    def build(self, n_inputs: int, n_outputs: int) -> None:
        """Create the layers.

        Parameters
        ----------
        n_inputs, n_outputs : int
            Numbers of columns of the input and of the output.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        raise NotImplementedError
