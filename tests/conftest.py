"""What all tests share: one thread, seeded global generators, a small table."""

import re

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


def pytest_make_parametrize_id(val):
    """Name a part by its repr without addresses, which differ between test processes."""
    return re.sub(r" at 0x\w+", "", repr(val)) if isinstance(val, torch.nn.Module) else None


@pytest.fixture(autouse=True)
def _seeded_global_generators():
    """Seed the generators that tests draw from; estimators never do."""
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def X(rng):
    """A small table with three latent factors, float32."""
    factors = rng.standard_normal((120, 3))
    table = np.tanh(factors @ rng.standard_normal((3, 6)))
    return (table + 0.1 * rng.standard_normal(table.shape)).astype(np.float32)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)
