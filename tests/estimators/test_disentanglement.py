"""Claims of the third paper at a small size: what a VAE shares with PCA, and what PCL finds."""

import numpy as np
import pytest

from sklearn_intelvae import PCL, InteLVAE
from sklearn_intelvae.datasets import make_entangled_factors
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.metrics import active_units, expected_linear_vae, mutual_info_gap

VARIANCES = np.array([4, 2.5, 1.5, 0.8, 0.3, *[0.05] * 5])


@pytest.mark.slow
@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_a_linear_vae_is_its_closed_form(eta):
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    X = ((rng.normal(size=(5000, 10)) * np.sqrt(VARIANCES)) @ rotation).astype(np.float32)
    vae = InteLVAE(
        5,
        likelihood=Gaussian(scale=eta**0.5),
        hidden_layer_sizes=(),
        kl_warmup=0.0,
        batch_size=512,
        max_iter=400,
        learning_rate_init=3e-2,
        random_state=0,
    ).fit(X)
    theory = expected_linear_vae(X, eta, 5)
    means, variances = vae.encode(X)
    order = np.argsort(-means.var(axis=0))
    kl = 0.5 * (means**2 + variances - np.log(variances) - 1).mean(axis=0)
    assert active_units(means, variances=variances).sum() == theory.n_active
    np.testing.assert_allclose(means.var(axis=0)[order], theory.variance_of_means, atol=0.015)
    np.testing.assert_allclose(kl[order], theory.kl, atol=0.02)
    decoder = vae.module_.decoder
    weight = decoder.weight + decoder.network.layers[0].weight
    W = weight.detach().numpy().T[order]
    for w, u in zip(W[: theory.n_active], theory.components, strict=False):
        assert abs(w @ u) / np.linalg.norm(w) / np.linalg.norm(u) > 0.999


@pytest.mark.filterwarnings("ignore:Every component of the latent")
def test_noise_above_every_variance_leaves_no_active_component():
    X = np.random.default_rng(0).normal(size=(2000, 4)).astype(np.float32)
    vae = InteLVAE(
        2,
        likelihood=Gaussian(scale=1.5),
        hidden_layer_sizes=(),
        kl_warmup=0.0,
        learning_rate_init=1e-2,
        max_iter=200,
        random_state=0,
    ).fit(X)
    assert expected_linear_vae(X, 1.5**2, 2).n_active == 0
    assert vae.kl_per_component_.max() < 0.01
    assert len(vae.active_components_) == 0


ETA = Gaussian(scale=0.3**0.5)
METHODS = {
    "beta-VAE": InteLVAE(4, likelihood=ETA, kl_warmup=0.1, learning_rate_init=5e-3),
    "ICA": InteLVAE(4, mapping="ica", likelihood=ETA, kl_warmup=0.1, learning_rate_init=5e-3),
    "PCL": PCL(4),
}


@pytest.fixture(scope="module")
def gap():
    """Return the mutual information gap of a method on a table, fitted once."""
    known = {}

    def measured(method, perturbation):
        if (method, perturbation) not in known:
            X, W, *_ = make_entangled_factors(perturbation=perturbation, random_state=0)
            model = METHODS[method].set_params(
                hidden_layer_sizes=(64, 64), batch_size=256, max_iter=125, random_state=0
            )
            known[method, perturbation] = mutual_info_gap(model.fit(X).transform(X), W)
        return known[method, perturbation]

    return measured


@pytest.mark.slow
def test_a_vae_follows_principal_directions_even_if_these_are_not_the_factors(gap):
    assert gap("beta-VAE", None) > 0.65
    assert gap("beta-VAE", 1.4) < 0.15


@pytest.mark.slow
def test_a_representation_from_the_order_of_rows_does_not_follow_variances(gap):
    assert gap("PCL", None) > 0.65
    assert gap("PCL", 1.4) > 0.65
    assert abs(gap("PCL", None) - gap("PCL", 1.4)) < 0.1


@pytest.mark.slow
def test_a_rotation_of_the_codes_finds_factors_that_the_variance_hides(gap):
    assert gap("ICA", 1.4) > 0.6


@pytest.mark.slow
def test_with_a_full_posterior_the_prior_alone_determines_the_axes():
    """Two Laplace factors, rotated: only with a Laplace prior do the starts find them."""
    W = np.random.default_rng(0).laplace(size=(2000, 2)) / np.sqrt(2)
    rotation = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    X = (W @ rotation).astype(np.float32)
    gaps = {}
    for prior in ("normal", "laplace"):
        vae = InteLVAE(
            2,
            posterior="full",
            prior=prior,
            likelihood=Gaussian(scale=0.3),
            hidden_layer_sizes=(),
            learning_rate_init=2e-2,
            kl_warmup=0.0,
            max_iter=80,
        )
        starts = [vae.set_params(random_state=seed).fit(X).transform(X) for seed in range(4)]
        gaps[prior] = [mutual_info_gap(Z, W) for Z in starts]
    assert np.mean(gaps["laplace"]) > 0.65
    assert np.mean(gaps["normal"]) < 0.5
