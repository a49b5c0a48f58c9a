"""Faults that scikit-learn's checks do not find; each test fails on a naive implementation."""

import pickle
import random

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from sklearn_intelvae import InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae.distributions import Density
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import Clusters, Sphere
from sklearn_intelvae.priors import Prior
from tests.estimators.shelf import ESTIMATORS, SMALL, Ring, cases

every_estimator = pytest.mark.parametrize("estimator", cases(ESTIMATORS))


def fit_transform(estimator, X):
    return clone(estimator).fit(X).transform(X)


@every_estimator
def test_one_seed_gives_one_model_whatever_else_draws_numbers(estimator, X):
    first = fit_transform(estimator, X)
    torch.rand(7)
    np.random.rand(7)
    assert np.array_equal(first, fit_transform(estimator, X))
    other = clone(estimator).set_params(random_state=1)
    assert not np.array_equal(first, fit_transform(other, X))


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", ["InteLVAE", "InteLVAE mapping clusters", "SparseInteLVAE", "SoftIntroVAE mixture"]
)
def test_one_seed_gives_one_model_in_parallel(backend, name, X):
    estimator = ESTIMATORS[name]
    expected = fit_transform(estimator, X)
    for found in Parallel(2, backend=backend)(
        delayed(fit_transform)(estimator, X) for _ in range(4)
    ):
        assert np.array_equal(expected, found)


@every_estimator
@pytest.mark.parametrize("random_state", [0, None])
def test_global_generators_are_untouched(estimator, random_state, X):
    torch.manual_seed(0)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    vae = clone(estimator).set_params(random_state=random_state).fit(X)
    vae.transform(X)
    vae.score(X)
    if hasattr(vae, "sample"):
        vae.sample(3, noise=True)
        vae.reconstruct(X)
    vae.partial_fit(X)
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])
    assert states[2] == random.getstate()


def test_without_a_seed_each_fit_gives_another_model(X):
    unseeded = InteLVAE(**SMALL | {"random_state": None})
    assert not np.array_equal(fit_transform(unseeded, X), fit_transform(unseeded, X))
    fitted = unseeded.fit(X)
    assert not np.array_equal(fitted.sample(3), fitted.sample(3))


@every_estimator
def test_a_row_has_one_code_and_one_score_whatever_rows_come_with_it(estimator, X):
    vae = clone(estimator).fit(X)
    order = np.random.RandomState(0).permutation(len(X))
    for method in ("transform", "score_samples", "reconstruct"):
        method = getattr(vae, method, vae.transform)
        whole = method(X)
        np.testing.assert_allclose(method(X[:1]), whole[:1], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(method(X[order]), whole[order], rtol=1e-4, atol=1e-5)
    assert vae.score(X) == vae.score(X)


def test_chunks_are_invisible(X, monkeypatch):
    from sklearn_intelvae.estimators import _fitted

    vae = clone(ESTIMATORS["InteLVAE"]).fit(X)
    whole = vae.transform(X), vae.score_samples(X), vae.sample(50)
    monkeypatch.setattr(_fitted, "_CHUNK_ROWS", (1, 7))
    for a, b in zip(whole, (vae.transform(X), vae.score_samples(X), vae.sample(50)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


TABLES = {
    "reversed": lambda X: X[::-1],
    "fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "float64": lambda X: X.astype(np.float64),
    "float16": lambda X: X.astype(np.float16),
    "big endian": lambda X: X.astype(">f4"),
    "uint8": lambda X: (50 * np.abs(X)).astype(np.uint8),
    "integers": lambda X: (50 * X).astype(int),
    "list": lambda X: X.tolist(),
    "tensor": lambda X: torch.from_numpy(X.copy()),
    "tensor with gradient": lambda X: torch.from_numpy(X.copy()).requires_grad_(),
    "pandas": pd.DataFrame,
    "polars": lambda X: pl.DataFrame(X, schema=[f"x{i}" for i in range(X.shape[1])]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_every_kind(kind, X):
    """In fit and in transform, without a warning, in any memory layout."""
    table = TABLES[kind](X)
    vae = clone(ESTIMATORS["InteLVAE"]).fit(table)
    Z = vae.transform(table)
    plain = table.numpy(force=True) if isinstance(table, torch.Tensor) else np.asarray(table)
    expected = vae.__class__.transform
    assert Z.dtype == np.float32
    assert np.isfinite(vae.score(table))
    if kind not in ("pandas", "polars"):
        contiguous = np.ascontiguousarray(plain, dtype=np.float32)
        np.testing.assert_allclose(Z, expected(vae, contiguous), rtol=1e-5, atol=1e-6)


def test_read_only_and_memory_mapped_tables(X, tmp_path):
    frozen = X.copy()
    frozen.flags.writeable = False
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = fit_transform(ESTIMATORS["InteLVAE"], X)
    assert np.array_equal(expected, fit_transform(ESTIMATORS["InteLVAE"], frozen))
    assert np.array_equal(expected, fit_transform(ESTIMATORS["InteLVAE"], mapped))


def test_fitting_does_not_change_the_data(X):
    before = X.copy()
    vae = clone(ESTIMATORS["InteLVAE"]).fit(X)
    Z = vae.transform(X)
    Z[:] = 0
    vae.inverse_transform(Z)
    assert np.array_equal(before, X)


@pytest.mark.parametrize("n", [2, 3, 33, 65])
def test_few_rows_and_one_row_more_than_fills_the_batches(n, X):
    vae = InteLVAE(**SMALL | {"batch_size": 32}).fit(X[:n])
    assert vae.transform(X).shape == (len(X), 2)


@every_estimator
def test_a_clone_of_a_fitted_estimator_is_not_fitted(estimator, X):
    fitted = clone(estimator).fit(X)
    again = clone(fitted)
    assert not hasattr(again, "module_")
    assert np.array_equal(fit_transform(again, X), fitted.transform(X))


class Scaled(nn.Module):
    """A plain module with a weight, as a mapping."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, y):
        return self.scale * y


def test_a_module_passed_as_a_parameter_is_never_trained(X):
    mapping = Scaled()
    vae = InteLVAE(mapping=mapping, learning_rate_init=0.1, **SMALL)
    first = vae.fit(X).transform(X)
    assert float(mapping.scale.detach()) == 1
    assert float(vae.module_.mapping.function.scale.detach()) != 1
    assert np.array_equal(first, vae.fit(X).transform(X))
    assert float(clone(vae).mapping.scale.detach()) == 1


def test_a_second_fit_starts_from_the_beginning_with_any_number_of_features(X):
    vae = clone(ESTIMATORS["InteLVAE"])
    first = vae.fit(X).transform(X)
    vae.fit(X[:, :3])
    assert vae.n_features_in_ == 3
    assert vae.n_iter_ == 3
    assert np.array_equal(first, vae.fit(X).transform(X))


def test_a_fitted_model_does_not_depend_on_later_set_params(X):
    vae = InteLVAE(mapping=Clusters(3), **SMALL).fit(X)
    Z, score = vae.transform(X), vae.score(X)
    vae.set_params(n_components=5, hidden_layer_sizes=(3,), mapping__n_clusters=7)
    again = pickle.loads(pickle.dumps(vae))
    for model in (vae, again):
        assert np.array_equal(Z, model.transform(X))
        assert score == model.score(X)


FIRST_STEP = 1e-9
WITHOUT_WARM_UP = {
    "InteLVAE": InteLVAE(kl_warmup=0.0),
    "SoftIntroVAE": SoftIntroVAE(prior="vamp-init-mixture", game_start=FIRST_STEP),
}


@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
@pytest.mark.parametrize("name", WITHOUT_WARM_UP)
def test_training_continues_with_the_optimizers_state(name, how, X):
    vae = WITHOUT_WARM_UP[name]
    settings = SMALL | {"learning_rate": "constant"}
    whole = clone(vae).set_params(**settings | {"max_iter": 4}).fit(X)
    halves = clone(vae).set_params(**settings | {"max_iter": 2, "warm_start": True}).fit(X)
    if how == "warm_start":
        halves.fit(X)
    else:
        halves.partial_fit(X).partial_fit(X)
    assert halves.n_iter_ == whole.n_iter_ == 4
    assert [row["epoch"] for row in halves.history_] == [1, 2, 3, 4]
    np.testing.assert_array_equal(halves.loss_curve_, whole.loss_curve_)
    assert np.array_equal(halves.transform(X), whole.transform(X))


def test_partial_fit_starts_by_itself_and_counts_epochs(X):
    vae = InteLVAE(**SMALL)
    for epochs in (1, 2, 3):
        assert vae.partial_fit(X).n_iter_ == epochs


def test_partial_fit_that_fails_leaves_the_model_as_it_was(X):
    vae = InteLVAE(**SMALL).fit(X)
    Z, bad = vae.transform(X), X.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        vae.partial_fit(bad)
    with pytest.raises(ValueError, match="expecting 6 features"):
        vae.partial_fit(X[:, :4])
    assert np.array_equal(Z, vae.transform(X))


@pytest.mark.parametrize("name", ["InteLVAE", "SoftIntroVAE", "SoftIntroVAE mixture"])
def test_equal_weights_are_no_weights(name, X):
    vae = ESTIMATORS[name]
    ones = clone(vae).fit(X, sample_weight=np.ones(len(X)))
    none = clone(vae).fit(X)
    assert np.array_equal(ones.transform(X), none.transform(X))
    twos = clone(vae).fit(X, sample_weight=np.full(len(X), 2.0))
    assert np.array_equal(twos.transform(X), none.transform(X))


def test_weights_count():
    """Two groups of points; the weight decides which of them the model follows."""
    X = np.repeat([[-1.0, -1.0], [1.0, 1.0]], 100, axis=0)
    X = X + 0.01 * np.random.RandomState(0).randn(*X.shape)
    settings = dict(max_iter=60, batch_size=50, kl_warmup=0.0, beta=50.0, learning_rate_init=0.01)
    weight = np.repeat([0.05, 1.0], 100)
    vae = InteLVAE(1, **SMALL | settings).fit(X, sample_weight=weight)
    assert vae.sample(500).mean() == pytest.approx(0.95 / 1.05, abs=0.1)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_grid_search_sets_hyper_parameters_of_parts(n_jobs, X):
    grid = {
        "vae__n_components": [2, 3],
        "vae__mapping": [Sphere(), Clusters(2), Ring()],
    }
    pipe = make_pipeline(StandardScaler(), InteLVAE(**SMALL))
    pipe.steps[1] = ("vae", pipe.steps[1][1])
    search = GridSearchCV(pipe, grid, cv=2, n_jobs=n_jobs).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    deep = GridSearchCV(
        InteLVAE(mapping=Clusters(2), **SMALL), {"mapping__n_clusters": [2, 4]}, cv=2
    ).fit(X)
    assert deep.best_estimator_.mapping.n_clusters in (2, 4)
    assert repr(deep.estimator.mapping) == "Clusters()"


def test_pipeline_with_memory_before_a_classifier(X, tmp_path):
    y = X[:, 0] > 0
    pipe = make_pipeline(
        StandardScaler(), SparseInteLVAE(3, **SMALL), LogisticRegression(), memory=str(tmp_path)
    )
    first = pipe.fit(X, y).predict_proba(X)
    assert np.array_equal(first, pipe.fit(X, y).predict_proba(X))


def test_equal_estimators_have_one_key_in_the_memory_of_a_pipeline(X):
    import joblib

    a, b = (InteLVAE(mapping=Clusters(3), **SMALL) for _ in range(2))
    assert joblib.hash(a) == joblib.hash(b)


def test_set_output_gives_named_columns(X):
    Z = clone(ESTIMATORS["InteLVAE"]).set_output(transform="pandas").fit_transform(X)
    assert list(Z.columns) == ["intelvae0", "intelvae1"]
    wide = InteLVAE(mapping=Wide(), **SMALL).fit(X)
    assert len(wide.get_feature_names_out()) == wide.transform(X).shape[1] == 4


class Wide(nn.Module):
    def forward(self, y):
        return torch.cat([y, y**2], dim=1)


def test_names_of_columns_are_remembered(X):
    table = pd.DataFrame(X, columns=list("abcdef"))
    vae = clone(ESTIMATORS["InteLVAE"]).fit(table)
    assert list(vae.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        vae.transform(table[list("fedcba")])


def test_inverse_transform_of_codes_is_the_reconstruction(X):
    vae = InteLVAE(2, prior="normal", **SMALL | {"max_iter": 30}).fit(X)
    Z = vae.transform(X)
    np.testing.assert_allclose(vae.inverse_transform(Z), vae.reconstruct(X), rtol=1e-4, atol=1e-5)
    mean, variance = vae.encode(X)
    np.testing.assert_allclose(mean * vae.gain_, Z, rtol=1e-6)
    vae.set_params(whiten=True)
    assert np.array_equal(vae.transform(X), mean)
    assert np.array_equal(vae.inverse_transform(mean), vae.reconstruct(X))
    assert (variance > 0).all()
    assert mean.shape == variance.shape == (len(X), 2)


def test_samples_are_repeatable_and_noise_is_added_on_request(X):
    vae = InteLVAE(likelihood=Gaussian(0.5), **SMALL).fit(X)
    assert np.array_equal(vae.sample(200), vae.sample(200))
    assert not np.array_equal(vae.sample(5), vae.sample(5, random_state=1))
    noise = vae.sample(5000, noise=True) - vae.sample(5000)
    assert noise.std() == pytest.approx(0.5, rel=0.02)
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1, got 0"):
        vae.sample(0)


def test_scores_are_nats_of_the_likelihood_whatever_was_trained(X):
    """The score does not depend on beta, penalties and the warm-up."""
    vae = SparseInteLVAE(2, gamma=100.0, beta=4.0, **SMALL).fit(X)
    free = SparseInteLVAE(2, prior="normal", gamma=0.0, **SMALL).fit(X)
    free.module_.load_state_dict(vae.module_.state_dict())
    assert free.score(X) == vae.score(X)
    coarse, fine = (vae.score_samples(X, n_particles=k).mean() for k in (1, 64))
    assert fine > coarse
    assert vae.score_samples(X).dtype == np.float32


def test_class_sorted_rows_with_early_stopping():
    X, y = load_digits(return_X_y=True)
    X = (X[np.argsort(y, kind="stable")] / 16).astype(np.float32)
    vae = InteLVAE(2, early_stopping=True, **SMALL).fit(X)
    per_class = [vae.score(X[np.sort(y) == c]) for c in range(10)]
    assert np.ptp(per_class) < 60
    assert len(vae.validation_scores_) == vae.n_iter_


def test_fitted_attributes_are_few_plain_and_printable(X):
    vae = clone(ESTIMATORS["InteLVAE"]).fit(X)
    public = {name for name in vars(vae) if name.endswith("_") and not name.startswith("_")}
    assert public == {
        "gain_",
        "module_",
        "objective_",
        "n_features_in_",
        "n_iter_",
        "history_",
        "loss_curve_",
        "validation_scores_",
        "kl_per_component_",
        "active_components_",
    }
    assert len(vae.loss_curve_) == len(vae.history_) == vae.n_iter_ == 3
    assert vae.kl_per_component_.shape == (2,)
    assert "InteLVAE" in vae._repr_html_()


def test_predict_is_there_only_for_mappings_with_regions_and_priors_with_modes(X):
    for cls in (InteLVAE, SparseInteLVAE):
        assert hasattr(cls(), "predict")
        assert not hasattr(cls(prior="normal"), "predict")
        assert not hasattr(cls(beta=2.0), "predict")
    vae = InteLVAE(mapping=Clusters(4), **SMALL).fit(X)
    labels = vae.predict(X)
    assert labels.shape == (len(X),)
    assert set(labels) <= {0, 1, 2, 3}


class StandardNormal(Density):
    """The standard normal, by log_prob and sample alone."""

    def log_prob(self, y):
        return torch.distributions.Normal(0, 1).log_prob(y).sum(-1)

    def sample(self, n_samples, generator):
        return torch.randn(n_samples, 2, generator=generator)


class Plain(Prior):
    def density(self, encode):
        return StandardNormal()


def test_the_attributes_of_components_follow_from_the_posterior(X):
    """The attributes against their formulas, from what encode returns."""
    vae = InteLVAE(2, **SMALL | {"max_iter": 30}).fit(X)
    h = vae.module_.encoder(torch.from_numpy(vae._standardization.apply(X))).detach().numpy()
    mean, variance = vae.encode(X)
    np.testing.assert_allclose(mean, h[:, :2], rtol=1e-5)
    np.testing.assert_allclose(variance, np.exp(h[:, 2:]), rtol=1e-5)
    kl = 0.5 * (mean**2 + variance - 1 - np.log(variance)).mean(axis=0)
    np.testing.assert_allclose(vae.kl_per_component_, kl, rtol=1e-4)
    assert list(vae.active_components_) == list(np.flatnonzero(mean.var(axis=0) > 0.01))

    vae = InteLVAE(2, prior=Plain(), **SMALL).fit(X)
    mean, variance = vae.encode(X)
    moments = mean.var(axis=0) + variance.mean(axis=0)
    expected = 0.5 * (np.log(moments) - np.log(variance).mean(axis=0))
    np.testing.assert_allclose(vae.kl_per_component_, expected, rtol=1e-4)


def test_only_ratios_of_weights_matter(X):
    weight = np.random.default_rng(0).random(len(X))
    one, two = (InteLVAE(**SMALL).fit(X, sample_weight=c * weight) for c in (1, 2))
    assert np.array_equal(one.transform(X), two.transform(X))
    assert one.loss_curve_ != InteLVAE(**SMALL).fit(X).loss_curve_


def test_the_decoder_mirrors_the_encoder(X):
    vae = InteLVAE(2, **SMALL | {"hidden_layer_sizes": (9, 5)}).fit(X)
    shapes = [layer.weight.shape for layer in vae.module_.decoder.network.layers[::2]]
    assert shapes == [(5, 2), (9, 5), (6, 9)]


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"),
    [(10, 10, 30), (500, 32, 96), (1797, 128, 384), (5000, 256, 410), (10**5, 256, 21)],
)
def test_automatic_sizes_from_random_weights(n, batch_size, epochs):
    spec = InteLVAE(linear_path=False)._spec().completed(3)
    assert spec.resolved_batch_size(n) == batch_size
    assert spec.max_iter is None
    assert spec.recipe.n_epochs(n, batch_size) == epochs


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"),
    [(10, 10, 20), (500, 64, 37), (1797, 256, 146), (5000, 256, 72), (10**5, 256, 20)],
)
def test_automatic_sizes_from_the_linear_model(n, batch_size, epochs):
    spec = InteLVAE()._spec().completed(3)
    assert spec.resolved_batch_size(n) == batch_size
    assert spec.recipe.n_epochs(n, batch_size) == epochs
    given = InteLVAE(batch_size=7, max_iter=7)._spec()
    assert given.resolved_batch_size(n) == 7
    assert given.max_iter == 7


def test_automatic_sizes_are_those_of_the_fit(X):
    sizes = []

    class See(Callback):
        def on_train_begin(self, net, **kwargs):
            sizes.append(net.batch_size)

    vae = InteLVAE(2, hidden_layer_sizes=(8,), skorch_callbacks=[See()], random_state=0).fit(X[:40])
    assert (sizes, vae.n_iter_) == ([32], 20)


def test_each_parameter_reaches_its_part():
    """Parameters whose absence would raise no error."""
    X = np.random.default_rng(0).random((60, 64)).astype(np.float32)
    settings = SMALL | dict(max_iter=1, activation="tanh", hidden_layer_sizes=(7,))
    conv = InteLVAE(image_shape=(1, 8, 8), **settings).fit(X).module_.encoder.network
    assert conv.n_hidden == 7
    assert any(isinstance(layer, nn.Tanh) for layer in conv.layers)

    sparse = SparseInteLVAE(
        gamma=2.5,
        max_cost=0.1,
        sparsity=0.7,
        floor=0.3,
        selector_layer_sizes=(6, 4),
        regularize="gates",
        **settings,
    ).fit(X)
    selector = sparse.module_.mapping
    assert (selector.gamma, selector.max_cost, selector.sparsity) == (2.5, 0.1, 0.7)
    assert (selector.floor, selector.regularize) == (0.3, "gates")
    assert [m.out_features for m in selector.network.layers[::2]] == [6, 4, 2]
    assert isinstance(sparse.module_.encoder.network.layers[1], nn.Tanh)

    held = []

    class See(Callback):
        def on_train_begin(self, net, X, **kwargs):
            held.append(len(X))

    InteLVAE(
        early_stopping=True, validation_fraction=0.4, skorch_callbacks=[See()], **settings
    ).fit(X)
    assert held == [36]
