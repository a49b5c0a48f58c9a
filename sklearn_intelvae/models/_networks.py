"""Networks of the right size, made of a network class or of a plain module."""

from __future__ import annotations

from torch import nn

from sklearn_intelvae._checks import check_width, output_width, refuse_hooks
from sklearn_intelvae._part import is_ours
from sklearn_intelvae.networks import Network


def sized_network(module: nn.Module, n_inputs: int, n_outputs: int, role: str) -> nn.Module:
    """Return a network of the given size; a linear layer adapts a plain module of another width."""
    if isinstance(module, Network):
        module.build(n_inputs, n_outputs)
        if not is_ours(module):
            check_width(module, n_inputs, n_outputs, role)
        return module
    refuse_hooks(module, Network, role)
    width = output_width(module, n_inputs, role)
    if width == n_outputs:
        return module
    return nn.Sequential(module, nn.Linear(width, n_outputs))
