import numpy as np
import pytest
import torch
from scipy import stats
from torch import distributions as reference

from sklearn_intelvae.distributions import Bernoulli, FullNormal, Laplace, Normal

MEAN = torch.linspace(-1, 1, 12).reshape(4, 3)
SCALES = {
    "one": torch.tensor(-0.3),
    "per feature": torch.tensor([-0.5, 0.0, 0.4]),
    "per row": torch.linspace(-1, 0.5, 12).reshape(4, 3),
}
X = torch.linspace(0, 1, 12).reshape(4, 3).flip(0)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize(
    ("ours", "theirs"), [(Normal, reference.Normal), (Laplace, reference.Laplace)]
)
def test_log_prob_agrees_with_torch(ours, theirs, scale):
    expected = theirs(MEAN, scale.exp()).log_prob(X).sum(-1)
    torch.testing.assert_close(ours(MEAN, scale).log_prob(X), expected)


def test_bernoulli_agrees_with_torch():
    binary = (X > 0.5).float()
    expected = reference.Bernoulli(logits=MEAN).log_prob(binary).sum(-1)
    torch.testing.assert_close(Bernoulli(MEAN).log_prob(binary), expected)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_log_prob_broadcasts_over_particles(scale):
    particles = MEAN.expand(5, 4, 3)
    scale = scale.expand(5, 4, 3) if scale.ndim == 2 else scale
    one = Normal(particles[0], scale[0] if scale.ndim == 3 else scale).log_prob(X)
    torch.testing.assert_close(Normal(particles, scale).log_prob(X), one.expand(5, 4))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(Normal, stats.norm), (Laplace, stats.laplace)],
)
def test_samples_follow_the_distribution(ours, theirs, generator):
    draws = ours(torch.full((20000, 1), 0.5), torch.tensor(-0.7)).sample(generator).numpy()
    assert stats.kstest(draws[:, 0], theirs(0.5, np.exp(-0.7)).cdf).pvalue > 1e-3


def test_bernoulli_samples_are_binary_with_the_right_share(generator):
    draws = Bernoulli(torch.full((20000, 1), 1.0)).sample(generator)
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert abs(float(draws.mean()) - 1 / (1 + np.exp(-1))) < 0.01


def test_kl_from_standard_agrees_with_torch():
    q = Normal(MEAN, SCALES["per row"])
    p = reference.Normal(torch.zeros(4, 3), torch.ones(4, 3))
    expected = reference.kl_divergence(reference.Normal(MEAN, SCALES["per row"].exp()), p)
    torch.testing.assert_close(q.kl_from_standard(), expected)


@pytest.mark.parametrize("kind", [Normal, Laplace, Bernoulli])
def test_sampling_leaves_the_global_generator_alone(kind, generator):
    before = torch.get_rng_state()
    distribution = kind(MEAN) if kind is Bernoulli else kind(MEAN, SCALES["one"])
    first = distribution.sample(generator)
    again = distribution.sample(torch.Generator().manual_seed(0))
    assert torch.equal(first, again)
    assert torch.equal(before, torch.get_rng_state())


@pytest.fixture
def full(generator):
    lower = torch.randn(4, 3, 3, generator=generator).tril(-1)
    return FullNormal(MEAN, lower + torch.diag_embed(SCALES["per row"].exp()))


def test_a_full_covariance_agrees_with_torch(full, generator):
    theirs = reference.MultivariateNormal(full.mean, scale_tril=full.factor)
    torch.testing.assert_close(full.log_prob(X), theirs.log_prob(X))
    torch.testing.assert_close(full.covariance, theirs.covariance_matrix)
    torch.testing.assert_close(full.variance, theirs.variance)
    standard = reference.MultivariateNormal(torch.zeros(3), torch.eye(3))
    expected = reference.kl_divergence(theirs, standard)
    torch.testing.assert_close(full.kl_from_standard().sum(-1), expected)


def test_draws_have_the_full_covariance(full, generator):
    draws = torch.stack([full.sample(generator) for _ in range(20_000)])
    for row in range(4):
        found = torch.cov(draws[:, row].T)
        torch.testing.assert_close(found, full.covariance[row], atol=0.12, rtol=0.1)


def test_a_diagonal_factor_is_a_diagonal_gaussian():
    diagonal = Normal(MEAN, SCALES["per row"])
    full = FullNormal(MEAN, torch.diag_embed(SCALES["per row"].exp()))
    noise = X - 0.5
    torch.testing.assert_close(full.log_prob(X), diagonal.log_prob(X))
    torch.testing.assert_close(full.at(noise), diagonal.at(noise))
    torch.testing.assert_close(full.variance, diagonal.variance)
    torch.testing.assert_close(full.covariance, diagonal.covariance)
    for ours, theirs in zip(full.mixture_log_prob(X), diagonal.mixture_log_prob(X), strict=True):
        torch.testing.assert_close(ours, theirs)
