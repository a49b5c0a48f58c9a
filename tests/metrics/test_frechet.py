import numpy as np
import pytest
from scipy import linalg

from sklearn_intelvae.metrics import frechet_distance


def white(n, d, seed=0):
    """Return rows with exactly mean 0 and identity covariance."""
    rows = np.random.default_rng(seed).standard_normal((n, d))
    rows -= rows.mean(axis=0)
    return linalg.qr(rows, mode="economic")[0] * np.sqrt(n - 1)


def colored(n, d, rank=None, seed=0):
    """Return rows with a covariance of the given rank and a nonzero mean."""
    rng = np.random.default_rng(seed)
    rank = rank or d
    return rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + rng.uniform(-3, 3, d)


def rotation(d):
    return linalg.qr(np.random.default_rng(7).standard_normal((d, d)))[0]


def test_a_shift_adds_its_squared_norm():
    a = colored(50, 4)
    assert frechet_distance(a, a + np.array([1, 2, 3, -4])) == pytest.approx(30)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0, -1.0])
def test_scaling_adds_the_squared_difference_of_the_scales(factor):
    """The distance of N(0, s^2 I) and N(0, r^2 I) is d (s - r)^2."""
    a = white(60, 5)
    assert frechet_distance(2 * a, 2 * factor * a) == pytest.approx(20 * (1 - abs(factor)) ** 2)


def test_commuting_covariances_have_a_closed_form():
    """Along common axes, the distances of means and of standard deviations add up."""
    a, b = white(60, 3, 1), white(90, 3, 2)
    scale_a, scale_b, shift = np.array([1, 2, 5]), np.array([4, 0.1, 0]), np.array([1, 0, -2])
    R = rotation(3)
    distance = frechet_distance(a * scale_a @ R, (b * scale_b + shift) @ R)
    assert distance == pytest.approx(((scale_a - scale_b) ** 2).sum() + 5)


def test_singular_covariances_along_different_axes():
    a = white(40, 2)
    first, second = a * [3, 0], a * [0, 4]
    assert frechet_distance(first, second) == pytest.approx(25)
    assert frechet_distance(first, np.ones((5, 2))) == pytest.approx(9 + 2)
    assert frechet_distance(np.zeros((3, 2)), np.ones((5, 2))) == pytest.approx(2)


@pytest.mark.parametrize("rank", [1, 5, 30])
@pytest.mark.parametrize("n", [2, 10, 200])
def test_equal_tables_have_distance_zero(n, rank):
    a = colored(n, 30, rank)
    spread = a.var(axis=0, ddof=1).sum()
    assert 0 <= frechet_distance(a, a[::-1]) < 1e-13 * spread
    assert 0 <= frechet_distance(a, np.vstack([a, a])) < spread / n


@pytest.mark.parametrize("ranks", [(20, 20), (3, 20), (2, 3)])
@pytest.mark.parametrize("sizes", [(100, 80), (100, 7), (5, 4)])
class TestProperties:
    @pytest.fixture
    def pair(self, sizes, ranks):
        return colored(sizes[0], 20, ranks[0], 1), colored(sizes[1], 20, ranks[1], 2)

    def test_it_is_symmetric_and_a_float(self, pair):
        a, b = pair
        assert isinstance(frechet_distance(a, b), float)
        assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)

    def test_a_common_rotation_a_shift_and_the_order_do_not_matter(self, pair):
        a, b = pair
        R = rotation(20)
        moved = frechet_distance(a[::-1] @ R + 5, b @ R + 5)
        assert moved == pytest.approx(frechet_distance(a, b), rel=1e-11)

    def test_it_has_squared_units(self, pair):
        a, b = pair
        assert frechet_distance(100 * a, 100 * b) == pytest.approx(1e4 * frechet_distance(a, b))

    def test_its_root_satisfies_the_triangle_inequality(self, pair):
        a, b = pair
        c = colored(30, 20, seed=3)
        direct, first, second = (
            np.sqrt(frechet_distance(*ends)) for ends in [(a, b), (a, c), (c, b)]
        )
        assert direct <= first + second


def test_it_agrees_with_the_matrix_square_root():
    a, b = colored(300, 8, seed=1), colored(200, 8, seed=2)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(cov_a @ cov_b).real
    shift = a.mean(axis=0) - b.mean(axis=0)
    expected = shift @ shift + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)


def test_it_is_biased_upwards_for_few_rows():
    rng = np.random.default_rng(0)
    few, many = (
        np.mean([frechet_distance(*rng.standard_normal((2, n, 10))) for _ in range(5)])
        for n in (50, 500)
    )
    assert few > 5 * many > 0


def test_float32_is_computed_in_double_precision():
    a, b = (colored(50, 6, seed=s).astype(np.float32) + np.float32(100) for s in (1, 2))
    assert frechet_distance(a, b) == frechet_distance(a.astype(float), b.astype(float))


def test_different_widths_are_refused():
    with pytest.raises(ValueError, match="features_a has 3 columns and features_b has 2"):
        frechet_distance(np.ones((4, 3)), np.ones((4, 2)))


@pytest.mark.parametrize(
    ("bad", "message"), [(np.ones((1, 3)), "minimum of 2"), (np.full((4, 3), np.nan), "NaN")]
)
def test_too_few_or_missing_values_are_refused(bad, message):
    good = colored(4, 3)
    with pytest.raises(ValueError, match=message):
        frechet_distance(bad, good)
    with pytest.raises(ValueError, match=message):
        frechet_distance(good, bad)
