"""The variational autoencoder: one forward pass, how it is built, and how its parts are checked."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_intelvae._part import Part
from sklearn_intelvae.distributions import Bernoulli, Density, Normal
from sklearn_intelvae.likelihoods import Gaussian, Likelihood
from sklearn_intelvae.mappings import Clusters, Compose, Glue, Identity, Mapping
from sklearn_intelvae.networks import MLP, Network
from sklearn_intelvae.posteriors import DiagonalGaussian
from sklearn_intelvae.priors import Prior, Vamp
from tests.small_models import seeded, small_vae, vae_parts


def rows(n=7):
    return torch.rand(n, 5, generator=seeded(1))


def test_a_forward_pass_returns_q_y_z_and_p(generator):
    x = rows()
    q, y, z, p = small_vae()(x, generator)
    assert q.mean.shape == y.shape == z.shape == (7, 2)
    assert p.mean.shape == x.shape
    assert p.log_prob(x).shape == (7,)


class Doubled(Mapping):
    def forward(self, y):
        return torch.cat([y, y.square()], dim=1)


class Halved(Mapping):
    """Hands the decoder half of z."""

    def forward(self, y):
        return 4 * y

    def to_decoder(self, z):
        return z / 2


def test_a_forward_pass_is_the_composition_of_the_parts():
    """Encoder, posterior, draw, mapping, to_decoder, decoder and likelihood, in this order."""
    model, x = small_vae(mapping=Halved()), rows()
    q, y, z, p = model(x, seeded(5))
    h = model.encoder(x)
    expected = model.posterior(h).sample(seeded(5))
    assert torch.equal(y, expected)
    assert torch.equal(q.mean, model.posterior(h).mean)
    assert torch.equal(z, 4 * y)
    mean = model.decoder(2 * y)
    torch.testing.assert_close(p.mean, mean)
    torch.testing.assert_close(model.decode_mean(z), mean)
    torch.testing.assert_close(model.transform(x), 4 * q.mean)
    assert torch.equal(model.posterior_mean(x), q.mean)


def test_one_seed_builds_one_model():
    x = rows()
    assert torch.equal(small_vae().transform(x), small_vae().transform(x))
    other = vae_parts().build(5, 2, seeded(1))
    assert not torch.equal(small_vae().transform(x), other.transform(x))


def test_building_changes_neither_the_parts_nor_the_global_generator():
    parts = vae_parts(mapping=Clusters(2), prior=Vamp(3))
    before = torch.get_rng_state()
    parts.build(5, 2, seeded())
    assert not any(list(part.parameters()) for part in parts[:-1])
    assert torch.equal(before, torch.get_rng_state())


def test_the_mapping_determines_the_size_of_z(generator):
    model = small_vae(mapping=Doubled())
    assert model(rows(), generator).z.shape == (7, 4)
    assert (model.n_features, model.n_components, model.n_latent) == (5, 2, 4)


def test_a_lazy_module_is_a_network(generator):
    model = small_vae(mapping=Doubled(), encoder=nn.Sequential(nn.LazyLinear(9), nn.Tanh()))
    assert model(rows(), generator).z.shape == (7, 4)


def test_networks_of_any_width_are_adapted():
    trunk, head = nn.Sequential(nn.Linear(5, 17), nn.ReLU()), nn.Linear(2, 5)
    model = small_vae(encoder=trunk, decoder=head)
    assert isinstance(model.encoder, nn.Sequential)
    assert isinstance(model.decoder, nn.Linear)
    assert torch.equal(model.decoder.weight, head.weight)
    assert model.decoder is not head


def test_transform_does_not_draw():
    model, x = small_vae(mapping=Clusters(3)), rows()
    assert torch.equal(model.transform(x), model.transform(x))


class Wide(Density):
    """N(0, 4), by log_prob and sample alone."""

    def log_prob(self, y):
        return Normal(torch.zeros_like(y), y.new_tensor(2.0).log()).log_prob(y)

    def sample(self, n_samples, generator):
        return 2 * torch.randn(n_samples, 2, generator=generator)


class WidePrior(Prior):
    def density(self, encode):
        return Wide()


def test_the_kl_is_exact_where_it_is_known_and_estimated_otherwise(generator):
    q = Normal(torch.full((20000, 2), 0.5), torch.full((20000, 2), -1.0))
    y = q.sample(generator)
    exact = small_vae().prior_distribution().kl(q, y)
    np.testing.assert_allclose(exact, exact[0])
    estimate = float(small_vae(prior=WidePrior()).prior_distribution().kl(q, y).mean())
    two = torch.distributions.Normal(0, 2)
    one = torch.distributions.Normal(0.5, float(np.exp(-1)))
    expected = 2 * float(torch.distributions.kl_divergence(one, two))
    assert estimate == pytest.approx(expected, abs=0.02)


class Recorder(Part):
    """Mixed into parts, keeps what their hooks receive."""

    def initialize(self, X, generator):
        self.drawn = torch.rand(3), torch.rand(3, generator=generator)
        self.shown = X

    def set_progress(self, fraction):
        self.fractions = [*getattr(self, "fractions", []), fraction]


class RecordedMapping(Recorder, Identity):
    pass


class RecordedLikelihood(Recorder, Gaussian):
    pass


class RecordedPosterior(Recorder, DiagonalGaussian):
    pass


class RecordedNetwork(Recorder, MLP):
    pass


class RecordedPrior(Recorder, WidePrior):
    """Also stores the means that the encoder returns for some rows."""

    def follow(self, encode):
        self.followed = encode(rows()).mean


class TestHooks:
    """The hooks of the parts and of the parts inside them are called, on every kind of part."""

    def parts(self, model):
        return [part for part in model.modules() if isinstance(part, Recorder)]

    @pytest.fixture
    def model(self):
        mapping = Compose(RecordedMapping(), Compose(Identity(), RecordedMapping()))
        return small_vae(
            encoder=RecordedNetwork((8,)),
            posterior=RecordedPosterior(),
            mapping=mapping,
            decoder=RecordedNetwork((8,)),
            likelihood=RecordedLikelihood(),
            prior=RecordedPrior(),
        )

    def test_all_parts_are_initialized_from_the_rows(self, model):
        before = torch.get_rng_state()
        model.initialize(rows(), seeded())
        assert len(self.parts(model)) == 7
        assert all(torch.equal(part.shown, rows()) for part in self.parts(model))
        assert torch.equal(before, torch.get_rng_state())

    def test_all_parts_receive_the_progress_and_the_prior_follows_the_encoder(self, model):
        for fraction in (0.0, 0.5, 1.0):
            model.set_progress(fraction)
        assert [part.fractions for part in self.parts(model)] == 7 * [[0.0, 0.5, 1.0]]
        assert torch.equal(model.prior.followed, model.posterior_mean(rows()))

    def test_random_numbers_of_parts_are_those_of_the_generator(self, model):
        model.initialize(rows(), seeded())
        first = [part.drawn for part in self.parts(model)]
        model.initialize(rows(), seeded())
        for a, b in zip(first, (part.drawn for part in self.parts(model)), strict=True):
            assert torch.equal(a[0], b[0])
            assert torch.equal(a[1], b[1])


def test_a_mapping_asks_for_the_largest_number_of_trials_inside_it():
    assert vae_parts().n_trials == 1
    assert vae_parts(mapping=Compose(Glue(n_trials=3), Glue(n_trials=7))).n_trials == 7


class ByColumn(Mapping):
    def forward(self, y):
        return y.sum(dim=1)


class Broken(Mapping):
    def forward(self, y):
        raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (ByColumn(), r"mapping ByColumn returned shape \(3,\).*\(n_samples, n_outputs\)"),
        (Broken(), r"mapping Broken failed on a batch of shape \(3, 2\): shapes do not fit"),
    ],
)
def test_a_mapping_that_does_not_fit_is_named(mapping, message):
    with pytest.raises(ValueError, match=message):
        small_vae(mapping=mapping)


class TooWide(DiagonalGaussian):
    def forward(self, h):
        return Normal(h, h)


class OtherMean(DiagonalGaussian):
    def mean(self, h):
        return h


class Bare(DiagonalGaussian):
    def forward(self, h):
        return Bernoulli(h)


@pytest.mark.parametrize(
    ("posterior", "error", "message"),
    [
        (TooWide(), ValueError, r"posterior TooWide: .* \(3, 2\) for 3 rows, got shape \(3, 4\)"),
        (OtherMean(), ValueError, r"posterior OtherMean: mean\(h\) .* got shape \(3, 4\)"),
        (Bare(), TypeError, "posterior Bare must return .* got Bernoulli"),
    ],
)
def test_what_a_posterior_returns_is_checked(posterior, error, message):
    with pytest.raises(error, match=message):
        small_vae(posterior=posterior)


class Returns(Prior):
    """Returns any object as density."""

    def __init__(self, value=None):
        super().__init__()
        self.value = value

    def density(self, encode):
        return self.value


class Narrow(Wide):
    def sample(self, n_samples, generator):
        return torch.zeros(n_samples, 1)


class PerComponent(Wide):
    def log_prob(self, y):
        return -y.square()


class WideKL(Wide):
    def kl(self, q, y):
        return q.kl_from_standard()


class SummedTerms(Wide):
    def kl_per_component(self, q):
        return q.kl_from_standard().sum(-1)


class Doubles(Wide):
    def sample(self, n_samples, generator):
        return torch.zeros(n_samples, 2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("density", "error", "message"),
    [
        (None, TypeError, r"prior Returns: density\(encode\) must return .*Density, got NoneType"),
        (torch.distributions.Normal(0, 1), TypeError, "must return .*Density, got Normal"),
        (Narrow(), ValueError, r"prior Returns: sample .* \(3, 2\) for 3 rows, got shape \(3, 1\)"),
        (PerComponent(), ValueError, r"log_prob\(y\) must have shape \(3,\).*got shape \(3, 2\)"),
        (WideKL(), ValueError, r"kl\(q, y\) must have shape \(3,\).*got shape \(3, 2\)"),
        (SummedTerms(), ValueError, r"kl_per_component\(q\) must have shape \(3, 2\).*\(3,\)"),
        (Doubles(), ValueError, r"sample returned torch.float64; .* append .float\(\)"),
    ],
)
def test_what_a_prior_returns_is_checked(density, error, message):
    with pytest.raises(error, match=message):
        small_vae(prior=Returns(density))


class ClaimsModes(Returns):
    has_modes = True


def test_a_prior_that_has_modes_must_return_a_mixture():
    with pytest.raises(TypeError, match=r"has_modes = True.*MixtureDensity, got Wide"):
        small_vae(prior=ClaimsModes(Wide()))


class Unsummed(Normal):
    def log_prob(self, x):
        return -((x - self.mean) ** 2)


class PerFeature(Likelihood):
    def forward(self, h):
        return Unsummed(h, h.new_zeros(()))


class Squashed(Gaussian):
    """Inherits the mean of a Gaussian, which is not its own."""

    def forward(self, h):
        return super().forward(h.tanh())


class TwoOutputs(Likelihood):
    """Needs two outputs for each feature, but does not say so."""

    def forward(self, h):
        return Normal(h[:, : h.shape[1] // 2], h.new_zeros(()))


class Torchs(Likelihood):
    def forward(self, h):
        return torch.distributions.Normal(h, 1.0)


@pytest.mark.parametrize(
    ("likelihood", "error", "message"),
    [
        (PerFeature(), ValueError, r"likelihood PerFeature: log_prob.* got shape \(3, 5\)"),
        (Squashed(), ValueError, r"likelihood Squashed: mean\(h\) is not the mean of what"),
        (TwoOutputs(), ValueError, r"mean of shape \(3, 2\) for 3 rows of 5 features; set its out"),
        (Torchs(), TypeError, "draw from the global generator and cannot be used"),
    ],
)
def test_what_a_likelihood_returns_is_checked(likelihood, error, message):
    with pytest.raises(error, match=message):
        small_vae(likelihood=likelihood)


class NotFinite(Mapping):
    def forward(self, y):
        return y.log()


class ColumnPenalty(Identity):
    def loss_terms(self, x, mean, y, z):
        return {"penalty": y[:, :1]}


class NoDict(Identity):
    def loss_terms(self, x, mean, y, z):
        return y.sum()


class GuidanceOfComponents(Identity):
    def loss_terms(self, x, mean, y, z):
        return {"guidance": y} if self.training else {}


class RealRegions(Identity):
    has_regions = True

    def regions(self, y):
        return y[:, 0]


class RegionsOfComponents(Identity):
    has_regions = True

    def regions(self, y):
        return y.long()


class Widened(Identity):
    def to_decoder(self, z):
        return torch.cat([z, z], dim=1)


@pytest.mark.parametrize(
    ("mapping", "error", "message"),
    [
        (NotFinite(), ValueError, "mapping NotFinite returned values that are not finite"),
        (
            ColumnPenalty(),
            ValueError,
            r"ColumnPenalty: loss_terms: 'penalty' .* got shape \(3, 1\)",
        ),
        (NoDict(), TypeError, "mapping NoDict: loss_terms must return a dict of tensors"),
        (GuidanceOfComponents(), ValueError, r"loss_terms: 'guidance' must have shape .*\(3, 2\)"),
        (RealRegions(), ValueError, r"regions\(y\) must return integers, got torch.float32"),
        (RegionsOfComponents(), ValueError, r"regions\(y\) must have shape \(3,\).*\(3, 2\)"),
        (Widened(), ValueError, r"mapping Widened: to_decoder\(z\) must have shape .*\(3, 4\)"),
    ],
)
def test_what_the_hooks_of_a_mapping_return_is_checked(mapping, error, message):
    model = small_vae(mapping=mapping)
    with pytest.raises(error, match=message):
        model.initialize(rows(), seeded())


class WrongWidth(Network):
    def build(self, n_inputs, n_outputs):
        self.layer = nn.Linear(n_inputs, n_outputs + 1)

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_the_width_of_a_network_is_checked(role):
    with pytest.raises(ValueError, match=rf"{role} WrongWidth returned"):
        small_vae(**{role: WrongWidth()})


class PlainNetwork(nn.Linear):
    """A plain module with a hook, which would never be called."""

    def initialize(self, X, generator):
        raise AssertionError


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_a_plain_module_with_hooks_is_refused(role):
    with pytest.raises(TypeError, match=rf"{role} PlainNetwork defines initialize.*Network"):
        small_vae(**{role: PlainNetwork(5, 5)})


class Dropped(MLP):
    """A network that draws from the global generator in training mode."""

    def forward(self, x):
        return super().forward(torch.nn.functional.dropout(x, training=self.training))


def test_the_checks_do_not_draw_dropout_and_keep_the_training_mode():
    before = torch.get_rng_state()
    model = small_vae(encoder=Dropped(), prior=Vamp())
    assert model.encoder.training
    assert torch.equal(before, torch.get_rng_state())


def test_the_support_is_checked_for_each_table():
    seen = []

    class Watching(Gaussian):
        def check_support(self, X):
            seen.append(len(X))

    vae_parts(likelihood=Watching()).check_support(np.zeros((3, 5)), None, np.zeros((2, 5)))
    assert seen == [3, 2]
