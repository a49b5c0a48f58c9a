"""The sentence, its words of the user's own, and priors and posteriors."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_intelvae import distributions
from sklearn_intelvae._part import fresh, output_width
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import Clusters, Identity
from sklearn_intelvae.model import Parts, build_model
from sklearn_intelvae.networks import MLP
from sklearn_intelvae.posteriors import DiagonalGaussian
from sklearn_intelvae.priors import Normal, Prior


def parts(**changes):
    words = dict(
        encoder=MLP((8,)),
        posterior=DiagonalGaussian(),
        mapping=Identity(),
        decoder=MLP((8,)),
        likelihood=Gaussian(),
        prior=Normal(),
    )
    return Parts(**words | changes)


def model(generator=None, **changes):
    generator = generator or torch.Generator().manual_seed(0)
    return build_model(parts(**changes), 5, 2, generator)


def test_a_pass_reads_the_sentence(generator):
    x = torch.rand(7, 5)
    q, y, z, p = model()(x, generator)
    assert q.mean.shape == y.shape == z.shape == (7, 2)
    assert p.mean.shape == x.shape
    assert p.log_prob(x).shape == (7,)


def test_one_seed_builds_one_model():
    x = torch.rand(3, 5)
    assert torch.equal(model().represent(x), model().represent(x))
    other = model(torch.Generator().manual_seed(1))
    assert not torch.equal(model().represent(x), other.represent(x))


def test_building_leaves_the_parts_and_the_global_generator_alone():
    words = parts()
    before = torch.get_rng_state()
    build_model(words, 5, 2, torch.Generator().manual_seed(0))
    assert not any(list(word.parameters()) for word in words)
    assert torch.equal(before, torch.get_rng_state())


class Doubled(nn.Module):
    def forward(self, y):
        return torch.cat([y, y.square()], dim=1)


def test_the_mapping_decides_the_size_of_z(generator):
    assert model(mapping=Doubled())(torch.rand(3, 5), generator).z.shape == (3, 4)


def test_a_class_or_a_lazy_module_will_do(generator):
    wide = model(mapping=Doubled, encoder=nn.Sequential(nn.LazyLinear(9), nn.Tanh()))
    assert wide(torch.rand(3, 5), generator).z.shape == (3, 4)


def test_networks_of_any_width_are_adapted(generator):
    trunk, head = nn.Sequential(nn.Linear(5, 17), nn.ReLU()), nn.Linear(2, 5)
    fitted = model(encoder=trunk, decoder=head)
    assert isinstance(fitted.encoder, nn.Sequential)
    assert isinstance(fitted.decoder, nn.Linear)
    assert torch.equal(fitted.decoder.weight, head.weight)
    assert fitted.decoder is not head


class ByColumn(nn.Module):
    def forward(self, y):
        return y.sum(dim=1)


class Broken(nn.Module):
    def forward(self, y):
        raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (ByColumn(), r"ByColumn returned shape \(3,\).*\(n_samples, n_outputs\)"),
        (Broken(), r"Broken failed on a batch of shape \(3, 2\): shapes do not fit"),
    ],
)
def test_a_mapping_that_does_not_fit_is_named(mapping, message):
    with pytest.raises(ValueError, match=message):
        model(mapping=mapping)


def test_probing_keeps_the_training_mode():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    assert output_width(module, 2) == 3
    assert module.training
    assert torch.equal(module[1].running_mean, torch.zeros(3))


def test_fresh_parts_have_no_weights_and_fresh_modules_keep_theirs():
    built = MLP((3,))
    built.build(2, 2)
    assert not list(fresh(built).parameters())
    linear = nn.Linear(2, 2)
    copy = fresh(linear)
    assert torch.equal(copy.weight, linear.weight)
    assert copy.weight is not linear.weight
    assert isinstance(fresh(Doubled), Doubled)


class Wide(Prior):
    """N(0, 4), by log_prob and sample alone."""

    def log_prob(self, y):
        two = y.new_tensor(2.0).log()
        return distributions.Normal(torch.zeros_like(y), two).log_prob(y)

    def sample(self, n_samples, generator):
        return 2 * torch.randn(n_samples, self.n_components, generator=generator)


def test_kl_is_exact_where_known_and_estimated_otherwise(generator):
    q = distributions.Normal(torch.full((20000, 2), 0.5), torch.full((20000, 2), -1.0))
    y = q.sample(generator)
    exact = model().kl(q, y)
    np.testing.assert_allclose(exact, exact[0])
    estimate = float(model(prior=Wide()).kl(q, y).mean())
    two = torch.distributions.Normal(0, 2)
    one = torch.distributions.Normal(0.5, float(np.exp(-1)))
    expected = 2 * float(torch.distributions.kl_divergence(one, two))
    assert estimate == pytest.approx(expected, abs=0.02)


def test_the_normal_prior_is_standard(generator):
    prior = Normal()
    prior.build(3, 5)
    draws = prior.sample(20000, generator)
    assert draws.mean(0).abs().max() < 0.03
    assert (draws.std(0) - 1).abs().max() < 0.03
    expected = torch.distributions.Normal(0, 1).log_prob(draws).sum(1)
    torch.testing.assert_close(prior.log_prob(draws), expected)


def test_representing_does_not_sample():
    fitted, x = model(mapping=Clusters(3)), torch.rand(4, 5)
    assert torch.equal(fitted.represent(x), fitted.represent(x))


def test_a_posterior_is_never_absurdly_wide_or_narrow():
    q = DiagonalGaussian()(torch.tensor([[0.0, 1000.0], [0.0, -1000.0], [0.0, 1.0]]))
    torch.testing.assert_close(q.variance.log(), torch.tensor([[4.0], [-12.0], [1.0]]))


class NoSizes(nn.Module):
    def forward(self, h):
        return distributions.Normal(*h.chunk(2, dim=-1))


class TooWide(DiagonalGaussian):
    def forward(self, h):
        return distributions.Normal(h, h)


@pytest.mark.parametrize(
    ("posterior", "error", "message"),
    [
        (NoSizes(), TypeError, "posterior NoSizes needs n_outputs"),
        (
            TooWide(),
            ValueError,
            r"must return means of shape \(n, 2\); for 3 rows it gave \(3, 4\)",
        ),
    ],
)
def test_what_is_no_posterior_is_refused(posterior, error, message):
    with pytest.raises(error, match=message):
        model(posterior=posterior)


def test_other_distributions_are_no_posterior():
    class Bare(DiagonalGaussian):
        def forward(self, h):
            return distributions.Bernoulli(h)

    with pytest.raises(TypeError, match="posterior Bare must return a distribution as"):
        model(posterior=Bare())
