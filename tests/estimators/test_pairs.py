"""Estimators that learn from pairs of rows: the SlowVAE and PCL."""

import copy

import numpy as np
import pytest
import sklearn
import torch
from scipy.signal import lfilter
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_intelvae import PCL, DivergenceError, InteLVAE
from sklearn_intelvae.datasets import make_entangled_factors, make_mini_sprites
from sklearn_intelvae.metrics import mean_correlation
from sklearn_intelvae.models import PCLParts
from sklearn_intelvae.models._pcl import log_odds
from sklearn_intelvae.networks import MLP
from tests.estimators.shelf import SMALL

USE_PAIRS = {"SlowVAE": InteLVAE(objective="slow", **SMALL), "PCL": PCL(**SMALL)}
every_estimator = pytest.mark.parametrize("estimator", USE_PAIRS.values(), ids=USE_PAIRS)


@pytest.fixture
def series(rng):
    """A series of two autocorrelated factors, mixed in four columns."""
    W = np.zeros((300, 2))
    for t in range(1, len(W)):
        W[t] = 0.8 * W[t - 1] + rng.laplace(size=2)
    return (W @ rng.standard_normal((2, 4))).astype(np.float32)


@every_estimator
class TestSeries:
    def test_a_series_is_equal_to_its_pairs(self, estimator, series):
        whole = clone(estimator).fit(series)
        pairs = clone(estimator).fit(series[1:], X_prev=series[:-1])
        for ours, theirs in zip(
            whole.module_.parameters(), pairs.module_.parameters(), strict=True
        ):
            assert torch.equal(ours, theirs)

    def test_the_order_of_a_series_matters(self, estimator, series):
        there, back = (clone(estimator).fit(X).transform(series) for X in (series, series[::2]))
        assert not np.array_equal(there, back)

    def test_pairs_may_be_in_any_order(self, estimator, series, rng):
        order = rng.permutation(len(series) - 1)
        X, X_prev = series[1:][order], series[:-1][order]
        assert clone(estimator).fit(X, X_prev=X_prev).transform(X).shape == (299, 2)

    def test_partial_fit_accepts_pairs_too(self, estimator, series):
        whole = clone(estimator).partial_fit(series).partial_fit(series)
        pairs = clone(estimator)
        for _ in range(2):
            pairs.partial_fit(series[1:], X_prev=series[:-1])
        np.testing.assert_array_equal(whole.transform(series), pairs.transform(series))

    def test_rows_set_aside_have_the_row_before_them(self, estimator, series):
        stopped = clone(estimator).set_params(early_stopping=True).fit(series)
        assert np.isfinite(stopped.validation_scores_).all()
        given = clone(estimator).fit(series[:200], X_val=series[200:])
        assert np.isfinite(given.validation_scores_).all()

    def test_the_rows_set_aside_are_the_last_of_a_series(self, estimator, series):
        estimator = clone(estimator).set_params(early_stopping=True)
        whole = clone(estimator).fit(series)
        parts = estimator.fit(series[:270], X_val=series[269:])
        np.testing.assert_array_equal(whole.validation_scores_, parts.validation_scores_)

    def test_weights_count(self, estimator, series):
        weight = np.ones(len(series))
        weight[:150] = 0
        weighted = clone(estimator).fit(series, sample_weight=weight)
        assert not np.array_equal(
            weighted.transform(series), clone(estimator).fit(series).transform(series)
        )

    def test_a_weight_on_the_first_row_alone_leaves_no_pair(self, estimator, series):
        weight = np.eye(len(series))[0]
        with pytest.raises(ValueError, match="a series of 300 rows has 0 pairs .* with a weight"):
            clone(estimator).fit(series, sample_weight=weight)

    def test_several_starts(self, estimator, series):
        several = clone(estimator).set_params(n_init=2).fit(series)
        assert several.transform(series).shape == (300, 2)

    def test_a_series_of_two_rows_is_too_short(self, estimator, series):
        with pytest.raises(ValueError, match="a series of 2 rows has 1 pairs .* at least 2 are"):
            clone(estimator).fit(series[:2])

    def test_both_tables_are_checked(self, estimator, series):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            clone(estimator).fit(series, X_prev=series[1:])
        with pytest.raises(ValueError, match="X_prev: X has 3 features"):
            clone(estimator).fit(series, X_prev=series[:, :3])
        broken = series.copy()
        broken[3, 1] = np.nan
        with pytest.raises(ValueError, match="Input X_prev contains NaN"):
            clone(estimator).fit(series, X_prev=broken)

    def test_rows_to_validate_on_cannot_be_combined_with_pairs(self, estimator, series):
        with pytest.raises(ValueError, match="X_val cannot be combined with X_prev"):
            clone(estimator).fit(series[1:], X_prev=series[:-1], X_val=series)


def test_previous_rows_are_refused_if_the_objective_does_not_use_them(series):
    with pytest.raises(ValueError, match="X_prev has no effect on ELBO, which uses single"):
        InteLVAE(**SMALL).fit(series, X_prev=series)


class TestRegression:
    def test_it_is_a_sum_over_components(self):
        h, previous = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0))
        model = PCLParts(MLP()).build(5, 3, torch.Generator().manual_seed(0))
        regression = model.regression
        nothing = torch.zeros(50, 3)
        base = regression(nothing, nothing)
        parts = [regression(h * mask, previous * mask) - base for mask in torch.eye(3)]
        torch.testing.assert_close(regression(h, previous) - base, sum(parts))
        assert all(part.abs().max() > 0.1 for part in parts)

    def test_other_pairs_are_never_real_ones(self):
        h = torch.arange(20.0)[:, None]

        def difference(a, b):
            return (a - b)[:, 0]

        real, other = log_odds(difference, h, h.clone(), torch.Generator().manual_seed(0))
        assert (real == 0).all()
        assert (other != 0).all()
        assert sorted((h[:, 0] - other).tolist()) == list(range(20))


class TestPCL:
    @pytest.fixture(scope="class")
    @staticmethod
    def fitted():
        X, W, *_ = make_entangled_factors(4000, perturbation=1.4, random_state=0)
        return PCL(4, max_iter=60, random_state=0).fit(X), X, W

    def test_factors_are_found_that_are_not_principal_components(self, fitted):
        pcl, X, W = fitted
        assert mean_correlation(pcl.transform(X), W) > 0.9
        assert mean_correlation(PCA(4).fit_transform(X), W) < 0.85

    @pytest.mark.slow
    @pytest.mark.parametrize("draw", [np.random.Generator.laplace, np.random.Generator.uniform])
    def test_factors_are_found_whatever_their_tails(self, draw, rng):
        noise = draw(rng, size=(4000, 2))
        W = lfilter([1], [1, -0.7], noise, axis=0)
        X = W @ [[1, 0.5, 0.3], [-0.4, 1, 0.6]]
        pcl = PCL(2, max_iter=60, random_state=0).fit(X)
        assert mean_correlation(pcl.transform(X), W) > 0.95

    def test_the_score_is_the_share_of_pairs_that_are_distinguished(self, fitted):
        pcl, X, _ = fitted
        fresh, *_ = make_entangled_factors(4001, perturbation=1.4, random_state=0)
        assert pcl.score(X) > 0.75
        assert pcl.score(X) == pcl.score(X[1:], X_prev=X[:-1])
        pairs = PCL(4, **SMALL).fit(X[1:], X_prev=X[:-1])
        with pytest.raises(ValueError, match="was fitted to pairs: score needs X_prev too"):
            pairs.score(X)
        assert fresh.shape == (4001, 12)
        shuffled = np.random.default_rng(0).permutation(X)
        assert pcl.score(shuffled) == pytest.approx(0.5, abs=0.05)

    def test_the_score_does_not_depend_on_the_output_of_transform(self, fitted):
        pcl, X, _ = fitted
        framed = copy.deepcopy(pcl).set_output(transform="pandas")
        assert framed.score(X) == pcl.score(X)
        assert framed.score(X[1:], X_prev=X[:-1]) == pcl.score(X)

    def test_components_have_unit_variance_over_the_training_rows(self, fitted):
        pcl, X, _ = fitted
        np.testing.assert_allclose(pcl.transform(X).std(axis=0), 1, atol=0.1)

    def test_the_normalization_does_not_depend_on_the_rows_passed(self, fitted):
        pcl, X, _ = fitted
        whole = pcl.transform(X)
        np.testing.assert_allclose(pcl.transform(3 + X[:5]), pcl.transform(3 + X)[:5], atol=1e-4)
        np.testing.assert_allclose(pcl.transform(X[:1]), whole[:1], atol=1e-5)

    def test_a_short_training_is_normalized_too(self, fitted):
        _, X, _ = fitted
        pcl = PCL(4, random_state=0).partial_fit(X)
        np.testing.assert_allclose(pcl.transform(X).std(axis=0), 1, atol=0.35)

    def test_searches_and_pipelines_pass_on_the_previous_rows(self, series):
        X, X_prev = series[1:], series[:-1]
        with sklearn.config_context(enable_metadata_routing=True):
            pcl = PCL(**SMALL).set_fit_request(X_prev=True).set_score_request(X_prev=True)
            search = GridSearchCV(pcl, {"n_components": [1, 2]}, cv=2, error_score="raise")
            assert 0 <= search.fit(X, X_prev=X_prev).best_score_ <= 1
            pipe = Pipeline(
                [("scaler", StandardScaler()), ("pcl", pcl)], transform_input=["X_prev"]
            )
            by_hand = StandardScaler().fit(X)
            direct = clone(pcl).fit(by_hand.transform(X), X_prev=by_hand.transform(X_prev))
            expected = direct.transform(by_hand.transform(X))
            np.testing.assert_array_equal(pipe.fit(X, X_prev=X_prev).transform(X), expected)

    @pytest.mark.slow
    def test_rows_without_temporal_dependence_are_warned_about(self):
        X = np.random.default_rng(0).normal(size=(2000, 3))
        with pytest.warns(ConvergenceWarning, match="PCL: consecutive rows are not disting"):
            PCL(2, max_iter=20, batch_size=32, learning_rate_init=1e-9, random_state=0).fit(X)

    def test_a_pipeline_and_a_grid(self, series):
        pipe = make_pipeline(StandardScaler(), PCL(**SMALL))
        search = GridSearchCV(pipe, {"pcl__n_components": [1, 2]}, cv=2, error_score="raise")
        search.fit(series)
        assert 0 <= search.best_score_ <= 1
        assert search.best_estimator_[-1].get_feature_names_out()[0] == "pcl0"

    def test_the_estimator_of_a_divergence_can_be_scored(self, series):
        wild = PCL(**SMALL | {"learning_rate_init": 1e30})
        with pytest.raises(DivergenceError) as caught:
            wild.fit(series)
        assert 0 <= caught.value.estimator.score(series) <= 1

    def test_images(self):
        X, _, X_prev, _ = make_mini_sprites(200, paired=True, random_state=0)
        pcl = PCL(2, image_shape=(1, 16, 16), **SMALL).fit(X, X_prev=X_prev)
        assert pcl.transform(X).shape == (200, 2)

    def test_without_a_fit_it_raises(self, series):
        with pytest.raises(NotFittedError):
            PCL().transform(series)
        with pytest.raises(NotFittedError):
            PCL().score(series)

    def test_one_pair_cannot_be_distinguished_from_others(self, series):
        pcl = PCL(**SMALL).fit(series)
        with pytest.raises(ValueError, match="there are 1 pairs to distinguish"):
            pcl.score(series[:2])
