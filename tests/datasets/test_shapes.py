"""Properties of all shapes, then the geometry of each."""

import numpy as np
import pytest
from scipy import stats

from sklearn_intelvae import datasets
from sklearn_intelvae.datasets import (
    make_circle,
    make_infinity,
    make_square,
    make_star,
    make_two_gaussians,
)

# Maximum speed in t of each curve, and its enclosed area, counter-clockwise. The two lobes of the
# infinity sign have opposite orientations.
CURVES = {
    make_circle: (4 * np.pi, 4 * np.pi),
    make_square: (8 * np.sqrt(2), 8),
    make_star: (10 * np.hypot(2 - 2 / 3 * np.cos(np.pi / 5), 2 / 3 * np.sin(np.pi / 5)), 3.919),
    make_infinity: (4 * np.pi * np.sqrt(2), 0),
}
CASES = [*CURVES, make_two_gaussians]
shapes = pytest.mark.parametrize("make", CASES)
curves = pytest.mark.parametrize("make", CURVES)


def sorted_points(make, n=20000, **settings):
    """Return points and positions, sorted by position."""
    X, t = make(n, random_state=0, **settings)
    order = np.argsort(t)
    return X[order], t[order]


def distances_to_edges(X, corners):
    """Return the distance of each point to each edge of the closed polygon."""
    start, edge = corners, np.roll(corners, -1, axis=0) - corners
    offset = X[:, None] - start
    share = np.clip((offset * edge).sum(-1) / (edge**2).sum(-1), 0, 1)
    return np.linalg.norm(offset - share[..., None] * edge, axis=-1)


def polar(radii, angles):
    return np.column_stack([radii * np.cos(angles), radii * np.sin(angles)])


def test_all_public_functions_have_a_case():
    here = {n for n in datasets.__all__ if getattr(datasets, n).__module__.endswith("_shapes")}
    assert {make.__name__ for make in CASES} == here


@shapes
class TestCommonProperties:
    def test_shapes_and_types(self, make):
        X, t = make()
        assert X.shape == (1000, 2)
        assert t.shape == (1000,)
        assert X.dtype == np.float64
        assert t.dtype == (np.int64 if make is make_two_gaussians else np.float64)
        assert X.flags.writeable

    def test_an_int_is_reproducible_and_another_int_differs(self, make):
        first, second, other = (make(50, noise=0.1, random_state=seed) for seed in (3, 3, 4))
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

    def test_noise_is_gaussian_and_does_not_change_the_positions(self, make):
        clean, t = make(20000, random_state=0)
        noisy, again = make(20000, noise=0.2, random_state=0)
        noise = (noisy - clean) / 0.2
        np.testing.assert_array_equal(t, again)
        assert stats.kstest(noise.ravel(), stats.norm.cdf).pvalue > 1e-3
        assert abs(np.corrcoef(noise.T)[0, 1]) < 0.03
        assert abs(np.corrcoef(noise[:, 0], clean[:, 0])[0, 1]) < 0.03

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("n_samples", 0),
            ("n_samples", 10.0),
            ("noise", -0.1),
            ("noise", np.nan),
            ("noise", np.inf),
            ("random_state", "seed"),
        ],
    )
    def test_bad_input_is_refused_by_name(self, make, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter of {make.__name__}.*Got"):
            make(**{name: value})

    def test_settings_are_keyword_only(self, make):
        with pytest.raises(TypeError, match="positional"):
            make(10, 0.1)


@curves
class TestCurves:
    def test_positions_are_uniform(self, make):
        assert stats.kstest(make(20000, random_state=0)[1], stats.uniform.cdf).pvalue > 1e-3

    def test_the_curve_is_continuous_and_closed(self, make):
        X, t = sorted_points(make)
        gap = np.diff(t, append=t[0] + 1)
        step = np.linalg.norm(np.roll(X, -1, axis=0) - X, axis=1)
        assert (step <= CURVES[make][0] * gap + 1e-12).all()

    def test_it_is_counter_clockwise_and_centered(self, make):
        X, _ = sorted_points(make)
        following = np.roll(X, -1, axis=0)
        cross = X[:, 0] * following[:, 1] - X[:, 1] * following[:, 0]
        assert cross.sum() / 2 == pytest.approx(CURVES[make][1], abs=0.01)
        assert np.abs(X.mean(axis=0)).max() < 0.05


def test_the_circle_has_radius_two_and_position_is_the_angle():
    X, t = make_circle(500, random_state=0)
    np.testing.assert_allclose(X, polar(2, 2 * np.pi * t), atol=1e-12)


def test_the_square_is_parallel_to_the_axes_with_corners_at_radius_two():
    X, t = make_square(20000, random_state=0)
    np.testing.assert_allclose(np.abs(X).max(axis=1), np.sqrt(2))
    assert 1.999 < np.linalg.norm(X, axis=1).max() <= 2 + 1e-12
    side = (4 * t).astype(int)
    for number, (axis, value) in enumerate([(1, 1), (0, -1), (1, -1), (0, 1)]):
        np.testing.assert_allclose(X[side == number, axis], value * np.sqrt(2))
        other = X[side == number, 1 - axis]
        assert stats.kstest(other, stats.uniform(-np.sqrt(2), 2 * np.sqrt(2)).cdf).pvalue > 1e-3


class TestStar:
    corners = polar(np.where(np.arange(10) % 2, 2 / 3, 2), np.pi / 2 + np.pi * np.arange(10) / 5)

    def test_points_lie_on_their_edges(self):
        X, t = make_star(5000, random_state=0)
        distance = distances_to_edges(X, self.corners)[np.arange(5000), (10 * t).astype(int)]
        assert distance.max() < 1e-12

    def test_points_are_uniform_on_each_edge(self):
        X, t = make_star(20000, random_state=0)
        edge = (10 * t).astype(int)
        assert stats.chisquare(np.bincount(edge, minlength=10)).pvalue > 1e-3
        length = np.linalg.norm(self.corners[0] - self.corners[1])
        share = np.linalg.norm(X - self.corners[edge], axis=1) / length
        assert stats.kstest(share, stats.uniform.cdf).pvalue > 1e-3

    def test_one_tip_points_upwards(self):
        X, _ = make_star(20000, random_state=0)
        np.testing.assert_allclose(X[X[:, 1].argmax()], [0, 2], atol=0.01)
        radius = np.linalg.norm(X, axis=1)
        assert 2 / 3 - 1e-12 < radius.min() < 0.67
        assert 1.99 < radius.max() < 2 + 1e-12


def test_the_infinity_sign_satisfies_its_equation():
    X, t = make_infinity(5000, random_state=0)
    x, y = X.T
    np.testing.assert_allclose(y**2, x**2 * (1 - x**2 / 4), atol=1e-12)
    np.testing.assert_allclose(x, 2 * np.cos(2 * np.pi * t), atol=1e-12)
    assert (np.sign(y) == np.sign(np.sin(4 * np.pi * t))).all()
    assert np.abs(y).max() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("scale", [0.3, 1.5])
def test_the_two_gaussians_have_their_moments(scale):
    X, y = make_two_gaussians(20000, scale=scale, random_state=0)
    for label, mean in [(0, -2), (1, 2)]:
        standard = (X[y == label] - [mean, 0]) / scale
        for axis in standard.T:
            assert stats.kstest(axis, stats.norm.cdf).pvalue > 1e-3
        assert abs(np.corrcoef(standard.T)[0, 1]) < 0.03


@pytest.mark.parametrize("proportion", [0, 0.2, 0.5, 1])
def test_proportion_is_the_probability_of_label_one(proportion):
    X, y = make_two_gaussians(5000, proportion=proportion, random_state=0)
    assert stats.binomtest(int(y.sum()), 5000, proportion).pvalue > 1e-3
    np.testing.assert_array_equal(y, X[:, 0] > 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("proportion", -0.1), ("proportion", 1.1), ("scale", -1.0), ("scale", np.nan)],
)
def test_bad_settings_of_the_two_gaussians_are_refused(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of make_two_gaussians.*Got"):
        make_two_gaussians(**{name: value})
