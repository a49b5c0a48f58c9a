"""Bad input gets an error that names the parameter, the value and the remedy, and fits nothing."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from torch import nn

from sklearn_intelvae import DivergenceError, InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae.distributions import Density, Normal
from sklearn_intelvae.likelihoods import Gaussian, Likelihood
from sklearn_intelvae.mappings import Clusters, Mapping
from sklearn_intelvae.networks import MLP
from sklearn_intelvae.objectives import ELBO, Objective, VariationalObjective
from sklearn_intelvae.posteriors import Posterior
from sklearn_intelvae.priors import Prior
from tests.estimators.shelf import SMALL


def assert_refused(estimator, X, message, error=ValueError, **fit_params):
    with pytest.raises(error, match=message):
        estimator.fit(X, **fit_params)
    assert not [name for name in vars(estimator) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        estimator.transform(X)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: np.where(X[3, 2] == X, np.nan, X), "Input X contains NaN"),
        (lambda X: np.where(X[3, 2] == X, np.inf, X), "Input X contains infinity"),
        (lambda X: np.where(X[3, 2] == X, -np.inf, X), "Input X contains infinity"),
        (lambda X: X.astype(str).astype(object) + "a", "could not convert string to float"),
        (lambda X: X[:0], "Found array with 0 sample"),
        (lambda X: X[:, :0], "0 feature"),
        (lambda X: X[:1], "Found array with 1 sample.*minimum of 2"),
        (lambda X: X[:, 0], "Expected 2D array, got 1D array"),
        (lambda X: X + 1j, "Complex data not supported"),
        (lambda X: pd.DataFrame({"a": ["x", "y", "z"]}), "could not convert string to float"),
    ],
)
def test_tables_that_cannot_be_fitted(spoil, message, X):
    estimator = InteLVAE(**SMALL)
    with pytest.raises(ValueError, match=message):
        estimator.fit(spoil(X))
    assert not [name for name in vars(estimator) if name.endswith("_")]


def test_a_table_of_another_width(X):
    vae = InteLVAE(**SMALL).fit(X)
    for method in (vae.transform, vae.score, vae.encode, vae.reconstruct):
        with pytest.raises(ValueError, match="X has 4 features, but InteLVAE is expecting 6"):
            method(X[:, :4])
    with pytest.raises(ValueError, match="Z has 6 columns, but the codes of this InteLVAE have 2"):
        vae.inverse_transform(X)
    with pytest.raises(ValueError, match="X has 4 features"):
        InteLVAE(**SMALL).fit(X, X_val=X[:, :4])


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("n_components", 0, "'n_components' parameter of InteLVAE must be an int in the range"),
        ("n_components", 2.5, "'n_components'.*Got 2.5"),
        ("decoder", "conv", "decoder='conv' needs image_shape"),
        ("activation", "swish", "'activation' parameter of InteLVAE must be a str among"),
        ("image_shape", (1, 2, 2), r"image_shape=\(1, 2, 2\) has 4 values.*X have 6"),
        ("image_shape", (1, 1.0, 6), "three positive integers"),
        ("image_shape", (1, 5, 5), r"image_shape=\(1, 5, 5\) has 25 values.*X have 6"),
        ("hidden_layer_sizes", (0,), r"hidden_layer_sizes.*\(0,\)"),
        ("hidden_layer_sizes", (2.5,), r"hidden_layer_sizes.*\(2.5,\)"),
        ("batch_size", 0, "'batch_size'"),
        ("max_iter", "many", "'max_iter'"),
        ("kl_warmup", 1.5, "'kl_warmup'"),
        ("learning_rate_init", -1, "'learning_rate_init'"),
        ("device", "tpu9000", "device='tpu9000' cannot be used here"),
        ("beta", -1, "'beta'"),
        ("random_state", "zero", "'random_state'"),
    ],
)
def test_parameters_outside_their_range(parameter, value, message, X):
    assert_refused(InteLVAE(**SMALL | {parameter: value}), X, message)


@pytest.mark.parametrize(
    ("parameter", "names"),
    [
        ("mapping", "clusters flow glue hierarchy ica identity sparse sphere"),
        ("posterior", "diagonal full"),
        ("likelihood", "bernoulli gaussian laplace"),
        (
            "prior",
            "auto fitted-mixture laplace mixture normal spike-and-slab vamp vamp-init-mixture",
        ),
        ("objective", "annealed-capacity autoencoder beta-tc dip elbo factor slow soft-intro"),
        ("encoder", "auto conv mlp"),
        ("decoder", "auto conv mlp"),
        ("output", "both posterior_mean representation"),
        ("learning_rate", "auto constant cosine one-cycle"),
    ],
)
def test_an_unknown_name_is_refused_with_a_list_of_the_known_ones(parameter, names, X):
    estimator = InteLVAE(**SMALL | {parameter: "torus"})
    assert_refused(estimator, X, f"'{parameter}' parameter of InteLVAE .*Got 'torus' instead")
    with pytest.raises(ValueError) as caught:
        estimator.fit(X)
    listed = str(caught.value).split("among {")[1].split("}")[0]
    assert sorted(listed.replace("'", "").split(", ")) == names.split()


def test_a_function_is_not_a_prior(X):
    assert_refused(InteLVAE(prior=len, **SMALL), X, "prior must be one of", TypeError)


@pytest.mark.parametrize(("parameter", "value"), [("gamma", -1), ("floor", 1.0)])
def test_parameters_of_the_selector_outside_their_range(parameter, value, X):
    assert_refused(SparseInteLVAE(**SMALL | {parameter: value}), X, f"'{parameter}'")


def test_a_mapping_that_does_not_suit_the_latent(X):
    assert_refused(InteLVAE(1, mapping=Clusters(5), **SMALL), X, "needs n_components of at least 2")


def test_beta_and_an_objective_that_has_its_own(X):
    assert_refused(
        InteLVAE(objective=ELBO(4.0), beta=2.0, **SMALL), X, "set the weight on the objective"
    )


def test_bernoulli_outside_its_support(X):
    estimator = InteLVAE(likelihood="bernoulli", **SMALL)
    assert_refused(estimator, X, r"likelihood='bernoulli' needs X in \[0, 1\].*MinMaxScaler")
    unit = (X - X.min()) / np.ptp(X)
    assert_refused(estimator, unit, "needs X in", X_val=unit + 1)
    with pytest.raises(ValueError, match="needs X in"):
        estimator.fit(unit).score(X)


@pytest.mark.parametrize("factor", [1e-200, 1e-30, 1e30, 1e200])
def test_features_of_any_unit(factor, X):
    """Each column is standardized in float64, so that its unit has no effect."""
    scaled = X.astype(np.float64)
    scaled[:, 0] *= factor
    vae, expected = InteLVAE(**SMALL).fit(scaled), InteLVAE(**SMALL).fit(X)
    np.testing.assert_allclose(vae.transform(scaled), expected.transform(X), rtol=1e-3, atol=1e-4)
    difference = vae.score(scaled) - expected.score(X) + np.log(factor)
    assert abs(difference) < 1e-3 * np.log(1e200)


def test_a_rate_that_is_too_large(X):
    assert_refused(
        InteLVAE(learning_rate_init=1e30, **SMALL),
        X,
        "InteLVAE diverged.*epoch 1.*smaller learning_rate_init.*attribute 'estimator'",
        DivergenceError,
    )


@pytest.mark.parametrize(
    "estimator", [InteLVAE(), SoftIntroVAE(prior="vamp-init-mixture")], ids=repr
)
def test_a_huge_learning_rate(X, estimator):
    assert_refused(
        clone(estimator).set_params(**SMALL | {"learning_rate_init": 1e20, "max_iter": 20}),
        X,
        r"diverged.*Try a smaller learning_rate_init \(now 1e\+20\)",
        DivergenceError,
    )


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(120), "holds only zeros|at least one non-zero"),
        (np.full(120, -1.0), "Negative values in data passed to `sample_weight`"),
        (np.full(120, np.nan), "contains NaN"),
        (np.ones(7), "sample_weight.shape"),
    ],
)
def test_weights_that_cannot_be_used(weight, message, X):
    assert_refused(InteLVAE(**SMALL), X, message, sample_weight=weight)


def test_too_few_rows_to_set_some_aside(X):
    assert_refused(
        InteLVAE(early_stopping=True, **SMALL),
        X[:2],
        "early_stopping=True sets aside 1 of 2 rows.*X_val",
    )


class Forgetful(Mapping):
    def forward(self, y):
        return None


def test_a_mapping_that_returns_nothing(X):
    assert_refused(InteLVAE(mapping=Forgetful(), **SMALL), X, "Forgetful returned NoneType")


def test_a_decoder_that_fails(X):
    assert_refused(
        InteLVAE(decoder=nn.Linear(7, 6), **SMALL), X, r"Linear failed on a batch of shape"
    )


def test_a_network_part_with_an_unknown_activation(X):
    assert_refused(
        InteLVAE(encoder=MLP((3,), "sin"), **SMALL),
        X,
        "'activation' parameter of MLP must be a str among",
    )


def test_a_collapse_is_warned_about_with_advice(rng):
    """Here the weight of the KL term is far too large."""
    X = rng.standard_normal((400, 3)).astype(np.float32)
    vae = InteLVAE(2, beta=100.0, likelihood=Gaussian(10.0), max_iter=100, batch_size=32)
    with pytest.warns(ConvergenceWarning, match=r"collapsed to the prior.*kl_warmup"):
        vae.fit(X)
    assert len(vae.active_components_) == 0
    assert vae.kl_per_component_.max() < 0.01


class Foreign(Likelihood):
    def forward(self, h):
        return torch.distributions.Normal(h, 1.0)


class ForeignPrior(Prior):
    def density(self, encode):
        return torch.distributions.Normal(torch.zeros(2), torch.ones(2))


class Narrow(Likelihood):
    def forward(self, h):
        return Normal(h[:, :2], torch.zeros(()))


@pytest.mark.parametrize(
    ("parameter", "part", "message", "error"),
    [
        ("prior", ForeignPrior(), r"ForeignPrior: density\(encode\) must return a", TypeError),
        ("likelihood", Foreign(), "torch's distributions draw from the global", TypeError),
        ("likelihood", Narrow(), r"Narrow has a mean of shape \(3, 2\) for 3 rows", ValueError),
        ("image_shape", (8, 8), r"image_shape must be \(channels, height, width\)", ValueError),
        ("skorch_callbacks", [3], "holds 3, which is not a skorch callback", TypeError),
        (
            "skorch_params",
            {"optimizer": "adam"},
            r"skorch_params\['optimizer'\] must be the class of an optimizer",
            TypeError,
        ),
    ],
)
def test_objects_that_lack_something(parameter, part, message, error, X):
    assert_refused(InteLVAE(**SMALL | {parameter: part}), X, message, error)


class HalfDensity(Density):
    def sample(self, n_samples, generator):
        return torch.zeros(n_samples, 2)


class Half(Prior):
    """A prior whose density can be sampled only."""

    def density(self, encode):
        return HalfDensity()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"prior": Half()}, "HalfDensity.*log_prob"),
        ({"prior": Prior()}, "Prior.*density"),
        ({"likelihood": Likelihood()}, "Likelihood.*forward"),
        ({"mapping": Mapping()}, "Mapping.*forward"),
        ({"posterior": Posterior()}, "Posterior.*n_outputs"),
        ({"objective": Objective()}, "Objective.*loss"),
        ({"objective": VariationalObjective()}, "VariationalObjective.*cost"),
    ],
)
def test_a_part_without_a_method_that_it_needs_is_named_with_that_method(part, message, X):
    with pytest.raises((TypeError, ValueError, NotImplementedError), match=message):
        InteLVAE(**SMALL | part).fit(X)


@pytest.mark.parametrize("parameter", ["posterior", "prior", "likelihood", "objective"])
def test_parts_with_hooks_must_derive_from_the_base_class(parameter, X):
    """Only mappings and networks may be plain modules."""
    base = rf"sklearn_intelvae\.\w+\.{parameter.capitalize()}, got Identity\(\)"
    message = rf"{parameter} must be one of \[.*\] or an instance of {base}"
    assert_refused(InteLVAE(**SMALL | {parameter: nn.Identity()}), X, message, TypeError)


@pytest.mark.parametrize(
    "change",
    [{"n_components": 5}, {"likelihood": "laplace"}, {"mapping": Clusters(3)}, {"beta": 2.0}],
)
def test_training_does_not_continue_with_another_model(change, X):
    vae = InteLVAE(warm_start=True, **SMALL).fit(X)
    Z = vae.transform(X)
    vae.set_params(**change)
    for fit in (vae.fit, vae.partial_fit):
        with pytest.raises(ValueError, match=f"cannot continue with another {next(iter(change))}"):
            fit(X)
    assert np.array_equal(Z, vae.transform(X))


@pytest.mark.parametrize("n_particles", [0, -1, 1.5])
def test_numbers_of_particles_outside_their_range(n_particles, X):
    vae = InteLVAE(**SMALL).fit(X)
    with pytest.raises(ValueError, match="n_particles must be an integer of at least 1"):
        vae.score_samples(X, n_particles=n_particles)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["transform", "encode", "reconstruct", "score_samples", "score"])
def test_numbers_that_are_not_finite_are_refused_after_the_fit_too(method, bad, X):
    """In any chunk, even where a ReLU would swallow an infinity."""
    vae = InteLVAE(**SMALL).fit(X)
    spoiled = np.tile(X, (80, 1))
    spoiled[-1, 2] = bad
    with pytest.raises(ValueError, match="Input X contains"):
        getattr(vae, method)(spoiled)
    with pytest.raises(ValueError, match="contains"):
        vae.inverse_transform([[0.0, bad]])
