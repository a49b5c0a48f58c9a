"""What the tests of mappings share."""

import torch

from sklearn_intelvae._part import untrained_copy


def built(mapping, n_components=4):
    """Return an untrained copy, built for y of ``n_components``."""
    torch.manual_seed(0)
    g = untrained_copy(mapping)
    g.build(n_components)
    return g


def normal(n, d=4, seed=1):
    """Return n standard normal rows."""
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def loss_terms(g, y, x=None, mean=None):
    """Return the loss terms at draws y; rows x and means default to y itself."""
    return g.loss_terms(y if x is None else x, y if mean is None else mean, y, g(y))
