"""Derivatives of decoders, exact or compared with differences."""

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.diagnostics import decoder_jacobian
from sklearn_intelvae.estimators._parameters import REGISTRY

OUTPUTS = ["representation", "posterior_mean", "both"]
SMALL = dict(hidden_layer_sizes=(8,), activation="tanh", max_iter=3, random_state=0)


def table(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = np.tanh(rng.normal(size=(n, 3)) @ np.random.default_rng(1).normal(size=(3, 6)))
    return (X + 0.1 * rng.normal(size=X.shape)).astype(np.float32)


@cache
def fitted(mapping="identity", likelihood="gaussian"):
    X = table() if likelihood != "bernoulli" else (table() > 0).astype(np.float32)
    return InteLVAE(mapping=mapping, likelihood=likelihood, **SMALL).fit(X)


def with_output(vae, output):
    """Return the estimator and codes of some training rows, away from kinks of the decoder."""
    return vae.set_params(output=output), vae.transform(table())[:40]


def assert_agrees_with_differences(estimator, Z, J):
    """Compare most rows: in single precision, and where no kink of a mapping is near.

    The features are of the order of one, so that their rounding, of 1e-7, makes errors of 1e-4 in
    differences over 2e-3.
    """
    step = 1e-3
    for i in range(Z.shape[1]):
        shift = step * (np.arange(Z.shape[1]) == i)
        ahead, behind = (estimator.inverse_transform(z) for z in (Z + shift, Z - shift))
        error = np.abs(J[..., i] - (ahead - behind) / (2 * step)).max(axis=1)
        assert np.median(error) < 2e-4
        assert np.quantile(error, 0.9) < 2e-3


class TestDecoderJacobian:
    def test_of_pca_it_is_the_components(self):
        X = table().astype(np.float64)
        for pca in (PCA(3).fit(X), PCA(3, whiten=True).fit(X)):
            Z = pca.transform(X[:10])
            scale = np.sqrt(pca.explained_variance_) if pca.whiten else np.ones(3)
            J = decoder_jacobian(pca, Z)
            assert J.shape == (10, 6, 3)
            assert J.dtype == np.float64
            np.testing.assert_allclose(J, np.tile(pca.components_.T * scale, (10, 1, 1)), atol=1e-9)

    def test_of_a_function_it_is_the_derivative(self):
        Z = np.random.default_rng(0).normal(size=(20, 2))
        u, v = Z.T
        J = decoder_jacobian(
            lambda z: np.c_[np.sin(z[:, 0]), z[:, 0] * z[:, 1], np.exp(z[:, 1])], Z
        )
        zero = np.zeros_like(u)
        expected = np.stack([np.c_[np.cos(u), zero], np.c_[v, u], np.c_[zero, np.exp(v)]], axis=1)
        np.testing.assert_allclose(J, expected, atol=1e-6)

    def test_the_step_follows_the_unit_of_each_code(self):
        Z = np.random.default_rng(0).normal(size=(20, 2)) * [1e-2, 1e6]
        J = decoder_jacobian(lambda z: np.sin(z * [1e2, 1e-6]), Z)
        np.testing.assert_allclose(J[:, 0, 0] / 1e2, np.cos(Z[:, 0] * 1e2), atol=1e-6)
        np.testing.assert_allclose(J[:, 1, 1] * 1e6, np.cos(Z[:, 1] / 1e6), atol=1e-6)

    def test_inverse_transform_is_all_that_an_object_needs(self):
        class Doubled:
            def inverse_transform(self, Z):
                return 2 * Z

        J = decoder_jacobian(Doubled(), np.random.default_rng(0).normal(size=(4, 2)))
        np.testing.assert_allclose(J, [2 * np.eye(2)] * 4, atol=1e-9)

    @pytest.mark.parametrize("step", [0.01, 0.5, 2])
    def test_a_step_goes_as_far_as_it_says_in_both_directions(self, step):
        Z = np.random.default_rng(0).normal(size=(20, 1))
        J = decoder_jacobian(lambda z: z**3, Z, step=step)
        np.testing.assert_allclose(J[:, 0], 3 * Z**2 + step**2)

    def test_with_a_step_differences_are_taken_of_a_vae_too(self):
        vae = InteLVAE(linear_path=False, whiten=True, **SMALL).fit(table())
        vae, Z = with_output(vae, "representation")
        shift = np.array([0.7, 0], dtype=np.float32)
        expected = (vae.inverse_transform(Z + shift) - vae.inverse_transform(Z - shift)) / 1.4
        J = decoder_jacobian(vae, Z, step=0.7)
        np.testing.assert_allclose(J[..., 0], expected, atol=1e-6)
        assert np.abs(J - decoder_jacobian(vae, Z)).max() > 0.01

    @pytest.mark.parametrize("output", OUTPUTS)
    @pytest.mark.parametrize("mapping", REGISTRY["mapping"])
    def test_of_every_mapping_it_agrees_with_differences(self, mapping, output):
        vae, Z = with_output(fitted(mapping), output)
        J = decoder_jacobian(vae, Z)
        assert J.shape == (40, 6, Z.shape[1])
        assert J.dtype == np.float64
        assert np.abs(J).max() > 0.05
        assert_agrees_with_differences(vae, Z, J)

    @pytest.mark.parametrize("likelihood", REGISTRY["likelihood"])
    def test_of_every_likelihood_it_agrees_with_differences(self, likelihood):
        vae, Z = with_output(fitted(likelihood=likelihood), "representation")
        J = decoder_jacobian(vae, Z)
        assert np.abs(J).max() > 0.05
        assert_agrees_with_differences(vae, Z, J)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_of_convolutions_it_agrees_with_differences(self, channels):
        X = np.random.default_rng(0).uniform(size=(60, channels * 64)).astype(np.float32)
        vae = InteLVAE(3, image_shape=(channels, 8, 8), activation="tanh", max_iter=2)
        Z = vae.set_params(random_state=0).fit(X).transform(X[:20])
        J = decoder_jacobian(vae, Z)
        assert J.shape == (20, channels * 64, 3)
        assert np.abs(J).max() > 0.05
        assert_agrees_with_differences(vae, Z, J)

    @pytest.mark.parametrize("mapping", ["sphere", "glue"])
    def test_along_a_ray_that_a_mapping_collapses_it_is_zero(self, mapping):
        vae, y = with_output(fitted(mapping), "posterior_mean")
        along = (decoder_jacobian(vae, y) * y[:, None]).sum(axis=-1)
        across = (decoder_jacobian(vae, y) * (y[:, ::-1] * [1, -1])[:, None]).sum(axis=-1)
        assert np.abs(along).max() < 1e-4 * np.abs(across).max()

    def test_of_both_the_columns_of_the_posterior_mean_are_zero(self):
        vae, Z = with_output(fitted("sphere"), "both")
        assert (decoder_jacobian(vae, Z)[..., 2:] == 0).all()
        assert (decoder_jacobian(vae, Z, step=1e-3)[..., 2:] == 0).all()

    @pytest.mark.parametrize("jump", [torch.sign, torch.round, torch.floor])
    def test_of_a_mapping_that_jumps_it_is_zero(self, jump):
        vae = InteLVAE(mapping=jump, output="posterior_mean", **SMALL).fit(table())
        J = decoder_jacobian(vae, vae.transform(table())[:40])
        np.testing.assert_array_equal(J, np.zeros((40, 6, 2)))

    def test_of_a_decoder_without_hidden_layers_it_is_the_same_for_all_rows(self):
        vae = InteLVAE(hidden_layer_sizes=(), max_iter=3, random_state=0).fit(table())
        J = decoder_jacobian(vae, vae.transform(table()))
        assert np.abs(J).max() > 0.05
        np.testing.assert_allclose(J, np.tile(J[:1], (120, 1, 1)), atol=1e-6)

    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
    def test_it_is_the_same_without_grad_mode(self, mode):
        vae, Z = with_output(fitted(), "representation")
        expected = decoder_jacobian(vae, Z)
        with mode():
            np.testing.assert_array_equal(decoder_jacobian(vae, Z), expected)

    def test_many_rows_give_the_same_as_one_at_a_time(self):
        vae = fitted().set_params(output="representation")
        Z = np.random.default_rng(0).normal(size=(600, 2))
        J = decoder_jacobian(vae, Z)
        assert J.shape == (600, 6, 2)
        for i in (0, 255, 256, 511, 512, 599):
            np.testing.assert_allclose(decoder_jacobian(vae, Z[[i]])[0], J[i], atol=1e-6)

    def test_it_does_not_change_the_model_and_the_generators(self):
        vae, Z = with_output(fitted(), "representation")
        before = vae.transform(table())
        numbers, seed = np.random.get_state()[1], torch.get_rng_state()
        decoder_jacobian(vae, Z)
        assert not vae.module_.training
        np.testing.assert_array_equal(vae.transform(table()), before)
        np.testing.assert_array_equal(np.random.get_state()[1], numbers)
        assert torch.equal(torch.get_rng_state(), seed)

    def test_lists_and_float32_are_codes_too(self):
        vae, Z = with_output(fitted(), "representation")
        expected = decoder_jacobian(vae, Z.astype(np.float64))
        np.testing.assert_array_equal(decoder_jacobian(vae, Z), expected)
        np.testing.assert_array_equal(decoder_jacobian(vae, Z.tolist()), expected)

    @pytest.mark.parametrize("n", [120, 2, 1])
    def test_in_a_pipeline_with_a_scaler_it_has_the_unit_of_x(self, n):
        X = table() * np.logspace(-1, 1, 6).astype(np.float32)
        pipe = make_pipeline(StandardScaler(), InteLVAE(**SMALL)).fit(X)
        Z = pipe.transform(X)[:n]
        scale = pipe[0].scale_[:, None]
        expected = decoder_jacobian(pipe[1], Z)
        np.testing.assert_allclose(decoder_jacobian(pipe, Z) / scale, expected, atol=0.02)

    @pytest.mark.parametrize("step", [0, -0.1, np.nan, np.inf, "small", [0.1, 0.1]])
    def test_a_step_that_is_not_positive_is_refused(self, step):
        with pytest.raises(ValueError, match="step is a distance and must be positive, got"):
            decoder_jacobian(np.sin, np.ones((3, 2)), step=step)

    @pytest.mark.parametrize("decoder", [np.sin, PCA(2), InteLVAE()])
    @pytest.mark.parametrize(
        ("Z", "message"),
        [
            ([[0, np.nan]], "Input Z contains NaN"),
            ([[0, np.inf]], "Input Z contains infinity"),
            ([0, 1], "Expected 2D array, got 1D array"),
            (np.empty((0, 2)), "minimum of 1"),
        ],
    )
    def test_bad_codes_are_refused(self, decoder, Z, message):
        with pytest.raises(ValueError, match=message):
            decoder_jacobian(decoder, Z)

    @pytest.mark.parametrize("output", OUTPUTS)
    @pytest.mark.parametrize("step", [None, 0.1])
    def test_codes_of_another_width_are_refused(self, output, step):
        vae, Z = with_output(fitted(), output)
        width = Z.shape[1]
        for wrong in (Z[:, :-1], np.c_[Z, Z]):
            with pytest.raises(ValueError, match=f"columns, but the codes of .* have {width}"):
                decoder_jacobian(vae, wrong, step=step)

    @pytest.mark.parametrize("estimator", [InteLVAE(), PCA(2)])
    @pytest.mark.parametrize("step", [None, 0.1])
    def test_an_estimator_that_is_not_fitted_is_refused(self, estimator, step):
        with pytest.raises(NotFittedError, match=f"This {type(estimator).__name__} instance"):
            decoder_jacobian(estimator, np.ones((3, 2)), step=step)
