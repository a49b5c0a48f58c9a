"""A network beside a linear function of the same input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_intelvae._part import call, is_ours

_GATE_SPEED = 10.0


class LinearPath(nn.Module):
    r"""A network and, added to its output, a linear function of its input.

    .. math:: f(x) = A x + b + \mathrm{network}(x)

    The network starts at zero: its last layer is zeroed if it is one of this package; the output of
    any other is multiplied by learned factors that start at zero.

    Parameters
    ----------
    network : torch.nn.Module
        A sized network.
    n_inputs, n_outputs : int
        Its numbers of inputs and outputs.
    n_linear : int or None, default=None
        The linear function changes only this many of the outputs, the first ones; for the others it
        is the constant b. None means all.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.networks import MLP, LinearPath
    >>> network = MLP()
    >>> network.build(4, 3)
    >>> path = LinearPath(network, 4, 3)
    >>> x = torch.ones(5, 4)
    >>> torch.equal(path(x), x @ path.weight.T + path.bias)
    True
    """

    def __init__(
        self, network: nn.Module, n_inputs: int, n_outputs: int, n_linear: int | None = None
    ) -> None:
        super().__init__()
        linear = nn.Linear(n_inputs, n_outputs if n_linear is None else n_linear, bias=False)
        self.weight = nn.Parameter(linear.weight.detach())
        self.bias = nn.Parameter(torch.zeros(n_outputs))
        self.network = network
        self.gate = None if _start_at_zero(network) else nn.Parameter(torch.zeros(n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        added = call(self.network, x)
        if self.gate is not None:
            added = _GATE_SPEED * self.gate * added
        n_constant = len(self.bias) - len(self.weight)
        if not n_constant:
            return F.linear(x, self.weight, self.bias) + added
        return F.pad(F.linear(x, self.weight), (0, n_constant)) + (self.bias + added)

    @torch.no_grad()
    def start_at(self, weight: Tensor, bias: Tensor) -> None:
        """Set the linear function.

        Parameters
        ----------
        weight : Tensor of shape (n_linear, n_inputs)
            The matrix A.
        bias : Tensor of shape (n_outputs,)
            The constants b.
        """
        self.weight.copy_(weight)
        self.bias.copy_(bias)

    def linear_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the linear function.

        Returns
        -------
        parameters : list of Parameter
            The matrix and the constants.
        """
        return [self.weight, self.bias]


def _start_at_zero(network: nn.Module) -> bool:
    """Set the last layer of a network of this package to zero, and return whether it is one."""
    if not is_ours(network):
        return False
    last = [m for m in network.modules() if isinstance(getattr(m, "weight", None), nn.Parameter)]
    for parameter in last[-1].parameters():
        nn.init.zeros_(parameter)
    return True
