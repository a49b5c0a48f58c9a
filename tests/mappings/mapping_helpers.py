"""What the tests of mappings share."""

import torch

from sklearn_intelvae._part import build, fresh


def built(mapping, n_components=4):
    torch.manual_seed(0)
    return build(fresh(mapping), n_components)


def normal(n, d=4, seed=1):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
