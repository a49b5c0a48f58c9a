"""How far columns are from normal, and which rotation makes components independent."""

import numpy as np
import pytest
import torch

from sklearn_intelvae._moments import supported_noise
from sklearn_intelvae.models._independence import independent_rotation, negentropy
from sklearn_intelvae.models._linear_model import LinearModel, fit_linear_model
from sklearn_intelvae.models._linear_start import changes_under_rotation
from sklearn_intelvae.priors import Laplace, Normal, SpikeAndSlab

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
    found = negentropy(np.c_[x, -1000 * x], None)
    np.testing.assert_allclose(found, expected, atol=tolerance)
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)


def test_weights_count_rows():
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(50, 3))
    weight = rng.integers(0, 4, size=50)
    np.testing.assert_allclose(
        negentropy(X, weight.astype(float)), negentropy(np.repeat(X, weight, axis=0), None)
    )


def test_an_outlier_changes_little():
    x = np.random.default_rng(0).normal(size=N)
    outlying = np.append(x, 10.0)
    assert abs(negentropy(outlying[:, None], None) - negentropy(x[:, None], None))[0] < 0.002


@pytest.mark.parametrize("shape", [(50, 2), (200, 30), (1000, 500)])
def test_normal_columns_do_not_differ_by_chance(shape):
    rng = np.random.default_rng(0)
    found = [negentropy(rng.normal(size=shape), None).max() > 0 for _ in range(100)]
    assert 0.005 < np.mean(found) < 0.12


SUM = np.array([[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])
FACTORS = {
    "independent": lambda rng: rng.laplace(size=(2000, 4)),
    "fewer rows than components": lambda rng: rng.laplace(size=(3, 4)),
    "as many rows as components": lambda rng: rng.laplace(size=(4, 4)),
    "one does not vary": lambda rng: rng.laplace(size=(500, 4)) * [1, 1, 1, 0],
    "one is a sum of others": lambda rng: rng.laplace(size=(500, 4)) @ SUM,
    "one direction": lambda rng: np.outer(rng.laplace(size=500), np.ones(4)),
    "none varies": lambda rng: np.ones((50, 4)),
}


@pytest.mark.parametrize("kind", FACTORS)
def test_the_independent_rotation_is_orthogonal(kind):
    y = FACTORS[kind](np.random.default_rng(0))
    rotation = independent_rotation(y)
    if kind in ("one direction", "none varies"):
        assert rotation is None
    else:
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(4), atol=1e-8)


def test_the_independent_rotation_finds_the_factors():
    rng = np.random.default_rng(0)
    factors = rng.laplace(size=(4000, 3))
    mixing, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    y = np.insert(factors @ mixing.T, 1, 0, axis=1)  # the second component does not vary
    found = y @ independent_rotation(y).T
    correlation = np.abs(np.corrcoef(found[:, :3].T, factors.T)[:3, 3:])
    assert correlation.max(axis=1).min() > 0.98
    np.testing.assert_allclose(found[:, 3], 0, atol=1e-6)


def least_noise(X):
    unit = np.where(X.var(axis=0) > 0, X.var(axis=0), 1)
    return unit * np.maximum(0.01, supported_noise(torch.from_numpy(X), 0.01).numpy()) ** 2


@pytest.mark.parametrize("kind", ["constant", "one other value"])
def test_idle_components_leave_out_columns_without_noise(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    X[:, 0] = 0
    X[0, 0] = kind == "one other value"
    X[:, 2] = 4 * rng.choice([-1, 1], size=300) + rng.normal(size=300)
    settings = dict(noise=None, is_shared=False, min_noise=least_noise(X))
    model = fit_linear_model(X, None, X.mean(axis=0), 1, **settings)
    found = model.with_all_components(X, None, least_noise(X))
    assert np.abs(found.weights).argmax() == 2
    assert (found.noise >= least_noise(X)).all()
    np.testing.assert_allclose(
        (found.noise + found.weights[0] ** 2)[1:], X.var(axis=0)[1:], rtol=0.1
    )


def test_signs_do_not_depend_on_those_of_eigenvectors():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6)) + 0.3 * rng.normal(size=(300, 6))
    settings = dict(noise=None, is_shared=False, min_noise=least_noise(X))
    model = fit_linear_model(X, None, X.mean(axis=0), 2, **settings)
    opposite = LinearModel(model.mean, -model.weights, model.noise)
    for start in (model, opposite):
        found = start.with_all_components(X, None, least_noise(X))
        np.testing.assert_allclose(found.weights, model.weights)


def test_densities_that_distinguish_axes_are_recognized():
    found, device = {}, torch.device("cpu")
    for prior in (Normal(), Laplace(), SpikeAndSlab()):
        prior.build(3, 5)
        found[type(prior).__name__] = changes_under_rotation(prior.density(None), 3, device)
    assert found == {"Normal": False, "Laplace": True, "SpikeAndSlab": True}
