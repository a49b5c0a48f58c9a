"""Tests of the factors and their curves, then of the perturbation."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA, FastICA

from sklearn_intelvae.datasets import make_entangled_factors
from sklearn_intelvae.metrics import mutual_info_gap

SCALES = 1.5 / 1.25 ** np.arange(4)
# For each ratio, the block of T of a pair, and the energy of the perturbation with curvature 1.
RECORDED = {
    1.25: ([[0.901, 0.111], [0.111, 1.123]], 0.030),
    1.4: ([[0.910, 0.168], [0.168, 1.130]], 0.050),
}
ratios = pytest.mark.parametrize("ratio", RECORDED)


def curves(W, curvature=1.0):
    """Return the rows before the orthogonal mixing."""
    parts = [W, curvature * np.sin(W), curvature * np.cos(W)]
    return np.concatenate([SCALES[: W.shape[1]] * part for part in parts], axis=1)


def effects(n_factors=4, **settings):
    """Return the matrix that maps factors to rows, for curvature 0."""
    X, W, *_ = make_entangled_factors(
        200, n_factors=n_factors, curvature=0, random_state=0, **settings
    )
    return np.linalg.lstsq(W, X, rcond=None)[0].T


def transport(ratio, n_factors=4):
    """Return T, where the perturbation replaces the factors w by T w."""
    return np.linalg.pinv(effects(n_factors)) @ effects(n_factors, perturbation=ratio)


class TestRows:
    def test_shapes_and_types(self):
        data = make_entangled_factors(random_state=0)
        assert data.X.shape == (10000, 12)
        assert data.W.shape == (10000, 4)
        assert data.X.dtype == data.W.dtype == np.float64
        assert data._fields == ("X", "W", "perturbation_energy", "max_abs_change")
        assert data[2:] == (0, 0)

    @pytest.mark.parametrize("n_factors", [1, 3, 6])
    def test_each_factor_has_three_columns(self, n_factors):
        X, W, *_ = make_entangled_factors(2, n_factors=n_factors, random_state=0)
        assert X.shape == (2, 3 * n_factors)
        assert W.shape == (2, n_factors)

    @pytest.mark.parametrize("perturbation", [None, 1.4])
    def test_an_int_is_reproducible_and_another_int_differs(self, perturbation):
        first, second, other = (
            make_entangled_factors(50, perturbation=perturbation, random_state=seed)
            for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(first.X, second.X)
        np.testing.assert_array_equal(first.W, second.W)
        assert first[2:] == second[2:]
        assert (first.X != other.X).all()
        assert (first.W != other.W).all()

    def test_a_generator_is_used_and_the_global_one_is_not(self):
        before = np.random.get_state()[1].copy()
        generator = np.random.RandomState(0)
        first, second = (make_entangled_factors(20, random_state=generator).X for _ in range(2))
        assert (first != second).all()
        np.testing.assert_array_equal(first, make_entangled_factors(20, random_state=0).X)
        np.testing.assert_array_equal(before, np.random.get_state()[1])

    @pytest.mark.parametrize("curvature", [0, 0.5, 1])
    def test_they_are_an_orthogonal_transformation_of_the_curves(self, curvature):
        """Only orthogonal transformations preserve all norms and distances."""
        X, W, *_ = make_entangled_factors(100, curvature=curvature, random_state=0)
        expected = curves(W, curvature)
        np.testing.assert_allclose(pdist(X), pdist(expected), rtol=1e-10)
        np.testing.assert_allclose(
            np.linalg.norm(X, axis=1), np.linalg.norm(expected, axis=1), rtol=1e-10
        )
        assert np.abs(X - expected).max() > 1

    def test_effects_of_factors_are_orthogonal_and_decreasing(self):
        np.testing.assert_allclose(effects().T @ effects(), np.diag(SCALES**2), atol=1e-10)


class TestFactors:
    """For this long series, standard errors are below .004 for correlations, .01 for variances."""

    W = make_entangled_factors(200_000, random_state=0).W

    def test_they_have_mean_zero_and_unit_variance(self):
        np.testing.assert_allclose(self.W.var(axis=0), 1, atol=0.04)
        np.testing.assert_allclose(self.W.mean(axis=0), 0, atol=0.03)

    @pytest.mark.parametrize("lag", [1, 2, 5])
    def test_their_autocorrelation_is_a_power_of_seven_tenths(self, lag):
        for w in self.W.T:
            assert np.corrcoef(w[lag:], w[:-lag])[0, 1] == pytest.approx(0.7**lag, abs=0.02)

    @pytest.mark.parametrize("transform", [np.asarray, np.abs])
    def test_they_are_independent_at_lags_zero_and_one(self, transform):
        now, before = transform(self.W[1:]), transform(self.W[:-1])
        across = np.corrcoef(now.T, before.T)
        others = ~np.tile(np.eye(4, dtype=bool), (2, 2))
        assert np.abs(across[others]).max() < 0.02

    def test_the_innovations_are_laplace_distributed(self):
        innovations = self.W[1:20_001] - 0.7 * self.W[:20_000]
        laplace = stats.laplace(scale=np.sqrt((1 - 0.7**2) / 2))
        for column in innovations.T:
            assert stats.kstest(column, laplace.cdf).pvalue > 1e-3


class TestPerturbation:
    @ratios
    def test_factors_are_replaced_by_the_recorded_linear_combinations(self, ratio):
        T = transport(ratio)
        expected = np.kron(np.eye(2), RECORDED[ratio][0])
        np.testing.assert_allclose(T, expected, atol=0.002)
        np.testing.assert_allclose(T, T.T, atol=1e-10)

    @ratios
    def test_rows_are_the_curves_of_these_combinations(self, ratio):
        X, W, *_ = make_entangled_factors(100, perturbation=ratio, random_state=0)
        np.testing.assert_allclose(pdist(X), pdist(curves(W @ transport(ratio).T)), rtol=1e-8)

    @ratios
    def test_principal_directions_of_a_pair_are_rotated_by_45_degrees(self, ratio):
        gram = effects(perturbation=ratio).T @ effects(perturbation=ratio)
        assert np.abs(gram[:2, 2:]).max() < 1e-10
        for i in (0, 2):
            variances, axes = np.linalg.eigh(gram[i : i + 2, i : i + 2])
            np.testing.assert_allclose(np.abs(axes), np.sqrt(0.5), atol=1e-8)
            assert np.sqrt(variances[1] / variances[0]) == pytest.approx(ratio)
            assert np.sqrt(variances.prod()) == pytest.approx(SCALES[i] * SCALES[i + 1])

    @ratios
    def test_no_other_change_to_the_same_gram_matrix_is_smaller(self, ratio):
        """The others are rotations of it; the best rotation of B to A makes A^T B positive."""
        before, after = effects(), effects(perturbation=ratio)
        product = after @ before.T
        np.testing.assert_allclose(product, product.T, atol=1e-10)
        assert np.linalg.eigvalsh(product).min() > -1e-10

    @ratios
    def test_recorded_energies(self, ratio):
        energy = make_entangled_factors(perturbation=ratio, random_state=0).perturbation_energy
        assert energy == pytest.approx(RECORDED[ratio][1], abs=0.005)

    def test_recorded_energy_of_straight_lines(self):
        data = make_entangled_factors(perturbation=1.25, curvature=0, random_state=0)
        assert data.perturbation_energy == pytest.approx(0.024, abs=0.005)

    @ratios
    def test_the_change_is_measured_as_documented_and_the_factors_are_unchanged(self, ratio):
        clean = make_entangled_factors(500, random_state=0)
        data = make_entangled_factors(500, perturbation=ratio, random_state=0)
        np.testing.assert_array_equal(data.W, clean.W)
        change = data.X - clean.X
        energy = (change**2).sum() / (clean.X.var(axis=0).sum() * 500)
        assert data.perturbation_energy == pytest.approx(energy)
        assert data.max_abs_change == pytest.approx(np.abs(change).max())

    def test_the_last_of_an_odd_number_is_unchanged(self):
        T = transport(1.4, n_factors=3)
        np.testing.assert_allclose(T[:2, :2], RECORDED[1.4][0], atol=0.002)
        np.testing.assert_allclose(T[2], [0, 0, 1], atol=1e-10)
        np.testing.assert_allclose(T[:, 2], [0, 0, 1], atol=1e-10)
        assert make_entangled_factors(50, n_factors=1, perturbation=1.4, random_state=0)[2:] == (
            0,
            0,
        )

    @pytest.mark.parametrize("seed", [0, 1])
    def test_it_misleads_pca_but_not_ica(self, seed):
        clean, perturbed = (
            make_entangled_factors(perturbation=ratio, random_state=seed) for ratio in (None, 1.4)
        )

        def gap(method, data):
            return mutual_info_gap(method.fit_transform(data.X), data.W)

        pca, ica = PCA(4), FastICA(4, whiten="unit-variance", random_state=0)
        assert gap(pca, clean) == pytest.approx(0.81, abs=0.05)
        assert gap(pca, perturbed) < 0.1
        assert gap(ica, clean) > 0.7
        assert gap(ica, perturbed) > 0.7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_samples", 1),
        ("n_samples", 10.0),
        ("n_factors", 0),
        ("n_factors", 2.0),
        ("perturbation", 1),
        ("perturbation", 0.7),
        ("perturbation", np.inf),
        ("perturbation", np.nan),
        ("perturbation", "strong"),
        ("curvature", -0.1),
        ("curvature", np.nan),
        ("random_state", "seed"),
    ],
)
def test_bad_input_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of make_entangled_factors.*Got"):
        make_entangled_factors(**{name: value})


def test_settings_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        make_entangled_factors(10, 4)
