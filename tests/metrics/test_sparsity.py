import numpy as np
import pytest

from sklearn_intelvae.metrics import hoyer_sparsity


def gaussian(n_samples, n_components, seed=0):
    return np.random.default_rng(seed).standard_normal((n_samples, n_components))


def one_active(n_samples, n_components):
    codes = np.zeros((n_samples, n_components))
    rows = np.arange(n_samples)
    codes[rows, rows % n_components] = gaussian(n_samples, 1)[:, 0]
    return codes


@pytest.mark.parametrize(("n_components", "expected"), [(20, 0.248), (50, 0.231), (128, 0.220)])
def test_dense_gaussian_codes_score_their_expected_values(n_components, expected):
    assert hoyer_sparsity(gaussian(4000, n_components)) == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize("n_components", [2, 5, 50])
def test_rows_with_one_active_component_score_one(n_components):
    assert hoyer_sparsity(one_active(200, n_components)) == 1


def test_rows_that_use_all_components_equally_score_zero():
    signs = np.random.default_rng(0).permuted(np.tile([[1.0], [-1.0]], (250, 7)), axis=0)
    assert hoyer_sparsity(signs * np.arange(1, 8)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n_active", [1, 2, 10, 49])
def test_constant_components_count_as_inactive(n_active):
    codes = gaussian(4000, 50)
    codes[:, n_active:] = 3.7
    unit = codes[:, :n_active] / codes[:, :n_active].std(axis=0)
    ratio = np.abs(unit).sum(axis=1) / np.linalg.norm(unit, axis=1)
    expected = np.mean((np.sqrt(50) - ratio) / (np.sqrt(50) - 1))
    assert hoyer_sparsity(codes) == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_noise_around_a_constant_counts_as_constant(dtype):
    codes = gaussian(300, 10).astype(dtype)
    flat = codes.copy()
    flat[:, 0], codes[:, 0] = dtype(0.1), dtype(0.1)
    codes[::2, 0] = np.nextafter(dtype(0.1), dtype(1))
    assert hoyer_sparsity(codes) == hoyer_sparsity(flat)


def test_collapsed_codes_and_zero_rows_score_zero():
    assert hoyer_sparsity(np.full((10, 4), 2.5)) == 0
    codes = one_active(40, 4)
    half = np.vstack([codes, np.zeros_like(codes)])
    assert hoyer_sparsity(half) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda Z: Z * np.logspace(-200, 150, Z.shape[1]), id="scale"),
        pytest.param(lambda Z: Z * np.where(np.arange(Z.shape[1]) % 2, 1, -1), id="sign"),
        pytest.param(lambda Z: Z[:, ::-1], id="columns"),
        pytest.param(lambda Z: Z[::-1], id="rows"),
        pytest.param(lambda Z: np.vstack([Z, Z]), id="repeated rows"),
    ],
)
def test_invariances(change):
    codes = gaussian(200, 12) * one_active(200, 12).any(axis=1, keepdims=True)
    assert hoyer_sparsity(change(codes)) == pytest.approx(hoyer_sparsity(codes), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_score_is_a_float_between_zero_and_one(seed):
    codes = gaussian(30, 6, seed) ** 5
    score = hoyer_sparsity(codes.astype(np.float32))
    assert isinstance(score, float)
    assert 0 <= score <= 1


def test_setting_more_values_to_zero_increases_the_score():
    codes, u = gaussian(1000, 50), np.random.default_rng(1).uniform(size=(1000, 50))
    scores = [hoyer_sparsity(codes * (u < share)) for share in (1, 0.5, 0.25, 0.15)]
    assert np.all(np.diff(scores) > 0.05)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.ones((5, 1)), "at least two components"),
        (np.ones((1, 5)), "minimum of 2"),
        (np.full((5, 2), np.nan), "Z contains NaN"),
    ],
)
def test_bad_codes_are_refused(codes, message):
    with pytest.raises(ValueError, match=message):
        hoyer_sparsity(codes)
