"""Quantitative checks that the method works, at a size that takes seconds."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_intelvae import InteLVAE, SparseInteLVAE
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import Sphere
from sklearn_intelvae.metrics import hoyer_sparsity


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, test_size=0.3, stratify=y, random_state=0)


def ring(n, seed=0):
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    return angle, 2 * np.c_[np.cos(angle), np.sin(angle)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_sphere_leaves_the_hole_of_a_ring_empty_and_finds_its_angle(seed):
    angle, X = ring(1000)
    vae = InteLVAE(2, mapping=Sphere(), random_state=seed).fit(X)
    radius = np.linalg.norm(vae.sample(2000), axis=1)
    assert (radius < 1.5).mean() <= 0.01
    found = np.arctan2(*vae.sample(2000).T)
    assert np.histogram(found, bins=12, range=(-np.pi, np.pi))[0].min() > 0
    z = vae.transform(X)
    rotated = np.abs(np.exp(1j * (angle - np.arctan2(z[:, 1], z[:, 0]))).mean())
    reflected = np.abs(np.exp(1j * (angle + np.arctan2(z[:, 1], z[:, 0]))).mean())
    assert max(rotated, reflected) > 0.9


@pytest.mark.slow
def test_a_plain_vae_fills_the_hole():
    _, X = ring(1000)
    vae = InteLVAE(2, prior="normal", random_state=0).fit(X)
    assert (np.linalg.norm(vae.sample(2000), axis=1) < 1.5).mean() > 0.05


def linear_density(vae):
    """Return the density of a model with linear decoder and a fixed scale of 0.5."""
    with torch.no_grad():
        mean = vae.module_.decoder(torch.zeros(1, 2))[0]
        loading = (vae.module_.decoder(torch.eye(2)) - mean).T.double()
    mean = mean.double() + torch.from_numpy(vae._location)
    return torch.distributions.MultivariateNormal(mean, loading @ loading.T + 0.25 * torch.eye(6))


def test_the_score_is_the_exact_likelihood_of_a_linear_gaussian_model():
    """A linear VAE with a fixed scale is probabilistic PCA, whose likelihood is known."""
    rng = np.random.default_rng(0)
    W = rng.standard_normal((2, 6)) * [[2.0], [1.0]]
    X = rng.standard_normal((3000, 2)) @ W + 0.5 * rng.standard_normal((3000, 6))
    vae = InteLVAE(
        2,
        hidden_layer_sizes=(),
        likelihood=Gaussian(0.5),
        learning_rate_init=1e-2,
        kl_warmup=0.1,
        max_iter=100,
        random_state=0,
    ).fit(X)
    exact = linear_density(vae).log_prob(torch.from_numpy(X))
    assert vae.score_samples(X, n_particles=64).mean() == pytest.approx(
        float(exact.mean()), abs=0.05
    )
    assert PCA(2).fit(X).score(X) - vae.score(X) < 0.1


def test_the_bound_tightens_with_every_particle():
    """While the posterior is not exact, after a short training."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10_000, 2)) @ rng.standard_normal((2, 6))
    vae = InteLVAE(2, hidden_layer_sizes=(), linear_path=False, max_iter=5, random_state=0)
    vae.set_params(likelihood=Gaussian(0.5), learning_rate_init=1e-2).fit(X[:1000])
    exact = linear_density(vae)
    bounds = [vae.score_samples(X, n_particles=2**k).mean() for k in range(10)]
    assert (np.diff(bounds) > 0).all()
    gap = exact.log_prob(torch.from_numpy(X)).mean().item() - bounds[-1]
    assert -0.01 < gap < 0.05 < exact.log_prob(torch.from_numpy(X)).mean().item() - bounds[0]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_defaults_learn_a_small_standardized_table(seed):
    """No collapse, no warning, and a likelihood that a linear model does not reach."""
    rng = np.random.default_rng(1)
    factors = rng.standard_normal((800, 3))
    X = np.tanh(2 * factors @ rng.standard_normal((3, 15))) @ rng.standard_normal((15, 12))
    X = StandardScaler().fit_transform(X + 0.2 * rng.standard_normal(X.shape))
    vae = InteLVAE(3, random_state=seed).fit(X[:500])
    assert len(vae.active_components_) == 3
    assert vae.score(X[500:]) > FactorAnalysis(3).fit(X[:500]).score(X[500:])


@pytest.mark.slow
@pytest.mark.parametrize("n_components", [10, 20])
def test_sparse_codes_are_sparse_at_little_cost_in_likelihood(digits, n_components):
    """The mean of four splits, since in each a few unusual rows cause much of the cost."""
    X, costs = load_digits().data / 16, []
    splits = [digits[:2]] + [train_test_split(X, random_state=seed) for seed in range(3)]
    for X_train, X_test in splits:
        plain = InteLVAE(n_components, random_state=0).fit(X_train)
        sparse = SparseInteLVAE(n_components, random_state=0).fit(X_train)
        assert hoyer_sparsity(plain.transform(X_test)) < 0.3
        assert hoyer_sparsity(sparse.transform(X_test)) > 0.5
        costs.append(plain.score(X_test) - sparse.score(X_test))
    assert np.mean(costs) < 0.05 * X.shape[1]


@pytest.mark.slow
def test_convolutions_learn_images(digits):
    X_train, X_test, _, _ = digits
    vae = InteLVAE(8, image_shape=(1, 8, 8), likelihood="bernoulli", max_iter=30, random_state=0)
    error = np.mean((vae.fit(X_train).reconstruct(X_test) - X_test) ** 2)
    assert error < 0.6 * X_test.var()
    assert vae.sample(2).shape == (2, 64)


@pytest.mark.slow
def test_a_laplace_likelihood_is_robust_to_outliers():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 1)) @ np.ones((1, 5))
    spoiled = X.copy()
    spoiled[::50] += 30 * rng.standard_normal((20, 5))
    settings = dict(n_components=1, random_state=0, max_iter=60)
    errors = {
        name: np.abs(InteLVAE(likelihood=name, **settings).fit(spoiled).reconstruct(X) - X).mean()
        for name in ("gaussian", "laplace")
    }
    assert errors["laplace"] < errors["gaussian"]


@pytest.mark.slow
def test_a_learned_scale_follows_the_errors():
    """Rows on a line, with deviations of a hundredth: the scale has to fall by two orders."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 1)) @ np.ones((1, 4)) + 0.01 * rng.standard_normal((1000, 4))
    vae = InteLVAE(1, random_state=0).fit(X)
    assert np.std(vae.reconstruct(X) - X) < 0.05
    noise = vae.sample(2000, noise=True) - vae.sample(2000)
    assert noise.std() < 0.05
