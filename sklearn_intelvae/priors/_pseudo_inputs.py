"""Starting values of pseudo-inputs."""

from __future__ import annotations

import torch
from torch import Tensor


def rows_in_random_order(X: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Return n rows of X in random order, repeated if X has fewer."""
    order = torch.randperm(len(X), generator=generator)
    return X[order[torch.arange(n) % len(X)]]
