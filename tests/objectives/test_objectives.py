"""Laws of all objectives, and the bound against a model whose likelihood is known."""

from dataclasses import replace

import pytest
import torch
from sklearn.base import clone

from sklearn_intelvae import objectives
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import Clusters, DimensionSelector, Identity
from sklearn_intelvae.models import PCLParts
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
    PermutationContrast,
    SlowVAE,
    SoftIntro,
    VariationalObjective,
    importance_weighted_bound,
)
from tests.small_models import seeded, small_vae

OBJECTIVES = {
    "ELBO": [ELBO(), ELBO(beta=4.0), ELBO(beta=lambda share: 2 - share)],
    "AnnealedCapacity": [AnnealedCapacity(capacity=1.0)],
    "Autoencoder": [Autoencoder()],
    "BetaTC": [BetaTC()],
    "DIP": [DIP(), DIP(covariance_of="samples")],
    "FactorVAE": [FactorVAE()],
    "SlowVAE": [SlowVAE()],
    "SoftIntro": [SoftIntro(), SoftIntro(fake_weight=None, gamma_r=0.5, scale=0.1)],
    "PermutationContrast": [PermutationContrast()],
}
CASES = [o for cases in OBJECTIVES.values() for o in cases]


def model(mapping=None, hidden=(8,), likelihood=None):
    return small_vae(
        encoder=MLP(hidden),
        decoder=MLP(hidden),
        mapping=mapping or Identity(),
        likelihood=likelihood or Gaussian(),
    )


def batch(progress=1.0, n=20, **fields):
    x = torch.rand(n, 5, generator=seeded(1))
    return Batch(x, seeded(2), progress, previous=x.flip(0), **fields)


def built(objective, mapping=None):
    """Return an untrained copy, built for a new model, and the model."""
    objective = clone(objective)
    if isinstance(objective, PermutationContrast):
        fitted = PCLParts(MLP((8,))).build(5, 2, seeded())
    else:
        fitted = model(mapping)
    objective.build(fitted)
    return objective, fitted


def test_all_public_objectives_have_a_case():
    classes = {
        name
        for name in objectives.__all__
        if isinstance(getattr(objectives, name), type)
        and issubclass(getattr(objectives, name), Objective)
    }
    assert set(OBJECTIVES) == classes - {"Objective", "VariationalObjective"}


@pytest.mark.parametrize("objective", CASES)
class TestLaws:
    def test_players_own_all_parameters_and_share_none(self, objective):
        objective, fitted = built(objective, DimensionSelector())
        owned = [id(p) for own in objective.players(fitted).values() for p in own]
        everything = [*fitted.parameters(), *objective.parameters()]
        assert len(owned) == len(set(owned))
        assert set(owned) == set(map(id, everything))

    def test_a_player_owns_trainable_parameters_only(self, objective):
        objective, fitted = built(objective)
        for parameter in fitted.encoder.parameters():
            parameter.requires_grad_(False)
        for owned in objective.players(fitted).values():
            assert all(p.requires_grad for p in owned)

    def test_losses_are_per_row_and_repeatable(self, objective):
        objective, fitted = built(objective)
        for player in objective.players(fitted):
            loss, terms = objective.loss(player, fitted, batch())
            again, _ = objective.loss(player, fitted, batch())
            assert loss.shape == (20,)
            assert torch.equal(loss, again)
            assert all(term.shape in ((20,), ()) for term in terms.values())

    def test_every_parameter_has_a_gradient_for_its_player(self, objective):
        objective, fitted = built(objective, DimensionSelector())
        for player, parameters in objective.players(fitted).items():
            loss, _ = objective.loss(player, fitted, batch())
            for gradient in torch.autograd.grad(loss.mean(), parameters, allow_unused=True):
                assert gradient is not None
                assert gradient.isfinite().all()

    def test_the_validation_loss_is_per_row_and_repeatable(self, objective):
        """A batch is at full warm-up by default."""
        objective, fitted = built(objective)
        assert Batch(batch().x, seeded()).progress == 1
        loss, again = (objective.validation_loss(fitted.eval(), batch()) for _ in range(2))
        assert loss.shape == (20,)
        assert torch.equal(loss, again)

    def test_rows_of_weight_zero_do_not_change_the_losses_of_others(self, objective):
        weight = torch.cat([torch.zeros(8), torch.linspace(0.5, 2, 12)])
        other = batch().x.clone()
        other[:8] += 7
        objective, fitted = built(objective)
        fitted.eval()
        for player in objective.players(fitted):
            first, second = (
                objective.loss(player, fitted, replace(batch(weight=weight), x=x, previous=x))[0]
                for x in (batch().x, other)
            )
            torch.testing.assert_close(first[8:], second[8:])

    def test_loss_terms_of_the_mapping_are_added_and_recorded(self, objective):
        """Once for the player that trains the mapping; the guidance in training only."""
        objective, fitted = built(objective, Penalized())
        if isinstance(objective, PermutationContrast):
            return
        player = next(iter(objective.players(fitted)))
        objective.initialize(batch().x, seeded())
        for training, names in ((True, {"penalty", "guidance"}), (False, {"penalty"})):
            fitted.train(training)
            fitted.mapping.weight = 0.0
            without, _ = objective.loss(player, fitted, batch())
            fitted.mapping.weight = 1.0
            loss, terms = objective.loss(player, fitted, batch())
            assert {"penalty", "guidance"} & terms.keys() == names
            expected = sum(terms[name] for name in names)
            if isinstance(objective, SoftIntro):
                expected = objective.step_scale * objective.beta_kl * expected
            torch.testing.assert_close(loss, without + expected, rtol=1e-4, atol=1e-4)

    def test_the_mapping_observes_draws_and_means_once_per_step_in_training_only(self, objective):
        objective, fitted = built(objective, Penalized())
        if isinstance(objective, PermutationContrast):
            return
        weight = torch.rand(20, generator=seeded(3))
        for training in (False, True):
            fitted.train(training)
            data = batch(weight=weight)
            for player in objective.players(fitted):
                objective.loss(player, fitted, data)
            assert len(fitted.mapping.observed) == training
        ((mean, y, seen),) = fitted.mapping.observed
        assert not mean.requires_grad
        assert not y.requires_grad
        assert len(mean) == len(y) == len(seen) == 20 * (2 if objective.uses_pairs else 1)
        assert torch.equal(seen[:20], weight)
        torch.testing.assert_close(mean[:20], fitted.encode(data.x).mean)

    def test_its_warnings_are_lists_and_its_statistics_a_dict(self, objective):
        objective, fitted = built(objective)
        assert objective.check_data(batch().x) == []
        history = [{"epoch": 1, "train_loss": 1.0, "accuracy": 0.9}]
        assert objective.check_history(history) == []
        assert objective.epoch_stats(fitted) == {}


class Penalized(Identity):
    """Has a penalty and a guidance for each row, and keeps what it observes."""

    def __init__(self):
        super().__init__()
        self.weight = 1.0
        self.observed = []

    def loss_terms(self, x, mean, y, z):
        terms = {"penalty": self.weight * z.square().sum(1)}
        return (
            terms | {"guidance": self.weight * (mean + x[:, :2]).sum(1)} if self.training else terms
        )

    def observe(self, mean, y, weight):
        self.observed.append((mean, y, weight))


def test_elbo_is_the_sum_of_its_terms():
    fitted = model(DimensionSelector(3.0))
    loss, terms = ELBO(beta=2.0).loss("model", fitted, batch(progress=0.25))
    expected = terms["reconstruction"] + 0.5 * terms["kl"] + terms["penalty"]
    torch.testing.assert_close(loss, expected)


def test_a_selector_without_weight_has_no_penalty():
    _, terms = ELBO().loss("model", model(DimensionSelector(0.0)), batch())
    assert terms["penalty"].item() == 0


@pytest.fixture(scope="module")
def linear_gaussian():
    """Return a linear model with an encoder near the posterior, rows, and their log likelihoods."""
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
    noise = torch.randn(400, 5, generator=seeded(), dtype=torch.float64)
    x = b + noise @ torch.linalg.cholesky(p.covariance_matrix).T
    return fitted, x.float(), p.log_prob(x)


def bound(fitted, x, k):
    noise = torch.randn(k, len(x), 2, generator=seeded(3))
    with torch.no_grad():
        return importance_weighted_bound(fitted, x, noise).double()


def test_the_bound_approaches_the_exact_likelihood(linear_gaussian):
    fitted, x, exact = linear_gaussian
    gaps = [float((exact - bound(fitted, x, k)).mean()) for k in (1, 4, 16, 256)]
    assert gaps == sorted(gaps, reverse=True)
    assert -0.005 < gaps[-1] < 0.05
    assert gaps[0] < 0.5


def test_with_the_identity_the_loss_is_that_of_a_vae():
    """Written by hand."""
    fitted, data = model(), batch()
    loss, _ = ELBO().loss("model", fitted, data)
    generator = seeded(2)
    mean, log_variance = fitted.encoder(data.x).chunk(2, dim=1)
    y = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
    scale = fitted.likelihood.log_scale().exp()
    log_p = torch.distributions.Normal(fitted.decoder(y), scale).log_prob(data.x).sum(1)
    kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
    torch.testing.assert_close(loss, kl - log_p)


class Squared(VariationalObjective):
    """The cost of an objective of one's own."""

    def cost(self, model, batch, run, terms):
        terms["square"] = run.y.square().sum(1)
        return batch.progress * terms["square"]


def test_a_variational_objective_needs_a_cost_only():
    fitted, objective = model(DimensionSelector(3.0)), Squared()
    objective.build(fitted)
    loss, terms = objective.loss("model", fitted, batch(progress=0.25))
    expected = terms["reconstruction"] + 0.25 * terms["square"] + terms["penalty"]
    torch.testing.assert_close(loss, expected)


def test_the_base_class_names_one_player_and_needs_a_loss():
    fitted = model()
    assert list(Objective().players(fitted)) == ["model"]
    with pytest.raises(NotImplementedError):
        Objective().loss("model", fitted, batch())


def test_clusters_are_guided_by_every_objective_with_a_mapping():
    fitted = model(Clusters(2)).train()
    fitted.initialize(batch(n=200).x, seeded())
    _, terms = ELBO().loss("model", fitted, batch())
    assert terms["guidance"].shape == (20,)
    assert (terms["guidance"] > 0).all()
