"""The distributions against torch's and scipy's, and the laws of densities and posteriors."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import distributions as reference

from sklearn_intelvae import distributions
from sklearn_intelvae.distributions import (
    Bernoulli,
    Density,
    FullGaussianMixture,
    FullNormal,
    GaussianMixture,
    Laplace,
    MixtureDensity,
    Normal,
    PosteriorDistribution,
)

MEAN = torch.linspace(-1, 1, 12).reshape(4, 3)
SCALES = {
    "one": torch.tensor(-0.3),
    "per feature": torch.tensor([-0.5, 0.0, 0.4]),
    "per row": torch.linspace(-1, 0.5, 12).reshape(4, 3),
}
X = torch.linspace(0, 1, 12).reshape(4, 3).flip(0)


def test_all_public_distributions_are_tested():
    bases = {"Density", "Distribution", "MixtureDensity", "PosteriorDistribution"}
    tested = {Bernoulli, FullGaussianMixture, FullNormal, GaussianMixture, Laplace, Normal}
    assert set(distributions.__all__) - bases == {cls.__name__ for cls in tested}


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
    torch.testing.assert_close(full.reparameterize(noise), diagonal.reparameterize(noise))
    torch.testing.assert_close(full.variance, diagonal.variance)
    torch.testing.assert_close(full.covariance, diagonal.covariance)
    for ours, theirs in zip(full.mixture_log_prob(X), diagonal.mixture_log_prob(X), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("mean", [-3.0, -0.2, 0.0, 0.7])
@pytest.mark.parametrize("scale", [0.01, 1.0, 5.0])
def test_kl_from_laplace_is_the_integral(mean, scale):
    """In double precision, by the trapezoidal rule over ten standard deviations."""
    q, p = reference.Normal(mean, scale), reference.Laplace(0.4, 0.7)
    y = torch.linspace(mean - 10 * scale, mean + 10 * scale, 200_001, dtype=torch.float64)
    log_q = q.log_prob(y)
    expected = torch.trapezoid(log_q.exp() * (log_q - p.log_prob(y)), y).item()
    ours = Normal(torch.tensor([[mean]]), torch.tensor([[scale]]).log())
    assert ours.kl_from_laplace(0.4, 0.7).item() == pytest.approx(expected, abs=2e-5, rel=1e-5)


def posterior_distributions():
    factor = torch.tril(torch.linspace(-0.5, 0.5, 36).reshape(4, 3, 3), -1)
    return {
        "Normal": Normal(MEAN, SCALES["per row"]),
        "FullNormal": FullNormal(MEAN, factor + torch.diag_embed(SCALES["per row"].exp())),
    }


@pytest.mark.parametrize(
    "q", posterior_distributions().values(), ids=list(posterior_distributions())
)
class TestPosteriorDistributions:
    def test_a_draw_is_the_reparameterized_noise(self, q, generator):
        noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
        assert torch.equal(q.sample(generator), q.reparameterize(noise))
        torch.testing.assert_close(q.reparameterize(torch.zeros(4, 3)), q.mean)

    def test_the_entropy_is_torchs_and_its_terms_follow_the_chain_rule(self, q):
        theirs = reference.MultivariateNormal(q.mean, q.covariance)
        torch.testing.assert_close(q.entropy_per_component().sum(-1), theirs.entropy())

    def test_marginals_have_the_mean_and_the_variance_of_each_component(self, q):
        marginals = q.marginals()
        assert isinstance(marginals, Normal)
        assert torch.equal(marginals.mean, q.mean)
        torch.testing.assert_close(marginals.variance, q.covariance.diagonal(dim1=1, dim2=2))
        torch.testing.assert_close(marginals.variance, q.variance)

    def test_a_detached_copy_is_the_same_distribution_without_gradients(self, q):
        parameters = [value.clone().requires_grad_() for value in vars(q).values()]
        attached = type(q)(*parameters)
        detached = attached.detached()
        assert type(detached) is type(q)
        assert attached.log_prob(X).requires_grad
        assert not detached.log_prob(X).requires_grad
        assert torch.equal(detached.log_prob(X), q.log_prob(X))

    def test_it_is_a_posterior_distribution(self, q):
        assert isinstance(q, PosteriorDistribution)


def mixture(k=5, d=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mean, log_scale = torch.randn(2, k, d, generator=generator)
    return GaussianMixture(mean, 0.5 * log_scale, torch.randn(k, generator=generator))


class TestGaussianMixture:
    def test_it_agrees_with_torch(self):
        p = mixture()
        gaussians = reference.Independent(reference.Normal(p.mean, p.log_scale.exp()), 1)
        theirs = reference.MixtureSameFamily(reference.Categorical(logits=p.logits), gaussians)
        torch.testing.assert_close(p.log_prob(X), theirs.log_prob(X))
        joint = gaussians.log_prob(X[:, None]) + p.logits.log_softmax(0)
        torch.testing.assert_close(p.responsibilities(X), joint.softmax(-1))

    def test_responsibilities_sum_to_one(self):
        p = mixture()
        shares = p.responsibilities(5 * X)
        assert p.n_modes == shares.shape[1] == 5
        torch.testing.assert_close(shares.sum(1), torch.ones(4))

    def test_identical_modes_are_one(self):
        one = GaussianMixture(torch.ones(1, 3), torch.zeros(1, 3), torch.zeros(1))
        seven = GaussianMixture(torch.ones(7, 3), torch.zeros(7, 3), mixture(7).logits)
        torch.testing.assert_close(seven.log_prob(X), one.log_prob(X))

    def test_the_estimated_kl_from_a_standard_mode_is_the_closed_form(self, generator):
        p = GaussianMixture(torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1))
        one = Normal(torch.tensor([[1.0, -0.5, 0.2]]), torch.tensor([[-1.0, 0, 0.3]]))
        q = Normal(*(value.expand(200_000, 3) for value in (one.mean, one.log_scale)))
        estimate = p.kl(q, q.sample(generator)).mean()
        assert estimate == pytest.approx(one.kl_from_standard().sum().item(), rel=0.01)

    def test_one_mode_alone(self, generator):
        p = mixture()
        alone = p.mode(2)
        assert alone.n_modes == 1
        expected = Normal(p.mean[2:3], p.log_scale[2:3]).log_prob(X)
        torch.testing.assert_close(alone.log_prob(X), expected)
        assert (alone.sample(4000, generator).mean(0) - p.mean[2]).abs().max() < 0.1

    def test_a_detached_copy_has_no_gradients(self):
        p = mixture()
        attached = GaussianMixture(*(v.requires_grad_() for v in (p.mean, p.log_scale, p.logits)))
        assert attached.log_prob(X).requires_grad
        assert not attached.detached().log_prob(X).requires_grad
        assert torch.equal(attached.detached().log_prob(X), attached.log_prob(X))

    def test_weights_that_are_not_finite_can_still_be_drawn_from(self, generator):
        p = GaussianMixture(torch.zeros(3, 2), torch.zeros(3, 2), torch.full((3,), torch.nan))
        assert p.sample(10, generator).isfinite().all()


class Uniform(Density):
    """The uniform distribution on [-2, 2]^2, with the defaults of its base class."""

    def log_prob(self, y):
        return torch.full((len(y),), -4 * np.log(2.0), dtype=torch.float32)

    def sample(self, n_samples, generator):
        return 4 * torch.rand(n_samples, 2, generator=generator) - 2


class TestDefaultsOfADensity:
    def test_the_kl_is_estimated_at_the_draws(self):
        q = Normal(torch.zeros(4, 2), torch.full((4, 2), -1.0))
        y = 0.1 * X[:, :2]
        torch.testing.assert_close(Uniform().kl(q, y), q.log_prob(y) + 4 * np.log(2.0))

    def test_it_has_no_modes_and_its_kl_is_no_sum_over_components(self):
        assert Uniform().n_modes == 0
        assert not isinstance(Uniform(), MixtureDensity)
        assert Uniform().kl_per_component(Normal(MEAN, MEAN)) is None

    def test_a_density_without_weights_is_its_own_detached_copy(self):
        p = Uniform()
        assert p.detached() is p


class TestFullGaussianMixture:
    def test_it_agrees_with_torch(self, generator):
        factor = torch.randn(4, 3, 3, generator=generator).triu(1) + 2 * torch.eye(3)
        mean, logits = MEAN, torch.randn(4, generator=generator)
        p = FullGaussianMixture(mean, factor, logits)
        each = reference.MultivariateNormal(mean, precision_matrix=factor @ factor.mT)
        expected = reference.MixtureSameFamily(reference.Categorical(logits=logits), each)
        torch.testing.assert_close(p.log_prob(X), expected.log_prob(X))
        torch.testing.assert_close(p.mode(2).log_prob(X), each.log_prob(X[:, None])[:, 2])
        torch.testing.assert_close(p.responsibilities(X).sum(1), torch.ones(4))
        draws = p.sample(50_000, generator)
        torch.testing.assert_close(draws.mean(0), expected.mean, atol=0.02, rtol=0)
        torch.testing.assert_close(draws.var(0), expected.variance, atol=0.02, rtol=0)

    def test_of_diagonal_covariances_it_is_the_other_mixture(self):
        log_scale, logits = SCALES["per row"], torch.linspace(-1, 1, 4)
        full = FullGaussianMixture(MEAN, torch.diag_embed((-log_scale).exp()), logits)
        torch.testing.assert_close(
            full.log_prob(X), GaussianMixture(MEAN, log_scale, logits).log_prob(X)
        )

    @pytest.mark.parametrize("log_scale", [torch.full((4, 3), -1.0), torch.tensor(-1.0)])
    def test_its_kl_has_the_entropy_in_closed_form(self, log_scale):
        p = FullGaussianMixture(MEAN, torch.eye(3).repeat(4, 1, 1), torch.zeros(4))
        negative_entropy = 3 * (1 - 0.5 * np.log(2 * np.pi * np.e))
        kl = p.kl(Normal(torch.zeros(4, 3), log_scale), X)
        torch.testing.assert_close(kl, (negative_entropy - p.log_prob(X)).float())

    def test_gradients_reach_its_tensors_unless_it_is_detached(self):
        parts = MEAN.clone(), torch.eye(3).repeat(4, 1, 1), torch.zeros(4)
        p = FullGaussianMixture(*(v.requires_grad_() for v in parts))
        assert p.log_prob(X).requires_grad
        assert not p.detached().log_prob(X).requires_grad
