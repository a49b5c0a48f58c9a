"""Small cases computed by hand, the papers' values on their densities, and invalid input."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from torch.nn import functional as F

from sklearn_intelvae.datasets import (
    make_checkerboard,
    make_eight_gaussians,
    make_rings,
    make_two_spirals,
)
from sklearn_intelvae.metrics import energy_distance, gnelbo, histogram_divergences

EMPTY = -14 * np.log(10)
LOWER, UPPER, FAR = [-0.5, -0.5], [-0.5, 0.5], [5.0, 0.0]


def points(lower, upper, far=0):
    """Return points in the lower left bin, in the upper left bin and outside the window."""
    return np.array([LOWER] * lower + [UPPER] * upper + [FAR] * far)


class TestByHand:
    """With two bins of width 1 along each axis, densities equal probabilities."""

    def test_bins_with_points_of_both_samples(self):
        scores = histogram_divergences(points(1, 3), points(2, 2), 1, n_bins=2)
        kl = np.log(4 / 3) / 2
        sum_of_reversed = 3 / 8 * np.log(9 / 8) + 5 / 8 * np.log(25 / 24)
        sum_of_standard = (
            np.log(4 / 3) / 2 + np.log(4 / 5) / 2 + np.log(2 / 3) / 4 + np.log(6 / 5) * 3 / 4
        )
        assert scores.kl == pytest.approx(kl)
        assert scores.kl_papers == pytest.approx(kl / 2)
        assert scores.jsd_papers == pytest.approx(sum_of_reversed / 4)
        assert scores.jsd == pytest.approx(sum_of_standard / 2)
        assert scores.outside == 0

    def test_a_bin_without_generated_points_costs_32_nats(self):
        scores = histogram_divergences(points(4, 0), points(2, 2), 1, n_bins=2)
        assert scores.kl == pytest.approx(-np.log(2) - EMPTY / 2)
        assert scores.kl_papers == pytest.approx(scores.kl / 2)
        m_from_p = 3 / 4 * np.log(3 / 2) - np.log(2) / 4
        m_from_q = 3 / 4 * np.log(3 / 4) + (-np.log(4) - EMPTY) / 4
        assert scores.jsd_papers == pytest.approx((m_from_p + m_from_q) / 4)
        assert scores.jsd == pytest.approx((np.log(2 / 3) / 2 + np.log(2) / 2 + np.log(4 / 3)) / 2)

    def test_points_outside_are_dropped_by_the_papers_only(self):
        scores = histogram_divergences(points(1, 1, far=2), points(3, 3), 1, n_bins=2)
        assert scores.outside == 0.5
        assert scores.kl_papers == pytest.approx(0, abs=1e-13)
        assert scores.jsd_papers == pytest.approx(0, abs=1e-13)
        assert scores.kl == pytest.approx(np.log(2))
        assert scores.jsd == pytest.approx((np.log(4 / 3) + np.log(2 / 3) / 2 + np.log(2) / 2) / 2)

    def test_all_generated_points_outside(self):
        scores = histogram_divergences(points(0, 0, far=3), points(1, 1), 1, n_bins=2)
        assert scores.outside == 1
        assert scores.kl == pytest.approx(-np.log(2) - EMPTY)
        assert scores.kl_papers == pytest.approx(scores.kl / 2)
        assert scores.jsd == pytest.approx(np.log(2))
        assert np.isfinite(scores.jsd_papers)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.standard_normal((400, 2)), 0.7 * rng.standard_normal((300, 2)) + 0.3


class TestProperties:
    @pytest.mark.parametrize(("window", "n_bins"), [(2, 100), (4, 100), ((-1.5, 3), 30), (3.0, 1)])
    def test_the_papers_formula(self, pair, window, n_bins):
        low, high = (-window, window) if np.isscalar(window) else window
        q, p = (
            torch.tensor(np.histogram2d(*s.T, n_bins, [[low, high]] * 2, density=True)[0])
            for s in pair
        )
        m = (p + q) / 2
        kl, *halves = (
            F.kl_div(torch.log(b + 1e-14), a, reduction="batchmean").item()
            for a, b in [(p, q), (m, p), (m, q)]
        )
        scores = histogram_divergences(*pair, window, n_bins)
        assert scores.kl_papers == pytest.approx(kl, rel=1e-10)
        assert scores.jsd_papers == pytest.approx(sum(halves) / 2, rel=1e-10)

    @pytest.mark.parametrize("half", [3, 6])
    def test_the_papers_kl_is_the_standard_one_in_other_units(self, half):
        """Without empty bins, it is the KL over the number of bins times the area of a bin."""
        rng = np.random.default_rng(0)
        X, X_real = rng.uniform(-half, half, (2, 5000, 2))
        scores = histogram_divergences(X, X_real, half, n_bins=10)
        assert scores.kl_papers == pytest.approx(scores.kl / (10 * (2 * half / 10) ** 2))

    def test_the_standard_ones_have_no_units(self, pair):
        small = histogram_divergences(*pair, 3)
        large = histogram_divergences(64 * pair[0], 64 * pair[1], 3 * 64)
        assert (small.kl, small.jsd, small.outside) == (large.kl, large.jsd, large.outside)
        assert small.kl_papers > large.kl_papers

    def test_equal_samples_score_zero(self, pair):
        scores = histogram_divergences(pair[0][::-1], pair[0], 5)
        assert scores == pytest.approx((0, 0, 0, 0, 0), abs=1e-11)

    def test_the_jsd_is_symmetric_and_bounded_and_the_papers_is_not(self, pair):
        there, back = histogram_divergences(*pair, 5), histogram_divergences(*pair[::-1], 5)
        assert there.jsd == pytest.approx(back.jsd, rel=1e-12)
        assert 0 < there.jsd < np.log(2)
        apart = histogram_divergences(pair[0] + 10, pair[1], 20)
        assert apart.jsd == pytest.approx(np.log(2))
        near = histogram_divergences(*(0.02 * s for s in pair), 0.1)
        assert near.jsd == pytest.approx(there.jsd)
        assert near.jsd_papers > 100

    def test_a_window_may_be_a_pair_and_has_closed_ends(self, pair):
        assert histogram_divergences(*pair, 3) == histogram_divergences(*pair, (-3, 3))
        assert histogram_divergences([[1, -1]], [[1, 1]], 1).outside == 0
        assert histogram_divergences([[1, 1.0001]], [[1, 1]], 1).outside == 1

    def test_they_are_a_named_tuple_of_floats(self, pair):
        scores = histogram_divergences(*pair, 3)
        assert scores._fields == ("kl_papers", "jsd_papers", "kl", "jsd", "outside")
        assert all(type(value) is float for value in scores)


@pytest.mark.parametrize(
    ("make", "window", "floor", "spread", "uniform"),
    [
        (make_eight_gaussians, 2, (0.60, 0.29), (0.13, 0.04), (143.7, 79.0)),
        (make_two_spirals, 4, (6.80, 3.14), (0.39, 0.11), (29.0, 15.5)),
        (make_checkerboard, 4, (17.0, 8.09), (0.26, 0.11), (28.0, 14.0)),
        (make_rings, 4, (7.98, 3.71), (0.26, 0.07), (29.1, 15.5)),
    ],
)
def test_the_papers_code_gives_the_same_values(make, window, floor, spread, uniform):
    """Expected: mean and tolerance over ten pairs of 5000 points, from the papers' code."""
    rng = np.random.RandomState(0)
    real, other = ([make(5000, random_state=rng)[0] for _ in range(20)] for _ in range(2))
    of_real = [histogram_divergences(*pair, window)[:2] for pair in zip(real, other, strict=True)]
    assert (np.abs(np.mean(of_real, axis=0) - floor) < spread).all()
    noise = rng.uniform(-window, window, (20, 5000, 2))
    of_noise = [histogram_divergences(*pair, window)[:2] for pair in zip(noise, real, strict=True)]
    np.testing.assert_allclose(np.mean(of_noise, axis=0), uniform, rtol=0.05)


class TestErrors:
    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (np.ones((4, 3)), "has 3 columns.*energy_distance"),
            (np.ones(4), "Expected 2D array"),
            (np.ones((0, 2)), "minimum of 1"),
            (np.full((4, 2), np.nan), "contains NaN"),
            (np.full((4, 2), np.inf), "contains infinity"),
        ],
    )
    def test_tables(self, bad, message):
        good = np.zeros((4, 2))
        with pytest.raises(ValueError, match=message):
            histogram_divergences(bad, good, 2)
        with pytest.raises(ValueError, match=message):
            histogram_divergences(good, bad, 2)

    @pytest.mark.parametrize(
        "window", [0, -2, np.nan, np.inf, (1, 1), (2, -2), (0, np.inf), (1,), (1, 2, 3), None, "w"]
    )
    def test_windows(self, window):
        with pytest.raises(ValueError, match="window must be a positive number.*got"):
            histogram_divergences(np.zeros((4, 2)), np.zeros((4, 2)), window)

    @pytest.mark.parametrize("n_bins", [0, -1, 10.0, (10, 10), None])
    def test_numbers_of_bins(self, n_bins):
        with pytest.raises(ValueError, match="n_bins must be an int.*got"):
            histogram_divergences(np.zeros((4, 2)), np.zeros((4, 2)), 2, n_bins)

    def test_a_window_without_real_points(self):
        with pytest.raises(ValueError, match="window=2 contains no row of X_real; choose"):
            histogram_divergences(np.zeros((4, 2)), np.full((4, 2), 3.0), 2)


class TestEnergyDistance:
    def test_by_hand(self):
        assert energy_distance([[0, 0], [3, 4]], [[0, 4]]) == pytest.approx(2 * 7 / 2 - 5 / 2)
        assert energy_distance([[1.0], [2.0]], [[4.0], [8.0]]) == pytest.approx(9 - 1 / 2 - 2)

    def test_in_one_dimension_it_is_the_square_of_scipys(self):
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal(70), rng.exponential(size=50)
        expected = stats.energy_distance(x, y) ** 2
        assert energy_distance(x[:, None], y[:, None]) == pytest.approx(expected)

    @pytest.mark.parametrize("d", [1, 2, 30])
    def test_equal_samples_have_distance_zero(self, d):
        X = np.random.default_rng(0).standard_normal((200, d)) + 100
        assert energy_distance(X, X) == 0
        assert 0 <= energy_distance(X, X[::-1]) < 1e-12
        assert 0 <= energy_distance(X, np.vstack([X, X])) < 1e-12

    def test_it_is_symmetric_has_units_and_ignores_a_common_motion(self):
        rng = np.random.default_rng(0)
        X, Y = rng.standard_normal((60, 5)), rng.standard_normal((40, 5)) + 0.5
        rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
        distance = energy_distance(X, Y)
        assert type(distance) is float
        assert energy_distance(Y, X) == pytest.approx(distance)
        assert energy_distance(3 * X @ rotation + 1, 3 * Y @ rotation + 1) == pytest.approx(
            3 * distance
        )

    def test_two_samples_of_one_distribution_have_the_documented_mean(self):
        rng = np.random.default_rng(0)
        pairs = [(rng.standard_normal((30, 3)), rng.standard_normal((60, 3))) for _ in range(300)]
        expected = (1 / 30 + 1 / 60) * 4 / np.sqrt(np.pi)
        assert np.mean([energy_distance(*p) for p in pairs]) == pytest.approx(expected, rel=0.05)

    def test_chunks_change_nothing_and_save_memory(self):
        rng = np.random.default_rng(0)
        X, Y = rng.standard_normal((3000, 2)), rng.exponential(size=(5000, 2))
        tracemalloc.start()
        distance = energy_distance(X, Y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50e6
        whole = [cdist(*ends).mean(axis=1).mean() for ends in [(X, Y), (X, X), (Y, Y)]]
        assert distance == 2 * whole[0] - whole[1] - whole[2]

    def test_different_widths_are_refused(self):
        with pytest.raises(ValueError, match="X has 3 columns and Y has 2"):
            energy_distance(np.ones((4, 3)), np.ones((4, 2)))

    @pytest.mark.parametrize(
        ("bad", "message"), [(np.ones(4), "2D array"), (np.full((4, 2), np.nan), "contains NaN")]
    )
    def test_bad_tables_are_refused(self, bad, message):
        good = np.ones((4, 2))
        with pytest.raises(ValueError, match=f"X.*{message}|{message}"):
            energy_distance(bad, good)
        with pytest.raises(ValueError, match=f"Y.*{message}|{message}"):
            energy_distance(good, bad)

    def test_an_overflow_is_an_error(self):
        X = 1e200 * np.random.default_rng(0).standard_normal((5, 2))
        with pytest.raises(ValueError, match="squares of the values in X or Y overflow; divide"):
            energy_distance(X, np.ones((4, 2)))


class TestGnelbo:
    def test_a_constant_error_scores_the_reference_value(self):
        score = gnelbo(np.full((1024, 1024), 3.0), np.full(12800, 3.0))
        assert score == pytest.approx(1 / (1024**2 + 12800), rel=1e-12)
        assert score == pytest.approx(9.42e-7, rel=1e-3)

    def test_by_hand(self):
        score = gnelbo([[5, 1], [2, 4]], [1, 2, 3])
        assert score == pytest.approx(2 / 18)
        assert type(score) is float

    def test_scale_does_not_matter_and_small_errors_on_data_are_good(self):
        rng = np.random.default_rng(0)
        grid, data = rng.exponential(size=(2, 100))
        assert gnelbo(7 * grid, 7 * data) == pytest.approx(gnelbo(grid, data))
        assert gnelbo(grid, data / 2) < gnelbo(grid, data) < gnelbo(grid / 2, data)

    def test_float32_is_summed_in_double_precision(self):
        grid, data = np.full(10**6, 0.1, np.float32), np.full(1000, 0.1, np.float32)
        assert gnelbo(grid, data) == pytest.approx(1 / 1001000, rel=1e-12)

    @pytest.mark.parametrize(
        ("bad", "message"),
        [([], "minimum of 1"), ([1.0, np.nan], "contains NaN"), ([np.inf], "contains infinity")],
    )
    def test_bad_errors_are_refused(self, bad, message):
        with pytest.raises(ValueError, match=message):
            gnelbo(bad, [1.0])
        with pytest.raises(ValueError, match=message):
            gnelbo([1.0], bad)

    def test_scores_instead_of_errors_are_refused(self):
        with pytest.raises(ValueError, match=r"must be positive, got -6; pass errors"):
            gnelbo([-3.0, -2.0], [-1.0])
        assert gnelbo([3.0], [-0.5]) < 0
