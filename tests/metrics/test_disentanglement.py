"""Properties of all scores of codes and factors, then each score against a second computation."""

import inspect
from functools import partial
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

from sklearn_intelvae import metrics
from sklearn_intelvae.metrics import (
    beta_vae_score,
    dci_scores,
    explicitness_score,
    factor_vae_score,
    mean_correlation,
    modularity_score,
    mutual_info_gap,
    pca_alignment,
    sap_score,
)

FEW = {"n_train": 500, "n_test": 500}
CASES = {
    "mutual_info_gap": mutual_info_gap,
    "modularity_score": modularity_score,
    "dci_scores": dci_scores,
    "sap_score": sap_score,
    "explicitness_score": explicitness_score,
    "factor_vae_score": partial(factor_vae_score, **FEW),
    "beta_vae_score": partial(beta_vae_score, **FEW),
    "mean_correlation": mean_correlation,
}
KINDS = ["two values", "eight values", "continuous"]

# Minimum score of a perfect code, for factors of each kind; dci_scores returns three numbers. A
# linear classifier on one component separates few of eight values, no half-line contains an
# intermediate value alone, and the bins of a continuous factor count as values.
PERFECT = {
    "mutual_info_gap": (0.99, 0.95, 0.85),
    "modularity_score": (0.99, 0.99, 0.97),
    "dci_scores": ((0.95, 0.95, 0.99),) * 3,
    "sap_score": (0.4, 0.05, 0.98),
    "explicitness_score": (0.999, 0.75, 0.8),
    "factor_vae_score": (0.99, 0.99, 0.99),
    "beta_vae_score": (0.99, 0.99, 0.99),
    "mean_correlation": (1 - 1e-9, 1 - 1e-9, 1 - 1e-9),
}
# Maximum score of independent noise. A guess is correct with probability one over the number of
# values, or of factors; the area under the ROC curve of a guess is a half. Modularity is a ratio of
# two estimation errors here, and its value is arbitrary if both are small.
USELESS = {
    "mutual_info_gap": (0.03, 0.03, 0.03),
    "modularity_score": (0.7, 0.3, 0.2),
    "dci_scores": ((0.05, 0.05, 0.6), (0.05, 0.05, 0.2), (0.05, 0.05, 0.05)),
    "sap_score": (0.1, 0.05, 0.01),
    "explicitness_score": (0.57, 0.57, 0.57),
    "factor_vae_score": (0.45, 0.45, 0.45),
    "beta_vae_score": (0.4, 0.4, 0.4),
    "mean_correlation": (0.1, 0.1, 0.1),
}
# Maximum score of a code with constant components.
COLLAPSED = dict.fromkeys(CASES, 0.0) | {
    "dci_scores": (0, 0, 0.6),
    "explicitness_score": 0.5,
    "factor_vae_score": 1 / 3,
    "beta_vae_score": 0.4,
}
# Maximum change of a score under transformations that it is invariant to. Scores without a solver
# change by rounding only; a solver stops at a slightly different point, and trees draw components
# by their index.
TOLERANCE = {
    "mutual_info_gap": 1e-9,
    "modularity_score": 1e-9,
    "dci_scores": 0.05,
    "sap_score": 0.005,
    "explicitness_score": 0.001,
    "factor_vae_score": 1e-9,
    "beta_vae_score": 0.02,
    "mean_correlation": 1e-9,
}

every_score = pytest.mark.parametrize("name", CASES)
every_kind = pytest.mark.parametrize("kind", KINDS)


def settings_of(name):
    return inspect.signature(getattr(metrics, name)).parameters


def with_setting(setting):
    return [name for name in CASES if setting in settings_of(name)]


def scored(name, Z, W, **settings):
    if "random_state" in settings_of(name):
        settings = {"random_state": 0, **settings}
    return CASES[name](Z, W, **settings)


def assert_same(score, expected, tolerance):
    np.testing.assert_allclose(score, expected, rtol=0, atol=tolerance)


def factors(kind, n=600, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "continuous":
        return rng.normal(size=(n, 3))
    return rng.integers(2 if kind == "two values" else 8, size=(n, 3))


def mixed(n=500, seed=0):
    """Return an intermediate code of four components, and factors of all kinds."""
    rng = np.random.default_rng(seed)
    W = np.c_[rng.integers(2, size=n), rng.integers(5, size=n), rng.normal(size=n)]
    mix = [[1.0, 0.3, 0.0, 0.5], [0.2, -1.0, 0.1, 0.5], [0.0, 0.2, 0.8, -0.5]]
    Z = (W - W.mean(axis=0)) / W.std(axis=0) @ mix + 0.3 * rng.normal(size=(n, 4))
    return Z, W


def rotate_pairs_by_45_degrees(W):
    A, B = W[:, ::2], W[:, 1::2]
    return np.c_[A + B, A - B]


def test_all_public_functions_have_a_case():
    members = {name: getattr(metrics, name) for name in metrics.__all__}
    functions = {name: f for name, f in members.items() if inspect.isfunction(f)}
    here = {n for n, f in functions.items() if list(inspect.signature(f).parameters)[:2] == [*"ZW"]}
    assert CASES.keys() == here
    assert CASES.keys() == PERFECT.keys() == USELESS.keys() == COLLAPSED.keys() == TOLERANCE.keys()


@every_score
class TestCommonProperties:
    @every_kind
    def test_a_perfect_code_scores_high(self, name, kind):
        W = factors(kind)
        assert np.all(scored(name, W, W) >= np.array(PERFECT[name][KINDS.index(kind)]))

    @every_kind
    def test_a_useless_code_scores_low(self, name, kind):
        Z = np.random.default_rng(1).normal(size=(600, 3))
        score = scored(name, Z, factors(kind))
        assert np.all(score <= np.array(USELESS[name][KINDS.index(kind)]))

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda Z: Z[:, [2, 0, 3, 1]], id="columns"),
            pytest.param(lambda Z: Z * [-1, 1, -1, -1], id="signs"),
            pytest.param(lambda Z: Z * [1e-3, 1e3, 0.3, 20], id="units"),
            pytest.param(lambda Z: np.add(Z, [-30, 0, 500, 1e4]), id="origin"),
        ],
    )
    def test_order_sign_unit_and_origin_of_components_do_not_matter(self, name, change):
        Z, W = mixed()
        assert_same(scored(name, change(Z), W), scored(name, Z, W), TOLERANCE[name])

    def test_constant_components_change_little(self, name):
        W = mixed()[1]
        padded = np.c_[np.full(len(W), 3.7), W, np.zeros(len(W))]
        share = 3 / 5 if name == "modularity_score" else 1
        assert_same(scored(name, padded, W), share * np.array(scored(name, W, W)), 0.05)

    def test_a_collapsed_code_scores_low(self, name):
        score = scored(name, np.ones((600, 4)), factors("two values"))
        assert np.all(score <= np.array(COLLAPSED[name]))

    @pytest.mark.parametrize("seed", range(2))
    def test_it_is_a_float_between_zero_and_one(self, name, seed):
        rng = np.random.default_rng(seed)
        score = scored(name, rng.normal(size=(40, 5)) ** 3, rng.integers(3, size=(40, 2)))
        for number in score if name == "dci_scores" else [score]:
            assert isinstance(number, float)
            assert 0 <= number <= 1

    def test_float32_lists_and_data_frames_are_accepted(self, name):
        Z, W = (table.astype(np.float32) for table in mixed(200))
        expected = scored(name, Z.astype(np.float64), W.astype(np.float64))
        for form in (np.array, np.ndarray.tolist, pd.DataFrame):
            assert_same(scored(name, form(Z), form(W)), expected, 1e-12)

    def test_the_inputs_are_not_modified(self, name):
        Z, W = mixed(200)
        before = Z.copy(), W.copy()
        scored(name, Z, W)
        for then, now in zip(before, (Z, W), strict=True):
            np.testing.assert_array_equal(then, now)
        Z.flags.writeable = W.flags.writeable = False
        assert scored(name, Z, W) == scored(name, *before)

    def test_an_int_is_reproducible_and_the_global_generator_is_unchanged(self, name):
        Z, W = mixed(200)
        before = np.random.get_state()
        assert scored(name, Z, W) == scored(name, Z, W)
        for then, now in zip(before, np.random.get_state(), strict=True):
            np.testing.assert_array_equal(then, now)

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda Z, W: (np.where(Z > 1, np.nan, Z), W), "Input Z contains NaN"),
            (lambda Z, W: (Z, np.where(W > 1, np.inf, W)), "Input W contains infinity"),
            (lambda Z, W: (Z[:-1], W), r"inconsistent numbers of samples: \[199, 200\]"),
            (lambda Z, W: (Z[:, 0], W), "Expected 2D array, got 1D array"),
            (lambda Z, W: (Z, W[:, 0]), "Expected 2D array, got 1D array"),
            (lambda Z, W: (Z[:1], W[:1]), "minimum of 2"),
        ],
        ids=["nan", "infinity", "lengths", "one column of Z", "one column of W", "one row"],
    )
    def test_bad_tables_are_refused(self, name, spoil, message):
        with pytest.raises(ValueError, match=message):
            CASES[name](*spoil(*mixed(200)))


@every_kind
class TestDuplicatedComponents:
    @pytest.mark.parametrize("name", ["mutual_info_gap", "sap_score"])
    def test_the_gap_is_zero(self, name, kind):
        W = factors(kind)
        assert scored(name, np.c_[W, W], W) == pytest.approx(0, abs=1e-9)

    def test_disentanglement_is_unchanged_and_completeness_decreases(self, kind):
        W = factors(kind)
        twice, once = (dci_scores(Z, W, random_state=0) for Z in (np.c_[W, W], W))
        assert twice.disentanglement == pytest.approx(once.disentanglement, abs=0.05)
        assert twice.completeness == pytest.approx(1 - np.log(2) / np.log(6), abs=0.05)
        assert twice.informativeness == pytest.approx(once.informativeness, abs=0.05)

    @pytest.mark.parametrize(
        "name",
        [
            "modularity_score",
            "explicitness_score",
            "factor_vae_score",
            "beta_vae_score",
            "mean_correlation",
        ],
    )
    def test_the_other_scores_are_unchanged(self, name, kind):
        W = factors(kind)
        assert_same(scored(name, np.c_[W, W], W), scored(name, W, W), TOLERANCE[name])


@pytest.mark.parametrize("name", ["mutual_info_gap", "modularity_score", "mean_correlation"])
def test_the_order_of_rows_and_of_factors_does_not_matter(name):
    Z, W = mixed()
    order = np.random.default_rng(0).permutation(len(Z))
    expected = pytest.approx(scored(name, Z, W), abs=1e-12)
    assert scored(name, Z[order], W[order]) == expected
    assert scored(name, Z, W[:, ::-1]) == expected


@pytest.mark.parametrize("name", with_setting("random_state"))
def test_a_generator_is_used(name):
    Z, W = mixed(200)
    generator = np.random.RandomState(0)
    before = generator.get_state()[2]
    score = scored(name, Z, W, random_state=generator)
    assert generator.get_state()[2] != before
    assert score == scored(name, Z, W, random_state=0)


@pytest.mark.parametrize("name", with_setting("discrete_factors"))
def test_integers_are_discrete_unless_specified_otherwise(name):
    Z, W = mixed(200)
    W[:5, 2] = 1
    automatic = scored(name, Z, W)
    assert scored(name, Z, W, discrete_factors=[True, True, False]) == automatic
    assert scored(name, Z, W / 2, discrete_factors=[True, True, False]) == automatic


class TestErrors:
    @pytest.mark.parametrize("name", with_setting("discrete_factors"))
    def test_a_constant_factor(self, name):
        Z, W = mixed(200)
        with pytest.raises(ValueError, match=r"Column 1 of W does not vary.*Remove this column\."):
            scored(name, Z, W * [1, 0, 1])

    @pytest.mark.parametrize("n_bins", [1, 0, -3, 2.5, 20.0, "20", None, True])
    @pytest.mark.parametrize("name", with_setting("n_bins"))
    def test_n_bins(self, name, n_bins):
        with pytest.raises(
            ValueError, match=f"n_bins must be an int of at least 2, got {n_bins!r}"
        ):
            scored(name, *mixed(200), n_bins=n_bins)

    @pytest.mark.parametrize("mask", ["some", None, [True], [0, 1, 1], [[True] * 3], 1])
    @pytest.mark.parametrize("name", with_setting("discrete_factors"))
    def test_discrete_factors(self, name, mask):
        with pytest.raises(ValueError, match="'auto', a bool, or one bool for each of the 3 col"):
            scored(name, *mixed(200), discrete_factors=mask)

    @pytest.mark.parametrize("test_size", [2, 1, 0, -0.5, np.nan, "half", None])
    @pytest.mark.parametrize("name", with_setting("test_size"))
    def test_test_size(self, name, test_size):
        with pytest.raises(ValueError, match=f"fraction between 0 and 1, got {test_size!r}"):
            scored(name, *mixed(200), test_size=test_size)

    @pytest.mark.parametrize("setting", ["batch_size", "n_train", "n_test"])
    @pytest.mark.parametrize("value", [0, -1, 10.0, "many", None])
    @pytest.mark.parametrize("name", ["factor_vae_score", "beta_vae_score"])
    def test_sizes_of_the_samples(self, name, setting, value):
        with pytest.raises(ValueError, match=f"{setting} must be a positive int, got {value!r}"):
            scored(name, *mixed(200), **{setting: value})

    @pytest.mark.parametrize("name", with_setting("random_state"))
    def test_random_state(self, name):
        with pytest.raises(ValueError, match="'seed' cannot be used to seed"):
            scored(name, *mixed(200), random_state="seed")

    def test_predictor(self):
        with pytest.raises(ValueError, match="'forest', 'boosting' or a classifier and a.*'svm'"):
            dci_scores(*mixed(200), predictor="svm")

    def test_method(self):
        with pytest.raises(ValueError, match="method must be 'pearson' or 'spearman', got 'kend"):
            mean_correlation(*mixed(200), method="kendall")

    @pytest.mark.parametrize("score", [modularity_score, beta_vae_score])
    def test_a_single_factor(self, score):
        Z, W = mixed(200)
        with pytest.raises(ValueError, match="W has one column"):
            score(Z, W[:, :1])


class TestRecordedValues:
    """Scores of four factors with eight values each."""

    W = np.random.default_rng(0).integers(8, size=(2000, 4))
    noise = np.random.default_rng(1).normal(size=(2000, 2))
    rotated = rotate_pairs_by_45_degrees(W - 3.5)

    def test_a_perfect_code(self):
        assert mutual_info_gap(self.W, self.W) > 0.9
        assert mean_correlation(self.W, self.W) == pytest.approx(1)

    def test_a_perfect_code_with_noise_components(self):
        code = np.c_[self.W, self.noise]
        assert mutual_info_gap(code, self.W) > 0.9
        assert modularity_score(code, self.W) == pytest.approx(0.72, abs=0.05)

    def test_disentanglement_of_a_perfect_code_with_noise_components(self):
        assert dci_scores(np.c_[self.W, self.noise], self.W, random_state=0)[0] > 0.95

    def test_a_rotated_perfect_code(self):
        assert mutual_info_gap(self.rotated, self.W) < 0.01
        assert mean_correlation(self.rotated, self.W) == pytest.approx(0.71, abs=0.01)

    def test_disentanglement_of_a_rotated_code_is_not_zero(self):
        scores = dci_scores(self.rotated, self.W, random_state=0)
        assert scores.disentanglement == pytest.approx(0.44, abs=0.1)
        assert scores.informativeness > 0.95


def information(z, w, n_bins=20):
    joint = np.histogram2d(z, w, n_bins)[0] / len(z)
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    occupied = joint > 0
    return np.sum(joint[occupied] * np.log(joint[occupied] / product[occupied]))


class TestInformation:
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    exclusive_or = np.c_[bits[:, 0], bits[:, 0] ^ bits[:, 1]]

    @pytest.mark.parametrize("n_bins", [7, 20])
    def test_both_scores_follow_from_a_contingency_table(self, n_bins):
        Z, W = mixed()
        table = np.array([[information(z, w, n_bins) for w in W.T] for z in Z.T])
        ranked = np.sort(table, axis=0)
        entropy = np.array([information(w, w, n_bins) for w in W.T])
        gap = np.mean((ranked[-1] - ranked[-2]) / entropy)
        assert mutual_info_gap(Z, W, n_bins=n_bins) == pytest.approx(gap, abs=1e-9)
        most = table.max(axis=1)
        others = (table**2).sum(axis=1) - most**2
        modularity = np.mean(1 - others / (2 * most**2))
        assert modularity_score(Z, W, n_bins=n_bins) == pytest.approx(modularity, abs=1e-9)

    def test_joint_information_of_two_components_does_not_count(self):
        assert mutual_info_gap(self.exclusive_or, self.bits) == pytest.approx(0.5)
        assert modularity_score(self.exclusive_or, self.bits) == pytest.approx(0.5)

    def test_a_single_component_has_no_second_best(self):
        Z, W = mixed()
        shares = [information(Z[:, 0], w) / information(w, w) for w in W.T]
        assert mutual_info_gap(Z[:, :1], W) == pytest.approx(np.mean(shares), abs=1e-9)

    def test_a_component_equally_informative_about_all_factors_is_not_modular(self):
        w = np.random.default_rng(0).integers(8, size=(100, 1))
        assert modularity_score(w, np.repeat(w, 3, axis=1)) == pytest.approx(0, abs=1e-9)


class FakePredictor(BaseEstimator):
    """A predictor with given importances and a given score."""

    def __init__(self, importances, quality=1.0):
        self.importances = importances
        self.quality = quality

    def fit(self, Z, w):
        self.feature_importances_ = np.array(self.importances)
        return self

    def score(self, Z, w):
        return self.quality


def dci_of(classifier, regressor):
    """Return the DCI of one discrete and one continuous factor."""
    Z, W = mixed(50)
    return dci_scores(Z[:, :3], W[:, [0, 2]], predictor=(classifier, regressor))


class TestDci:
    @pytest.mark.parametrize(
        ("importances", "disentanglement", "completeness"),
        [
            pytest.param([(5, 0, 0), (0, 0, 0.1)], 1, 1, id="one each"),
            pytest.param([(2, 2, 0), (0, 0, 3)], 1, 1 - 4 / 7 * np.log(2) / np.log(3), id="two"),
            pytest.param([(3, 0, 0), (3, 0, 0)], 0, 1, id="one for both"),
            pytest.param([(3, 1, 0), (0, -1, 3)], 0.75, 0.48814, id="the middle for both"),
            pytest.param([(1, 1, 1), (2, 2, 2)], 1 - 0.91830, 0, id="all for both"),
            pytest.param([(0, 0, 0), (0, 0, 0)], 0, 0, id="nothing"),
        ],
    )
    def test_it_is_computed_from_importances(self, importances, disentanglement, completeness):
        scores = dci_of(*map(FakePredictor, importances))
        assert scores.disentanglement == pytest.approx(disentanglement, abs=1e-5)
        assert scores.completeness == pytest.approx(completeness, abs=1e-5)

    def test_components_and_factors_are_weighted_by_their_importance(self):
        scores = dci_of(FakePredictor([6, 2, 0]), FakePredictor([0, 2, 10]))
        first, last = stats.entropy([3, 1], base=3), stats.entropy([1, 5], base=3)
        assert scores.disentanglement == pytest.approx(16 / 20)
        assert scores.completeness == pytest.approx(1 - (8 * first + 12 * last) / 20)

    def test_informativeness_is_the_mean_score_clipped_at_zero(self):
        good, fair, bad = (FakePredictor([1, 0, 0], score) for score in (0.9, 0.5, -3.0))
        assert dci_of(good, fair).informativeness == pytest.approx(0.7)
        assert dci_of(good, bad).informativeness == pytest.approx(0.45)

    def test_the_given_predictors_are_not_fitted(self):
        classifier, regressor = FakePredictor([1, 0, 0]), FakePredictor([0, 1, 0])
        dci_of(classifier, regressor)
        assert not hasattr(classifier, "feature_importances_")
        assert not hasattr(regressor, "feature_importances_")

    def test_boosting_scores_a_perfect_code_high(self):
        W = mixed(300)[1]
        assert min(dci_scores(W, W, predictor="boosting", random_state=0)) > 0.98


class TestSap:
    def test_continuous_factors_are_scored_by_squared_correlations(self):
        Z, W = mixed()
        ranked = np.sort(np.corrcoef(Z.T, W.T)[:4, 4:] ** 2, axis=0)
        expected = np.mean(ranked[-1] - ranked[-2])
        assert sap_score(Z, W, discrete_factors=False) == pytest.approx(expected, abs=1e-9)

    def test_discrete_factors_are_scored_by_the_gap_in_accuracy(self):
        rng = np.random.default_rng(0)
        w = rng.integers(2, size=(3000, 1))
        sometimes_wrong = np.where(rng.uniform(size=(3000, 1)) < 0.2, 1 - w, w)
        score = sap_score(np.c_[sometimes_wrong, w], w, random_state=0)
        assert score == pytest.approx(0.2, abs=0.04)

    def test_a_single_component_has_no_second_best(self):
        w = factors("two values")[:, :1]
        assert sap_score(w, w, random_state=0) == 1

    @pytest.mark.parametrize("score", [sap_score, dci_scores])
    def test_a_value_missing_from_the_training_rows_is_an_error(self, score):
        W = np.c_[np.arange(600) == 599, np.arange(600) % 2]
        Z = np.random.default_rng(0).normal(size=(600, 2))
        message = r"single value of column 0 of W.*other values are rare\. Remove this column"
        with pytest.raises(ValueError, match=message):
            score(Z, W, random_state=2)

    def test_test_size_is_checked_without_discrete_factors(self):
        Z = np.random.default_rng(0).normal(size=(60, 2))
        with pytest.raises(ValueError, match="test_size must be a fraction between 0 and 1, got 2"):
            sap_score(Z, Z, test_size=2)


class TestExplicitness:
    @pytest.mark.parametrize("apart", [0.5, 1, 2])
    def test_for_two_normal_classes_it_is_the_theoretical_area(self, apart):
        rng = np.random.default_rng(0)
        w = rng.integers(2, size=(6000, 1))
        z = apart * w + rng.normal(size=(6000, 1))
        area = stats.norm.cdf(apart / np.sqrt(2))
        assert explicitness_score(-z, w, random_state=0) == pytest.approx(area, abs=0.03)

    def test_rotating_the_code_does_not_matter(self):
        Z, W = mixed()
        rotation = stats.ortho_group.rvs(4, random_state=0)
        standard = (Z - Z.mean(axis=0)) / Z.std(axis=0)
        first, second = (explicitness_score(z, W, random_state=0) for z in (Z, standard @ rotation))
        assert first == pytest.approx(second, abs=0.01)

    def test_a_value_of_a_single_row_is_skipped(self):
        W = np.c_[np.arange(600) == 599, np.arange(600) % 2]
        assert explicitness_score(W, W, random_state=0) > 0.99


def count_votes(Z, W, n, rng, batch_size=64):
    """Return the fixed factor and the component that varied least, for each of n votes."""
    fixed = rng.integers(W.shape[1], size=n)
    votes = []
    for j in fixed:
        agreeing = np.flatnonzero(W[:, j] == rng.choice(W[:, j]))
        votes.append((Z[rng.choice(agreeing, batch_size)] / Z.std(axis=0)).var(axis=0).argmin())
    return fixed, np.array(votes)


class TestFactorVaeAndBetaVae:
    bits = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (50, 1))
    many = {"n_train": 2000, "n_test": 4000, "random_state": 0}

    def test_both_are_one_for_two_bits(self):
        assert factor_vae_score(self.bits, self.bits, **self.many) == 1
        assert beta_vae_score(self.bits, self.bits, **self.many) == 1

    def test_the_test_votes_do_not_train_the_classifier(self):
        scores = [
            factor_vae_score(self.bits, self.bits, n_train=1, random_state=seed)
            for seed in range(10)
        ]
        assert min(scores) == pytest.approx(0.5, abs=0.05)

    def test_a_component_with_every_vote_scores_one_half(self):
        first = self.bits[:, [0, 0]]
        assert factor_vae_score(first, self.bits, **self.many) == pytest.approx(0.5, abs=0.03)

    def test_differences_that_do_not_depend_on_the_factor_score_one_half(self):
        total = self.bits.sum(axis=1, keepdims=True)
        assert beta_vae_score(total, self.bits, **self.many) == pytest.approx(0.5, abs=0.03)
        assert beta_vae_score(self.bits[:, :1], self.bits, **self.many) == 1

    def test_the_factor_vae_score_equals_a_direct_count(self):
        rng = np.random.default_rng(0)
        W = rng.integers(3, size=(400, 3))
        Z = W @ [[1, 0.9, 0], [0, 1, 0.5], [0, 0, 1]] + rng.normal(size=(400, 3))
        fixed, votes = count_votes(Z, W, 4000, rng)
        majority = [np.bincount(fixed[votes == i], minlength=3).argmax() for i in range(3)]
        expected = np.mean(np.array(majority)[votes] == fixed)
        assert 0.5 < expected < 0.95
        score = factor_vae_score(Z, W, **self.many)
        assert score == pytest.approx(expected, abs=0.03)

    def test_constant_components_are_ignored(self):
        W = factors("eight values")
        padded = np.c_[np.full(600, np.float32(0.1)), W]
        assert scored("factor_vae_score", padded, W) == scored("factor_vae_score", W, W)


class TestMeanCorrelation:
    @pytest.mark.parametrize("n_components", [3, 4])
    def test_no_other_matching_is_better(self, n_components):
        Z, W = mixed()
        Z = Z[:, :n_components]
        table = np.abs(np.corrcoef(Z.T, W.T)[:n_components, n_components:])
        matchings = permutations(range(n_components), 3)
        best = max(table[list(chosen), range(3)].mean() for chosen in matchings)
        assert mean_correlation(Z, W) == pytest.approx(best)

    def test_a_factor_without_a_component_counts_as_zero(self):
        Z, W = mixed()
        table = np.abs(np.corrcoef(Z[:, :2].T, W.T)[:2, 2:])
        best = max(table[range(2), list(chosen)].sum() for chosen in permutations(range(3), 2))
        assert mean_correlation(Z[:, :2], W) == pytest.approx(best / 3)

    def test_spearman_measures_monotone_relations(self):
        Z, W = mixed()
        W = W[:, 1:]
        table = np.abs(stats.spearmanr(Z, W).statistic[:4, 4:])
        best = max(table[list(chosen), range(2)].mean() for chosen in permutations(range(4), 2))
        assert mean_correlation(Z, W, method="spearman") == pytest.approx(best)
        bent = mean_correlation(np.exp(3 * Z), W, method="spearman")
        assert bent == pytest.approx(best)
        assert mean_correlation(np.exp(3 * Z), W) < best - 0.1

    def test_rounding_noise_around_a_constant_counts_as_constant(self):
        noise = np.full((600, 1), 0.1, dtype=np.float32)
        noise[::2] = np.nextafter(np.float32(0.1), np.float32(1))
        alternating = np.arange(600)[:, None] % 2
        for method in ("pearson", "spearman"):
            assert mean_correlation(noise, alternating, method=method) == 0


class TestPcaAlignment:
    X = np.random.default_rng(0).normal(size=(500, 6)) * [5, 4, 3, 2, 1, 0] + 7
    scores = PCA(5).fit_transform(X)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda S: S[:, [3, 1, 0]] * [-1, 1e-3, 1e3] + [0, 9, -5], id="affine"),
            pytest.param(lambda S: np.c_[S[:, 2], np.full(len(S), 3.7)], id="constant component"),
            pytest.param(lambda S: np.c_[S, S[:, :2] + S[:, 3:]], id="extra components"),
        ],
    )
    def test_principal_components_are_aligned(self, change):
        assert pca_alignment(change(self.scores), self.X) == pytest.approx(1, abs=1e-9)

    def test_rotated_principal_components_are_not(self):
        white = self.scores[:, :4] / self.scores[:, :4].std(axis=0)
        rotated = rotate_pairs_by_45_degrees(white)
        assert pca_alignment(rotated, self.X) == pytest.approx(np.sqrt(0.5), abs=1e-9)

    def test_a_collapsed_code_is_not_aligned(self):
        assert pca_alignment(np.ones((500, 2)), self.X) == 0

    @pytest.mark.parametrize(
        ("Z", "X", "message"),
        [
            (scores * np.nan, X, "Input Z contains NaN"),
            (scores, X[:-1], "inconsistent numbers of samples"),
            (scores[:1], X[:1], "minimum of 2"),
        ],
    )
    def test_bad_tables_are_refused(self, Z, X, message):
        with pytest.raises(ValueError, match=message):
            pca_alignment(Z, X)


class TestRoundingKeepsTheRange:
    def test_perfect_codes(self):
        for seed in range(20):
            W = np.random.default_rng(seed).normal(size=(100, 4))
            for method in ("pearson", "spearman"):
                assert mean_correlation(-3 * W, W, method=method) <= 1
            assert pca_alignment(PCA().fit_transform(W), W) <= 1

    def test_equally_informative_components(self):
        for seed in range(20):
            w = np.random.default_rng(seed).normal(size=(100, 1))
            assert modularity_score(w, np.repeat(w, 3, axis=1)) >= 0

    def test_equal_importances(self):
        for n_components in range(2, 12):
            equal = FakePredictor([0.3] * n_components)
            assert min(dci_of(equal, equal)) >= 0


@pytest.mark.parametrize("scale", [1e2, 1e6])
def test_integers_with_many_values_are_continuous(scale):
    W = np.random.default_rng(0).normal(size=(1500, 2))
    whole = np.round(scale * W)
    assert mutual_info_gap(W, whole) == pytest.approx(mutual_info_gap(W, W), abs=0.02)
    assert dci_scores(W, whole, random_state=0).informativeness > 0.95


@pytest.mark.parametrize(
    ("n_values", "n_samples", "discrete"),
    [(50, 60, True), (60, 900, True), (51, 300, False), (100, 900, False)],
)
def test_integers_with_few_values_are_discrete(n_values, n_samples, discrete):
    rng = np.random.default_rng(0)
    W = (np.arange(n_samples) % n_values).astype(float)[:, None]
    Z = np.c_[W, W + n_values * rng.normal(size=W.shape)]
    automatic, explicit = (mutual_info_gap(Z, W, discrete_factors=d) for d in ("auto", discrete))
    assert automatic == explicit
    assert automatic != mutual_info_gap(Z, W, discrete_factors=not discrete)
