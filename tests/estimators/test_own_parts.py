"""Parts that users write: what they receive, what they may return, what they do not change."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_intelvae import ClusteredInteLVAE, DivergenceError, InteLVAE
from sklearn_intelvae.distributions import Density, Normal
from sklearn_intelvae.likelihoods import Gaussian, Likelihood
from sklearn_intelvae.mappings import Compose, Identity, Mapping, OnComponents, Sphere
from sklearn_intelvae.priors import Mixture, Prior, SpikeAndSlab, Vamp
from tests.estimators.shelf import SMALL


class Spy(Mapping):
    """Keeps the rows that ``initialize`` receives."""

    shown = None

    def initialize(self, X, generator):
        type(self).shown = X

    def forward(self, y):
        return y


class TestTheRowsOfInitialize:
    def test_are_the_training_rows(self, X):
        InteLVAE(mapping=Spy(), **SMALL).fit(X)
        np.testing.assert_allclose(Spy.shown, (X - X.mean(0)) / X.std(0), atol=1e-5)

    def test_are_not_those_set_aside(self, X):
        settings = SMALL | {"early_stopping": True, "validation_fraction": 0.5}
        vae = InteLVAE(mapping=Spy(), **settings).fit(X)
        rows = vae._standardization.apply(X)
        assert len(Spy.shown) == 60
        assert {tuple(row) for row in Spy.shown.tolist()} <= {tuple(row) for row in rows.tolist()}

    def test_are_drawn_in_proportion_to_their_weights(self, X):
        weight = np.where(np.arange(120) < 60, 9, 1)
        vae = InteLVAE(mapping=Spy(), **SMALL).fit(X, sample_weight=weight)
        assert len(Spy.shown) == 120
        heavy = {tuple(row) for row in vae._standardization.apply(X[:60]).tolist()}
        share = np.mean([tuple(row) in heavy for row in Spy.shown.tolist()])
        assert share == pytest.approx(0.9, abs=0.1)

    def test_never_have_weight_zero(self, X):
        weight = np.where(np.arange(120) < 10, 11, 0)
        vae = InteLVAE(mapping=Spy(), **SMALL).fit(X, sample_weight=weight)
        heavy = {tuple(row) for row in vae._standardization.apply(X[:10]).tolist()}
        assert {tuple(row) for row in Spy.shown.tolist()} <= heavy


class Drawn(nn.Module):
    """A class that draws its weights in its constructor."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, y):
        return self.layer(y)


def test_a_class_is_instantiated_without_the_global_generator(X, tmp_path):
    before = torch.get_rng_state()
    assert not hasattr(InteLVAE(mapping=Drawn), "predict")
    first, second = (InteLVAE(mapping=Drawn, **SMALL).fit(X) for _ in range(2))
    first.save(tmp_path / "model")
    again = InteLVAE.load(tmp_path / "model", mapping=Drawn)
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(first.transform(X), second.transform(X))
    assert np.array_equal(first.transform(X), again.transform(X))
    assert np.array_equal(first.partial_fit(X).transform(X), again.partial_fit(X).transform(X))


def test_a_class_draws_its_weights_from_the_random_state(X):
    still = SMALL | {"learning_rate_init": 1e-12}
    weights = [
        InteLVAE(mapping=Drawn, **still | {"random_state": seed})
        .fit(X)
        .module_.mapping.state_dict()
        for seed in (0, 0, 1)
    ]
    first, second, third = (next(iter(w.values())) for w in weights)
    assert torch.equal(first, second)
    assert not torch.allclose(first, third, atol=1e-3)


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("prior", ["normal", Mixture(3), Vamp(5), SpikeAndSlab()], ids=str)
@pytest.mark.parametrize("mapping", ["identity", "clusters", "sparse", "flow", "hierarchy"])
def test_the_default_type_of_torch_does_not_matter(prior, mapping, X, double):
    vae = InteLVAE(mapping=mapping, prior=prior, **SMALL).fit(X)
    for table in (vae.transform(X), vae.sample(5), vae.sample(5, noise=True), vae.reconstruct(X)):
        assert table.dtype == np.float32
        assert np.isfinite(table).all()
    assert np.isfinite(vae.score(X))


class PerFeature(Likelihood):
    """Forgets to sum over features."""

    def forward(self, h):
        class Unsummed(Normal):
            def log_prob(self, x):
                return -((x - self.mean) ** 2)

        return Unsummed(h, h.new_zeros(()))


class Squashed(Gaussian):
    """Inherits the mean of a Gaussian, which its own is not."""

    def forward(self, h):
        return super().forward(h.tanh())


class WithoutMean(Likelihood):
    """Gives ``forward`` only."""

    def forward(self, h):
        return Normal(h.tanh(), h.new_zeros(()))


def test_a_likelihood_needs_no_mean_of_its_own(X):
    vae = InteLVAE(likelihood=WithoutMean(), **SMALL).fit(X)
    with torch.no_grad():
        z = vae.module_.transform(torch.from_numpy(X))
        assert np.array_equal(vae.reconstruct(X), vae.module_.decode(z).mean)


class Summed(Identity):
    """The gradient of its penalty is one number, expanded to a matrix."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(5, 4))

    def loss_terms(self, x, mean, y, z):
        return {"penalty": self.w.sum()}


def test_every_weight_has_a_gradient_with_memory_of_its_own(X):
    """A fused optimizer reads gradients as if each had memory of its own."""
    w = InteLVAE(mapping=Summed(), **SMALL).fit(X).module_.mapping.w
    assert (w < 1).all()
    torch.testing.assert_close(w, w[0, 0].expand_as(w))


class StandardNormal(Density):
    def __init__(self, n_components):
        self.n_components = n_components

    def log_prob(self, y):
        return -0.5 * (y.square() + np.log(2 * np.pi)).sum(-1)

    def sample(self, n_samples, generator):
        return torch.randn(n_samples, self.n_components, generator=generator)


class PerComponentDensity(StandardNormal):
    """Forgets to sum over components."""

    def kl(self, q, y):
        return q.kl_from_standard()


class SummedDensity(StandardNormal):
    """Sums over components where there should be a term for each."""

    def kl_per_component(self, q):
        return q.kl_from_standard().sum(-1)


class Of(Prior):
    """A prior with a density of a given class."""

    def __init__(self, density_class=StandardNormal):
        super().__init__()
        self.density_class = density_class

    def density(self, encode):
        return self.density_class(self.n_components)


class Penalized(Identity):
    def loss_terms(self, x, mean, y, z):
        return {"penalty": y[:, :1]}


class Guided(Identity):
    def loss_terms(self, x, mean, y, z):
        return {"guidance": mean} if self.training else {}


class Bare(Identity):
    """Returns a term without a name."""

    def loss_terms(self, x, mean, y, z):
        return y.square().sum(-1)


class Divided(Identity):
    has_regions = True

    def regions(self, y):
        return y


class Fractional(Identity):
    has_regions = True

    def regions(self, y):
        return y[:, 0]


class Widened(Identity):
    def to_decoder(self, z):
        return torch.cat([z, z], dim=1)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"likelihood": PerFeature()}, r"likelihood PerFeature: log_prob.*got shape \(3, 6\)"),
        ({"likelihood": Squashed()}, r"likelihood Squashed: mean\(h\) is not the mean of what"),
        ({"prior": Of(PerComponentDensity)}, r"prior Of: kl\(q, y\) must .* got shape \(3, 2\)"),
        ({"prior": Of(SummedDensity)}, r"kl_per_component\(q\) must .*\(3, 2\).* got shape \(3,\)"),
        ({"mapping": Penalized()}, r"Penalized: loss_terms: 'penalty' must .*\(\).*\(3, 1\)"),
        ({"mapping": Guided()}, r"Guided: loss_terms: 'guidance' must .* got shape \(3, 2\)"),
        (
            {"mapping": Bare()},
            r"Bare: loss_terms must return a dict of tensors by name, got Tensor",
        ),
        ({"mapping": Divided()}, r"Divided: regions\(y\) must .*\(3,\).* got shape \(3, 2\)"),
        ({"mapping": Fractional()}, r"Fractional: regions\(y\) must return integers.*long"),
        ({"mapping": Widened()}, r"Widened: to_decoder\(z\) must .*\(3, 2\).*\(3, 4\)"),
    ],
)
def test_a_wrong_return_value_is_refused_before_training(part, message, X):
    with pytest.raises((TypeError, ValueError), match=message):
        InteLVAE(**part, **SMALL).fit(X)


def test_a_density_of_the_users_own_needs_log_prob_and_sample_only(X):
    vae = InteLVAE(prior=Of(), **SMALL).fit(X)
    assert np.isfinite(vae.score(X))
    assert vae.sample(3).shape == (3, 6)
    assert not hasattr(vae, "predict_proba")


class PlainPenalty(nn.Module):
    """A plain module that defines a hook: it is no ``Mapping``, so the hook would not be called."""

    def forward(self, y):
        return y

    def loss_terms(self, x, mean, y, z):
        return {"penalty": y.square().sum(-1)}


class PlainEncoder(nn.Linear):
    def __init__(self):
        super().__init__(6, 4)

    def initialize(self, X, generator):
        pass


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"mapping": PlainPenalty()},
            r"PlainPenalty defines loss_terms, .*mappings\.Mapping",
        ),
        (
            {"mapping": Compose(Sphere(), PlainPenalty())},
            r"PlainPenalty defines loss_terms, .*mappings\.Mapping",
        ),
        (
            {"mapping": OnComponents(PlainPenalty(), (0, 1))},
            r"PlainPenalty defines loss_terms, .*mappings\.Mapping",
        ),
        (
            {"encoder": PlainEncoder()},
            r"encoder PlainEncoder defines initialize.*networks\.Network",
        ),
    ],
)
def test_a_plain_module_with_a_hook_is_refused_with_the_base_class_to_derive_from(part, message, X):
    with pytest.raises(TypeError, match=message):
        InteLVAE(**part, **SMALL).fit(X)


class NarrowDensity(StandardNormal):
    def log_prob(self, y):
        return Normal(torch.zeros_like(y), y.new_tensor(-3.0)).log_prob(y)

    def sample(self, n_samples, generator):
        return 0.05 * super().sample(n_samples, generator)


def test_codes_of_a_narrow_prior_are_not_reported_as_collapsed(rng, recwarn):
    """They vary little, but carry information."""
    t = rng.uniform(0, 2 * np.pi, 400)
    X = np.c_[np.cos(t), np.sin(t)].astype(np.float32)
    brief = dict(hidden_layer_sizes=(32,), max_iter=100, learning_rate_init=3e-3, random_state=0)
    vae = InteLVAE(
        2, prior=Of(NarrowDensity), mapping=Sphere(), likelihood=Gaussian(0.1), **brief
    ).fit(X)
    assert vae.kl_per_component_.max() > 0.5
    assert not recwarn


def test_after_a_divergence_the_labels_are_those_of_the_rows_of_that_fit(X):
    vae = ClusteredInteLVAE(2, **SMALL).fit(X)
    for estimator in (vae, ClusteredInteLVAE(2, **SMALL)):
        with pytest.raises(DivergenceError) as caught:
            estimator.set_params(learning_rate_init=1e30).fit(X[:40])
        survivor = caught.value.estimator
        assert np.array_equal(survivor.labels_, survivor.predict(X[:40]))
    assert len(vae.labels_) == len(X)
