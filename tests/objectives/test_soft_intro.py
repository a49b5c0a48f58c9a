"""The Soft-IntroVAE game: which player moves what, the losses, the warnings, the cost."""

import math
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklearn_intelvae.likelihoods import Bernoulli, Gaussian
from sklearn_intelvae.mappings import Clusters, DimensionSelector
from sklearn_intelvae.objectives import Batch, SoftIntro
from sklearn_intelvae.objectives._game import (
    energy,
    fake_loss,
    normalized_entropy,
    squared_error,
    weighted_median,
)
from sklearn_intelvae.priors import Mixture, Normal, Vamp, VampInitMixture
from sklearn_intelvae.training._net import MultiPlayerNet
from sklearn_intelvae.training._rows import Rows
from tests.small_models import seeded, small_vae

N, D, K = 20, 6, 3


def rows():
    return torch.rand(N, D, generator=seeded(1))


def model(prior=None, X=None, n_components=2, **changes):
    """Return an initialized model whose prior is in its last phase, in training mode."""
    X = rows() if X is None else X
    m = small_vae(X.shape[1], n_components, prior=prior or Normal(), **changes).train()
    m.initialize(X, seeded())
    for fraction in (0.0, 1.0, 1.0):  # one step releases a VampInitMixture, the next one holds it
        m.set_progress(fraction)
    return m


def game(m, **params):
    objective = SoftIntro(**params)
    objective.build(m)
    objective.initialize(rows(), seeded())
    return objective


def batch(progress=1.0, **fields):
    return Batch(rows(), seeded(2), progress, **fields)


def gradients(loss, parameters):
    return torch.autograd.grad(loss.mean(), parameters, allow_unused=True)


def assert_same(found, expected, **tolerances):
    """Compare gradients; None means zeros."""
    for a, b in zip(found, expected, strict=True):
        if a is not None or b is not None:
            zeros = torch.zeros_like(b if a is None else a)
            pair = zeros if a is None else a, zeros if b is None else b
            torch.testing.assert_close(*pair, **tolerances)


def decoded(m, y):
    return m.decode_mean(m.map(y))


def energy_of(objective, error, kl):
    s = objective.step_scale
    return energy(error, kl, s * objective.error_weight, s * objective.beta_kl)


def judged_energy_of(objective, error, kl):
    s = objective.step_scale
    return energy(error, kl, s * objective.beta_fake_rec, s * objective.beta_neg)


def fake_losses(objective, m, run, generator):
    """Return w of generated and of reconstructed rows, after a pass with this generator."""
    p_y = m.prior_distribution().detached()
    real_error = squared_error(run.p.mean, rows(), objective.unit)
    real = judged_energy_of(objective, real_error, p_y.kl(run.q, run.y))
    fake = torch.cat([decoded(m, p_y.sample(N, generator)), run.p.mean]).detach()
    q = m.encode(fake)
    y = q.sample(generator)
    error = squared_error(decoded(m, y), fake, objective.unit)
    return fake_loss(
        judged_energy_of(objective, error, p_y.kl(q, y)),
        weighted_median(real, None).detach(),
        objective.alpha,
        objective.fake_weight,
    ).chunk(2)


def decoders_fake_loss(m, **params):
    """Return what generated rows add to the decoder's loss, for gamma=1."""
    gamma = 1000.0  # so that the difference is not one of rounding errors
    loss, without = (
        game(m, gamma=g, **params).loss("decoder", m, batch())[0] for g in (gamma, 0.0)
    )
    return (loss - without) / gamma


class TestPlayers:
    @pytest.mark.parametrize("prior", [Normal(), Mixture(K), Vamp(K), VampInitMixture(K)])
    @pytest.mark.parametrize("steps_done", [1, 2], ids=["before the game", "in the game"])
    @pytest.mark.parametrize("player", ["encoder", "decoder"])
    def test_each_player_moves_its_own_weights_alone(self, prior, steps_done, player):
        m = model(prior, mapping=DimensionSelector())
        settings = dict(optimizer=torch.optim.SGD, lr=0.1, warmup_steps=2, batch_events=False)
        net = MultiPlayerNet(m, game(m), seed=0, device="cpu", **settings).initialize()
        net.steps_done_ = steps_done
        net.players_ = {player: net.players_[player]}
        before = {n: p.clone() for n, p in m.named_parameters()}
        net.train_step({"x": rows()})
        moved = {n for n, p in m.named_parameters() if not torch.equal(p, before[n])}
        own = {
            "encoder": {"encoder"},
            "decoder": {"decoder", "mapping", "likelihood", "prior"}
            & {n.split(".")[0] for n in before},
        }[player]
        assert {name.split(".")[0] for name in moved} == own

    def test_the_game_moves_means_variances_and_weights_of_the_prior(self):
        m = model(VampInitMixture(K, clip_variance=False))
        loss, _ = game(m).loss("decoder", m, batch())
        for gradient in gradients(loss, [m.prior.means, m.prior.log_variances, m.prior.logits]):
            assert gradient.abs().max() > 0
        assert gradients(loss, [m.prior.pseudo_inputs]) == (None,)

    def test_generated_rows_reach_the_prior_only_through_its_draws(self):
        """Means and scales move with the draws; the weights, on which no draw depends, do not."""
        m = model(VampInitMixture(K, clip_variance=False))
        own = [m.prior.means, m.prior.log_variances, m.prior.logits]
        found = gradients(decoders_fake_loss(m), own)
        assert found[0].abs().max() > 0
        assert found[1].abs().max() > 0
        assert found[2] is None or found[2].abs().max() < 1e-8
        generator = seeded(2)
        y = m.encode(rows()).sample(generator).detach()
        p_y = m.prior_distribution()
        fake = decoded(m, torch.cat([y, p_y.sample(N, generator)]))
        q = m.encode(fake)
        kl = p_y.detached().kl(q, q.sample(generator))
        expected = 0.5 * 0.5 * 0.09 * (kl[:N] + kl[N:])
        torch.testing.assert_close(decoders_fake_loss(m), expected)
        assert_same(found, gradients(expected, own))

    def test_the_decoder_learns_through_the_encoder(self):
        """Also without the errors of real rows."""
        m = model()
        own = list(m.decoder.parameters())
        assert all(g.abs().max() > 0 for g in gradients(decoders_fake_loss(m), own))

    def test_the_encoder_gets_no_gradient_through_generated_rows(self):
        """The loss is as if generated and reconstructed rows were data."""
        m = model()
        objective, own = game(m, beta_rec=1e-9, beta_fake_rec=0.0), list(m.encoder.parameters())
        loss, terms = objective.loss("encoder", m, batch())
        cost = loss - objective.step_scale * objective.beta_kl * terms["kl"]
        generator = seeded(2)
        expected = 0.25 * sum(fake_losses(objective, m, m(rows(), generator), generator))
        assert_same(gradients(cost, own), gradients(expected, own), atol=1e-8, rtol=1e-4)

    def test_the_decoder_receives_the_codes_of_the_encoders_turn(self):
        m = model()
        objective, data = game(m), batch()
        objective.loss("encoder", m, data)
        q, y = data.cache["codes"]
        assert not q.mean.requires_grad
        assert not y.requires_grad
        assert y.shape == (N, 2)
        objective.loss("decoder", m, data)
        data.cache["codes"] = q, y + 1
        moved, _ = objective.loss("decoder", m, replace(data, generator=seeded(2)))
        assert not torch.allclose(moved, objective.loss("decoder", m, batch())[0])

    def test_a_learned_scale_follows_the_errors_of_real_rows_alone(self):
        m = model()
        objective = game(m)
        loss, _ = objective.loss("decoder", m, batch())
        (found,) = gradients(loss, [m.likelihood.excess])
        y = m.encode(rows()).sample(seeded(2)).detach()
        expected = -m.decode(y).log_prob(rows())
        torch.testing.assert_close(found, *gradients(expected, [m.likelihood.excess]))
        decoder = list(m.decoder.parameters())
        fixed = model(likelihood=Gaussian(0.1))
        fixed.load_state_dict(m.state_dict(), strict=False)
        loss_fixed, _ = game(fixed).loss("decoder", fixed, batch())
        assert_same(
            gradients(game(m).loss("decoder", m, batch())[0], decoder),
            gradients(loss_fixed, list(fixed.decoder.parameters())),
        )


class TestLosses:
    @pytest.mark.parametrize("fake_weight", [None, 0.25])
    def test_with_alpha_2_both_fake_losses_have_the_weight_of_a_quarter(self, fake_weight):
        m = model()
        objective = game(m, alpha=2.0, beta_kl=0.4, fake_weight=fake_weight)
        loss, terms = objective.loss("encoder", m, batch())
        run = m(rows(), seeded(2))
        real = energy_of(objective, squared_error(run.p.mean, rows(), objective.unit), terms["kl"])
        expected = real + 0.25 * (terms["exp_elbo_fake"] + terms["exp_elbo_rec"])
        torch.testing.assert_close(loss, expected)

    def test_fake_losses_are_those_of_the_formula(self):
        m = model(Mixture(K))
        objective = game(m, beta_fake_rec=0.7)
        _, terms = objective.loss("encoder", m, batch())
        generator = seeded(2)
        fake, rec = fake_losses(objective, m, m(rows(), generator), generator)
        torch.testing.assert_close(terms["exp_elbo_fake"], fake)
        torch.testing.assert_close(terms["exp_elbo_rec"], rec)

    def test_the_exponential_of_the_papers_is_that_of_each_row(self):
        """Written by hand, for a normal prior."""
        m = model()
        objective = game(m, beta_fake_rec=1.0, beta_neg=3.0, alpha=1.5, fake_weight=None)
        _, terms = objective.loss("encoder", m, batch())
        generator = seeded(2)
        reconstructed = m(rows(), generator).p.mean
        y = torch.randn(N, 2, generator=generator)
        fake = torch.cat([m.decode(y).mean, reconstructed]).detach()
        run = m(fake, generator)
        error = (run.p.mean - fake).square().sum(1) * 2 / rows().var(0, correction=0).sum()
        kl = 0.5 * (run.q.mean**2 + run.q.variance - 1 - 2 * run.q.log_scale).sum(1)
        expected = (-1.5 * 0.5 * (error + 3.0 * kl)).exp()
        torch.testing.assert_close(terms["exp_elbo_fake"], expected[:N])
        torch.testing.assert_close(terms["exp_elbo_rec"], expected[N:])

    @pytest.mark.parametrize("prior", [Mixture(K), Vamp(K), VampInitMixture(K)])
    def test_the_default_weight_of_errors_depends_on_prior_and_widths(self, prior):
        assert game(model(n_components=D)).error_weight == 0.15
        assert game(model(n_components=2)).error_weight == 0.9
        assert game(model(prior)).error_weight == 5
        assert game(model(prior), beta_rec=0.2).error_weight == 0.2

    def test_errors_of_generated_rows_have_a_weight_of_their_own(self):
        """It changes the losses of generated rows and not those of real rows."""
        m = model()
        without_fakes = []
        for beta in (0.0, 1.0):
            objective = game(m, beta_fake_rec=beta)
            before, _ = objective.loss("encoder", m, batch(0.5))
            loss, terms = objective.loss("encoder", m, batch(1.0))
            fakes = terms["exp_elbo_fake"] + terms["exp_elbo_rec"]
            without_fakes.append((before, loss - 0.25 * fakes, fakes))
        (before, real, fakes), (other_before, other_real, other_fakes) = without_fakes
        assert torch.equal(before, other_before)
        torch.testing.assert_close(real, other_real)
        assert not torch.allclose(fakes, other_fakes)

    def test_the_decoder_pays_half_of_the_kl_of_each_kind_of_generated_row(self):
        m = model()
        found = 0.5 * decoders_fake_loss(m, beta_kl=0.6)
        generator = seeded(2)
        y = m.encode(rows()).sample(generator)
        fake = decoded(m, torch.cat([y, m.prior_distribution().sample(N, generator)]))
        kl = m.encode(fake).kl_from_standard().sum(-1)
        expected = 0.5 * 0.5 * 0.5 * 0.6 * (kl[:N] + kl[N:])
        torch.testing.assert_close(found, expected)

    @pytest.mark.parametrize("progress", [0.5, 1.0], ids=["before the game", "in the game"])
    def test_without_the_exponential_the_encoders_gradients_are_a_vaes(self, progress):
        m = model()
        own = list(m.encoder.parameters())
        objective = game(m, beta_rec=0.7, beta_kl=0.2, beta_neg=1e6, fake_weight=None, scale=0.1)
        found = gradients(objective.loss("encoder", m, batch(progress))[0], own)
        q = m.encode(rows())
        mean = m.decode(q.sample(seeded(2))).mean
        error = (mean - rows()).square().sum(1) * 2 / rows().var(0, correction=0).sum()
        kl = 0.5 * (q.mean**2 + (2 * q.log_scale).exp() - 1 - 2 * q.log_scale).sum(1)
        assert_same(found, gradients(0.1 * (0.7 * error + 0.2 * kl), own))

    @pytest.mark.parametrize("progress", [0.5, 1.0], ids=["before the game", "in the game"])
    def test_a_prior_of_codes_has_gradients_for_the_encoder_only_before_the_game(self, progress):
        m = model(Vamp(K))
        own, objective = list(m.encoder.parameters()), game(m, fake_weight=1e-12)
        found = gradients(objective.loss("encoder", m, batch(progress))[0], own)
        p_y = m.prior_distribution() if progress < 1 else m.prior_distribution().detached()
        run = m(rows(), seeded(2))
        error = squared_error(run.p.mean, rows(), objective.unit)
        expected = gradients(energy_of(objective, error, p_y.kl(run.q, run.y)), own)
        assert any(g.abs().max() > 1e-4 for g in expected)
        assert_same(found, expected)

    def test_gamma_r_adds_the_errors_of_generated_rows_which_do_not_move_the_prior(self):
        m = model(Mixture(K))
        own, priors = list(m.decoder.parameters()), list(m.prior.parameters())
        without, with_it = (
            game(m, gamma_r=gamma_r).loss("decoder", m, batch())[0] for gamma_r in (0.0, 1.0)
        )
        assert (with_it > without).all()
        pairs = zip(gradients(with_it, own), gradients(without, own), strict=True)
        assert any(not torch.allclose(a, b) for a, b in pairs)
        without, with_it = (
            game(m, gamma_r=gamma_r).loss("decoder", m, batch())[0] for gamma_r in (0.0, 1.0)
        )
        assert_same(gradients(with_it, priors), gradients(without, priors))

    def test_the_unit_of_errors_follows_from_the_training_rows(self):
        """The mean as prediction has an error of n_components, whatever the scale of X."""
        m = model()
        for X in (rows(), 255 * rows()):
            objective = game(m)
            objective.initialize(X, seeded())
            error = squared_error(X.mean(0), X, objective.unit)
            assert error.mean() == pytest.approx(2, rel=1e-4)

    def test_constant_data_does_not_divide_by_zero(self):
        objective = game(model())
        objective.initialize(torch.ones(5, D), seeded())
        assert objective.unit.isfinite()

    def test_penalties_of_the_mapping_have_the_weight_of_the_kl(self):
        (light, less), (heavy, more) = (
            game(m).loss("encoder", m, batch())
            for m in (model(mapping=DimensionSelector(gamma)) for gamma in (1.0, 5.0))
        )
        difference = more["penalty"] - less["penalty"]
        assert difference.abs().max() > 0
        torch.testing.assert_close(heavy - light, (0.5 * 0.09 * difference).expand(N))

    def test_penalties_of_the_mapping_are_a_term_of_the_decoders_loss_too(self):
        light, heavy = (
            game(m).loss("decoder", m, batch())[0]
            for m in (model(mapping=DimensionSelector(gamma)) for gamma in (1.0, 5.0))
        )
        m = model(mapping=DimensionSelector(4.0))
        y = m.encode(rows()).sample(seeded(2))
        penalty = m.mapping.loss_terms(rows(), y, y, m.map(y))["penalty"]
        torch.testing.assert_close(heavy - light, (0.5 * 0.09 * penalty).expand(N))

    def test_guidance_of_the_mapping_is_a_part_of_the_loss(self):
        m = model(mapping=Clusters(2))
        _, terms = game(m).loss("encoder", m, batch())
        assert terms["guidance"].shape == (N,)
        assert terms["guidance"].isfinite().all()

    def test_any_likelihood_with_one_output_per_feature_can_be_used(self):
        m = model(likelihood=Bernoulli())
        for player in ("encoder", "decoder"):
            assert game(m).loss(player, m, batch())[0].isfinite().all()

    def test_a_likelihood_with_two_outputs_per_feature_is_refused(self):
        class TwoOutputs(Gaussian):
            outputs_per_feature = 2

            def mean(self, h):
                return h.chunk(2, dim=-1)[0]

            def forward(self, h):
                return super().forward(self.mean(h))

        with pytest.raises(ValueError, match=r"TwoOutputs needs more than one output.*Gaussian"):
            game(model(likelihood=TwoOutputs()))

    @pytest.mark.parametrize(
        ("start", "progress", "weight"),
        [(0.5, 0.5, 0.0), (0.5, 0.75, 0.5), (0.5, 1.0, 1.0), (0.0, 0.25, 0.25), (1.0, 0.99, 0.0)],
    )
    def test_losses_grow_with_the_weight_of_the_game(self, start, progress, weight):
        m = model()
        objective, vae = game(m, game_start=start), game(m, game_start=1.0)
        for player in ("encoder", "decoder"):
            full, none, found = (
                o.loss(player, m, batch(p))[0].mean()
                for o, p in ((objective, 1.0), (vae, 0.5), (objective, progress))
            )
            torch.testing.assert_close(found, none + weight * (full - none), rtol=1e-4, atol=1e-5)

    def test_the_scale_is_by_default_the_inverse_of_the_number_of_components(self):
        assert math.isclose(game(model()).step_scale, 0.5)
        assert game(model(), scale=0.01).step_scale == 0.01


def constant_codes(m, value):
    """Make the encoder return this mean, and almost no variance, for every row."""
    with torch.no_grad():
        for parameter in m.encoder.parameters():
            parameter.zero_()
        m.encoder.layers[-1].bias[: m.n_components] = value
        m.encoder.layers[-1].bias[m.n_components :] = -12.0
    return m


class TestResponsibilities:
    def test_a_step_on_the_term_makes_the_shares_more_even(self):
        m = model(Mixture(K, means=[[-3, 0], [0, 0], [3, 0]]))
        with torch.no_grad():
            m.encoder.layers[-1].bias[0] = 2.0
        plain, weighted = (game(m, responsibility_weight=w) for w in (0.0, 1.0))
        own = list(m.encoder.parameters())

        def entropy():
            plain.loss("encoder", m, batch())
            return plain.epoch_stats(m)["responsibility_entropy"]

        before = entropy()
        loss, without = (o.loss("encoder", m, batch())[0].mean() for o in (weighted, plain))
        steps = torch.autograd.grad(loss - without, own)
        plain.epoch_stats(m)
        with torch.no_grad():
            for parameter, step in zip(own, steps, strict=True):
                parameter -= step
        assert entropy() > before + 1e-3

    def test_the_term_is_the_encoders(self):
        m = model(Mixture(K))
        plain, weighted = (game(m, responsibility_weight=w) for w in (0.0, 3.0))
        loss, _ = weighted.loss("encoder", m, batch())
        without, _ = plain.loss("encoder", m, batch())
        entropy = plain.epoch_stats(m)["responsibility_entropy"]
        torch.testing.assert_close(loss, without - 3.0 * 0.5 * entropy)
        pair = (o.loss("decoder", m, batch())[0] for o in (weighted, plain))
        assert torch.equal(*pair)

    @pytest.mark.parametrize("prior", [Mixture(K), Vamp(K), VampInitMixture(K)])
    @pytest.mark.parametrize("progress", [0.0, 1.0], ids=["before the game", "in the game"])
    def test_the_term_moves_codes_and_never_the_modes(self, prior, progress):
        """Modes that are codes themselves would all have one share if they were all the same."""
        m = model(prior)
        plain, weighted = (game(m, responsibility_weight=w) for w in (0.0, 3.0))
        own = list(m.parameters())
        found, without = (
            gradients(o.loss("encoder", m, batch(progress))[0], own) for o in (weighted, plain)
        )
        y = m(rows(), seeded(2)).y
        shares = m.prior_distribution().detached().responsibilities(y).mean(0)
        term = gradients(-3.0 * 0.5 * normalized_entropy(shares), own)
        assert any(g is not None and g.any() for g in term)
        for a, b, c in zip(found, without, term, strict=True):
            zero = torch.zeros(())
            a, b, c = (zero if g is None else g for g in (a, b, c))
            torch.testing.assert_close(a - b, c.expand_as(a - b), rtol=1e-3, atol=1e-6)

    @pytest.mark.parametrize(
        ("means", "separation", "inactive"),
        [([[-9, 0], [0, 0], [9, 0]], 24.0, 2), ([[0, 0]] * 3, 0.0, 0)],
        ids=["apart", "coinciding"],
    )
    def test_the_statistics_distinguish_modes_that_coincide_from_modes_that_are_used(
        self, means, separation, inactive
    ):
        m = constant_codes(model(Mixture(K, means=means, scale=0.5)), 0.01)
        objective = game(m)
        objective.loss("encoder", m, batch())
        stats = objective.epoch_stats(m)
        assert stats["mode_separation"] == pytest.approx(separation, rel=1e-3)
        assert stats["inactive_modes"] == inactive
        assert stats["largest_prior_variance"] == pytest.approx(0.25, rel=1e-3)

    def test_the_statistics_of_an_epoch_begin_anew(self):
        m = model(Mixture(K))
        objective = game(m)
        objective.loss("encoder", m, batch())
        assert objective.epoch_stats(m)
        assert objective.epoch_stats(m) == {}

    def test_validation_does_not_count(self):
        m = model(Mixture(K)).eval()
        objective = game(m)
        objective.loss("encoder", m, batch())
        assert objective.epoch_stats(m) == {}

    def test_a_prior_without_modes_has_no_statistics_and_no_responsibilities(self):
        m = model()
        with pytest.raises(ValueError, match=r"responsibility_weight=2.0 has no effect on.*Normal"):
            game(m, responsibility_weight=2.0)
        objective = game(m)
        objective.loss("encoder", m, batch())
        assert objective.epoch_stats(m) == {}


class TestWeights:
    @pytest.mark.parametrize("weighted", [False, True])
    def test_the_shares_of_modes_are_weighted(self, weighted):
        m = model(Mixture(K))
        weight = (torch.arange(N) % 3).float() if weighted else None
        objective, data = game(m, responsibility_weight=1.0), batch(weight=weight)
        plain = game(m)
        loss, _ = objective.loss("encoder", m, data)
        without, _ = plain.loss("encoder", m, batch(weight=weight))
        _, y = data.cache["codes"]
        shares = m.prior_distribution().responsibilities(y)
        counts = (shares if weight is None else weight[:, None] * shares).sum(0)
        entropy = normalized_entropy(counts / counts.sum())
        torch.testing.assert_close(loss - without, (-0.5 * entropy).expand(N), rtol=1e-4, atol=1e-5)
        stats = objective.epoch_stats(m)
        assert stats["responsibility_entropy"] == pytest.approx(entropy.item(), rel=1e-5)

    def test_the_energy_of_generated_rows_is_compared_with_the_weighted_median(self):
        m = model()
        weight = torch.cat([torch.zeros(N - 5), torch.full((5,), 4.0)])
        _, terms = game(m).loss("encoder", m, batch(weight=weight))
        _, unweighted = game(m).loss("encoder", m, batch())
        generator = seeded(2)
        objective = game(m)
        run = m(rows(), generator)
        real = judged_energy_of(
            objective, squared_error(run.p.mean, rows(), objective.unit), terms["kl"]
        )
        assert not torch.allclose(terms["exp_elbo_rec"], unweighted["exp_elbo_rec"])
        medians = weighted_median(real, weight), weighted_median(real, None)
        shift = objective.alpha * (medians[0] - medians[1]).item()
        linear = (terms["exp_elbo_rec"] > 0.25) & (unweighted["exp_elbo_rec"] > 0.25)
        ratio = terms["exp_elbo_rec"] - unweighted["exp_elbo_rec"]
        torch.testing.assert_close(
            ratio[linear], torch.full_like(ratio[linear], 0.25 * shift), rtol=1e-3, atol=1e-5
        )

    def test_a_batch_without_weight_is_finite(self):
        m = model(Mixture(K))
        empty = batch(weight=torch.zeros(N))
        loss, _ = game(m, responsibility_weight=1.0).loss("encoder", m, empty)
        assert loss.isfinite().all()


class Largest(TorchDispatchMode):
    """Records the size of the largest tensor that is created."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **kwargs or {})
        for value in tree_leaves(out):
            if isinstance(value, torch.Tensor):
                self.size = max(self.size, value.numel())
        return out


@pytest.mark.parametrize("prior", [Mixture(100), Vamp(100), VampInitMixture(100)])
def test_no_tensor_has_the_size_of_rows_times_modes_times_components(prior):
    n, d, k = 64, 32, 100
    X = torch.rand(n, 40, generator=seeded(1))
    m = model(prior, X=X, n_components=d)
    objective = SoftIntro(responsibility_weight=1.0)
    objective.build(m)
    for player in objective.players(m):
        with Largest() as largest:
            objective.loss(player, m, Batch(X, seeded(2)))[0].mean().backward()
        assert n * k <= largest.size <= 3 * n * k < n * k * d / 10


class TestWarnings:
    def test_of_a_loss_without_lower_bound(self):
        weights = dict(beta_kl=0.2, beta_neg=0.9)
        (warning,) = SoftIntro(fake_weight=0.25, **weights).check_data(rows())
        assert warning.endswith("Lower beta_neg.")
        assert SoftIntro(fake_weight=None, **weights).check_data(rows()) == []
        assert SoftIntro().check_data(rows()) == []

    @pytest.mark.parametrize(("fake", "warned"), [(1.0, True), (1.8, False), (3.0, False)])
    def test_of_generated_rows_nearer_to_the_prior_than_real_ones(self, fake, warned):
        history = [{"kl": 2.0}] + 8 * [{"kl_real": 2.0, "kl_fake": fake}]
        warnings = game(model()).check_history(history)
        assert len(warnings) == warned
        assert all("Lower beta_neg, now 0.3." in text for text in warnings)

    def test_of_real_rows_that_move_away_from_the_prior(self):
        history = [{"kl_real": kl, "kl_fake": 2 * kl} for kl in (2.0, 3.0, 20.0, 40.0, 80.0)]
        (warning,) = game(model()).check_history(history)
        assert "kl_real 80, 2 at the start of the game" in warning
        assert game(model()).check_history(history[:2]) == []

    def test_an_encoder_that_is_untrained_at_the_start_of_the_game_may_first_learn(self):
        """The KL of real rows then grows from 0 to its usual value."""
        history = [{"kl_real": kl, "kl_fake": 2 * kl} for kl in (0.01, 0.5, 2.0, 3.0, 3.0)]
        assert game(model()).check_history(history) == []

    def test_early_epochs_do_not_count(self):
        rows = [{"kl_real": 2.0, "kl_fake": fake} for fake in (1.0, 1.0, 1.0, 1.0, 3.0, 3.0)]
        assert game(model()).check_history(rows) == []

    def test_a_fit_without_a_game_has_none(self):
        assert SoftIntro().check_history([{"kl": 2.0}]) == []


def test_a_net_plays_the_game_after_its_start():
    m = model(VampInitMixture(K))
    net = MultiPlayerNet(m, game(m), seed=0, warmup_steps=4, batch_size=5, device="cpu", verbose=0)
    net.initialize().train(Rows({"x": rows()}, torch.arange(N)), None, 3)
    first, last = net.history[0], net.history[-1]
    assert "kl_fake" not in first
    assert {"kl_real", "kl_fake", "kl_rec", "exp_elbo_fake", "inactive_modes"} <= set(last)
