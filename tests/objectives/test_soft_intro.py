"""The soft-introspective game: who moves when, and what each term is worth."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklearn_intelvae.likelihoods import Bernoulli, Gaussian
from sklearn_intelvae.mappings import Clusters, DimensionSelector, Identity
from sklearn_intelvae.model import Parts, build_model
from sklearn_intelvae.networks import MLP
from sklearn_intelvae.objectives import Batch, SoftIntro
from sklearn_intelvae.objectives._soft_intro import (
    COMPRESSED,
    FULL,
    WITH_MODES,
    _median,
    normalised_entropy,
)
from sklearn_intelvae.posteriors import DiagonalGaussian
from sklearn_intelvae.priors import Mixture, Normal, Vamp, VampMixture
from sklearn_intelvae.training import PlayerNet, Rows

N, D, K = 20, 6, 3


def rows():
    return torch.rand(N, D, generator=torch.Generator().manual_seed(1))


def model(prior=None, mapping=None, likelihood=None, X=None, n_components=2):
    X = rows() if X is None else X
    words = Parts(
        MLP((8,)),
        DiagonalGaussian(),
        mapping or Identity(),
        MLP((8,)),
        likelihood or Gaussian(),
        prior or Normal(),
    )
    generator = torch.Generator().manual_seed(0)
    m = build_model(words, X.shape[1], n_components, generator).train()
    for part in (m.mapping, m.prior):
        if hasattr(part, "initialise"):
            part.initialise(X, generator)
    for share in (0.0, 1.0, 1.0):  # one step lets a VampMixture go, the next one holds it
        if hasattr(m.prior, "warm_up"):
            m.prior.warm_up(share)
        m.p_y()
    return m


def game(m, **params):
    objective = SoftIntro(**params)
    objective.build(m)
    objective.initialise(rows())
    return objective


def batch(warmup=1.0, memo=None):
    return Batch(rows(), torch.Generator().manual_seed(2), warmup, memo=memo)


def gradients(loss, parameters):
    return torch.autograd.grad(loss.mean(), parameters, allow_unused=True)


class TestWhoMoves:
    @pytest.mark.parametrize("prior", [Normal(), Mixture(K), Vamp(K), VampMixture(K)])
    @pytest.mark.parametrize("steps_done", [1, 2], ids=["before the game", "in the game"])
    @pytest.mark.parametrize("player", ["encoder", "decoder"])
    def test_each_player_moves_its_own_weights_alone(self, prior, steps_done, player):
        m = model(prior, DimensionSelector())
        settings = dict(optimizer=torch.optim.SGD, lr=0.1, warmup_steps=2, batch_events=False)
        net = PlayerNet(m, game(m), seed=0, device="cpu", **settings).initialize()
        net.steps_done_ = steps_done
        for idle in set(net.players_) - {player}:
            net._optimizer(idle).param_groups[0]["lr"] = 0.0
        before = {n: p.clone() for n, p in m.named_parameters()}
        net.train_step((rows(), None, None))
        moved = {n for n, p in m.named_parameters() if not torch.equal(p, before[n])}
        own = {
            "encoder": {"encoder"},
            "decoder": {"decoder", "mapping", "likelihood", "prior"}
            & {n.split(".")[0] for n in before},
        }[player]
        assert {name.split(".")[0] for name in moved} == own

    def test_the_game_moves_means_variances_and_weights_of_the_prior(self):
        m = model(VampMixture(K, clip_variance=False))
        loss, _ = game(m).loss("decoder", m, batch())
        for gradient in gradients(loss, [m.prior.means, m.prior.log_variances, m.prior.logits]):
            assert gradient.abs().max() > 0
        assert gradients(loss, [m.prior.pseudo_inputs]) == (None,)

    def test_generated_rows_reach_the_prior_only_through_what_it_draws(self):
        """Means and scales move with the draws; weights, of which a draw is no function, do not."""
        m = model(VampMixture(K, clip_variance=False))
        objective, p_y = game(m), m.p_y()
        generator = torch.Generator().manual_seed(0)
        own = [m.prior.means, m.prior.log_variances, m.prior.logits]
        drawn = m.decode(p_y.sample(2 * N, generator)).mean
        of_draws = gradients(objective._seen_through(m, p_y, drawn, generator), own)
        assert of_draws[0].abs().max() > 0
        assert of_draws[1].abs().max() > 0
        assert of_draws[2] is None or not of_draws[2].any()
        reconstructed = m(rows(), generator).p.mean
        made = torch.cat([reconstructed, reconstructed])
        of_target = gradients(objective._seen_through(m, p_y, made, generator), own)
        assert all(g is None or not g.any() for g in of_target)

    def test_the_decoder_learns_from_the_encoders_verdict(self):
        """Without the errors of real rows the decoder still moves, through the encoder."""
        m = model()
        made = m(rows(), torch.Generator().manual_seed(0)).p.mean
        generator = torch.Generator().manual_seed(0)
        loss = game(m)._seen_through(m, m.p_y(), torch.cat([made, made]), generator)
        assert all(g.abs().max() > 0 for g in gradients(loss, list(m.decoder.parameters())))

    def test_the_encoder_gets_no_gradient_through_the_rows_that_it_judges(self):
        """Whatever it is given: the loss is as if reconstructions were data."""
        m = model()
        objective, own = game(m, beta_rec=1e-9, beta_judged=0.0), list(m.encoder.parameters())
        loss, terms = objective.loss("encoder", m, batch())
        cost = loss - objective.step_scale * objective.beta_kl * terms["kl"]
        generator = torch.Generator().manual_seed(2)
        run = m(rows(), generator)
        real = objective._judged(objective._error(run.p.mean, rows()), terms["kl"]).median()
        given = run.p.mean.detach().clone()
        made = objective._of_made_rows(m, m.p_y(), given, real.detach(), generator)
        alone = 0.25 * (made["exp_elbo_fake"] + made["exp_elbo_rec"])
        for mine, other in zip(gradients(cost, own), gradients(alone, own), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-8)

    def test_the_decoder_is_given_the_codes_that_the_encoder_made(self):
        m = model()
        objective, memo = game(m), {}
        objective.loss("encoder", m, batch(memo=memo))
        q, y = memo["codes"]
        assert not q.mean.requires_grad
        assert not y.requires_grad
        assert y.shape == (N, 2)

    def test_a_learned_scale_follows_the_errors_of_real_rows_alone(self):
        m = model()
        objective = game(m)
        loss, _ = objective.loss("decoder", m, batch())
        (found,) = gradients(loss, [m.likelihood.excess])
        _, y = objective._codes_of_real_rows(m, batch())
        expected = -m.decode(y).log_prob(rows())
        torch.testing.assert_close(found, *gradients(expected, [m.likelihood.excess]))
        decoder = list(m.decoder.parameters())
        fixed = model(likelihood=Gaussian(0.1))
        fixed.load_state_dict(m.state_dict(), strict=False)
        loss_fixed, _ = game(fixed).loss("decoder", fixed, batch())
        theirs = gradients(loss_fixed, list(fixed.decoder.parameters()))
        for mine, other in zip(
            gradients(game(m).loss("decoder", m, batch())[0], decoder), theirs, strict=True
        ):
            torch.testing.assert_close(mine, other)


class TestWorth:
    @pytest.mark.parametrize("suspicion", [None, 0.25])
    def test_alpha_2_weighs_each_suspicion_by_a_quarter(self, suspicion):
        m = model()
        objective = game(m, alpha=2.0, beta_kl=0.4, suspicion=suspicion)
        loss, terms = objective.loss("encoder", m, batch())
        run = m(rows(), torch.Generator().manual_seed(2))
        energy = objective._energy(objective._error(run.p.mean, rows()), terms["kl"])
        expected = energy + 0.25 * (terms["exp_elbo_fake"] + terms["exp_elbo_rec"])
        torch.testing.assert_close(loss, expected)

    def test_the_papers_exponential_is_of_each_row(self):
        m = model()
        objective = game(m, beta_judged=1.0, beta_neg=3.0, alpha=1.5, suspicion=None)
        generator, again = (torch.Generator().manual_seed(5) for _ in range(2))
        rec = rows()
        terms = objective._of_made_rows(m, m.p_y(), rec, torch.zeros(()), generator)
        y = m.p_y().sample(N, again)
        judged = torch.cat([m.decode(y).mean, rec]).detach()
        run = m(judged, again)
        error = (run.p.mean - judged).square().sum(1) * 2 / rows().var(0, correction=0).sum()
        energy = 0.5 * (error + 3.0 * m.kl(run.q, run.y))
        expected = (-1.5 * energy).exp()
        torch.testing.assert_close(terms["exp_elbo_fake"], expected[:N])
        torch.testing.assert_close(terms["exp_elbo_rec"], expected[N:])

    def test_what_a_made_row_costs_is_smooth_and_falls_with_its_energy(self):
        objective = game(model(), beta_kl=1.0, suspicion=0.3, alpha=2.0)
        real = torch.tensor(1.0)
        energy = torch.tensor([-2.0, 1.0 - 1e-3, 1.0, 1.0 + 1e-3, 3.0], requires_grad=True)
        cost = objective._exp_elbo(energy, real)
        expected = torch.tensor([7.0, 1.002, 1.0, math.exp(-0.002), math.exp(-4.0)])
        torch.testing.assert_close(cost, 0.3 * expected)
        (slope,) = torch.autograd.grad(cost.sum(), energy)
        torch.testing.assert_close(slope[:3], torch.full((3,), -0.6))
        assert -0.6 < slope[3] < slope[4] < 0

    def test_the_cost_does_not_depend_on_how_well_the_data_can_be_reconstructed(self):
        objective, energy = game(model()), torch.tensor([0.1, 0.5, 2.0])
        here, there = (objective._exp_elbo(energy + level, 1.0 + level) for level in (0.0, 50.0))
        torch.testing.assert_close(here, there, rtol=1e-4, atol=0)

    def test_a_game_whose_stakes_run_away_is_warned_of(self):
        weights = dict(beta_kl=0.2, beta_neg=0.9)
        (said,) = SoftIntro(suspicion=0.25, **weights).caution(rows())
        assert said.endswith("Lower beta_neg.")
        assert not SoftIntro(suspicion=None, **weights).caution(rows())

    @pytest.mark.parametrize("prior", [Mixture(K), Vamp(K), VampMixture(K)])
    def test_errors_weigh_what_prior_and_widths_ask_for_unless_it_is_given(self, prior):
        assert game(model(n_components=D)).error_weight == FULL
        assert game(model(n_components=2)).error_weight == COMPRESSED
        assert game(model(prior)).error_weight == WITH_MODES
        assert game(model(prior), beta_rec=0.2).error_weight == 0.2

    def test_only_the_errors_of_made_rows_are_judged_by_a_weight_of_their_own(self):
        m = model()
        lenient, strict = (game(m, beta_judged=beta) for beta in (0.0, 1.0))
        error, kl = rows()[:, 0], rows()[:, 1]
        torch.testing.assert_close(lenient._energy(error, kl), strict._energy(error, kl))
        gap = strict._judged(error, kl) - lenient._judged(error, kl)
        torch.testing.assert_close(gap, 0.5 * error)

    def test_the_decoder_pays_half_of_the_kl_of_each_kind_of_made_row(self):
        m = model()
        indulged, pays = (
            game(m, beta_kl=0.6, gamma=gamma).loss("decoder", m, batch())[0] for gamma in (0, 0.5)
        )
        generator = torch.Generator().manual_seed(2)
        y = m.encode(rows()).sample(generator)
        made = m.decode(m.mapping(torch.cat([y, m.p_y().sample(N, generator)]))).mean
        kl = m.kl(m.encode(made), None)
        torch.testing.assert_close(pays - indulged, 0.5 * 0.5 * 0.5 * 0.6 * (kl[:N] + kl[N:]))

    @pytest.mark.parametrize("warmup", [0.5, 1.0], ids=["before the game", "in the game"])
    def test_without_the_exponential_the_encoders_gradients_are_a_vaes(self, warmup):
        m = model()
        own = list(m.encoder.parameters())
        objective = game(m, beta_rec=0.7, beta_kl=0.2, beta_neg=1e6, suspicion=None, scale=0.1)
        found = gradients(objective.loss("encoder", m, batch(warmup))[0], own)
        q = m.encode(rows())
        made = m.decode(q.sample(torch.Generator().manual_seed(2))).mean
        error = (made - rows()).square().sum(1) * 2 / rows().var(0, correction=0).sum()
        kl = 0.5 * (q.mean**2 + (2 * q.log_scale).exp() - 1 - 2 * q.log_scale).sum(1)
        for a, b in zip(found, gradients(0.1 * (0.7 * error + 0.2 * kl), own), strict=True):
            torch.testing.assert_close(a, b)

    @pytest.mark.parametrize("warmup", [0.5, 1.0], ids=["before the game", "in the game"])
    def test_a_prior_made_of_codes_is_given_to_the_encoder_in_the_game_only(self, warmup):
        m = model(Vamp(K))
        own, objective = list(m.encoder.parameters()), game(m, suspicion=1e-12)
        found = gradients(objective.loss("encoder", m, batch(warmup))[0], own)
        p_y = m.p_y() if warmup < 1 else m.p_y().detached()
        run = m(rows(), torch.Generator().manual_seed(2))
        energy = objective._energy(objective._error(run.p.mean, rows()), m.kl(run.q, run.y, p_y))
        for a, b in zip(found, gradients(energy, own), strict=True):
            torch.testing.assert_close(a, b)

    def test_gamma_r_adds_the_errors_of_made_rows_which_are_not_the_priors(self):
        m = model(Mixture(K))
        own, priors = list(m.decoder.parameters()), list(m.prior.parameters())
        without = game(m).loss("decoder", m, batch())[0]
        with_it = game(m, gamma_r=1.0).loss("decoder", m, batch())[0]
        assert (with_it > without).all()
        assert any(
            not torch.allclose(a, b)
            for a, b in zip(gradients(with_it, own), gradients(without, own), strict=True)
        )
        loss = {
            gamma_r: game(m, gamma_r=gamma_r).loss("decoder", m, batch())[0]
            for gamma_r in (0.0, 1.0)
        }
        for a, b in zip(*(gradients(each, priors) for each in loss.values()), strict=True):
            torch.testing.assert_close(a, b)

    def test_the_unit_of_errors_is_the_data(self):
        """A mean prediction costs n_components, whatever the features and their unit."""
        m = model()
        for X in (rows(), 255 * rows()):
            objective = game(m)
            objective.initialise(X)
            assert objective._error(X.mean(0), X).mean() == pytest.approx(2, rel=1e-4)

    def test_constant_data_does_not_divide_by_zero(self):
        objective = game(model())
        objective.initialise(torch.ones(5, D))
        assert objective._error(torch.ones(D), torch.ones(5, D)).isfinite().all()

    def test_penalties_of_the_mapping_count_as_the_kl_does(self):
        (light, less), (heavy, more) = (
            game(m).loss("encoder", m, batch())
            for m in (model(mapping=DimensionSelector(gamma)) for gamma in (1.0, 5.0))
        )
        difference = more["penalty"] - less["penalty"]
        assert difference.abs().max() > 0
        torch.testing.assert_close(heavy - light, (0.5 * 0.09 * difference).expand(N))

    def test_guidance_of_the_mapping_is_a_part_of_the_loss(self):
        m = model(mapping=Clusters(2))
        _, terms = game(m).loss("encoder", m, batch())
        assert terms["guidance"].isfinite().all()

    def test_any_likelihood_plays(self):
        m = model(likelihood=Bernoulli())
        for player in ("encoder", "decoder"):
            assert game(m).loss(player, m, batch())[0].isfinite().all()


class TestResponsibility:
    def test_entropy_is_one_for_equal_shares_and_zero_for_one_mode(self):
        assert normalised_entropy(torch.full((5,), 0.2)) == pytest.approx(1, abs=1e-6)
        assert normalised_entropy(torch.eye(5)[0]) == pytest.approx(0, abs=1e-6)
        assert normalised_entropy(torch.ones(1)) == 0

    def test_a_step_on_the_term_evens_the_shares_out(self):
        y = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)) + torch.tensor([2.0, 0])
        y.requires_grad_()
        m = model(Mixture(K, means=[[-3, 0], [0, 0], [3, 0]]))
        objective = game(m, responsibility=1.0)

        def shares():
            return m.p_y().responsibilities(y).mean(0)

        before = normalised_entropy(shares())
        (gradient,) = torch.autograd.grad(objective._of_modes(m, m.p_y(), y), y)
        with torch.no_grad():
            y -= 50 * gradient
        assert normalised_entropy(shares()) > before

    def test_the_term_is_the_encoders(self):
        m = model(Mixture(K))
        plain, weighted = (game(m, responsibility=w) for w in (0.0, 3.0))
        loss, _ = weighted.loss("encoder", m, batch())
        without, _ = plain.loss("encoder", m, batch())
        entropy = plain.summary(m)["responsibility_entropy"]
        torch.testing.assert_close(loss, without - 3.0 * 0.5 * entropy)
        pair = (o.loss("decoder", m, batch())[0] for o in (weighted, plain))
        assert torch.equal(*pair)

    @pytest.mark.parametrize("prior", [Mixture(K), Vamp(K), VampMixture(K)])
    @pytest.mark.parametrize("warmup", [0.0, 1.0], ids=["before the game", "in the game"])
    def test_the_term_moves_codes_and_never_the_modes(self, prior, warmup):
        """Modes that are codes themselves would be used alike if they were all the same."""
        m = model(prior)
        plain, weighted = (game(m, responsibility=w) for w in (0.0, 3.0))
        own = list(m.parameters())
        found, without = (
            gradients(o.loss("encoder", m, batch(warmup))[0], own) for o in (weighted, plain)
        )
        y = m(rows(), torch.Generator().manual_seed(2)).y
        shares = m.p_y().detached().responsibilities(y).mean(0)
        term = gradients(-3.0 * 0.5 * normalised_entropy(shares), own)
        assert any(g is not None and g.any() for g in term)
        for a, b, c in zip(found, without, term, strict=True):
            zero = torch.zeros(())
            a, b, c = (zero if g is None else g for g in (a, b, c))
            torch.testing.assert_close(a - b, c.expand_as(a - b), rtol=1e-3, atol=1e-6)

    def test_the_summary_tells_modes_that_coincide_from_modes_that_are_used(self):
        apart, together = (
            model(Mixture(K, means=means, scale=0.5))
            for means in ([[-9, 0], [0, 0], [9, 0]], [[0, 0]] * 3)
        )
        for m, separation, inactive in ((apart, 24.0, 2), (together, 0.0, 0)):
            objective = game(m)
            objective._of_modes(m, m.p_y(), 0.01 * torch.ones(10, 2))
            summary = objective.summary(m)
            assert summary["mode_separation"] == pytest.approx(separation, rel=1e-3)
            assert summary["inactive_modes"] == inactive
            assert summary["largest_prior_variance"] == pytest.approx(0.25, rel=1e-3)
            assert objective.summary(m) == {}

    def test_a_prior_without_modes_has_no_summary_and_no_rows_to_spread(self):
        m = model()
        with pytest.raises(ValueError, match=r"responsibility=2.0 has no effect on.*Normal"):
            game(m, responsibility=2.0)
        objective = game(m)
        objective.loss("encoder", m, batch())
        assert objective.summary(m) == {}


class TestWeights:
    """A row of weight 2 is one that is there twice."""

    def test_of_the_median(self):
        values = torch.tensor([3.0, -1.0, 8.0, 0.5, 2.0])
        times = torch.tensor([1, 4, 0, 2, 2])
        assert _median(values, times.float()) == values.repeat_interleave(times).median()
        assert _median(values, torch.ones(5)) == _median(values, None) == 2.0

    def test_of_the_modes(self):
        m = model(Mixture(K))
        y = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
        times = torch.arange(10) % 3
        weighted, repeated, plain = (game(m, responsibility=1.0) for _ in range(3))
        here = weighted._of_modes(m, m.p_y(), y, times.float())
        there = repeated._of_modes(m, m.p_y(), y.repeat_interleave(times, 0))
        torch.testing.assert_close(here, there)
        assert weighted.summary(m) == pytest.approx(repeated.summary(m))
        assert not torch.isclose(here, plain._of_modes(m, m.p_y(), y))

    def test_of_a_batch_without_any(self):
        m = model(Mixture(K))
        empty = batch()._replace(weight=torch.zeros(N))
        loss, _ = game(m, responsibility=1.0).loss("encoder", m, empty)
        assert loss.isfinite().all()


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that is made."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **kwargs or {})
        for value in tree_leaves(out):
            if isinstance(value, torch.Tensor):
                self.size = max(self.size, value.numel())
        return out


class TestCost:
    @pytest.mark.parametrize("prior", [Mixture(100), Vamp(100), VampMixture(100)])
    def test_the_kl_from_a_mixture_makes_no_tensor_of_rows_times_modes_times_components(
        self, prior
    ):
        n, d, k = 64, 32, 100
        X = torch.rand(n, 40, generator=torch.Generator().manual_seed(1))
        m = model(prior, X=X, n_components=d)
        objective = SoftIntro(responsibility=1.0)
        objective.build(m)
        for player in objective.players(m):
            with Largest() as largest:
                data = Batch(X, torch.Generator().manual_seed(2), memo={})
                objective.loss(player, m, data)[0].mean().backward()
            assert n * k <= largest.size <= 3 * n * k < n * k * d / 10


class TestAdvice:
    @pytest.mark.parametrize(("fake", "advised"), [(1.0, True), (1.8, False), (3.0, False)])
    def test_it_speaks_up_if_generated_rows_look_more_real(self, fake, advised):
        history = [{"kl": 2.0}] + 8 * [{"kl_real": 2.0, "kl_fake": fake}]
        advice = game(model()).advice(history)
        assert (advice is not None) == advised
        assert not advised or "Lower beta_neg, now 0.3." in advice

    def test_it_speaks_up_if_real_rows_run_away_with_the_generated(self):
        history = [{"kl_real": kl, "kl_fake": 2 * kl} for kl in (2.0, 3.0, 20.0, 40.0, 80.0)]
        assert "kl_real 80, 2 when the game began" in game(model()).advice(history)
        assert game(model()).advice(history[:2]) is None

    def test_an_encoder_that_the_game_begins_with_has_first_to_learn(self):
        """The KL of real rows grows from nothing then, which is no flight from the prior."""
        history = [{"kl_real": kl, "kl_fake": 2 * kl} for kl in (0.01, 0.5, 2.0, 3.0, 3.0)]
        assert game(model()).advice(history) is None

    def test_an_early_lapse_is_forgiven(self):
        rows = [{"kl_real": 2.0, "kl_fake": fake} for fake in (1.0, 1.0, 1.0, 1.0, 3.0, 3.0)]
        assert game(model()).advice(rows) is None

    def test_a_fit_that_never_played_is_not_advised(self):
        assert SoftIntro().advice([{"kl": 2.0}]) is None


def test_the_energy_is_not_on_the_scale_of_the_number_of_features():
    assert math.isclose(game(model()).step_scale, 0.5)
    assert game(model(), scale=0.01).step_scale == 0.01


def test_rows_of_the_net_play_the_game():
    m = model(VampMixture(K))
    net = PlayerNet(m, game(m), seed=0, warmup_steps=4, batch_size=5, device="cpu", verbose=0)
    net.initialize().train(Rows(rows(), None, torch.arange(N)), None, 3)
    first, last = net.history[0], net.history[-1]
    assert "kl_fake" not in first
    assert {"kl_real", "kl_fake", "kl_rec", "exp_elbo_fake", "inactive_modes"} <= set(last)


@pytest.mark.parametrize(
    ("onset", "warmup", "stakes"),
    [(0.5, 0.5, 0.0), (0.5, 0.75, 0.5), (0.5, 1.0, 1.0), (0.0, 0.25, 0.25), (1.0, 0.99, 0.0)],
)
def test_the_stakes_grow_from_the_onset_to_the_end_of_the_warm_up(onset, warmup, stakes):
    m = model()
    objective, vae = game(m, onset=onset), game(m, onset=1.0)
    for player in ("encoder", "decoder"):
        full, none, found = (
            o.loss(player, m, batch(w))[0].mean()
            for o, w in ((objective, 1.0), (vae, 0.5), (objective, warmup))
        )
        torch.testing.assert_close(found, none + stakes * (full - none), rtol=1e-4, atol=1e-5)
