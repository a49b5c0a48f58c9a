"""How far columns are from normal, which decides the columns that idle components encode."""

import numpy as np
import pytest

from sklearn_intelvae.models._linear_model import _negentropy

N = 20_000
COLUMNS = {
    "normal": (lambda rng: rng.normal(size=N), 0.0, 0.0),
    "uniform": (lambda rng: rng.uniform(-1, 1, N), 0.0515, 0.005),
    "two values": (lambda rng: rng.choice([-1.0, 1.0], N), 0.453, 0.01),
    "exponential": (lambda rng: rng.exponential(size=N) - 1, 0.218, 0.01),
    "constant": (lambda rng: np.zeros(N), 0.0, 0.0),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_negentropy_of_a_column(kind):
    draw, expected, tolerance = COLUMNS[kind]
    x = draw(np.random.default_rng(0))
    found = _negentropy(np.c_[x, -1000 * x], None)
    np.testing.assert_allclose(found, expected, atol=tolerance)
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)


def test_weights_count_rows():
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(50, 3))
    weight = rng.integers(0, 4, size=50)
    np.testing.assert_allclose(
        _negentropy(X, weight.astype(float)), _negentropy(np.repeat(X, weight, axis=0), None)
    )


def test_an_outlier_changes_little():
    x = np.random.default_rng(0).normal(size=N)
    outlying = np.append(x, 10.0)
    assert abs(_negentropy(outlying[:, None], None) - _negentropy(x[:, None], None))[0] < 0.002


@pytest.mark.parametrize("shape", [(50, 2), (200, 30), (1000, 500)])
def test_normal_columns_do_not_differ_by_chance(shape):
    rng = np.random.default_rng(0)
    tables = [rng.normal(size=shape) for _ in range(200)]
    found = [_negentropy(X - X.mean(axis=0), None).max() > 0 for X in tables]
    assert 0.005 < np.mean(found) < 0.12
