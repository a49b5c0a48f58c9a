"""Laws of every objective, and the bound against a model whose likelihood is known."""

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_intelvae import objectives
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
    Objective,
    SlowVAE,
    SoftIntro,
    importance_weighted_bound,
)
from sklearn_intelvae.posteriors import DiagonalGaussian
from sklearn_intelvae.priors import Normal

SHELF = {
    "ELBO": [ELBO(), ELBO(beta=4.0), ELBO(beta=lambda share: 2 - share)],
    "AnnealedCapacity": [AnnealedCapacity(capacity=1.0)],
    "Autoencoder": [Autoencoder()],
    "BetaTC": [BetaTC()],
    "DIP": [DIP(), DIP(of="samples")],
    "FactorVAE": [FactorVAE()],
    "SlowVAE": [SlowVAE()],
    "SoftIntro": [SoftIntro(), SoftIntro(suspicion=None, gamma_r=0.5, scale=0.1)],
}
CASES = [o for cases in SHELF.values() for o in cases]


def model(mapping=None, hidden=(8,), likelihood=None):
    words = Parts(
        MLP(hidden),
        DiagonalGaussian(),
        mapping or Identity(),
        MLP(hidden),
        likelihood or Gaussian(),
        Normal(),
    )
    return build_model(words, 5, 2, torch.Generator().manual_seed(0))


def batch(warmup=1.0, n=20):
    x = torch.rand(n, 5, generator=torch.Generator().manual_seed(1))
    return Batch(x, torch.Generator().manual_seed(2), warmup, previous=x.flip(0))


def test_the_shelf_is_complete():
    classes = {
        name
        for name in objectives.__all__
        if isinstance(getattr(objectives, name), type)
        and issubclass(getattr(objectives, name), Objective)
    }
    assert set(SHELF) == classes - {"Objective", "Bound", "PermutationContrast"}


@pytest.mark.parametrize("objective", CASES)
class TestLaws:
    def test_players_own_all_parameters_and_share_none(self, objective):
        fitted, objective = model(DimensionSelector()), clone(objective)
        objective.build(fitted)
        owned = [id(p) for own in objective.players(fitted).values() for p in own]
        everything = [*fitted.parameters(), *objective.parameters()]
        assert len(owned) == len(set(owned))
        assert set(owned) == set(map(id, everything))

    def test_losses_are_per_row_and_repeatable(self, objective):
        fitted, objective = model(), clone(objective)
        objective.build(fitted)
        for player in objective.players(fitted):
            loss, terms = objective.loss(player, fitted, batch())
            again, _ = objective.loss(player, fitted, batch())
            assert loss.shape == (20,)
            assert torch.equal(loss, again)
            assert all(term.shape in ((20,), ()) for term in terms.values())

    def test_every_parameter_gets_a_gradient_from_its_player(self, objective):
        fitted, objective = model(DimensionSelector()), clone(objective)
        objective.build(fitted)
        for player, parameters in objective.players(fitted).items():
            loss, _ = objective.loss(player, fitted, batch())
            for gradient in torch.autograd.grad(loss.mean(), parameters, allow_unused=True):
                assert gradient is not None
                assert gradient.isfinite().all()

    def test_validation_is_fully_warmed_up(self, objective):
        fitted, objective = model(), clone(objective)
        objective.build(fitted)
        cold, warm = (objective.validation_loss(fitted, batch(w)) for w in (0.0, 1.0))
        assert torch.equal(cold, warm)


def test_elbo_is_the_sum_of_its_terms():
    fitted = model(DimensionSelector(3.0))
    loss, terms = ELBO(beta=2.0).loss("model", fitted, batch(warmup=0.25))
    expected = terms["reconstruction"] + 0.5 * terms["kl"] + terms["penalty"]
    torch.testing.assert_close(loss, expected)


def test_a_free_selector_costs_nothing():
    _, terms = ELBO().loss("model", model(DimensionSelector(0.0)), batch())
    assert terms["penalty"].item() == 0


@pytest.fixture(scope="module")
def linear_gaussian():
    """A linear decoder with noise of scale .5, an encoder near its posterior, and exact log p."""
    fitted = model(hidden=(), likelihood=Gaussian(0.5))
    W = fitted.decoder.layers[0].weight.detach().double()
    b = fitted.decoder.layers[0].bias.detach().double()
    precision = torch.eye(2, dtype=torch.float64) + W.T @ W / 0.25
    covariance = torch.linalg.inv(precision)
    gain = covariance @ W.T / 0.25
    head = fitted.encoder.layers[0]
    with torch.no_grad():
        head.weight.zero_()
        head.weight[:2] = gain.float()
        head.bias[:2] = -(gain @ b).float()
        head.bias[2:] = covariance.diagonal().log().float() + 0.2
    p = torch.distributions.MultivariateNormal(b, W @ W.T + 0.25 * torch.eye(5))
    noise = torch.randn(400, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = b + noise @ torch.linalg.cholesky(p.covariance_matrix).T
    return fitted, x.float(), p.log_prob(x)


def bound(fitted, x, k):
    noise = torch.randn(k, len(x), 2, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return importance_weighted_bound(fitted, x, noise).double()


def test_the_bound_approaches_the_exact_likelihood(linear_gaussian):
    fitted, x, exact = linear_gaussian
    gaps = [float((exact - bound(fitted, x, k)).mean()) for k in (1, 4, 16, 256)]
    assert gaps == sorted(gaps, reverse=True)
    assert -0.005 < gaps[-1] < 0.05
    assert gaps[0] < 0.5


def test_a_free_mapping_of_weights_keeps_the_identity_plain():
    """With the identity the loss is that of a VAE written out by hand."""
    fitted, data = model(), batch()
    loss, _ = ELBO().loss("model", fitted, data)
    generator = torch.Generator().manual_seed(2)
    mean, log_variance = fitted.encoder(data.x).chunk(2, dim=1)
    y = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
    scale = fitted.likelihood.log_scale().exp()
    log_p = torch.distributions.Normal(fitted.decoder(y), scale).log_prob(data.x).sum(1)
    kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
    torch.testing.assert_close(loss, kl - log_p)


def test_trainable_parts_only(generator):
    fitted = model()
    for parameter in fitted.decoder.parameters():
        parameter.requires_grad_(False)
    owned = ELBO().players(fitted)["model"]
    assert all(p.requires_grad for p in owned)
    assert len(owned) < len(list(fitted.parameters()))
    assert isinstance(fitted, nn.Module)
    assert ELBO().loss("model", fitted, batch())[0].isfinite().all()
