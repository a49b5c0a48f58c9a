"""Properties of all densities, then the definition of each."""

import inspect
import re

import numpy as np
import pytest
from scipy import stats

from sklearn_intelvae import datasets
from sklearn_intelvae.datasets import (
    make_checkerboard,
    make_eight_gaussians,
    make_rings,
    make_two_spirals,
)

# Window, number of parts and variance along an axis of each density, from its definition.
CASES = {
    make_eight_gaussians: (2, 8, (2 + 0.02**2) / 1.414**2),
    make_two_spirals: (4, 2, None),
    make_checkerboard: (4, 8, 16 / 3),
    make_rings: (4, 4, 9 / 2 * (1 + 9 / 16 + 1 / 4 + 1 / 16) / 4 + 0.08**2),
}
densities = pytest.mark.parametrize("make", CASES)


def parts(make, n=20000):
    """Return points and the index of the part of the density that each belongs to."""
    X, label = make(n, random_state=0)
    return X, (label < 0).astype(int) if make is make_two_spirals else label


def section(make, name):
    """Return the text of a section of the docstring."""
    text = inspect.getdoc(make).split(f"\n{name}\n{'-' * len(name)}\n")[1]
    return re.split(r"\n\w+\n-+\n", text)[0]


def is_standard_normal(values):
    return stats.kstest(values, stats.norm.cdf).pvalue > 1e-3


def is_uniform(values, low=0, high=1):
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_all_public_functions_have_a_case():
    here = {n for n in datasets.__all__ if getattr(datasets, n).__module__.endswith("_densities")}
    assert {make.__name__ for make in CASES} == here


@densities
class TestCommonProperties:
    def test_shapes_and_types(self, make):
        X, label = make()
        assert X.shape == (1000, 2)
        assert label.shape == (1000,)
        assert X.dtype == np.float64
        assert label.dtype == (np.float64 if make is make_two_spirals else np.int64)
        assert X.flags.writeable
        assert make(1)[0].shape == (1, 2)

    def test_an_int_is_reproducible_and_another_int_differs(self, make):
        first, second, other = (make(50, random_state=seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])
        assert (first[0] != other[0]).all()

    def test_a_generator_is_used_and_the_global_one_is_not(self, make):
        before = np.random.get_state()[1].copy()
        generator = np.random.RandomState(0)
        first, second = make(20, random_state=generator)[0], make(20, random_state=generator)[0]
        assert (first != second).any(axis=1).all()
        np.testing.assert_array_equal(first, make(20, random_state=0)[0])
        np.testing.assert_array_equal(before, np.random.get_state()[1])

    def test_parts_are_equally_frequent_and_shuffled(self, make):
        _, part = parts(make)
        n_parts = CASES[make][1]
        assert stats.chisquare(np.bincount(part, minlength=n_parts)).pvalue > 1e-3
        assert part.max() == n_parts - 1
        # Every slice of the table must contain all parts, for instance a split without shuffling.
        assert abs(np.corrcoef(part[1:], part[:-1])[0, 1]) < 0.03

    def test_it_spans_its_window_and_is_centered(self, make):
        X, _ = parts(make)
        window, _, variance = CASES[make]
        assert window / 2 < np.abs(X).max() <= window
        assert np.abs(X.mean(axis=0)).max() < 5 * X.std() / np.sqrt(len(X))
        if variance is not None:
            np.testing.assert_allclose(X.var(axis=0), variance, rtol=0.03)

    @pytest.mark.parametrize(
        ("name", "value"), [("n_samples", 0), ("n_samples", 10.0), ("random_state", "seed")]
    )
    def test_bad_input_is_refused_by_name(self, make, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter of {make.__name__}.*Got"):
            make(**{name: value})

    def test_random_state_is_keyword_only(self, make):
        with pytest.raises(TypeError, match="positional"):
            make(10, 0)

    def test_the_docstring_has_the_common_sections_and_the_window(self, make):
        doc = inspect.getdoc(make)
        sections = ["Parameters", "Returns", "Raises", "References", "Examples"]
        places = [doc.index(f"\n{name}\n{'-' * len(name)}\n") for name in sections]
        assert places == sorted(places)
        for name in ("Parameters", "Raises", "References"):
            assert section(make, name) == section(make_rings, name)
        assert f"[-{CASES[make][0]}, {CASES[make][0]}]^2" in doc


def test_the_eight_gaussians_have_their_moments():
    X, y = make_eight_gaussians(40000, random_state=0)
    for k in range(8):
        mean = 2 * np.array([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)]) / 1.414
        standard = (X[y == k] - mean) / (0.02 / 1.414)
        assert all(is_standard_normal(axis) for axis in standard.T)
        assert abs(np.corrcoef(standard.T)[0, 1]) < 0.05


class TestTwoSpirals:
    def test_points_are_near_their_positions_on_the_arms(self):
        """The noise is uniform on a square of side 1/6, rotated with the arm, plus a Gaussian."""
        X, t = make_two_spirals(40000, random_state=0)
        angle, arm = 3 * np.pi * np.abs(t), np.sign(t)[:, None]
        curve = np.column_stack([-angle * np.cos(angle), angle * np.sin(angle)]) / 3
        noise = arm * X - curve
        np.testing.assert_allclose(noise.mean(axis=0), 1 / 12, atol=0.003)
        np.testing.assert_allclose(noise.var(axis=0), 1 / 6**2 / 12 + 0.01, rtol=0.03)
        assert abs(np.corrcoef(noise.T)[0, 1]) < 0.03

    def test_the_first_arm_matches_the_definition(self):
        """The distribution equals that of a transcription of the papers' code."""
        rng = np.random.default_rng(1)
        t = 3 * np.pi * np.sqrt(rng.uniform(size=10000))
        arm = np.column_stack([-t * np.cos(t), t * np.sin(t)]) + 0.5 * rng.uniform(size=(10000, 2))
        expected = arm / 3 + 0.1 * rng.standard_normal((10000, 2))
        X, t = make_two_spirals(20000, random_state=0)
        for side in (X[t > 0], -X[t < 0]):
            for direction in [(1, 0), (0, 1), (1, 1), (1, -1)]:
                assert stats.ks_2samp(side @ direction, expected @ direction).pvalue > 1e-3

    def test_the_square_of_the_position_is_uniform(self):
        _, t = make_two_spirals(20000, random_state=0)
        assert is_uniform(t**2)
        assert np.abs(t).max() <= 1


class TestCheckerboard:
    X, y = make_checkerboard(40000, random_state=0)

    def test_it_matches_the_definition(self):
        x1, x2 = self.X.T / 2
        lower = np.floor(x2) - np.floor(x1) % 2
        assert set(lower) == {-2, 0}
        assert is_uniform(x1, -2, 2)
        assert is_uniform(x2, -2, 2)
        for column in range(-2, 2):
            in_column = np.floor(x1) == column
            below = lower[in_column] < 0
            assert stats.binomtest(int(below.sum()), len(below)).pvalue > 1e-3

    def test_points_are_uniform_in_the_squares_of_their_labels(self):
        corners = [(0, 0), (0, 2), (1, 1), (1, 3), (2, 0), (2, 2), (3, 1), (3, 3)]
        for label, corner in enumerate(corners):
            place = (self.X[self.y == label] + 4) / 2 - corner
            assert all(is_uniform(axis) for axis in place.T)
            assert abs(np.corrcoef(place.T)[0, 1]) < 0.05


def test_the_rings_have_their_radii_and_uniform_angles():
    X, y = make_rings(40000, random_state=0)
    for ring in range(4):
        x = X[y == ring]
        radius = 0.75 * (ring + 1)
        assert is_uniform(np.arctan2(x[:, 1], x[:, 0]), -np.pi, np.pi)
        # |x|^2 over the variance of the noise is noncentral chi-square with two degrees of freedom.
        squared = (x**2).sum(axis=1) / 0.08**2
        assert stats.kstest(squared, stats.ncx2(2, (radius / 0.08) ** 2).cdf).pvalue > 1e-3
