import re

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


def pytest_make_parametrize_id(val):
    """Name a part by its repr without addresses, which differ between test processes."""
    return re.sub(r" at 0x\w+", "", repr(val)) if isinstance(val, torch.nn.Module) else None


@pytest.fixture(autouse=True)
def _the_same_numbers_each_time():
    """Seed what an estimator draws from whose ``random_state`` is None."""
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
