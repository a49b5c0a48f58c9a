import numpy as np
import pytest
import torch

torch.set_num_threads(1)


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
