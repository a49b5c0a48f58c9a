"""The report on the axes of a fitted VAE, where the answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.datasets import make_entangled_factors
from sklearn_intelvae.diagnostics import disentanglement_report
from sklearn_intelvae.diagnostics._report import _independent
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.metrics import mean_correlation


def linear_vae(X, n_components=2, eta=0.25, **settings):
    """A VAE of linear networks, whose optimum is known to be PCA."""
    usual = dict(
        prior="normal",
        likelihood=Gaussian(eta**0.5),
        hidden_layer_sizes=(),
        kl_warmup=0.0,
        learning_rate_init=0.1,
        batch_size=500,
        max_iter=240,
        random_state=0,
    )
    return InteLVAE(n_components, **usual | settings).fit(X)


def gaussian(scales, n=2000):
    return np.random.default_rng(0).normal(size=(n, len(scales))) * scales


@pytest.fixture(scope="module")
def aligned():
    X = gaussian([3, 1.5, 0.05, 0.05])
    return linear_vae(X), X


def test_axes_of_different_size_are_principal_components(aligned):
    vae, X = aligned
    report = disentanglement_report(vae, X)
    assert report.n_components == 2
    assert report.active.tolist() == [0, 1]
    assert report.pca_alignment > 0.99
    assert report.orthogonality_gap < 0.01
    assert report.distance_to_orthogonality < 0.1
    assert report.length_ratios == pytest.approx([np.sqrt(8.75 / 2)], abs=0.15)  # less the noise
    assert report.polarization_gap < 0.05
    assert report.scores == {}
    assert any("as PCA finds them" in sentence for sentence in report.advice)


def test_with_factors_it_has_scores(aligned):
    vae, X = aligned
    report = disentanglement_report(vae, X, X[:, :2])
    assert report.scores["MCC"] > 0.99
    assert report.scores["MIG"] > 0.6
    assert set(report.scores) >= {"DCI disentanglement", "modularity"}


def test_it_is_printed_as_a_table(aligned):
    vae, X = aligned
    text = str(disentanglement_report(vae, X, X[:, :2]))
    for name in ("active", "kl_per_component", "pca_alignment", "length_ratios", "MIG"):
        assert any(line.startswith(name) for line in text.splitlines())
    assert "- The axes are principal components" in text


def test_equal_sizes_are_warned_about():
    X = gaussian([2, 2, 0.05])
    with pytest.warns(UserWarning, match=r"0 and 1 \(ratio 1\.0.\) have effects of nearly"):
        report = disentanglement_report(linear_vae(X), X)
    assert any("arbitrary" in sentence for sentence in report.advice)


@pytest.mark.slow
def test_a_tie_is_not_warned_about_if_the_axes_do_not_follow_from_the_variance(recwarn):
    X = gaussian([2, 2, 0.05])
    disentanglement_report(linear_vae(X, mapping="ica"), X)
    assert not [w for w in recwarn if "nearly the same size" in str(w.message)]


def test_pruned_components_are_reported_and_do_not_count():
    X = gaussian([3, 1.5, 0.05, 0.05, 0.05, 0.05])
    report = disentanglement_report(linear_vae(X, n_components=5), X)
    assert len(report.active) == 2
    assert any("over-pruned" in sentence for sentence in report.advice)
    assert report.pca_alignment > 0.9
    assert report.ica_alignment == 1


def test_an_autoencoder_has_arbitrary_axes():
    X = gaussian([3, 1.5, 0.05])
    report = disentanglement_report(linear_vae(X, objective="autoencoder", random_state=1), X)
    assert report.active.tolist() == [0, 1]
    assert np.isfinite(report.orthogonality_gap)


@pytest.mark.parametrize("seed", [2, 4])
def test_the_variance_that_an_autoencoder_does_not_train_is_ignored(seed):
    X, *_ = make_entangled_factors(1500, n_factors=3, random_state=0)
    settings = dict(hidden_layer_sizes=(64,), learning_rate_init=1e-2, max_iter=20)
    vae = InteLVAE(
        4, objective="autoencoder", likelihood=Gaussian(0.6), random_state=seed, **settings
    ).fit(X)
    report = disentanglement_report(vae, X)
    assert report.active.tolist() == [0, 1, 2, 3]
    assert np.isnan(report.polarization_gap)
    assert np.isnan(report.kl_per_component).all()


def test_the_small_codes_of_a_slow_vae_are_polarized(recwarn):
    X, *_ = make_entangled_factors(4000, n_factors=2, random_state=0)
    report = disentanglement_report(linear_vae(X, objective="slow", max_iter=60), X)
    assert report.active.tolist() == [0, 1]
    assert report.polarization_gap < 0.1
    assert not [w for w in recwarn if "nearly the same size" in str(w.message)]


@pytest.mark.slow
def test_a_model_with_the_ica_mapping_is_not_advised_to_use_it():
    X, *_ = make_entangled_factors(
        4000, n_factors=2, perturbation=1.6, curvature=0.0, random_state=0
    )
    vae = linear_vae(X, mapping="ica")
    assert disentanglement_report(vae, X).ica_alignment > 0.9
    vae.module_.mapping.rotation = torch.eye(2)
    report = disentanglement_report(vae, X)
    assert report.ica_alignment < 0.9
    assert any("Train longer" in sentence for sentence in report.advice)
    assert not any("mapping='ica'" in sentence for sentence in report.advice)


def test_more_components_than_features():
    X = gaussian([1, 1])
    vae = linear_vae(X, n_components=3, objective="autoencoder")
    report = disentanglement_report(vae, X)
    assert len(report.active) == 3
    assert np.isnan(report.orthogonality_gap)


def test_tables_with_names_are_read_without_a_warning():
    X = pd.DataFrame(gaussian([3, 1.5, 0.05]), columns=list("abc"))
    vae = linear_vae(X, max_iter=20).set_output(transform="pandas")
    assert 0 < disentanglement_report(vae, X).pca_alignment <= 1


@pytest.mark.filterwarnings("ignore:Every component of the latent")
def test_without_active_components_there_are_no_axes():
    X = gaussian([0.1, 0.1])
    report = disentanglement_report(linear_vae(X, eta=1.0), X)
    assert len(report.active) == 0
    assert report.advice == (
        "No component is active, so there are no axes. Lower beta, or train longer.",
    )


@pytest.mark.slow
def test_mixtures_of_factors_are_found_in_the_codes_alone():
    X, W, *_ = make_entangled_factors(
        4000, n_factors=2, perturbation=1.6, curvature=0.0, random_state=0
    )
    report = disentanglement_report(linear_vae(X), X, W)
    assert report.pca_alignment > 0.95
    assert report.scores["MCC"] < 0.8
    assert report.ica_alignment < 0.85
    assert any("mapping='ica'" in sentence for sentence in report.advice)


def test_it_is_the_same_for_each_output_and_does_not_change_it(aligned):
    vae, X = aligned
    expected = str(disentanglement_report(vae, X))
    for output in ("both", "posterior_mean", "representation"):
        assert str(disentanglement_report(vae.set_params(output=output), X)) == expected
        assert vae.output == output


def test_gaussian_codes_are_not_reported_as_dependent():
    for seed in range(20):
        assert _independent(np.random.default_rng(seed).normal(size=(2000, 3))) is None


def test_independent_factors_are_not_rotated_and_mixtures_are():
    rotation = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    for draw in ("laplace", "uniform"):
        factors = getattr(np.random.default_rng(0), draw)(size=(2000, 2))
        factors -= factors.mean(axis=0)
        assert _independent(factors) is None
        assert mean_correlation(_independent(factors @ rotation), factors) > 0.98


def test_an_estimator_without_axes_is_refused(aligned):
    _, X = aligned
    with pytest.raises(TypeError, match="PCA is not a VAE of this package: for other"):
        disentanglement_report(PCA(2).fit(X), X)
    with pytest.raises(NotFittedError):
        disentanglement_report(InteLVAE(), X)


def test_rows_and_factors_must_fit(aligned):
    vae, X = aligned
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        disentanglement_report(vae, X, X[:-1, :2])
