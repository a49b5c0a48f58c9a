"""Parts of the user's own: what they see, what they may return, what they leave alone."""

import numpy as np
import pytest
import torch
from shelf import SMALL
from torch import nn

from sklearn_intelvae import ClusteredInteLVAE, DivergenceError, InteLVAE
from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.likelihoods import Gaussian, Likelihood
from sklearn_intelvae.mappings import Identity, Mapping, Sphere
from sklearn_intelvae.priors import Mixture, Prior, SpikeAndSlab, Vamp


class Spy(Mapping):
    """Keeps the rows that it is shown."""

    shown = None

    def initialise(self, X, generator):
        type(self).shown = X

    def forward(self, y):
        return y


class TestTheRowsToStartFrom:
    def test_are_the_training_rows(self, X):
        InteLVAE(mapping=Spy(), **SMALL).fit(X)
        assert np.array_equal(Spy.shown, X)

    def test_are_not_those_set_aside(self, X):
        settings = SMALL | {"early_stopping": True, "validation_fraction": 0.5}
        InteLVAE(mapping=Spy(), **settings).fit(X)
        assert len(Spy.shown) == 60
        assert {tuple(row) for row in Spy.shown.tolist()} <= {tuple(row) for row in X.tolist()}

    def test_come_as_often_as_their_weights_say(self, X):
        weight = np.where(np.arange(120) < 10, 11, 0)
        InteLVAE(mapping=Spy(), **SMALL).fit(X, sample_weight=weight)
        assert len(Spy.shown) == 120
        heavy = {tuple(row) for row in X[:10].tolist()}
        assert {tuple(row) for row in Spy.shown.tolist()} == heavy


class Drawn(nn.Module):
    """A class with weights, which are drawn when it is made."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, y):
        return self.layer(y)


def test_a_class_is_made_without_moving_the_global_generator(X):
    before = torch.get_rng_state()
    first, second = (InteLVAE(mapping=Drawn, **SMALL).fit(X).transform(X) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(first, second)


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


class Plain(nn.Module):
    """A likelihood that inherits nothing."""

    def forward(self, h):
        return Normal(h.tanh(), h.new_zeros(()))


def test_a_likelihood_need_not_give_its_mean_apart(X):
    vae = InteLVAE(likelihood=Plain(), **SMALL).fit(X)
    with torch.no_grad():
        z = vae.module_.represent(torch.from_numpy(X))
        assert np.array_equal(vae.reconstruct(X), vae.module_.decode(z).mean)


class Summed(Identity):
    """The gradient of its penalty is one number, seen as many."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(5, 4))

    def penalty(self, y, z):
        return self.w.sum()


def test_every_weight_gets_a_gradient_of_its_own(X):
    """A fused optimizer reads gradients as if each had memory of its own."""
    w = InteLVAE(mapping=Summed(), **SMALL).fit(X).module_.mapping.w
    assert (w < 1).all()
    torch.testing.assert_close(w, w[0, 0].expand_as(w))


class PerComponent(Prior):
    """Forgets to sum over components."""

    def log_prob(self, y):
        return -0.5 * y.square().sum(-1)

    def sample(self, n_samples, generator):
        return torch.zeros(n_samples, self.n_components)

    def kl(self, q):
        return q.kl_from_standard()


class Penalised(Identity):
    def penalty(self, y, z):
        return y[:, :1]


class Guided(Identity):
    def guide(self, x, y):
        return y


class Divided(Identity):
    def regions(self, y):
        return y


class Widened(Identity):
    def to_decoder(self, z):
        return torch.cat([z, z], dim=1)


class Numbered(Identity):
    def __init__(self):
        super().__init__()
        self.penalty = 3.0


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"likelihood": PerFeature()}, r"likelihood PerFeature: log_prob.*gave shape \(3, 6\)"),
        ({"likelihood": Squashed()}, r"likelihood Squashed: mean\(h\) is not the mean of what"),
        ({"prior": PerComponent()}, r"prior PerComponent: kl\(q\) must.* it gave \(3, 2\)"),
        ({"mapping": Penalised()}, r"mapping Penalised: penalty must .* or \(\) .* gave \(3, 1\)"),
        ({"mapping": Guided()}, r"mapping Guided: guide must return .* it gave \(3, 2\)"),
        ({"mapping": Divided()}, r"mapping Divided: regions must .* \(n,\) for .* gave \(3, 2\)"),
        ({"mapping": Widened()}, r"mapping Widened: to_decoder must .* \(n, 2\) .*\(3, 4\)"),
        ({"mapping": Numbered()}, "mapping Numbered has an attribute penalty that is no method"),
    ],
)
def test_a_wrong_shape_is_told_before_training(part, message, X):
    with pytest.raises((TypeError, ValueError), match=message):
        InteLVAE(**part, **SMALL).fit(X)


def test_a_narrow_prior_is_no_collapse(rng, recwarn):
    """Its codes vary little, and tell all the same."""

    class Narrow(Prior):
        def log_prob(self, y):
            return Normal(torch.zeros_like(y), y.new_tensor(-3.0)).log_prob(y)

        def sample(self, n_samples, generator):
            shape = (n_samples, self.n_components)
            return 0.05 * torch.randn(shape, generator=generator)

    t = rng.uniform(0, 2 * np.pi, 400)
    X = np.c_[np.cos(t), np.sin(t)].astype(np.float32)
    brief = dict(hidden_layer_sizes=(32,), max_iter=100, learning_rate_init=3e-3, random_state=0)
    vae = InteLVAE(2, prior=Narrow(), mapping=Sphere(), likelihood=Gaussian(0.1), **brief).fit(X)
    assert vae.kl_per_component_.max() > 0.5
    assert not recwarn


def test_labels_belong_to_the_rows_of_the_fit_that_diverged(X):
    vae = ClusteredInteLVAE(2, **SMALL).fit(X)
    for estimator in (vae, ClusteredInteLVAE(2, **SMALL)):
        with pytest.raises(DivergenceError) as caught:
            estimator.set_params(learning_rate_init=1e30).fit(X[:40])
        survivor = caught.value.estimator
        assert np.array_equal(survivor.labels_, survivor.predict(X[:40]))
    assert len(vae.labels_) == len(X)
