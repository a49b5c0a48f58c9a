import numpy as np
import pytest
from scipy import linalg

from sklearn_intelvae.metrics import frechet_distance


def white(n, d, seed=0):
    """Rows whose mean is 0 and whose covariance is the identity, exactly."""
    rows = np.random.default_rng(seed).standard_normal((n, d))
    rows -= rows.mean(axis=0)
    return linalg.qr(rows, mode="economic")[0] * np.sqrt(n - 1)


def coloured(n, d, rank=None, seed=0):
    """Rows with a covariance of the given rank, away from the origin."""
    rng = np.random.default_rng(seed)
    rank = rank or d
    return rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + rng.uniform(-3, 3, d)


def rotation(d):
    return linalg.qr(np.random.default_rng(7).standard_normal((d, d)))[0]


def test_a_shift_costs_its_square():
    a = coloured(50, 4)
    assert frechet_distance(a, a + np.array([1, 2, 3, -4])) == pytest.approx(30)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0, -1.0])
def test_scaling_costs_the_squared_difference_of_the_scales(factor):
    """N(0, s^2 I) and N(0, r^2 I) are d (s - r)^2 apart."""
    a = white(60, 5)
    assert frechet_distance(2 * a, 2 * factor * a) == pytest.approx(20 * (1 - abs(factor)) ** 2)


def test_commuting_covariances_have_a_closed_form():
    """Along common axes the distance is that of the means and of the standard deviations."""
    a, b = white(60, 3, 1), white(90, 3, 2)
    scale_a, scale_b, shift = np.array([1, 2, 5]), np.array([4, 0.1, 0]), np.array([1, 0, -2])
    turn = rotation(3)
    distance = frechet_distance(a * scale_a @ turn, (b * scale_b + shift) @ turn)
    assert distance == pytest.approx(((scale_a - scale_b) ** 2).sum() + 5)


def test_singular_covariances_on_other_axes():
    a = white(40, 2)
    first, second = a * [3, 0], a * [0, 4]
    assert frechet_distance(first, second) == pytest.approx(25)
    assert frechet_distance(first, np.ones((5, 2))) == pytest.approx(9 + 2)
    assert frechet_distance(np.zeros((3, 2)), np.ones((5, 2))) == pytest.approx(2)


@pytest.mark.parametrize("rank", [1, 5, 30])
@pytest.mark.parametrize("n", [2, 10, 200])
def test_equal_tables_are_nowhere_apart(n, rank):
    a = coloured(n, 30, rank)
    spread = a.var(axis=0, ddof=1).sum()
    assert 0 <= frechet_distance(a, a[::-1]) < 1e-13 * spread
    assert 0 <= frechet_distance(a, np.vstack([a, a])) < spread / n


@pytest.mark.parametrize("ranks", [(20, 20), (3, 20), (2, 3)])
@pytest.mark.parametrize("sizes", [(100, 80), (100, 7), (5, 4)])
class TestLaws:
    @pytest.fixture
    def pair(self, sizes, ranks):
        return coloured(sizes[0], 20, ranks[0], 1), coloured(sizes[1], 20, ranks[1], 2)

    def test_it_is_symmetric_and_a_float(self, pair):
        a, b = pair
        assert isinstance(frechet_distance(a, b), float)
        assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)

    def test_a_common_rotation_a_shift_and_the_order_do_not_matter(self, pair):
        a, b = pair
        turn = rotation(20)
        moved = frechet_distance(a[::-1] @ turn + 5, b @ turn + 5)
        assert moved == pytest.approx(frechet_distance(a, b), rel=1e-11)

    def test_it_has_squared_units(self, pair):
        a, b = pair
        assert frechet_distance(100 * a, 100 * b) == pytest.approx(1e4 * frechet_distance(a, b))

    def test_its_root_satisfies_the_triangle_inequality(self, pair):
        a, b = pair
        c = coloured(30, 20, seed=3)
        direct, first, second = (
            np.sqrt(frechet_distance(*ends)) for ends in [(a, b), (a, c), (c, b)]
        )
        assert direct <= first + second


def test_it_agrees_with_the_matrix_square_root():
    a, b = coloured(300, 8, seed=1), coloured(200, 8, seed=2)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(cov_a @ cov_b).real
    shift = a.mean(axis=0) - b.mean(axis=0)
    expected = shift @ shift + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)


def test_few_rows_bias_it_upwards():
    rng = np.random.default_rng(0)
    few, many = (
        np.mean([frechet_distance(*rng.standard_normal((2, n, 10))) for _ in range(5)])
        for n in (50, 500)
    )
    assert few > 5 * many > 0


def test_float32_is_computed_in_double_precision():
    a, b = (coloured(50, 6, seed=s).astype(np.float32) + np.float32(100) for s in (1, 2))
    assert frechet_distance(a, b) == frechet_distance(a.astype(float), b.astype(float))


def test_different_widths_are_refused():
    with pytest.raises(ValueError, match="features_a has 3 columns and features_b has 2"):
        frechet_distance(np.ones((4, 3)), np.ones((4, 2)))


@pytest.mark.parametrize(
    ("bad", "message"), [(np.ones((1, 3)), "minimum of 2"), (np.full((4, 3), np.nan), "NaN")]
)
def test_too_few_or_missing_values_are_refused(bad, message):
    good = coloured(4, 3)
    with pytest.raises(ValueError, match=message):
        frechet_distance(bad, good)
    with pytest.raises(ValueError, match=message):
        frechet_distance(good, bad)
