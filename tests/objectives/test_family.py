"""The beta-VAE family: each objective against what it says, computed in another way."""

import math

import pytest
import torch
from sklearn.base import clone
from torch import distributions as reference

from sklearn_intelvae.distributions import FullNormal, Normal, expected_distance
from sklearn_intelvae.estimators._shelves import SHELVES
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import DimensionSelector, Identity
from sklearn_intelvae.model import Parts, build_model
from sklearn_intelvae.networks import MLP
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
from sklearn_intelvae.priors import Normal as NormalPrior

N_ROWS = 30
POSTERIORS = [DiagonalGaussian, FullGaussian]
posteriors = pytest.mark.parametrize("posterior", POSTERIORS)


def model(posterior=DiagonalGaussian, mapping=None):
    words = Parts(
        MLP((8,)), posterior(), mapping or Identity(), MLP((8,)), Gaussian(0.5), NormalPrior()
    )
    return build_model(words, 5, 3, torch.Generator().manual_seed(0))


def batch(warmup=1.0, weight=None, memo=None):
    rows = torch.randn(2, N_ROWS, 5, generator=torch.Generator().manual_seed(1))
    return Batch(rows[0], torch.Generator().manual_seed(2), warmup, weight, rows[1], memo)


def built(objective, fitted):
    objective.build(fitted)
    return objective


def loss_and_terms(objective, posterior=DiagonalGaussian, **settings):
    fitted = model(posterior)
    return built(objective, fitted).loss("model", fitted, batch(**settings))


def pass_of(posterior, **settings):
    data = batch(**settings)
    return model(posterior)(data.x, data.generator)


def as_reference(q):
    """Return the torch distribution of each row."""
    if isinstance(q, FullNormal):
        return reference.MultivariateNormal(q.mean, scale_tril=q.factor)
    return reference.MultivariateNormal(q.mean, torch.diag_embed(q.variance))


def test_every_posterior_is_tried():
    assert set(POSTERIORS) == set(SHELVES["posterior"].values())


class TestELBO:
    def test_a_function_is_a_schedule(self):
        def schedule(share):
            return 3 - 2 * share

        for share in (0.0, 0.3, 1.0):
            loss, terms = loss_and_terms(ELBO(beta=schedule), warmup=share)
            torch.testing.assert_close(
                loss, terms["reconstruction"] + schedule(share) * terms["kl"]
            )

    def test_a_number_grows_with_the_warm_up(self):
        loss, terms = loss_and_terms(ELBO(beta=4), warmup=0.25)
        torch.testing.assert_close(loss, terms["reconstruction"] + terms["kl"])

    @pytest.mark.parametrize("beta", [-1.0, "large", None])
    def test_other_weights_are_refused(self, beta):
        with pytest.raises(ValueError, match="'beta' parameter of ELBO must be"):
            ELBO(beta=beta).build(model())


class TestAnnealedCapacity:
    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_the_mean_kl_is_held_at_a_growing_capacity(self, share):
        loss, terms = loss_and_terms(AnnealedCapacity(capacity=2.0, gamma=7.0), warmup=share)
        apart = (terms["kl"].mean() - 2.0 * share).abs()
        torch.testing.assert_close(loss, terms["reconstruction"] + 7.0 * apart)

    @pytest.mark.parametrize("scale", [1 / 14.5, 1.0])
    def test_weights_of_rows_count_in_the_mean(self, scale):
        weight = torch.arange(N_ROWS) * scale
        loss, terms = loss_and_terms(AnnealedCapacity(capacity=2.0, gamma=7.0), weight=weight)
        apart = ((weight * terms["kl"]).sum() / weight.sum() - 2.0).abs()
        torch.testing.assert_close(loss, terms["reconstruction"] + 7.0 * apart)


@posteriors
class TestTotalCorrelation:
    def test_the_densities_are_those_of_torchs_mixtures(self, posterior):
        run = pass_of(posterior)
        weights = reference.Categorical(torch.ones(N_ROWS))
        joint, of_components = run.q.mixture_log_prob(run.y)
        expected = reference.MixtureSameFamily(weights, as_reference(run.q)).log_prob(run.y)
        torch.testing.assert_close(joint, expected)
        for j in range(3):
            single = reference.Normal(run.q.mean[:, j], run.q.variance[:, j].sqrt())
            expected = reference.MixtureSameFamily(weights, single).log_prob(run.y[:, j])
            torch.testing.assert_close(of_components[:, j], expected)

    def test_a_row_of_weight_two_is_two_rows(self, posterior):
        run = pass_of(posterior)
        weight = torch.ones(N_ROWS)
        weight[:10], weight[10:12] = 2.0, 0.0
        again = torch.cat([torch.arange(10), torch.arange(10), torch.arange(12, N_ROWS)])
        q = type(run.q)(*(value[again] for value in vars(run.q).values()))
        weighted, repeated = run.q.mixture_log_prob(run.y, weight), q.mixture_log_prob(run.y)
        for ours, theirs in zip(weighted, repeated, strict=True):
            torch.testing.assert_close(ours, theirs)

    def test_its_weight_of_one_is_in_the_bound(self, posterior):
        bound, _ = loss_and_terms(ELBO(), posterior)
        loss, terms = loss_and_terms(BetaTC(beta=1.0), posterior)
        torch.testing.assert_close(loss, bound)
        heavier, _ = loss_and_terms(BetaTC(beta=3.0), posterior, warmup=0.5)
        expected = 0.5 * (terms["kl"] + 2 * terms["total_correlation"])
        torch.testing.assert_close(heavier - terms["reconstruction"], expected)


def test_total_correlation_of_correlated_codes_is_that_of_their_law():
    """Means of correlation rho, and some noise: y is Gaussian with a known total correlation."""
    generator = torch.Generator().manual_seed(0)
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
        loss, terms = objective.loss("model", fitted, batch(warmup=0.5))
        y = fitted(batch().x, batch().generator).y
        logits = objective.discriminator(y)
        torch.testing.assert_close(terms["total_correlation"], logits[:, 0] - logits[:, 1])
        cost = terms["kl"] + 5.0 * terms["total_correlation"]
        torch.testing.assert_close(loss, terms["reconstruction"] + 0.5 * cost)

    def test_the_discriminator_sees_the_draws_that_the_model_made(self):
        fitted = model()
        objective = built(FactorVAE(), fitted)
        data = batch(memo={})
        objective.loss("model", fitted, data)
        assert not data.memo["y"].requires_grad
        y = fitted(batch().x, batch().generator).y
        torch.testing.assert_close(data.memo["y"], y.detach())

    def test_nobody_moves_in_the_others_step(self):
        fitted = model()
        objective = built(FactorVAE(), fitted)
        data = batch(memo={})
        _, _ = objective.loss("model", fitted, data)
        loss, _ = objective.loss("discriminator", fitted, data)
        loss.mean().backward()
        assert all(p.grad is None for p in fitted.parameters())
        assert all(p.grad is not None for p in objective.discriminator.parameters())

    def test_a_trained_discriminator_knows_the_total_correlation(self):
        generator = torch.Generator().manual_seed(0)
        fitted, rho = model(), 0.7
        objective = built(FactorVAE(hidden_layer_sizes=(32, 32)), fitted)
        optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
        for _ in range(600):
            y = torch.randn(512, 3, generator=generator)
            y[:, 1] = rho * y[:, 0] + math.sqrt(1 - rho**2) * y[:, 1]
            data = Batch(y, generator, memo={"y": y})
            loss, _ = objective.loss("discriminator", fitted, data)
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
        with torch.no_grad():
            logits = objective.discriminator(y)
        found = float((logits[:, 0] - logits[:, 1]).mean())
        assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.06)


@posteriors
class TestDIP:
    @pytest.mark.parametrize("of", ["means", "samples"])
    def test_the_penalty_is_that_of_the_covariance(self, posterior, of):
        loss, terms = loss_and_terms(DIP(2.0, 3.0, of=of), posterior)
        q = pass_of(posterior).q
        C = torch.cov(q.mean.T, correction=0)
        if of == "samples":
            C = C + as_reference(q).covariance_matrix.mean(0)
        variances = C.diagonal()
        off = C.square().sum() - variances.square().sum()
        expected = 2.0 * off + 3.0 * (variances - 1).square().sum()
        torch.testing.assert_close(terms["covariance_penalty"], expected)
        torch.testing.assert_close(loss, terms["reconstruction"] + terms["kl"] + expected)

    @pytest.mark.parametrize(("of", "factor"), [("means", 10), ("samples", 1)])
    def test_the_usual_weight_of_variances_is_the_papers(self, posterior, of, factor):
        usual, _ = loss_and_terms(DIP(2.0, of=of), posterior)
        said, _ = loss_and_terms(DIP(2.0, 2.0 * factor, of=of), posterior)
        torch.testing.assert_close(usual, said)

    def test_a_row_of_weight_zero_is_no_row(self, posterior):
        weight = torch.cat([torch.zeros(10), torch.full((20,), 1.5)])
        _, terms = loss_and_terms(DIP(of="samples"), posterior, weight=weight)
        fitted = model(posterior)
        data = batch()
        _, alone = built(DIP(of="samples"), fitted).loss(
            "model", fitted, data._replace(x=data.x[10:])
        )
        torch.testing.assert_close(terms["covariance_penalty"], alone["covariance_penalty"])


@pytest.mark.parametrize("objective", [BetaTC(), DIP(), AnnealedCapacity(), FactorVAE()])
def test_a_batch_without_weight_is_no_harm(objective):
    fitted = model()
    objective = built(clone(objective), fitted)
    data = batch(weight=torch.zeros(N_ROWS), memo={})
    for player in objective.players(fitted):
        assert objective.loss(player, fitted, data)[0].isfinite().all()


def test_the_discriminator_mixes_rows_that_have_a_weight():
    """Rows without one are shifted far; independent components are told to be so all the same."""
    generator = torch.Generator().manual_seed(0)
    fitted = model()
    objective = built(FactorVAE(hidden_layer_sizes=(32, 32)), fitted)
    optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
    weight = torch.cat([torch.full((256,), 2.0), torch.zeros(256)])
    for _ in range(300):
        y = torch.randn(512, 3, generator=generator)
        y[256:] += 3
        data = Batch(y, generator, weight=weight, memo={"y": y})
        loss = weight * objective.loss("discriminator", fitted, data)[0]
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    with torch.no_grad():
        logits = objective.discriminator(y[:256])
    assert abs(float((logits[:, 0] - logits[:, 1]).mean())) < 0.1


def test_a_factor_vae_is_judged_by_its_bound():
    fitted = model(mapping=DimensionSelector(3.0))
    objective = built(FactorVAE(), fitted)
    _, terms = objective.loss("model", fitted, batch())
    expected = terms["reconstruction"] + terms["kl"] + terms["penalty"]
    torch.testing.assert_close(objective.validation_loss(fitted, batch()), expected)


class TestSlowVAE:
    @posteriors
    def test_the_kl_of_a_step_is_that_of_a_laplace_distribution(self, posterior):
        fitted = model(posterior)
        _, terms = built(SlowVAE(rate=3.0), fitted).loss("model", fitted, batch())
        data, generator = batch(), torch.Generator().manual_seed(0)
        with torch.no_grad():
            q, p = fitted.encode(data.x), fitted.encode(data.previous)
            expected = 0.0
            for one, other in ((q, p), (p, q)):
                laplace = reference.Laplace(other.mean, 1 / 3.0)
                for _ in range(2000):
                    y = one.sample(generator)
                    expected += (one.log_prob(y) - laplace.log_prob(y).sum(-1)) / 4000
        torch.testing.assert_close(terms["kl_step"], expected, atol=0.15, rtol=0)

    def test_the_loss_is_the_mean_of_both_rows_with_the_papers_weights(self):
        """Of a pair: 2 rec + beta KL + gamma (the two cross-entropies - H), of means of both."""
        fitted = model(mapping=DimensionSelector(3.0))
        objective = built(SlowVAE(beta=2.0, gamma=5.0), fitted)
        loss, terms = objective.loss("model", fitted, batch(warmup=0.5))
        data = batch()
        entropy = 0.0
        for rows in (data.x, data.previous):
            entropy = entropy + 0.5 * as_reference(fitted.encode(rows)).entropy()
        cross_entropies = 2 * (terms["kl_step"] + entropy)
        pair = 2.0 * terms["kl"] + 5.0 * (cross_entropies - entropy)
        expected = terms["reconstruction"] + 0.5 * 0.5 * pair + terms["penalty"]
        torch.testing.assert_close(loss, expected)

    def test_the_order_within_pairs_does_not_matter_to_the_steps(self):
        fitted = model()
        objective = built(SlowVAE(), fitted)
        data = batch()
        swapped = data._replace(x=data.previous, previous=data.x)
        _, there = objective.loss("model", fitted, data)
        _, back = objective.loss("model", fitted, swapped)
        torch.testing.assert_close(there["kl_step"], back["kl_step"])


def test_an_autoencoder_draws_nothing():
    fitted = model()
    data = batch()
    before = data.generator.get_state()
    loss, _ = built(Autoencoder(), fitted).loss("model", fitted, data)
    assert torch.equal(before, data.generator.get_state())
    expected = -fitted.decode(fitted.represent(data.x)).log_prob(data.x)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("mean", [-3.0, -0.2, 0.0, 0.7])
@pytest.mark.parametrize("scale", [0.01, 1.0, 5.0])
def test_expected_distance_of_a_gaussian(mean, scale):
    noise = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = float((mean + scale * noise).abs().mean())
    found = expected_distance(torch.tensor(mean), torch.tensor(scale))
    assert float(found) == pytest.approx(expected, abs=0.01 * scale)
