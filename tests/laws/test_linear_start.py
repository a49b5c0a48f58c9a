"""A fit starts at the linear model that the VAE generalizes, in any unit of X."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA, FactorAnalysis
from torch import nn

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.distributions import Density, Normal
from sklearn_intelvae.likelihoods import Gaussian, Laplace, Likelihood
from sklearn_intelvae.mappings import Compose, Identity, Linear, Sphere
from sklearn_intelvae.metrics import mean_correlation
from sklearn_intelvae.models._linear_model import LinearModel
from sklearn_intelvae.models._linear_start import size_under
from sklearn_intelvae.networks import ConvEncoder, LinearPath
from sklearn_intelvae.posteriors import Posterior
from sklearn_intelvae.priors import Prior
from sklearn_intelvae.training import _noise
from tests.estimators.shelf import ESTIMATORS, cases

AT_START = dict(max_iter=1, learning_rate_init=1e-12, random_state=0)
"""Settings of a fit that does not move."""


def series():
    """Return rows whose columns differ in size and are correlated."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8)) + 0.5 * rng.normal(size=(400, 8))
    return 10.0 ** np.arange(-3, 5) * (X + 100)


TABLES = {
    "breast cancer": lambda: load_breast_cancer().data[:, [0, 1, 4, 5, 6, 8, 9]],
    "wine": lambda: load_wine().data,
    "diabetes": lambda: load_diabetes().data,
    "digits": lambda: load_digits().data[:, [10, 11, 12, 13, 19, 20, 26, 27, 28, 35, 36, 43]],
    "columns of any size": series,
}


def standardized(X, weight=None):
    mean = np.average(X, axis=0, weights=weight)
    return (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))


@pytest.mark.parametrize("name", TABLES)
def test_the_bound_at_the_start_is_the_likelihood_of_factor_analysis(name):
    X = TABLES[name]()
    table, k = standardized(X), X.shape[1] // 3
    expected = FactorAnalysis(k).fit(table).score(table) - np.log(X.std(axis=0)).sum()
    assert InteLVAE(k, **AT_START).fit(X).score(X) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", TABLES)
def test_weighted_rows_count_as_often_as_their_weights_say(name):
    X = TABLES[name]()
    k, weight = X.shape[1] // 3, np.random.default_rng(0).integers(0, 4, len(X))
    repeated = np.repeat(standardized(X, weight), weight, axis=0)
    fitted = InteLVAE(k, **AT_START).fit(X, sample_weight=weight)
    volume = fitted._standardization.log_volume
    expected = FactorAnalysis(k).fit(repeated).score(repeated) - volume
    found = fitted.score(np.repeat(X, weight, axis=0))
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("name", TABLES)
def test_with_one_scale_it_is_that_of_probabilistic_pca(name):
    X = standardized(TABLES[name]())
    k = X.shape[1] // 3
    vae = InteLVAE(k, likelihood=Gaussian("learned"), **AT_START).fit(X)
    assert vae.score(X) == pytest.approx(PCA(k).fit(X).score(X), abs=1e-3)


@pytest.mark.parametrize(
    ("n_rows", "n_columns"), [(20, 50), pytest.param(300, 5000, marks=pytest.mark.slow)]
)
def test_a_table_with_more_columns_than_rows_starts_at_probabilistic_pca(n_rows, n_columns):
    rng, k = np.random.default_rng(0), 4
    X = rng.normal(size=(n_rows, k)) @ rng.normal(size=(k, n_columns))
    X = X + rng.normal(size=X.shape)
    variances = np.zeros(n_columns)
    variances[:n_rows] = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) ** 2 / n_rows
    variances[k:] = variances[k:].mean()
    expected = -0.5 * (np.log(2 * np.pi * variances) + 1).sum()
    vae = InteLVAE(k, likelihood=Gaussian("learned"), **AT_START).fit(X)
    assert vae.score(X) == pytest.approx(expected, rel=1e-4)


def test_with_a_known_scale_it_is_the_best_for_that_scale():
    X = standardized(TABLES["wine"]())
    noise = PCA(4).fit(X).noise_variance_
    vae = InteLVAE(4, likelihood=Gaussian(float(np.sqrt(noise))), **AT_START).fit(X)
    assert vae.score(X) == pytest.approx(PCA(4).fit(X).score(X), abs=1e-3)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("whiten", [False, True])
def test_codes_of_a_linear_decoder_are_principal_components(name, whiten):
    """But for the sign, and for what the posterior shrinks them towards 0."""
    X = standardized(TABLES[name]())
    settings = dict(likelihood=Gaussian("learned"), hidden_layer_sizes=(), whiten=whiten)
    vae, pca = InteLVAE(3, **settings, **AT_START).fit(X), PCA(3, whiten=whiten).fit(X)
    Z, expected = vae.transform(X), pca.transform(X)
    correlation = np.corrcoef(Z.T, expected.T)[:3, 3:]
    np.testing.assert_allclose(np.abs(correlation), np.eye(3), atol=1e-3)
    _, variance = vae.encode(X)
    ratio = Z.std(axis=0) / expected.std(axis=0)
    shrinkage = 1 - variance.mean(axis=0)
    np.testing.assert_allclose(ratio, np.sqrt(shrinkage) if whiten else shrinkage, rtol=0.01)
    np.testing.assert_allclose(vae.inverse_transform(Z), vae.reconstruct(X), rtol=1e-3, atol=1e-4)


class Skewed(nn.Module):
    def forward(self, y):
        return torch.cat([y[:, :1] + 2 * y[:, 1:2], y[:, 1:] - 1], dim=1)


STARTING = {
    "identity": "identity",
    "ica": "ica",
    "flow": "flow",
    "linear": Linear([[1.0, 0.0], [0.5, 0.5]]),
    "linear, wider": Linear([[1.0, 0.0], [0.5, 0.5], [2.0, 1.0]]),
    "composed": Compose(Linear([[1.0, 1.0], [0.0, 1.0]]), Identity()),
    "a module of one's own": Skewed(),
    "a function": lambda y: 2 * y + 1,
}


@pytest.mark.parametrize("mapping", STARTING)
def test_any_invertible_linear_mapping_starts_there(mapping):
    X = standardized(series())
    plain, mapped = (
        InteLVAE(2, mapping=m, **AT_START).fit(X).score(X) for m in ("identity", STARTING[mapping])
    )
    assert mapped == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"posterior": "full"},
        {"image_shape": (2, 2, 2), "encoder": ConvEncoder((2, 2, 2), (4,)), "decoder": "mlp"},
        {"encoder": nn.Linear(8, 4), "decoder": nn.Sequential(nn.Linear(2, 9), nn.ReLU())},
        {"hidden_layer_sizes": ()},
    ],
    ids=["full posterior", "convolutions", "networks of one's own", "no hidden layer"],
)
def test_whatever_the_networks_and_the_posterior_are(settings):
    X = standardized(series())
    expected = InteLVAE(2, **AT_START).fit(X).score(X)
    found = InteLVAE(2, **settings, **AT_START).fit(X).score(X)
    assert found == pytest.approx(expected, abs=1e-3)


def test_bernoulli_and_laplace_start_above_independent_columns():
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(800, 2)) @ rng.normal(size=(2, 12))
    X = (Y + 0.5 * rng.logistic(size=Y.shape) > 0).astype(float)
    share = X.mean(axis=0)
    independent = (X * np.log(share) + (1 - X) * np.log(1 - share)).sum(axis=1).mean()
    assert InteLVAE(2, likelihood="bernoulli", **AT_START).fit(X).score(X) > independent + 0.3
    X = Y + rng.laplace(size=Y.shape)
    width = np.abs(X - np.median(X, axis=0)).mean(axis=0)
    independent = -np.log(2 * width).sum() - X.shape[1]
    assert InteLVAE(2, likelihood=Laplace(), **AT_START).fit(X).score(X) > independent + 0.3


class Tripled(Gaussian):
    """Inherits the linear form of a Gaussian, which does not hold for it."""

    def mean(self, h):
        return 3 * h

    def forward(self, h):
        return super().forward(3 * h)


class Swapped(Posterior):
    """Its outputs are not the means first."""

    def n_outputs(self, n_components):
        return 2 * n_components

    def forward(self, h):
        log_variance, mean = h.chunk(2, dim=-1)
        return Normal(mean, 0.5 * log_variance.clamp(-9, 4))

    def outputs_for(self, covariance):
        variance = covariance.diagonal().float()
        return torch.cat([torch.zeros_like(variance), variance.log()])


@pytest.mark.parametrize(
    "settings",
    [
        {"mapping": "sphere"},
        {"mapping": "clusters"},
        {"mapping": Compose(Linear([[1.0, 0.0], [0.0, 1.0]]), Sphere())},
        {"likelihood": Tripled()},
        {"posterior": Swapped()},
        {"objective": "annealed-capacity"},
        {"beta": lambda fraction: fraction},
        {"linear_path": False},
    ],
    ids=[
        "sphere",
        "clusters",
        "composed",
        "likelihood",
        "posterior",
        "objective",
        "schedule",
        "switched off",
    ],
)
def test_parts_without_a_linear_form_start_at_random_weights(settings):
    vae = InteLVAE(2, max_iter=1, hidden_layer_sizes=(4,), random_state=0, **settings)
    assert not isinstance(vae.fit(series()).module_.encoder, LinearPath)


@pytest.mark.parametrize("estimator", cases(ESTIMATORS))
def test_the_unit_of_a_column_changes_nothing(estimator):
    """Training magnifies what rounding changes, so that the fits are short."""
    if estimator.get_params().get("likelihood") == "bernoulli":
        pytest.skip("needs values between 0 and 1")
    X = standardized(series()).astype(np.float64)
    unit, offset = 2.0 ** np.arange(-4, 4), np.arange(8.0)
    one, other = (clone(estimator).fit(table) for table in (X, unit * X + offset))
    with np.errstate(all="ignore"):
        Z, W = one.transform(X), other.transform(unit * X + offset)
    if not _sees_columns_one_by_one(one):
        pytest.skip("one scale, or none, for all columns")
    np.testing.assert_allclose(Z, W, rtol=0.02, atol=0.02)


def _sees_columns_one_by_one(fitted):
    parts = fitted._parts_at_fit
    return getattr(parts, "likelihood", None) is not None and parts.standardization == "columns"


def test_a_start_does_not_depend_on_the_random_state():
    X = series()
    settings = AT_START | {"hidden_layer_sizes": (8,)}
    one, other = (InteLVAE(2, **settings | {"random_state": s}).fit(X) for s in (0, 1))
    np.testing.assert_allclose(one.transform(X), other.transform(X), rtol=1e-4)


def test_columns_without_correlation_leave_no_component_idle():
    """Eight groups on a circle: the columns are uncorrelated, but not independent."""
    rng = np.random.default_rng(0)
    angle = rng.integers(0, 8, 2000) * np.pi / 4
    X = np.c_[np.cos(angle), np.sin(angle)] + 0.05 * rng.normal(size=(2000, 2))
    vae = InteLVAE(2, max_iter=40, hidden_layer_sizes=(32, 32), random_state=0).fit(X)
    assert (vae.kl_per_component_ > 0.5).all()
    assert vae.score(X) > FactorAnalysis(2).fit(X).score(X) + 0.3


@pytest.mark.parametrize("of_groups", [0, 1])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_one_component_of_two_uncorrelated_columns_encodes_the_one_with_groups(
    of_groups, is_weighted
):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    X[:, of_groups] = 4 * rng.choice([-1, 1], size=600) + rng.normal(size=600)
    weight = np.where(np.arange(600) < 400, 1.0, 0.5) if is_weighted else None
    y = InteLVAE(1, random_state=0).fit(X, sample_weight=weight).transform(X)[:, 0]
    assert abs(np.corrcoef(y, X[:, of_groups])[0, 1]) > 0.95


def independent_factors(rng, n_rows=2000):
    """Return independent Laplace factors, and orthogonal mixtures of them with equal variances."""
    W = rng.laplace(size=(n_rows, 3))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return W, W @ rotation @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(n_rows, 8))


@pytest.mark.parametrize("prior", ["laplace", "spike-and-slab"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_priors_of_independent_components_start_at_independent_components(prior, is_weighted):
    W, X = independent_factors(np.random.default_rng(0))
    weight = np.where(np.arange(len(X)) < 1500, 1.0, 0.5) if is_weighted else None
    vae, plain = (
        InteLVAE(3, prior=p, posterior="full", **AT_START).fit(X, sample_weight=weight)
        for p in (prior, "normal")
    )
    assert mean_correlation(vae.transform(X), W) > 0.95
    assert mean_correlation(plain.transform(X), W) < 0.93
    np.testing.assert_allclose(vae.reconstruct(X), plain.reconstruct(X), atol=1e-3)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("prior", ["laplace", "spike-and-slab"])
def test_uncorrelated_posteriors_turn_only_if_the_bound_is_higher(prior, name, monkeypatch):
    X = TABLES[name]()
    vae = InteLVAE(3, prior=prior, **AT_START)
    bound = vae.fit(X).score(X)
    monkeypatch.setattr(LinearModel, "with_independent_components", lambda self, rows: self)
    assert bound > clone(vae).fit(X).score(X) - 0.05


class Scaled(Density):
    """Normal components of any size and center."""

    def __init__(self, n_components, scale, center=0.0):
        self.n_components, self.scale, self.center = n_components, scale, center

    def log_prob(self, y):
        return torch.distributions.Normal(self.center, self.scale).log_prob(y).sum(-1)

    def sample(self, n_samples, generator):
        draws = torch.randn(n_samples, self.n_components, generator=generator)
        return self.center + self.scale * draws


class ScaledPrior(Prior):
    def __init__(self, scale=1.0, center=0.0):
        super().__init__()
        self.scale, self.center = scale, center

    def density(self, encode):
        return Scaled(self.n_components, self.scale, self.center)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("scale", [0.3, 3.0])
@pytest.mark.parametrize("mapping", [Identity(), Skewed()], ids=["identity", "skewed"])
def test_components_start_as_large_as_under_the_prior(mapping, scale, name):
    X, settings = TABLES[name](), dict(mapping=mapping) | AT_START
    scaled, plain = (
        InteLVAE(3, prior=prior, **settings).fit(X) for prior in (ScaledPrior(scale), "normal")
    )
    assert scaled.score(X) == pytest.approx(plain.score(X), abs=0.01)
    ratio = scaled.encode(X)[0].std(axis=0) / plain.encode(X)[0].std(axis=0)
    np.testing.assert_allclose(ratio, scale, rtol=0.05)
    found, expected = (vae.reconstruct(X) / X.std(axis=0) for vae in (scaled, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


class Cauchy(Scaled):
    def log_prob(self, y):
        return torch.distributions.Cauchy(0.0, self.scale).log_prob(y).sum(-1)

    def sample(self, n_samples, generator):
        return super().sample(n_samples, generator) / super().sample(n_samples, generator)


class CauchyPrior(ScaledPrior):
    def density(self, encode):
        return Cauchy(self.n_components, self.scale)


class PriorOfCodes(Prior):
    """The posterior of the mean row, by which no size is better than another."""

    def build(self, n_components, n_features):
        super().build(n_components, n_features)
        self.register_buffer("row", torch.zeros(1, n_features))

    def density(self, encode):
        q = encode(self.row)
        return Scaled(self.n_components, q.variance[0].sqrt(), q.mean[0])


@pytest.mark.parametrize(
    "prior", [ScaledPrior(center=3.0), CauchyPrior(), PriorOfCodes(), ScaledPrior(1.1)], ids=repr
)
def test_components_keep_their_size_if_another_would_not_be_better(prior):
    X = series()
    found, plain = (InteLVAE(3, prior=p, **AT_START).fit(X) for p in (prior, "normal"))
    np.testing.assert_allclose(found.encode(X)[0], plain.encode(X)[0], atol=1e-4)


def test_the_size_under_densities_of_any_draws():
    class Constant(Scaled):
        def sample(self, n_samples, generator):
            return torch.full((n_samples, 2), self.scale)

    def size(density):
        return size_under(density, torch.Generator().manual_seed(0))

    assert size(Constant(2, 7.0)) == 0.1
    assert size(Constant(2, np.nan)) == size(Constant(2, np.inf)) == 1
    assert size(Scaled(2, 100.0)) == 4
    assert size(Scaled(2, 2.0, center=-50.0)) == pytest.approx(2, rel=0.02)


class GloballySampled(Scaled):
    def sample(self, n_samples, generator):
        return 3 * torch.distributions.StudentT(5.0).sample((n_samples, self.n_components))


class GloballySampledPrior(ScaledPrior):
    def density(self, encode):
        return GloballySampled(self.n_components, 3.0)


def test_a_prior_that_draws_from_the_global_generator_leaves_it_alone():
    X, codes = series(), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        codes.append(InteLVAE(3, prior=GloballySampledPrior(), **AT_START).fit_transform(X))
        assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(*codes)


def test_slow_vae_starts_where_changes_are_independent():
    """The factors themselves are normal, so that only their changes tell the axes."""
    rng = np.random.default_rng(0)
    before = rng.normal(size=(4000, 3))
    step = rng.laplace(size=(4000, 3)) * (rng.uniform(size=(4000, 3)) < 0.3)
    W = before + step
    mixing = rng.normal(size=(3, 8))
    X, X_prev = (F @ mixing + 0.1 * rng.normal(size=(4000, 8)) for F in (W, before))
    vae = InteLVAE(3, objective="slow", **AT_START).fit(X, X_prev=X_prev)
    assert mean_correlation(vae.transform(X), W) > 0.95


def test_slow_vae_starts_at_a_series_with_rows_left_out():
    rng = np.random.default_rng(0)
    W = rng.normal(size=(3000, 3))
    for t in range(1, 3000):
        W[t] = np.where(rng.uniform(size=3) < 0.3, W[t], W[t - 1])
    X = W @ rng.normal(size=(3, 8)) + 0.05 * rng.normal(size=(3000, 8))
    weight = np.where(np.arange(3000) % 10 == 0, 0.0, 1.0)
    vae = InteLVAE(3, objective="slow", early_stopping=True, **AT_START)
    assert mean_correlation(vae.fit(X, sample_weight=weight).transform(X), W) > 0.9


def test_components_that_are_not_farther_from_normal_stay():
    X = np.random.default_rng(0).normal(size=(500, 3)) @ np.diag([3, 2, 1])
    vae, plain = (InteLVAE(2, prior=p, **AT_START).fit(X) for p in ("laplace", "normal"))
    np.testing.assert_allclose(vae.transform(X), plain.transform(X), rtol=1e-4, atol=1e-4)


class Doubling(Likelihood):
    """A likelihood that says nothing about standardization."""

    seen = None

    def check_support(self, X):
        type(self).seen = X.copy()

    def forward(self, h):
        return Normal(h, torch.zeros(()))


def test_a_likelihood_of_ones_own_sees_x_itself():
    X = series()
    InteLVAE(2, likelihood=Doubling(), **AT_START).fit(X)
    np.testing.assert_allclose(Doubling.seen, X.astype(np.float32))


@pytest.mark.parametrize("shape", [(20, 50), (12, 3), (60, 200)])
def test_few_rows_and_many_columns(shape):
    X = np.random.default_rng(0).normal(size=shape)
    vae = InteLVAE(2, random_state=0, max_iter=3).fit(X)
    assert np.isfinite(vae.score(X))
    assert np.isfinite(vae.transform(X)).all()


def test_more_components_than_columns():
    X = series()[:, :3]
    vae = InteLVAE(5, random_state=0, max_iter=3).fit(X)
    assert vae.transform(X).shape == (400, 5)
    assert np.isfinite(vae.score(X))


def test_set_output_and_whitening_after_the_fit():
    X = series()
    vae = InteLVAE(3, prior="normal", max_iter=3, random_state=0).fit(X)
    scaled = vae.transform(X)
    white = vae.set_params(whiten=True).transform(X)
    np.testing.assert_allclose(scaled, white * vae.gain_, rtol=1e-5)
    both = vae.set_params(output="both", whiten=False).transform(X)
    np.testing.assert_allclose(both[:, :3], scaled, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(vae.inverse_transform(both), vae.reconstruct(X), rtol=1e-3)


def test_codes_without_axes_of_their_own_lie_as_the_decoded_rows_do():
    X = standardized(TABLES["breast cancer"]())
    vae = InteLVAE(5, random_state=0).fit(X)
    assert not vae.module_.prior_distribution().has_axes
    Z = vae.transform(X).astype(np.float64)
    deviations = Z.std(axis=0)
    assert (np.diff(deviations) < 0).all()
    np.testing.assert_allclose(np.corrcoef(Z.T), np.eye(5), atol=1e-4)
    ratio = pdist(Z) / pdist(vae.reconstruct(X))
    assert 0.9 < np.median(ratio) < 1.1
    np.testing.assert_allclose(vae.inverse_transform(Z), vae.reconstruct(X), rtol=1e-3, atol=1e-4)
    both = vae.set_params(output="both").transform(X)
    np.testing.assert_array_equal(both, np.hstack([Z, Z]).astype(np.float32))
    assert np.array_equal(vae.set_params(output="representation").transform(X), both[:, :5])


def unstructured(n_rows, n_columns):
    """Return uniform numbers in independent columns: a linear model says all about them."""
    return np.random.default_rng(0).uniform(size=(n_rows, n_columns))


@pytest.mark.parametrize("n_rows", [60, 300, pytest.param(2000, marks=pytest.mark.slow)])
def test_where_nothing_is_nonlinear_a_fit_stays_as_good_as_the_linear_model(n_rows):
    X, further = np.split(unstructured(n_rows + 2000, 20), [n_rows])
    fitted = InteLVAE(8, random_state=0).fit(X)
    expected = max(model.fit(X).score(further) for model in (PCA(8), FactorAnalysis(8)))
    assert fitted.score(further) > expected - 0.05


def test_an_exact_relation_of_columns_is_found():
    """Factor analysis needs many iterations for it: the noise falls slowly."""
    X, further = np.split(unstructured(1300, 8), [300])
    X, further = (np.c_[table, table[:, :4].sum(axis=1)] for table in (X, further))
    fitted = InteLVAE(4, random_state=0).fit(X)
    scaled, scaled_further = (table / X.std(axis=0) for table in (X, further))
    model = FactorAnalysis(4, tol=1e-6).fit(scaled)
    model.noise_variance_ = np.maximum(model.noise_variance_, 0.01**2)
    expected = model.score(scaled_further) - np.log(X.std(axis=0)).sum()
    assert fitted.score(further) > expected - 0.05


@pytest.mark.parametrize("likelihood", [Gaussian(), Gaussian("learned"), Laplace()])
def test_the_noise_grows_at_the_end_by_what_the_fit_has_used_up(likelihood, monkeypatch):
    X = unstructured(60, 20)
    settings = dict(likelihood=likelihood, random_state=0, max_iter=30)
    found = InteLVAE(8, **settings).fit(X).module_.likelihood.log_scale()
    monkeypatch.setattr(_noise, "call", lambda *_: None)
    plain = InteLVAE(8, **settings).fit(X).module_.likelihood.log_scale()
    torch.testing.assert_close(found - plain, torch.full_like(found, np.log(69 / 51) / 2))


def test_a_continued_fit_does_not_add_to_the_noise_again(monkeypatch, tmp_path):
    factors = []

    def recorded(hook, variance, factor):
        factors.append(factor)
        hook(variance, factor)

    monkeypatch.setattr(_noise, "call", recorded)
    X = unstructured(60, 20)
    vae = InteLVAE(8, warm_start=True, max_iter=30, learning_rate_init=1e-12, random_state=0)
    noise = vae.fit(X).module_.likelihood.log_scale()
    vae.save(tmp_path / "vae.safetensors")
    loaded = InteLVAE.load(tmp_path / "vae.safetensors")
    for continued in (vae.fit(X), vae.partial_fit(X[:30]), loaded.partial_fit(X[30:])):
        torch.testing.assert_close(continued.module_.likelihood.log_scale(), noise)
    assert factors == 4 * [pytest.approx(69 / 51)]
    InteLVAE(8, random_state=0).partial_fit(X)
    InteLVAE(8, random_state=0, linear_path=False).fit(X)
    InteLVAE(8, **AT_START).fit(X)
    assert len(factors) == 4


@pytest.mark.parametrize("k", [2, 8])
def test_the_learning_rate_of_independent_columns_is_low(k):
    """In the middle of several tables: of two components, the rate of a single one is chance."""
    rates = []
    for seed in range(9):
        X = np.random.default_rng(seed).uniform(size=(400, 20))
        vae = InteLVAE(k, hidden_layer_sizes=(8,), max_iter=14, random_state=0).fit(X)
        rates.append(vae._training_state["network_rate"])
    assert np.median(rates) < 0.5


def test_the_learning_rate_follows_what_is_not_linear_and_is_kept():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 400)
    curved = np.c_[np.cos(angle), np.sin(angle), np.cos(2 * angle)]
    curved = curved + 0.1 * rng.normal(size=curved.shape)
    far = curved.copy()
    far[0] *= 100  # one row does not decide
    tables = curved, far, unstructured(400, 20)
    fits = [InteLVAE(2, warm_start=True, max_iter=30, random_state=0).fit(X) for X in tables]
    rates = [vae._training_state["network_rate"] for vae in fits]
    assert rates[:2] == [1.0, 1.0]
    assert rates[2] < 0.5
    assert fits[2].fit(tables[2])._training_state["network_rate"] == rates[2]
