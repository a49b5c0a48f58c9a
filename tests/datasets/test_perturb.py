"""Effect of a perturbation on the principal directions, its size, and the control experiment."""

import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from sklearn_intelvae.datasets import make_mini_sprites, perturb_dataset, uniform_noise_control
from sklearn_intelvae.metrics import distance_to_orthogonality, orthogonality_gap

EPSILON, DELTA = 0.1, 0.15
ROUNDING = 1.2e-7  # Of float32 numbers up to 1.
N_STEPS = 200  # With 100 or more, the gaps below differ by a factor of 2.5 for each of 3 seeds.
PAIRS = [((0, 1),), ((2, 0),), ((0, 1), (2, 3)), ((3, 0), (2, 1))]
ROTATION = np.array([[1, -1], [1, 1]]) / np.sqrt(2)


def draw(W):
    return make_mini_sprites(factors=W)[0]


def draw_small(W):
    return make_mini_sprites(factors=W, size=8)[0]


def finite_differences(render, W, step):
    """Return the central differences of the rows, of shape (n_samples, n_features, n_factors)."""
    shifts = step * np.eye(W.shape[1])
    pairs = [(render(W + shift), render(W - shift)) for shift in shifts]
    return np.stack([(a.astype(float) - b) / (2 * step) for a, b in pairs], axis=-1)


def measure_axes(render, W, step=DELTA, rotation=ROTATION):
    """Return DtO and orthogonality gap, each along the factors and along the rotated axes."""
    J = finite_differences(render, W, step)
    measures = (distance_to_orthogonality, orthogonality_gap)
    return [(measure(J), measure(J @ rotation)) for measure in measures]


def perturb_briefly(render, W, **settings):
    """Perturb after few training steps, which do not hide the factors, and ignore the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return perturb_dataset(render, W, **{"max_iter": 5, "random_state": 0, **settings})


@pytest.fixture(scope="module")
def W():
    return make_mini_sprites(1000, random_state=0)[1]


@pytest.fixture(scope="module")
def few(W):
    return W[:60]


@pytest.fixture(scope="module")
def perturbed(W):
    return perturb_dataset(draw, W, max_iter=N_STEPS, random_state=0)


@pytest.fixture(scope="module")
def new_factors():
    """Return factors that were not used in training, at least DELTA inside the range."""
    return 0.85 * make_mini_sprites(300, random_state=1)[1]


class TestDirections:
    """The axes that have orthogonal effects predict, without a model, the axes of a VAE."""

    def test_factors_of_clean_images_have_orthogonal_effects(self, new_factors):
        (distance, rotated_distance), (gap, rotated_gap) = measure_axes(draw, new_factors)
        assert distance < 0.05
        assert rotated_distance == pytest.approx(1.08, abs=0.05)
        assert gap < 0.001
        assert rotated_gap > 0.015

    def test_the_perturbation_makes_the_rotated_axes_more_orthogonal(self, perturbed, new_factors):
        (distance, rotated_distance), (gap, rotated_gap) = measure_axes(
            perturbed.render, new_factors
        )
        assert distance > rotated_distance + 0.1
        assert gap > 1.5 * rotated_gap

    def test_noise_of_the_same_size_does_not(self, new_factors):
        generator = np.random.RandomState(0)

        def noisy(W):
            return uniform_noise_control(draw(W), random_state=generator).X

        (distance, rotated_distance), (gap, rotated_gap) = measure_axes(noisy, new_factors)
        assert distance < rotated_distance - 0.5
        assert gap < rotated_gap / 4

    def test_a_table_of_rows_is_accepted(self):
        ticks = np.linspace(-1, 1, 15)
        grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
        table = draw(grid)
        result = perturb_dataset(table, grid, max_iter=N_STEPS, random_state=0)
        assert np.abs(result.X - table).max() <= EPSILON + ROUNDING
        inside = grid[(np.abs(grid) < 0.9).all(axis=1)]
        (distance, rotated_distance), (gap, rotated_gap) = measure_axes(
            result.render, inside, step=ticks[1] - ticks[0]
        )
        assert distance > rotated_distance
        assert gap > 1.5 * rotated_gap

    @pytest.mark.parametrize("pairs", PAIRS)
    def test_only_the_given_pairs_are_rotated(self, pairs):
        rng = np.random.default_rng(0)
        axes = np.linalg.qr(rng.standard_normal((40, 4)))[0] * [0.5, 0.4, 0.5, 0.4]
        W = rng.uniform(-1, 1, (200, 4))

        def lines(W):
            return 0.5 + W @ axes.T

        result = perturb_dataset(lines, W, pairs=pairs, max_iter=50, random_state=0)
        gaps = {}
        for rotated in [(), *PAIRS]:
            rotation = np.eye(4)
            for pair in rotated:
                rotation[np.ix_(pair, pair)] = ROTATION
            gaps[rotated] = measure_axes(result.render, 0.85 * W, rotation=rotation)[1][1]
        others = [gaps[rotated] for rotated in gaps if not set(rotated) & set(pairs)]
        assert gaps[pairs] < min(others) / 3


class TestSizeOfThePerturbation:
    def test_shapes_and_types(self, perturbed):
        assert perturbed._fields == ("X", "render", "perturbation_energy", "max_abs_change")
        assert perturbed.X.shape == (1000, 256)
        assert perturbed.X.dtype == np.float32
        assert type(perturbed.perturbation_energy) is type(perturbed.max_abs_change) is float

    def test_it_does_not_exceed_epsilon(self, perturbed, W, new_factors):
        for changed, clean in (
            (perturbed.X, draw(W)),
            (perturbed.render(new_factors), draw(new_factors)),
        ):
            assert 0.5 * EPSILON < np.abs(changed - clean).max() <= EPSILON + ROUNDING
            assert changed.min() >= 0
            assert changed.max() <= 1

    def test_it_is_measured_as_documented(self, perturbed, W):
        clean = draw(W).astype(np.float64)
        change = perturbed.X - clean
        energy = (change**2).mean() / clean.var(axis=0).mean()
        assert perturbed.perturbation_energy == pytest.approx(energy)
        assert perturbed.max_abs_change == pytest.approx(np.abs(change).max())
        # With the default number of steps it is about .23, well below the total variance.
        assert 0.05 < energy < 0.25

    def test_rows_are_clipped_if_epsilon_is_large(self, few):
        result = perturb_briefly(draw_small, few, epsilon=1.0)
        assert result.X.min() == 0
        assert result.X.max() == 1
        assert result.max_abs_change > 0.2

    def test_render_returns_the_perturbed_rows(self, perturbed, W):
        np.testing.assert_allclose(perturbed.render(W), perturbed.X, atol=ROUNDING)
        # The order of the multiplications depends on the number of rows.
        np.testing.assert_allclose(perturbed.render(W[:1]), perturbed.X[:1], atol=1e-6)
        assert perturbed.render(W.tolist()).dtype == np.float32


class TestInvariances:
    @pytest.mark.parametrize("table", [False, True])
    def test_an_int_is_reproducible_and_another_int_differs(self, table, few):
        render = draw_small(few) if table else draw_small
        first, second, other = (
            perturb_briefly(render, few, random_state=seed) for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(first.X, second.X)
        np.testing.assert_array_equal(first.render(few), second.render(few))
        assert first[2:] == second[2:]
        assert np.abs(first.X - other.X).max() > 1e-3

    def test_a_generator_is_used_and_the_global_ones_are_not(self, few):
        before = np.random.get_state()[1].copy(), torch.get_rng_state()
        generator = np.random.RandomState(0)
        first, second = (
            perturb_briefly(draw_small, few, random_state=generator).X for _ in range(2)
        )
        assert (first != second).any()
        np.testing.assert_array_equal(first, perturb_briefly(draw_small, few).X)
        np.testing.assert_array_equal(before[0], np.random.get_state()[1])
        assert torch.equal(before[1], torch.get_rng_state())

    @pytest.mark.parametrize("table", [False, True])
    def test_units_of_the_factors_do_not_matter(self, table, few):
        scale, shift = np.array([40.0, 0.02]), np.array([-300.0, 1.0])

        def draw_other(W):
            return draw_small((W - shift) / scale)

        rows = draw_small(few)
        result = perturb_briefly(rows if table else draw_small, few)
        other = perturb_briefly(rows if table else draw_other, few * scale + shift)
        # Rounding errors grow during five training steps; another seed differs by .03.
        np.testing.assert_allclose(result.X, other.X, atol=1e-4)

    def test_a_table_returns_its_own_rows(self, few):
        table = draw_small(few)
        result, rendered = perturb_briefly(table, few), perturb_briefly(draw_small, few)
        assert np.abs(result.X - table).max() <= EPSILON + ROUNDING
        np.testing.assert_array_equal(result.render(few + 1e-6), result.X)
        assert result.X.shape == rendered.X.shape

    @pytest.mark.parametrize("convert", [np.float64, np.ndarray.tolist])
    def test_render_may_return_float64_or_lists(self, convert, few):
        result = perturb_briefly(lambda W: convert(draw_small(W)), few)
        np.testing.assert_array_equal(result.X, perturb_briefly(draw_small, few).X)

    def test_the_factors_are_not_modified(self, few):
        kept = few.copy()
        result = perturb_briefly(draw_small, few)
        result.X[:] = 0
        np.testing.assert_array_equal(few, kept)
        assert result.render(few).max() > 0.5


def test_the_warning_states_the_difference_and_the_remedies():
    """For orthogonal effects of lengths 2 and 1, a rotation by 45 degrees adds log cosh(log 2)."""
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])

    def lines(W):
        return 0.5 + W * [0.4, 0.2]

    with pytest.warns(
        ConvergenceWarning, match="perturbation does not hide factors 0 and 1"
    ) as caught:
        perturb_dataset(lines, corners, epsilon=1e-5, max_iter=5, random_state=0)
    (message,) = (str(warning.message) for warning in caught)
    assert np.log(np.cosh(np.log(2))) == pytest.approx(0.223, abs=0.0005)
    assert "by 0.223 nats" in message
    assert caught[0].filename == __file__
    assert "Increase epsilon or max_iter, or choose other pairs" in message


class TestErrors:
    def test_a_delta_below_the_distance_between_rows(self):
        ticks = np.linspace(-1, 1, 15)
        grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
        with pytest.raises(ValueError, match=r"delta=1e-07 is too small .* or a larger delta"):
            perturb_dataset(draw_small(grid), grid, delta=1e-7, random_state=0)

    @pytest.mark.parametrize(
        "change", [lambda X: X[:-1], lambda X: X[:, 0], lambda X: X.reshape(len(X), 2, -1)]
    )
    def test_render_must_return_one_row_for_each_row_of_factors(self, change, few):
        with pytest.raises(ValueError, match="must return a row for each row of factors"):
            perturb_dataset(lambda W: change(draw_small(W)), few)

    @pytest.mark.parametrize("table", [False, True])
    @pytest.mark.parametrize("change", [lambda X: 2 * X, lambda X: X - 0.5])
    def test_rows_must_lie_between_zero_and_one(self, change, table, few):
        rows = change(draw_small(few))
        with pytest.raises(ValueError, match=r"between 0 and 1, got .* to .*; scale them first"):
            perturb_dataset(rows if table else lambda W: change(draw_small(W)), few)

    def test_rows_must_be_finite(self, few):
        with pytest.raises(ValueError, match="between 0 and 1, got nan"):
            perturb_dataset(lambda W: np.full((len(W), 3), np.nan), few)
        with pytest.raises(ValueError, match="render contains NaN"):
            perturb_dataset(np.full((60, 3), np.nan), few)

    def test_a_table_must_have_as_many_rows_as_factors(self, few):
        with pytest.raises(ValueError, match="render has 59 rows and W has 60"):
            perturb_dataset(draw_small(few[1:]), few)

    def test_factors_must_vary(self, few):
        with pytest.raises(ValueError, match="Column 1 of W does not vary"):
            perturb_dataset(draw_small, few * [1, 0])
        with pytest.raises(ValueError, match="Column 0 of W does not vary"):
            perturb_dataset(draw_small, few[:1])

    def test_factors_must_be_finite(self, few):
        with pytest.raises(ValueError, match="W contains NaN"):
            perturb_dataset(draw_small, np.where(few > 0.5, np.nan, few))

    @pytest.mark.parametrize(
        "pairs",
        [(), (0, 1), ((0,),), ((0, 1, 1),), ((0, 2),), ((0, -1),), ((0, 0),), ((0, 1), (1, 0))],
    )
    def test_pairs_must_be_disjoint_pairs_of_columns(self, pairs, few):
        with pytest.raises(
            ValueError, match=re.escape(f"0 to 1, each column at most once; got {pairs!r}")
        ):
            perturb_dataset(draw_small, few, pairs=pairs)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("render", "draw"),
            ("pairs", 1),
            ("epsilon", 0),
            ("epsilon", -0.1),
            ("epsilon", np.nan),
            ("epsilon", np.inf),
            ("delta", 0),
            ("max_iter", 0),
            ("max_iter", 10.0),
            ("random_state", "seed"),
        ],
    )
    def test_bad_input_is_refused_by_name(self, name, value, few):
        with pytest.raises(ValueError, match=f"'{name}' parameter of perturb_dataset.*Got"):
            perturb_dataset(**{"render": draw_small, "W": few, name: value})

    def test_settings_are_keyword_only(self, few):
        with pytest.raises(TypeError, match="positional"):
            perturb_dataset(draw_small, few, ((0, 1),))


class TestNoise:
    X = np.random.default_rng(0).uniform(0.2, 0.8, (2000, 50))

    @pytest.mark.parametrize("epsilon", [0, 0.05, 0.1])
    def test_it_is_uniform_within_epsilon(self, epsilon):
        noisy = uniform_noise_control(self.X, epsilon=epsilon, random_state=0)
        assert noisy.X.shape == self.X.shape
        assert noisy.X.dtype == np.float32
        assert noisy.render is None
        noise = noisy.X - self.X
        assert np.abs(noise).max() <= epsilon + ROUNDING
        assert noisy.max_abs_change == pytest.approx(epsilon, rel=1e-3)
        # For 100,000 values, the standard error of the mean is .0018 epsilon.
        assert abs(noise.mean()) < 0.01 * epsilon + ROUNDING
        assert noise.std() == pytest.approx(epsilon / np.sqrt(3), rel=0.01, abs=ROUNDING)
        assert noisy.perturbation_energy == pytest.approx(
            epsilon**2 / 3 / self.X.var(), rel=0.02, abs=1e-12
        )

    def test_it_has_no_structure(self):
        noise = uniform_noise_control(self.X, random_state=0).X - self.X
        across = np.corrcoef(noise.T) - np.eye(50)
        assert np.abs(across).max() < 5 / np.sqrt(2000)
        assert np.abs(noise.mean(axis=1)).max() < 5 * 0.1 / np.sqrt(3 * 50)

    def test_noisy_rows_are_clipped(self):
        X, _ = make_mini_sprites(200, random_state=0)
        noisy = uniform_noise_control(X, epsilon=0.3, random_state=0)
        assert noisy.X.min() == 0
        assert noisy.X.max() == 1
        change = noisy.X - X.astype(np.float64)
        assert noisy.max_abs_change == pytest.approx(np.abs(change).max())
        energy = (change**2).mean() / X.var(axis=0, dtype=np.float64).mean()
        assert noisy.perturbation_energy == pytest.approx(energy, rel=1e-6)

    def test_an_int_is_reproducible_and_another_int_differs(self):
        first, second, other = (uniform_noise_control(self.X, random_state=s) for s in (3, 3, 4))
        np.testing.assert_array_equal(first.X, second.X)
        assert first[2:] == second[2:]
        assert (first.X != other.X).mean() > 0.999

    def test_a_generator_is_used_and_the_global_one_is_not(self):
        before = np.random.get_state()[1].copy()
        generator = np.random.RandomState(0)
        first, second = (uniform_noise_control(self.X, random_state=generator).X for _ in range(2))
        assert (first != second).mean() > 0.999
        np.testing.assert_array_equal(first, uniform_noise_control(self.X, random_state=0).X)
        np.testing.assert_array_equal(before, np.random.get_state()[1])

    def test_the_rows_are_not_modified(self):
        kept = self.X.copy()
        uniform_noise_control(self.X, random_state=0)
        np.testing.assert_array_equal(self.X, kept)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("X", 1), ("epsilon", -0.1), ("epsilon", np.inf), ("random_state", "seed")],
    )
    def test_bad_input_is_refused_by_name(self, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter of uniform_noise_control.*Got"):
            uniform_noise_control(**{"X": self.X, name: value})

    def test_rows_must_be_finite(self):
        with pytest.raises(ValueError, match="contains NaN"):
            uniform_noise_control([[0.5, np.nan]])
