"""ClusteredInteLVAE: a clusterer, and what it generates cluster by cluster."""

import numpy as np
import pytest
from sklearn.base import is_clusterer
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale
from torch import nn

from sklearn_intelvae import ClusteredInteLVAE, InteLVAE
from sklearn_intelvae.mappings import Clusters
from tests.estimators.shelf import SMALL


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs([300, 150, 50], n_features=5, random_state=0)
    return scale(X), y


@pytest.fixture(scope="module")
def fitted(blobs):
    return ClusteredInteLVAE(3, random_state=0).fit(blobs[0])


def test_it_is_a_clusterer(blobs, fitted):
    X, y = blobs
    assert is_clusterer(fitted)
    assert np.array_equal(fitted.labels_, fitted.predict(X))
    small = ClusteredInteLVAE(3, **SMALL)
    assert np.array_equal(small.fit_predict(X), small.labels_)
    assert adjusted_rand_score(y, fitted.labels_) > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_a_short_fit_starts_at_the_initial_clusters(seed, blobs):
    X, y = blobs
    vae = ClusteredInteLVAE(3, max_iter=3, random_state=seed)
    assert adjusted_rand_score(y, vae.fit_predict(X)) > 0.95
    weight = np.where(y == 2, 0.5, 1.0)
    assert adjusted_rand_score(y, vae.fit(X, sample_weight=weight).labels_) > 0.95


def test_a_short_fit_without_guidance_has_no_initial_clusters(blobs):
    X, _ = blobs
    vae = ClusteredInteLVAE(3, guidance_weight=0.0, **SMALL)
    assert vae.fit(X).labels_.shape == (len(X),)


def test_an_encoder_without_trainable_weights_is_not_pretrained(blobs):
    X, _ = blobs
    for encoder in (nn.Identity(), nn.Linear(5, 4).requires_grad_(False)):
        small = InteLVAE(2, mapping=Clusters(3), encoder=encoder, **SMALL)
        assert small.fit(X).predict(X).shape == (len(X),)


def test_the_shares_of_the_clusters_are_those_of_the_rows(blobs, fitted):
    shares = np.bincount(fitted.labels_) / len(blobs[0])
    np.testing.assert_allclose(fitted.cluster_shares_, shares, atol=0.02)
    np.testing.assert_allclose(np.sort(fitted.cluster_shares_), [0.1, 0.3, 0.6], atol=0.02)
    assert fitted.cluster_shares_.sum() == pytest.approx(1)


def test_it_generates_all_clusters_in_their_shares_or_one_cluster(blobs, fitted):
    X, _ = blobs
    generated = np.bincount(fitted.predict(fitted.sample(3000)), minlength=3) / 3000
    np.testing.assert_allclose(generated, fitted.cluster_shares_, atol=0.04)
    for cluster in range(3):
        rows = fitted.sample(200, cluster=cluster)
        assert (fitted.predict(rows) == cluster).mean() > 0.95
        real = X[fitted.labels_ == cluster]
        off = np.abs(np.median(rows, axis=0) - np.median(real, axis=0))
        assert (off < 1.5 * real.std(axis=0)).all()


def test_samples_of_a_cluster_are_repeatable(blobs, fitted):
    first = fitted.sample(20, cluster=1, random_state=3)
    assert np.array_equal(first, fitted.sample(20, cluster=1, random_state=3))
    assert not np.array_equal(first, fitted.sample(20, cluster=1, random_state=4))
    fitted.fit_density(blobs[0], GaussianMixture(3))
    rows = fitted.sample(50, cluster=1, source="density")
    assert rows.shape == (50, 5)
    assert (fitted.predict(rows) == 1).mean() > 0.9


@pytest.mark.parametrize("cluster", [3, -1, "a"])
def test_a_cluster_that_does_not_exist_is_refused(fitted, cluster):
    with pytest.raises(ValueError, match=r"cluster=.* is not a cluster of this model"):
        fitted.sample(5, cluster=cluster)


def test_a_mapping_without_regions_has_no_clusters(blobs):
    vae = InteLVAE(**SMALL).fit(blobs[0])
    with pytest.raises(
        ValueError,
        match="needs a mapping with regions.*Identity has none",
    ):
        vae.sample(5, cluster=0)


def test_any_mapping_with_regions_samples_by_cluster(blobs):
    vae = InteLVAE(mapping=Clusters(3), **SMALL).fit(blobs[0])
    assert vae.sample(7, cluster=2).shape == (7, 5)


def test_files_keep_labels_and_shares(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = ClusteredInteLVAE.load(tmp_path / "model")
    assert np.array_equal(again.labels_, fitted.labels_)
    assert np.array_equal(again.cluster_shares_, fitted.cluster_shares_)
    assert np.array_equal(again.sample(5, cluster=2), fitted.sample(5, cluster=2))


def test_continued_training_updates_the_labels(blobs):
    X, _ = blobs
    vae = ClusteredInteLVAE(3, **SMALL).partial_fit(X)
    assert len(vae.partial_fit(X[:100]).labels_) == 100


def test_the_number_of_clusters_can_be_searched(blobs):
    X, _ = blobs
    vae = ClusteredInteLVAE(**SMALL)
    search = GridSearchCV(vae, {"n_clusters": [1, 3], "learn_proportions": [True, False]}, cv=2)
    assert np.isfinite(search.fit(X).best_score_)


def test_more_than_two_clusters_need_a_plane(blobs):
    with pytest.raises(ValueError, match="needs n_components of at least 2, got 1"):
        ClusteredInteLVAE(3, n_components=1).fit(blobs[0])


@pytest.mark.slow
def test_all_clusters_of_the_digits_are_in_use():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    vae = ClusteredInteLVAE(10, max_iter=200, random_state=0).fit(X)
    k_means = KMeans(10, n_init=3, random_state=0).fit(X)
    assert np.bincount(vae.labels_, minlength=10).min() > 0.015 * len(X)
    assert vae.cluster_shares_.min() > 0.015
    found, reference = (normalized_mutual_info_score(y, r.labels_) for r in (vae, k_means))
    assert found > reference
