"""Building of mappings inside other mappings."""

from __future__ import annotations

from torch import nn

from sklearn_intelvae._checks import refuse_hooks
from sklearn_intelvae._part import Mapping


def build_nested(module: object, n_components: int, parameter: str) -> None:
    """Build a mapping inside another one; a plain module is used as it is.

    Raises
    ------
    ValueError
        If ``module``, given as ``parameter``, is not a module.
    TypeError
        If it is a plain module that defines hooks.
    """
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"{parameter} must be a mapping or a torch.nn.Module, got {module!r}; wrap a function "
            "as Function(...)."
        )
    if isinstance(module, Mapping):
        module.build(n_components)
    else:
        refuse_hooks(module, Mapping, parameter)
