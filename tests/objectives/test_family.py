"""The beta-VAE family: each objective against its formula, computed in another way."""

import math
from dataclasses import replace

import pytest
import torch
from sklearn.base import clone
from torch import distributions as reference

from sklearn_intelvae import posteriors
from sklearn_intelvae.distributions import FullNormal, Normal
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import DimensionSelector, Identity
from sklearn_intelvae.objectives import (
    DIP,
    ELBO,
    AnnealedCapacity,
    Autoencoder,
    Batch,
    BetaTC,
    FactorVAE,
    SlowVAE,
)
from sklearn_intelvae.posteriors import DiagonalGaussian, FullGaussian
from tests.small_models import seeded, small_vae

N_ROWS = 30
POSTERIORS = [DiagonalGaussian, FullGaussian]
each_posterior = pytest.mark.parametrize("posterior", POSTERIORS)


def model(posterior=DiagonalGaussian, mapping=None):
    return small_vae(
        5, 3, posterior=posterior(), mapping=mapping or Identity(), likelihood=Gaussian(0.5)
    )


def batch(progress=1.0, weight=None):
    rows = torch.randn(2, N_ROWS, 5, generator=seeded(1))
    return Batch(rows[0], seeded(2), progress, weight, rows[1])


def built(objective, fitted):
    objective.build(fitted)
    return objective


def loss_and_terms(objective, posterior=DiagonalGaussian, **settings):
    fitted = model(posterior)
    return built(objective, fitted).loss("model", fitted, batch(**settings))


def forward_pass(posterior):
    data = batch()
    return model(posterior)(data.x, data.generator)


def as_reference(q):
    """Return the torch distribution of each row."""
    if isinstance(q, FullNormal):
        return reference.MultivariateNormal(q.mean, scale_tril=q.factor)
    return reference.MultivariateNormal(q.mean, torch.diag_embed(q.variance))


def test_all_public_posteriors_have_a_case():
    assert {cls.__name__ for cls in POSTERIORS} == set(posteriors.__all__) - {"Posterior"}


class TestELBO:
    def test_a_function_is_a_schedule(self):
        def schedule(share):
            return 3 - 2 * share

        for share in (0.0, 0.3, 1.0):
            loss, terms = loss_and_terms(ELBO(beta=schedule), progress=share)
            torch.testing.assert_close(
                loss, terms["reconstruction"] + schedule(share) * terms["kl"]
            )

    def test_a_number_grows_with_the_warm_up(self):
        loss, terms = loss_and_terms(ELBO(beta=4), progress=0.25)
        torch.testing.assert_close(loss, terms["reconstruction"] + terms["kl"])

    @pytest.mark.parametrize("beta", [-1.0, "large", None])
    def test_other_weights_are_refused(self, beta):
        with pytest.raises(ValueError, match="'beta' parameter of ELBO must be"):
            ELBO(beta=beta).build(model())


class TestAnnealedCapacity:
    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_the_mean_kl_follows_a_growing_capacity(self, share):
        loss, terms = loss_and_terms(AnnealedCapacity(capacity=2.0, gamma=7.0), progress=share)
        apart = (terms["kl"].mean() - 2.0 * share).abs()
        torch.testing.assert_close(loss, terms["reconstruction"] + 7.0 * apart)

    @pytest.mark.parametrize("scale", [1 / 14.5, 1.0])
    def test_the_mean_is_weighted(self, scale):
        weight = torch.arange(N_ROWS) * scale
        loss, terms = loss_and_terms(AnnealedCapacity(capacity=2.0, gamma=7.0), weight=weight)
        apart = ((weight * terms["kl"]).sum() / weight.sum() - 2.0).abs()
        torch.testing.assert_close(loss, terms["reconstruction"] + 7.0 * apart)


@each_posterior
class TestTotalCorrelation:
    def test_the_densities_are_those_of_mixtures_of_torch(self, posterior):
        run = forward_pass(posterior)
        weights = reference.Categorical(torch.ones(N_ROWS))
        joint, of_components = run.q.mixture_log_prob(run.y)
        expected = reference.MixtureSameFamily(weights, as_reference(run.q)).log_prob(run.y)
        torch.testing.assert_close(joint, expected)
        for j in range(3):
            single = reference.Normal(run.q.mean[:, j], run.q.variance[:, j].sqrt())
            expected = reference.MixtureSameFamily(weights, single).log_prob(run.y[:, j])
            torch.testing.assert_close(of_components[:, j], expected)

    def test_a_row_of_weight_two_is_two_rows(self, posterior):
        run = forward_pass(posterior)
        weight = torch.ones(N_ROWS)
        weight[:10], weight[10:12] = 2.0, 0.0
        again = torch.cat([torch.arange(10), torch.arange(10), torch.arange(12, N_ROWS)])
        q = type(run.q)(*(value[again] for value in vars(run.q).values()))
        weighted, repeated = run.q.mixture_log_prob(run.y, weight), q.mixture_log_prob(run.y)
        for ours, theirs in zip(weighted, repeated, strict=True):
            torch.testing.assert_close(ours, theirs)

    def test_with_a_weight_of_one_it_is_the_bound(self, posterior):
        bound, _ = loss_and_terms(ELBO(), posterior)
        loss, terms = loss_and_terms(BetaTC(beta=1.0), posterior)
        torch.testing.assert_close(loss, bound)
        heavier, _ = loss_and_terms(BetaTC(beta=3.0), posterior, progress=0.5)
        expected = 0.5 * (terms["kl"] + 2 * terms["total_correlation"])
        torch.testing.assert_close(heavier - terms["reconstruction"], expected)


def test_the_total_correlation_of_gaussian_codes_is_the_known_one():
    """Means of correlation rho and some noise make y Gaussian with a known total correlation."""
    generator = seeded()
    rho, noise = 0.8, 0.1
    means = torch.randn(3000, 2, generator=generator)
    means[:, 1] = rho * means[:, 0] + math.sqrt(1 - rho**2) * means[:, 1]
    q = Normal(means, torch.full_like(means, 0.5 * math.log(noise)))
    joint, of_components = q.mixture_log_prob(q.sample(generator))
    expected = -0.5 * math.log(1 - (rho / (1 + noise)) ** 2)
    assert float((joint - of_components.sum(-1)).mean()) == pytest.approx(expected, abs=0.03)


class TestFactorVAE:
    def test_the_loss_is_the_bound_and_the_difference_of_the_logits(self):
        fitted = model()
        objective = built(FactorVAE(gamma=5.0), fitted)
        loss, terms = objective.loss("model", fitted, batch(progress=0.5))
        y = fitted(batch().x, batch().generator).y
        logits = objective.discriminator(y)
        torch.testing.assert_close(terms["total_correlation"], logits[:, 0] - logits[:, 1])
        cost = terms["kl"] + 5.0 * terms["total_correlation"]
        torch.testing.assert_close(loss, terms["reconstruction"] + 0.5 * cost)

    def test_the_discriminator_receives_the_draws_of_the_models_turn(self):
        fitted = model()
        objective = built(FactorVAE(), fitted)
        data = batch()
        objective.loss("model", fitted, data)
        assert not data.cache["y"].requires_grad
        y = fitted(batch().x, batch().generator).y
        torch.testing.assert_close(data.cache["y"], y.detach())

    def test_the_discriminators_loss_does_not_move_the_model(self):
        fitted = model()
        objective = built(FactorVAE(), fitted)
        data = batch()
        _, _ = objective.loss("model", fitted, data)
        loss, _ = objective.loss("discriminator", fitted, data)
        loss.mean().backward()
        assert all(p.grad is None for p in fitted.parameters())
        assert all(p.grad is not None for p in objective.discriminator.parameters())

    def test_a_trained_discriminator_estimates_the_total_correlation(self):
        generator = seeded()
        fitted, rho = model(), 0.7
        objective = built(FactorVAE(hidden_layer_sizes=(32, 32)), fitted)
        optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
        for _ in range(600):
            y = torch.randn(512, 3, generator=generator)
            y[:, 1] = rho * y[:, 0] + math.sqrt(1 - rho**2) * y[:, 1]
            data = Batch(y, generator, cache={"y": y})
            loss, _ = objective.loss("discriminator", fitted, data)
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
        with torch.no_grad():
            logits = objective.discriminator(y)
        found = float((logits[:, 0] - logits[:, 1]).mean())
        assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.06)


@each_posterior
class TestDIP:
    @pytest.mark.parametrize("of", ["means", "samples"])
    def test_the_penalty_is_that_of_the_covariance(self, posterior, of):
        loss, terms = loss_and_terms(DIP(2.0, 3.0, covariance_of=of), posterior)
        q = forward_pass(posterior).q
        C = torch.cov(q.mean.T, correction=0)
        if of == "samples":
            C = C + as_reference(q).covariance_matrix.mean(0)
        variances = C.diagonal()
        off = C.square().sum() - variances.square().sum()
        expected = 2.0 * off + 3.0 * (variances - 1).square().sum()
        torch.testing.assert_close(terms["covariance_penalty"], expected)
        torch.testing.assert_close(loss, terms["reconstruction"] + terms["kl"] + expected)

    @pytest.mark.parametrize(("of", "factor"), [("means", 10), ("samples", 1)])
    def test_the_default_weight_of_variances_is_that_of_the_paper(self, posterior, of, factor):
        default, _ = loss_and_terms(DIP(2.0, covariance_of=of), posterior)
        given, _ = loss_and_terms(DIP(2.0, 2.0 * factor, covariance_of=of), posterior)
        torch.testing.assert_close(default, given)

    def test_rows_of_weight_zero_are_ignored(self, posterior):
        weight = torch.cat([torch.zeros(10), torch.full((20,), 1.5)])
        _, terms = loss_and_terms(DIP(covariance_of="samples"), posterior, weight=weight)
        fitted = model(posterior)
        data = batch()
        _, alone = built(DIP(covariance_of="samples"), fitted).loss(
            "model", fitted, replace(data, x=data.x[10:])
        )
        torch.testing.assert_close(terms["covariance_penalty"], alone["covariance_penalty"])


@pytest.mark.parametrize("objective", [BetaTC(), DIP(), AnnealedCapacity(), FactorVAE()])
def test_a_batch_without_weight_has_a_finite_loss(objective):
    fitted = model()
    objective = built(clone(objective), fitted)
    data = batch(weight=torch.zeros(N_ROWS))
    for player in objective.players(fitted):
        assert objective.loss(player, fitted, data)[0].isfinite().all()


def test_the_discriminator_permutes_rows_that_have_a_weight():
    """Rows of weight 0 are shifted far; the components are still found to be independent."""
    generator = seeded()
    fitted = model()
    objective = built(FactorVAE(hidden_layer_sizes=(32, 32)), fitted)
    optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
    weight = torch.cat([torch.full((256,), 2.0), torch.zeros(256)])
    for _ in range(300):
        y = torch.randn(512, 3, generator=generator)
        y[256:] += 3
        data = Batch(y, generator, weight=weight, cache={"y": y})
        loss = weight * objective.loss("discriminator", fitted, data)[0]
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    with torch.no_grad():
        logits = objective.discriminator(y[:256])
    assert abs(float((logits[:, 0] - logits[:, 1]).mean())) < 0.1


def test_a_factor_vae_is_validated_by_its_bound():
    fitted = model(mapping=DimensionSelector(3.0))
    objective = built(FactorVAE(), fitted)
    _, terms = objective.loss("model", fitted, batch())
    expected = terms["reconstruction"] + terms["kl"] + terms["penalty"]
    torch.testing.assert_close(objective.validation_loss(fitted, batch()), expected)


class TestSlowVAE:
    @each_posterior
    def test_the_kl_of_a_step_is_that_of_a_laplace_distribution(self, posterior):
        fitted = model(posterior)
        _, terms = built(SlowVAE(rate=3.0), fitted).loss("model", fitted, batch())
        data, generator = batch(), seeded()
        with torch.no_grad():
            q, p = fitted.encode(data.x), fitted.encode(data.previous)
            expected = 0.0
            for one, other in ((q, p), (p, q)):
                laplace = reference.Laplace(other.mean, 1 / 3.0)
                for _ in range(2000):
                    y = one.sample(generator)
                    expected += (one.log_prob(y) - laplace.log_prob(y).sum(-1)) / 4000
        torch.testing.assert_close(terms["kl_step"], expected, atol=0.15, rtol=0)

    def test_the_loss_is_the_mean_of_both_rows_with_the_weights_of_the_paper(self):
        """For a pair: 2 rec + beta KL + gamma (the two cross-entropies - H), means over both."""
        fitted = model(mapping=DimensionSelector(3.0))
        objective = built(SlowVAE(beta=2.0, gamma=5.0), fitted)
        loss, terms = objective.loss("model", fitted, batch(progress=0.5))
        data = batch()
        entropy = 0.0
        for rows in (data.x, data.previous):
            entropy = entropy + 0.5 * as_reference(fitted.encode(rows)).entropy()
        cross_entropies = 2 * (terms["kl_step"] + entropy)
        pair = 2.0 * terms["kl"] + 5.0 * (cross_entropies - entropy)
        expected = terms["reconstruction"] + 0.5 * 0.5 * pair + terms["penalty"]
        torch.testing.assert_close(loss, expected)

    def test_the_order_within_pairs_does_not_change_the_steps(self):
        fitted = model()
        objective = built(SlowVAE(), fitted)
        data = batch()
        swapped = replace(data, x=data.previous, previous=data.x)
        _, there = objective.loss("model", fitted, data)
        _, back = objective.loss("model", fitted, swapped)
        torch.testing.assert_close(there["kl_step"], back["kl_step"])


def test_an_autoencoder_draws_nothing():
    fitted = model()
    data = batch()
    before = data.generator.get_state()
    loss, _ = built(Autoencoder(), fitted).loss("model", fitted, data)
    assert torch.equal(before, data.generator.get_state())
    expected = -fitted.decode(fitted.transform(data.x)).log_prob(data.x)
    torch.testing.assert_close(loss, expected)
