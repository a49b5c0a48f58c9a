"""Whether rows show anything that a linear model of them leaves unexplained."""

import numpy as np
import pytest

from sklearn_intelvae.models._linear_model import fit_linear_model
from sklearn_intelvae.models._nonlinearity import nonlinearity


def ratio_of(X, weight=None, k=3):
    settings = dict(noise=None, is_shared=False, min_noise=np.full(X.shape[1], 1e-4))
    mean = np.average(X, axis=0, weights=weight)
    return nonlinearity(X, weight, fit_linear_model(X, weight, mean, k, **settings))


@pytest.mark.parametrize("shape", [(100, 20), (1000, 10), (4000, 30)])
def test_it_is_about_one_for_a_linear_model(shape):
    rng = np.random.default_rng(0)
    ratios = [
        ratio_of(
            rng.normal(size=(shape[0], 3)) @ rng.normal(size=(3, shape[1])) + rng.normal(size=shape)
        )
        for _ in range(10)
    ]
    assert 0.85 < np.mean(ratios) < 1.15
    assert max(ratios) < 1.4


def test_it_grows_with_the_rows_where_something_is_curved():
    rng = np.random.default_rng(0)
    ratios = []
    for n in (1000, 10_000):
        y = rng.normal(size=(n, 3))
        X = np.tanh(2 * y @ rng.normal(size=(3, 10))) + 0.3 * rng.normal(size=(n, 10))
        ratios.append(ratio_of(X))
    assert ratios[0] > 2
    assert ratios[1] > 4 * ratios[0]


def test_rows_of_weight_zero_have_no_effect():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 8)) ** 2
    weight = (np.arange(500) < 300).astype(float)
    changed = np.where(weight[:, None] > 0, X, 100.0)
    assert ratio_of(X, weight) == pytest.approx(ratio_of(changed, weight))


def test_one_row_does_not_decide():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(1000, 3))
    X = np.tanh(2 * y @ rng.normal(size=(3, 10))) + 0.3 * rng.normal(size=(1000, 10))
    X[0] *= 1000
    assert ratio_of(X) > 1.5
