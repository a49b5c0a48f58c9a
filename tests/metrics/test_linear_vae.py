"""The closed form against the loss that it minimizes, and against principal components."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from sklearn_intelvae.metrics import (
    distance_to_orthogonality,
    expected_linear_vae,
    pca_alignment,
    polarization_gap,
)

EIGENVALUES = np.array([4, 2.5, 1.5, 0.8, 0.3, *[0.05] * 5])
every_eta = pytest.mark.parametrize("eta", [0.1, 0.5, 1])


def rows(n=5000, eigenvalues=EIGENVALUES, seed=0):
    """Return rows whose covariance has exactly these eigenvalues, along random directions."""
    rng = np.random.default_rng(seed)
    white = PCA(whiten=True).fit_transform(rng.normal(size=(n, len(eigenvalues))))
    white /= white.std(axis=0)
    rotation = stats.ortho_group.rvs(len(eigenvalues), random_state=seed)
    return white * np.sqrt(eigenvalues) @ rotation + rng.normal(size=len(eigenvalues))


X = rows()


def exact_loss(X, eta, means, variances, components, mean):
    """Return the expected loss: the decoded noise adds its variance times the squared weights."""
    errors = ((X - means @ components - mean) ** 2).sum(axis=1).mean()
    noise = (variances * (components**2).sum(axis=1)).sum()
    kl = 0.5 * (means**2 + variances - np.log(variances) - 1).sum(axis=1).mean()
    return 0.5 * (errors + noise) + eta * kl


def loss_of(model, X, eta, rotation=None):
    """Return the loss of the model with rotated latent axes and the optimal posterior variances."""
    rotation = np.eye(len(model.components)) if rotation is None else rotation
    components = rotation.T @ model.components
    variances = eta / (eta + (components**2).sum(axis=1))
    return exact_loss(X, eta, model.transform(X) @ rotation, variances, components, model.mean)


def plane_rotation(i, j, n, degrees=45):
    rotation = np.eye(n)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation[np.ix_([i, j], [i, j])] = [[c, -s], [s, c]]
    return rotation


class TestLoss:
    @every_eta
    def test_it_equals_a_monte_carlo_estimate(self, eta):
        vae = expected_linear_vae(X, eta, 5)
        rng, means = np.random.default_rng(0), vae.transform(X)
        errors = []
        for _ in range(100):
            noise = np.sqrt(vae.posterior_variance) * rng.normal(size=means.shape)
            for y in (means + noise, means - noise):
                errors.append(((X - vae.inverse_transform(y)) ** 2).sum(axis=1).mean())
        loss = 0.5 * np.mean(errors) + eta * vae.kl.sum()
        assert loss == pytest.approx(vae.loss, abs=0.003)

    @every_eta
    @pytest.mark.parametrize("n_components", [1, 3, 5, 10])
    def test_it_equals_the_loss_of_its_parameters(self, eta, n_components):
        vae = expected_linear_vae(X, eta, n_components)
        model = vae.transform(X), vae.posterior_variance, vae.components, vae.mean
        assert exact_loss(X, eta, *model) == pytest.approx(vae.loss)
        assert loss_of(vae, X, eta) == pytest.approx(vae.loss)

    @every_eta
    def test_it_equals_its_expression_in_eigenvalues(self, eta):
        active = EIGENVALUES[: {0.1: 5, 0.5: 4, 1: 3}[eta]]
        expected = eta * (0.5 + 0.5 * np.log(active / eta)).sum()
        expected += 0.5 * EIGENVALUES[len(active) :].sum()
        assert expected_linear_vae(X, eta, 5).loss == pytest.approx(expected)

    @every_eta
    @pytest.mark.parametrize(("i", "j"), [(0, 1), (0, 2), (1, 2)])
    def test_rotating_two_components_increases_it_by_the_theoretical_amount(self, eta, i, j):
        vae = expected_linear_vae(X, eta, 3)
        ratio = EIGENVALUES[i] / EIGENVALUES[j]
        cost = loss_of(vae, X, eta, plane_rotation(i, j, 3)) - vae.loss
        assert cost == pytest.approx(eta * np.log(np.cosh(0.5 * np.log(ratio))), abs=1e-9)

    def test_rotating_components_of_equal_variance_does_not_change_it(self):
        X = rows(500, [2, 2, 0.1])
        vae = expected_linear_vae(X, 0.5, 2)
        assert loss_of(vae, X, 0.5, plane_rotation(0, 1, 2, 30)) == pytest.approx(vae.loss)

    @every_eta
    @pytest.mark.parametrize("size", [1e-3, 0.1])
    def test_no_perturbed_model_has_a_lower_loss(self, eta, size):
        vae = expected_linear_vae(X, eta, 4)
        for seed in range(20):
            rng = np.random.default_rng(seed)
            encoder, components = (
                weights + size * rng.normal(size=weights.shape)
                for weights in (vae.encoder, vae.components)
            )
            shift, origin = size * rng.normal(size=4), size * rng.normal(size=10)
            variances = vae.posterior_variance * np.exp(size * rng.normal(size=4))
            means = (X - vae.mean) @ encoder.T + shift
            other = exact_loss(X, eta, means, variances, components, vae.mean + origin)
            assert other > vae.loss


@every_eta
class TestIdentities:
    def test_a_component_is_active_if_its_variance_exceeds_eta(self, eta):
        vae = expected_linear_vae(X, eta, 5)
        assert vae.n_active == {0.1: 5, 0.5: 4, 1: 3}[eta]
        assert isinstance(vae.n_active, int)

    def test_active_components(self, eta):
        vae = expected_linear_vae(X, eta, 5)
        kept, active = EIGENVALUES[: vae.n_active], slice(vae.n_active)
        np.testing.assert_allclose(vae.posterior_variance[active], eta / kept)
        np.testing.assert_allclose(vae.variance_of_means[active], 1 - eta / kept)
        np.testing.assert_allclose(vae.kl[active], 0.5 * np.log(kept / eta))
        np.testing.assert_allclose((vae.components[active] ** 2).sum(axis=1), kept - eta)

    def test_inactive_components(self, eta):
        vae = expected_linear_vae(X, eta, 10)
        inactive = slice(vae.n_active, None)
        assert len(vae.kl[inactive]) > 0
        for zero in (vae.components, vae.encoder, vae.variance_of_means, vae.kl):
            assert not zero[inactive].any()
        assert (vae.posterior_variance[inactive] == 1).all()

    def test_means_have_the_returned_variance(self, eta):
        vae = expected_linear_vae(X, eta, 5)
        means = vae.transform(X)
        np.testing.assert_allclose(means.mean(axis=0), 0, atol=1e-9)
        covariance = np.diag(vae.variance_of_means)
        np.testing.assert_allclose(np.cov(means.T, ddof=0), covariance, atol=1e-9)
        np.testing.assert_allclose(vae.variance_of_means + vae.posterior_variance, 1)

    def test_the_posterior_is_the_exact_posterior_of_the_decoder(self, eta):
        vae = expected_linear_vae(X, eta, 5)
        covariance = eta * np.linalg.inv(vae.components @ vae.components.T + eta * np.eye(5))
        np.testing.assert_allclose(np.diag(vae.posterior_variance), covariance, atol=1e-9)
        np.testing.assert_allclose(vae.encoder, covariance @ vae.components / eta, atol=1e-9)

    def test_the_error_along_a_component_is_eta_or_its_whole_variance(self, eta):
        vae = expected_linear_vae(X, eta, 10)
        errors = X - vae.inverse_transform(vae.transform(X))
        along = (errors @ np.linalg.svd(X - vae.mean, full_matrices=False)[2].T).var(axis=0)
        noise = vae.posterior_variance * (vae.components**2).sum(axis=1)
        np.testing.assert_allclose(along + noise, np.minimum(EIGENVALUES, eta))

    def test_other_metrics_have_their_theoretical_values(self, eta):
        vae = expected_linear_vae(X, eta, 3)
        means = vae.transform(X)
        decoded = vae.inverse_transform(means[:5])
        columns = [vae.inverse_transform(means[:5] + unit) - decoded for unit in np.eye(3)]
        J = np.stack(columns, axis=-1)
        np.testing.assert_allclose(J, np.tile(vae.components.T, (5, 1, 1)), atol=1e-6)
        assert distance_to_orthogonality(J) == pytest.approx(0, abs=1e-6)
        assert pca_alignment(means, X) == pytest.approx(1)
        share = eta / EIGENVALUES[:3]
        gap = polarization_gap(means, np.tile(vae.posterior_variance, (len(X), 1)))
        assert gap == pytest.approx(-share.sum() / np.log(share).sum())


@pytest.mark.parametrize("eta", [4.001, 50])
def test_it_collapses_if_eta_exceeds_all_variances(eta):
    vae = expected_linear_vae(X, eta, 5)
    assert vae.n_active == 0
    assert (vae.kl == 0).all()
    assert not vae.transform(X).any()
    np.testing.assert_array_equal(vae.inverse_transform(np.ones((3, 5))), [vae.mean] * 3)
    assert vae.loss == pytest.approx(0.5 * EIGENVALUES.sum())


def test_without_noise_it_is_whitened_pca():
    vae, pca = expected_linear_vae(X, 1e-12, 4), PCA(4, whiten=True).fit(X)
    np.testing.assert_allclose(vae.mean, pca.mean_, atol=1e-12)
    signs = np.sign((vae.components * pca.components_).sum(axis=1))
    directions = vae.components / np.linalg.norm(vae.components, axis=1, keepdims=True)
    np.testing.assert_allclose(directions, signs[:, None] * pca.components_, atol=1e-6)
    white = pca.transform(X)
    np.testing.assert_allclose(vae.transform(X), signs * white / white.std(axis=0), atol=1e-6)
    back = pca.inverse_transform(white)
    np.testing.assert_allclose(vae.inverse_transform(vae.transform(X)), back, atol=1e-6)


@pytest.mark.parametrize("n_components", [1, 4, 10])
def test_shapes(n_components):
    vae = expected_linear_vae(X, 0.5, n_components)
    assert vae.components.shape == vae.encoder.shape == (n_components, 10)
    assert vae.mean.shape == (10,)
    for numbers in (vae.variance_of_means, vae.posterior_variance, vae.kl):
        assert numbers.shape == (n_components,)
    assert isinstance(vae.loss, float)
    assert vae.transform(X[:7]).shape == (7, n_components)
    assert vae.inverse_transform(np.zeros((7, n_components))).shape == (7, 10)


def test_a_single_feature_is_enough():
    vae = expected_linear_vae([[0.0], [2.0], [4.0]], 0.5, 1)
    assert vae.posterior_variance == pytest.approx([0.5 / (8 / 3)])
    assert abs(vae.components[0, 0]) == pytest.approx(np.sqrt(8 / 3 - 0.5))


def test_constant_features_and_fewer_rows_than_features_are_accepted():
    flat = np.c_[X[:, :2], np.full(len(X), 3.7)]
    vae = expected_linear_vae(flat, 1e-9, 3)
    assert vae.n_active == 2
    np.testing.assert_allclose(vae.inverse_transform(vae.transform(flat)), flat, atol=1e-6)
    few = expected_linear_vae(X[:4], 1e-9, 10)
    assert few.n_active == 3


def test_lists_data_frames_and_float32_are_accepted():
    expected = expected_linear_vae(X, 0.5, 3)
    for form in (np.ndarray.tolist, pd.DataFrame, np.float32):
        vae = expected_linear_vae(form(X), 0.5, 3)
        assert vae.loss == pytest.approx(expected.loss, rel=1e-5)
        assert vae.components.dtype == np.float64
        np.testing.assert_allclose(
            np.abs(vae.transform(X)), np.abs(expected.transform(X)), atol=1e-4
        )


def test_it_is_equivariant_to_shifts_rotations_and_units():
    vae = expected_linear_vae(X, 0.5, 3)
    rotation = stats.ortho_group.rvs(10, random_state=3)
    other = expected_linear_vae(20 * X @ rotation + np.arange(10), 0.5 * 20**2, 3)
    np.testing.assert_allclose(other.kl, vae.kl)
    np.testing.assert_allclose(np.abs(other.components), np.abs(20 * vae.components @ rotation))
    assert other.loss == pytest.approx(vae.loss * 20**2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eta": 0}, "eta is a variance and must be positive, got 0"),
        ({"eta": -1.0}, "must be positive, got -1.0"),
        ({"eta": np.nan}, "must be positive, got nan"),
        ({"eta": np.inf}, "must be positive, got inf"),
        ({"eta": "1"}, "must be positive, got '1'"),
        ({"n_components": 0}, "an int between 1 and the 3 features of X, got 0"),
        ({"n_components": 4}, "an int between 1 and the 3 features of X, got 4"),
        ({"n_components": 2.0}, "an int between 1 and the 3 features of X, got 2.0"),
        ({"X": [[1.0, np.nan, 2.0]] * 5}, "Input X contains NaN"),
        ({"X": [[1.0, 2.0, 3.0]]}, "minimum of 2"),
        ({"X": [1.0, 2.0, 3.0]}, "Expected 2D array, got 1D array"),
    ],
)
def test_bad_input_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        expected_linear_vae(**{"X": X[:, :3], "eta": 1.0, "n_components": 2, **settings})
