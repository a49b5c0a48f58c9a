"""Statistics of the columns of a table."""

import numpy as np
import pytest
import torch

from sklearn_intelvae._moments import _errors_of_prediction, supported_noise


def test_errors_of_prediction_are_those_of_left_out_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    X[:, 3] = X[:, 0] + 0.1 * X[:, 1] + 0.01 * rng.normal(size=30)
    expected = np.empty(X.shape)
    for i in range(30):
        for j in range(4):
            others, kept = np.delete(X, j, axis=1), np.arange(30) != i
            solution = np.linalg.lstsq(others[kept], X[kept, j], rcond=None)[0]
            expected[i, j] = X[i, j] - others[i] @ solution
    found = _errors_of_prediction(X, 1e-6)
    np.testing.assert_allclose(found, np.sqrt(np.mean(expected**2, axis=0)), rtol=1e-3)


@pytest.mark.parametrize("smallest", [1e-8, 0.01])
def test_copies_and_constant_columns_are_no_difficulty(smallest):
    rng = np.random.default_rng(0)
    spike = (np.arange(200) == 3).astype(float)
    tail = rng.normal(size=200) ** 5
    X = torch.from_numpy(np.c_[spike, spike, np.ones(200), tail, tail])
    noise = supported_noise(X, smallest)
    assert noise[:3].tolist() == pytest.approx([1, 1, 1], abs=0.01)
    assert (noise[3:] < 0.02).all()
