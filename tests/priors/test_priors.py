"""Laws of all priors and their densities, then what each is for."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import trapezoid
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.preprocessing import StandardScaler
from torch.autograd.graph import saved_tensors_hooks

from sklearn_intelvae import InteLVAE, distributions, priors
from sklearn_intelvae.distributions import Density, GaussianMixture, MixtureDensity
from sklearn_intelvae.estimators._parameters import REGISTRY
from sklearn_intelvae.posteriors import DiagonalGaussian, FullGaussian
from sklearn_intelvae.priors import (
    FittedMixture,
    Laplace,
    Mixture,
    Normal,
    SpikeAndSlab,
    Vamp,
    VampInitMixture,
)
from tests.small_models import seeded, small_vae

PRIORS = {
    "Normal": [Normal()],
    "Laplace": [Laplace()],
    "Mixture": [Mixture(), Mixture(4, learn=False, spread=3.0), Mixture(1), Mixture(3, scale=5.0)],
    "FittedMixture": [FittedMixture(), FittedMixture(1), FittedMixture(4)],
    "Vamp": [Vamp(), Vamp(1), Vamp(500)],
    "VampInitMixture": [
        VampInitMixture(),
        VampInitMixture(1),
        VampInitMixture(5, learn_weights=False),
    ],
    "SpikeAndSlab": [SpikeAndSlab(), SpikeAndSlab(spike_probability=0.1, spike_scale=0.5)],
}
CASES = [prior for cases in PRIORS.values() for prior in cases]
N_FEATURES = 4


def groups(n, n_components):
    """Return codes in three groups."""
    centers = 3 * torch.eye(3, n_components)
    noise = 0.5 * torch.randn(n, n_components, generator=seeded(2))
    return centers[torch.arange(n) % 3] + noise


def model(prior, n_components=3):
    """Return a model with this prior, initialized from rows and fitted to codes."""
    m = small_vae(N_FEATURES, n_components, prior=prior)
    m.initialize(3 * torch.randn(100, N_FEATURES, generator=seeded(1)), seeded(2))
    m.prior.fit_codes(groups(200, n_components))
    return m


def density(prior, n_components=3):
    return model(prior, n_components).prior_distribution()


def probabilities(p):
    """Return a grid, and the density of one component on it."""
    grid = torch.linspace(-40, 40, 40001)
    return grid.double().numpy(), p.log_prob(grid[:, None]).detach().double().exp().numpy()


def test_all_public_priors_have_a_case():
    assert set(PRIORS) == set(priors.__all__) - {"Prior", "AdaptiveVarianceClip"}
    assert set(PRIORS) == {cls.__name__ for cls in REGISTRY["prior"].values()}


@pytest.mark.parametrize("prior", CASES)
class TestLaws:
    def test_a_density_integrates_to_one(self, prior):
        grid, heights = probabilities(density(prior, 1))
        assert trapezoid(heights, grid) == pytest.approx(1, abs=1e-4)

    def test_draws_follow_the_density(self, prior):
        p = density(prior, 1)
        grid, heights = probabilities(p)
        draws = p.sample(5000, seeded()).detach()
        cdf = np.cumsum(heights) * (grid[1] - grid[0])
        test = stats.kstest(draws[:, 0].numpy(), lambda y: np.interp(y, grid, cdf))
        assert test.pvalue > 1e-3
        minus_log = -p.log_prob(draws).detach().double().numpy()
        entropy = trapezoid(-heights * np.log(heights + 1e-300), grid)
        assert abs(minus_log.mean() - entropy) < 4 * minus_log.std() / math.sqrt(len(draws))

    def test_it_returns_a_density_that_has_modes_if_the_prior_has(self, prior):
        p = density(prior)
        assert isinstance(p, Density)
        assert isinstance(p, MixtureDensity) == prior.has_modes == (p.n_modes > 0)
        if prior.has_modes:
            assert p.n_modes == prior.get_params().get("n_modes", p.n_modes)
            shares = p.responsibilities(torch.randn(9, 3, generator=seeded()))
            assert shares.shape == (9, p.n_modes)
            torch.testing.assert_close(shares.sum(1), torch.ones(9))
            assert p.mode(0).sample(4, seeded()).shape == (4, 3)

    def test_shapes(self, prior):
        p = density(prior)
        y = p.sample(6, seeded())
        assert y.shape == (6, 3)
        assert p.log_prob(y).shape == (6,)
        particles = torch.stack([y, y + 1])
        torch.testing.assert_close(p.log_prob(particles)[1], p.log_prob(y + 1))

    def test_draws_belong_to_the_generator(self, prior):
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        p, again = density(prior), density(prior)
        assert torch.equal(p.sample(5, seeded(3)), again.sample(5, seeded(3)))
        assert not torch.equal(p.sample(5, seeded(3)), p.sample(5, seeded(4)))
        assert torch.equal(before[0], torch.get_rng_state())
        assert np.array_equal(before[1], np.random.get_state()[1])

    def test_values_and_gradients_are_finite_far_away_and_at_the_origin(self, prior):
        m = model(prior)
        y = torch.cat([torch.zeros(1, 3), torch.full((1, 3), 1e3), torch.full((1, 3), -1e3)])
        log_prob = m.prior_distribution().log_prob(y.requires_grad_())
        log_prob.sum().backward()
        assert log_prob.isfinite().all()
        assert y.grad.isfinite().all()
        assert all(w.grad.isfinite().all() for w in m.prior.parameters() if w.grad is not None)

    def test_clones_have_parameters_but_no_weights(self, prior):
        again = clone(model(prior).prior)
        assert repr(again) == repr(prior)
        assert not [*again.parameters(), *again.buffers()]

    def test_copies_and_pickles_are_the_same_density(self, prior):
        m, y = model(prior), torch.randn(5, 3, generator=seeded())
        expected = m.prior_distribution().log_prob(y)
        for again in (copy.deepcopy(m.prior), pickle.loads(pickle.dumps(m.prior))):
            m.prior = again
            assert torch.equal(m.prior_distribution().log_prob(y), expected)

    def test_no_encoder_is_kept(self, prior):
        m = model(prior)
        m.prior_distribution()
        assert set(m.prior.modules()).isdisjoint(m.encoder.modules())
        assert not any(callable(v) for k, v in vars(m.prior).items() if not k.startswith("_"))

    def test_a_detached_copy_is_the_same_density_without_gradients(self, prior):
        p, y = density(prior), torch.randn(5, 3, generator=seeded())
        detached = p.detached()
        assert torch.equal(detached.log_prob(y), p.log_prob(y))
        assert torch.equal(detached.sample(5, seeded(1)), p.sample(5, seeded(1)))
        assert not detached.log_prob(y).requires_grad
        assert not detached.sample(5, seeded(1)).requires_grad

    def test_terms_of_components_sum_to_the_kl(self, prior):
        p = density(prior)
        y = torch.randn(5, 3, generator=seeded())
        q = distributions.Normal(y, y - 1)
        terms = p.kl_per_component(q)
        if terms is not None:
            assert terms.shape == (5, 3)
            torch.testing.assert_close(terms.sum(-1), p.kl(q, y))

    def test_the_kl_term_is_that_of_the_densities(self, prior):
        p = density(prior)
        q = distributions.Normal(torch.full((4000, 3), 0.3), torch.full((4000, 3), -1.0))
        y = q.sample(seeded())
        estimates = (q.log_prob(y) - p.log_prob(y)).detach()
        error = 4 * estimates.std() / math.sqrt(4000)
        assert (p.kl(q, y).mean() - estimates.mean()).abs().item() <= error


def test_the_normal_prior_is_standard():
    p = density(Normal())
    draws = p.sample(20000, seeded())
    assert draws.mean(0).abs().max() < 0.03
    assert (draws.std(0) - 1).abs().max() < 0.03
    expected = torch.distributions.Normal(0, 1).log_prob(draws).sum(1)
    torch.testing.assert_close(p.log_prob(draws), expected)


def test_one_gaussian_at_the_origin_is_the_normal_prior():
    one = density(Mixture(1, learn=False, means=[[0, 0, 0]], scale=1.0))
    y = 2 * torch.randn(100, 3, generator=seeded())
    torch.testing.assert_close(one.log_prob(y), density(Normal()).log_prob(y))


def in_double_precision(mixture, y):
    """Return the log density, computed square by square."""
    mean, log_scale, logits = (
        t.double() for t in (mixture.mean, mixture.log_scale, mixture.logits)
    )
    each = torch.distributions.Normal(mean, log_scale.exp()).log_prob(y.double()[:, None])
    return (each.sum(-1) + logits.log_softmax(0)).logsumexp(-1)


@pytest.mark.parametrize(("log_scale", "error"), [(0.0, 1e-5), (-3.0, 1e-3), (-6.0, 0.3)])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_the_expanded_square_loses_few_digits(log_scale, error, offset):
    """Also if all means have a large offset, which cancels."""
    mean = torch.randn(20, 5, generator=seeded()) + offset
    spread = 0.3 * torch.randn(20, 5, generator=seeded(1)).abs()
    mixture = GaussianMixture(mean, log_scale + spread, torch.randn(20, generator=seeded(2)))
    y = mixture.sample(500, seeded(3))
    torch.testing.assert_close(
        mixture.log_prob(y).double(), in_double_precision(mixture, y), rtol=1e-5, atol=error
    )


def test_memory_does_not_grow_with_rows_times_gaussians_times_components():
    sizes = []
    p, y = density(Mixture(50), 40), torch.zeros(100, 40, requires_grad=True)
    with saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
        p.log_prob(y)
    assert max(sizes) <= 100 * 50


def full_in_double_precision(mixture, y):
    """Return the log density, from covariances."""
    mean, factor = mixture.mean.double(), mixture.factor.double()
    covariance = torch.linalg.inv(factor @ factor.transpose(1, 2))
    each = torch.distributions.MultivariateNormal(mean, covariance).log_prob(y.double()[:, None])
    return (each + mixture.logits.double().log_softmax(0)).logsumexp(-1)


class TestFittedMixture:
    def fitted(self, y, **params):
        prior = FittedMixture(**params)
        prior.build(y.shape[1], N_FEATURES)
        prior.fit_codes(y)
        return prior

    def test_the_density_is_that_of_its_covariances(self):
        p = self.fitted(groups(300, 3)).density(None)
        y = 2 * torch.randn(100, 3, generator=seeded())
        expected = full_in_double_precision(p, y)
        torch.testing.assert_close(p.log_prob(y).double(), expected, rtol=1e-4, atol=1e-4)

    def test_draws_have_the_covariances(self):
        p = self.fitted(groups(300, 3)).density(None)
        for k in range(p.n_modes):
            one = p.mode(k)
            draws = one.sample(20_000, seeded(k)).double()
            precision = (one.factor @ one.factor.transpose(1, 2))[0].double()
            torch.testing.assert_close(
                draws.T.cov() @ precision, torch.eye(3, dtype=torch.float64), atol=0.06, rtol=0
            )
            torch.testing.assert_close(draws.mean(0).float(), one.mean[0], atol=0.03, rtol=0)

    def test_it_finds_groups_and_follows_them(self):
        prior = self.fitted(groups(300, 3))
        before = prior.density(None)
        assert 3 <= before.n_modes <= 7
        moved = groups(300, 3) + 5
        prior.fit_codes(moved)
        after = prior.density(None)
        assert after.n_modes >= before.n_modes
        assert after.log_prob(moved).mean() > before.log_prob(moved).mean() + 5

    def test_it_stays_standard_for_codes_that_are(self):
        y = torch.randn(200, 3, generator=seeded())
        p = self.fitted(y).density(None)
        assert p.n_modes == 1
        torch.testing.assert_close(p.log_prob(y), density(Normal()).log_prob(y))
        q = distributions.Normal(y, y)
        assert torch.equal(p.kl(q, y), density(Normal()).kl(q, y))

    @pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
    def test_few_codes_are_no_reason_to_fail(self, n):
        prior = self.fitted(groups(n, 3))
        assert prior.density(None).log_prob(groups(50, 3)).isfinite().all()
        prior = self.fitted(groups(300, 3))
        prior.fit_codes(groups(n, 3))
        assert prior.density(None).log_prob(groups(50, 3)).isfinite().all()

    def test_equal_codes_are_no_reason_to_fail(self):
        prior = self.fitted(torch.ones(100, 3))
        assert prior.density(None).log_prob(torch.ones(5, 3)).isfinite().all()

    @pytest.mark.parametrize("scale", [1e-20, 1e8, 1e20, 1e38])
    def test_codes_of_any_size_are_no_reason_to_fail(self, scale):
        prior = self.fitted(scale * groups(100, 3))
        assert prior.density(None).log_prob(groups(5, 3)).isfinite().all()
        prior = self.fitted(groups(300, 3))
        prior.fit_codes(scale * groups(100, 3))
        assert not prior.density(None).log_prob(groups(5, 3)).isnan().any()

    def test_the_largest_number_of_modes_holds(self):
        y = 5 * torch.randn(8, 3, generator=seeded())
        y = y[torch.arange(800) % 8] + 0.1 * torch.randn(800, 3, generator=seeded(1))
        assert self.fitted(y, max_modes=5).density(None).n_modes <= 5
        assert self.fitted(y).density(None).n_modes >= 7

    def test_weights_of_any_number_of_modes_are_loaded(self):
        fitted, other = self.fitted(groups(300, 3)), FittedMixture()
        other.build(3, N_FEATURES)
        other.load_state_dict(fitted.state_dict())
        y = groups(20, 3)
        assert torch.equal(other.density(None).log_prob(y), fitted.density(None).log_prob(y))
        fitted.fit_codes(groups(200, 3) + 1)
        other.fit_codes(groups(200, 3) + 1)
        assert torch.equal(other.density(None).log_prob(y), fitted.density(None).log_prob(y))


def two_bumps(n):
    side = torch.where(torch.rand(n, 1, generator=seeded()) < 0.3, -2.0, 3.0)
    return torch.cat([side, torch.zeros(n, 1)], 1) + 0.3 * torch.randn(n, 2, generator=seeded(1))


def test_a_learned_mixture_finds_two_bumps():
    prior, y = model(Mixture(2), 2).prior, two_bumps(1000)
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.05)
    for _ in range(450):
        optimizer.zero_grad()
        prior.density(None).log_prob(y).mean().neg().backward()
        optimizer.step()
    p = prior.density(None).detached()
    shares = p.responsibilities(y)
    torch.testing.assert_close(shares.sum(1), torch.ones(1000))
    left = shares.argmax(1) == p.mean[:, 0].argmin()
    assert torch.equal(left, y[:, 0] < 0)
    means, _ = p.mean.sort(dim=0)
    torch.testing.assert_close(means[:, 0], torch.tensor([-2.0, 3.0]), atol=0.1, rtol=0)
    draws = p.sample(5000, seeded())
    assert (draws[:, 0] < 0).float().mean().item() == pytest.approx(0.3, abs=0.05)
    assert draws[:, 1].std().item() == pytest.approx(0.3, abs=0.03)


def test_a_learned_mixture_cannot_collapse():
    """For a single point the likelihood is bounded only by the limit of the scales."""
    prior, y = model(Mixture(1), 2).prior, torch.zeros(10, 2)
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        prior.density(None).log_prob(y).mean().neg().backward()
        optimizer.step()
    assert (
        prior.density(None).log_prob(y).max().item() <= 2 * (6 - 0.5 * math.log(2 * math.pi)) + 1e-3
    )


@pytest.mark.parametrize("learn", [True, False])
def test_a_mixture_is_trained_only_if_it_learns(learn):
    prior = model(Mixture(2, learn=learn, means=np.eye(2, 3))).prior
    assert bool(list(prior.parameters())) == learn
    assert torch.equal(prior.centers.detach(), torch.eye(2, 3))
    assert set(prior.state_dict()) == {"centers", "widths", "logits"}


def test_the_array_of_means_is_not_changed():
    means = np.eye(2, 3, dtype=np.float32)
    with torch.no_grad():
        model(Mixture(2, means=means)).prior.centers.add_(1)
    assert np.array_equal(means, np.eye(2, 3))


def test_the_density_of_vamp_is_the_mean_posterior_of_its_pseudo_inputs():
    m, y = model(Vamp(7)), torch.randn(50, 3, generator=seeded())
    each = []
    for row in m.prior.pseudo_inputs:
        q = m.encode(row[None])
        each.append(distributions.Normal(q.mean.expand(50, -1), q.log_scale[0]).log_prob(y))
    expected = torch.stack(each).exp().mean(0).log()
    torch.testing.assert_close(m.prior_distribution().log_prob(y), expected)


@pytest.mark.parametrize("n_rows", [5, 200])
def test_pseudo_inputs_start_at_rows(n_rows):
    X = torch.randn(n_rows, N_FEATURES, generator=seeded())
    prior = Vamp(20)
    prior.build(2, N_FEATURES)
    prior.initialize(X, seeded(1))
    assert (prior.pseudo_inputs[:, None] == X).all(dim=2).any(dim=1).all()
    assert len(prior.pseudo_inputs.detach().unique(dim=0)) == min(n_rows, 20)


def test_pseudo_inputs_and_encoder_are_both_trained_by_the_kl_term():
    m = model(Vamp(5))
    q = m.encode(torch.randn(20, N_FEATURES, generator=seeded()))
    m.prior_distribution().kl(q, q.sample(seeded(1))).mean().backward()
    assert m.prior.pseudo_inputs.grad.abs().sum().item() > 0
    assert all(w.grad.isfinite().all() for w in m.encoder.parameters())


def test_spikes_have_the_probability_and_the_scale_of_the_parameters():
    y = density(SpikeAndSlab(0.6, 0.01)).sample(20000, seeded())
    assert (y.abs() < 0.03).float().mean().item() == pytest.approx(0.6 + 0.4 * 0.024, abs=0.01)
    assert (y.abs() > 1).float().mean().item() == pytest.approx(0.4 * 0.3173, abs=0.01)
    assert y[y.abs() < 0.03].std().item() == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("means", [[[0.0, 1.0]], [[0, 1, np.nan]]])
def test_means_of_another_shape_are_refused(means):
    with pytest.raises(ValueError, match=r"means .* 2 rows.* of 3 finite numbers.*got \[\["):
        Mixture(2, means=means).build(3, N_FEATURES)


def scores_of_blobs(**settings):
    """Return bounds of held-out rows, in nats: the data have four groups, and are not normal."""
    X, _ = make_blobs(800, 5, centers=4, random_state=1)
    X = StandardScaler().fit_transform(X)
    scores = {}
    for prior in (Normal(), Mixture(4), Vamp(20)):
        vae = InteLVAE(2, prior=prior, random_state=0, **settings).fit(X[:300])
        scores[type(prior).__name__] = vae.score(X[300:])
        assert np.isfinite(vae.sample(1000)).all()
        assert np.isfinite(vae.transform(X)).all()
    return scores


def test_learned_priors_fit_blobs_better_than_the_normal_prior():
    scores = scores_of_blobs(
        hidden_layer_sizes=(32,), learning_rate_init=5e-3, batch_size=100, max_iter=100
    )
    assert min(scores["Mixture"], scores["Vamp"]) > scores["Normal"] + 0.1


@pytest.mark.slow
def test_learned_priors_fit_blobs_better_than_the_normal_prior_with_the_default_settings():
    scores = scores_of_blobs(linear_path=False)
    assert min(scores["Mixture"], scores["Vamp"]) > scores["Normal"] + 0.1


@pytest.mark.parametrize("prior", [Normal(), Laplace()])
@pytest.mark.parametrize("posterior", [DiagonalGaussian(), FullGaussian()])
def test_closed_forms_of_the_kl_are_its_expectation(prior, posterior):
    p = density(prior)
    h = 0.5 * torch.randn(5, posterior.n_outputs(3), generator=seeded())
    q = posterior(h)
    estimate = 0.0
    generator = seeded()
    for _ in range(4000):
        y = q.sample(generator)
        estimate = estimate + (q.log_prob(y) - p.log_prob(y)) / 4000
    torch.testing.assert_close(p.kl(q, y), estimate, atol=0.12, rtol=0.02)
    torch.testing.assert_close(p.kl_per_component(q).sum(-1), p.kl(q, y))


def test_a_laplace_prior_has_axes():
    """Rotated draws are less likely than the draws; for the normal prior they are as likely."""
    rotation = torch.tensor([[1.0, 1.0], [-1.0, 1.0]]) / math.sqrt(2)
    p = density(Laplace(), 2)
    y = p.sample(20_000, seeded())
    assert float((p.log_prob(y) - p.log_prob(y @ rotation)).mean()) > 0.05
    normal = density(Normal(), 2)
    torch.testing.assert_close(normal.log_prob(y), normal.log_prob(y @ rotation))
