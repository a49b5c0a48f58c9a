"""The mixture that is initialized from a VampPrior: its phases, and limits of its variances."""

import copy
import math

import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_intelvae import InteLVAE, SoftIntroVAE
from sklearn_intelvae.distributions import GaussianMixture
from sklearn_intelvae.priors import AdaptiveVarianceClip, VampInitMixture
from tests.small_models import seeded, small_vae


def model(prior):
    m = small_vae(4, 2, prior=prior)
    m.initialize(3 * torch.randn(100, 4, generator=seeded(1)), seeded(2))
    return m


def at(fraction, **params):
    """Return a model at this fraction of the warm-up, and its density."""
    m = model(VampInitMixture(**{"n_modes": 5} | params))
    for now in (0.0, fraction, fraction):  # one step releases the mixture, the next one holds it
        m.set_progress(now)
    return m, m.prior_distribution()


def same(p, q):
    return all(torch.equal(a, b) for a, b in zip(vars(p).values(), vars(q).values(), strict=True))


def move_encoder(m):
    with torch.no_grad():
        for parameter in m.encoder.parameters():
            parameter.add_(0.1)


class TestPhases:
    @pytest.mark.parametrize("fraction", [None, 0.0, 0.39])
    def test_until_the_release_it_is_the_mixture_of_the_posteriors_of_its_pseudo_inputs(
        self, fraction
    ):
        m = model(VampInitMixture(5)) if fraction is None else at(fraction)[0]
        move_encoder(m)
        q = m.encode(m.prior.pseudo_inputs)
        assert same(m.prior_distribution(), GaussianMixture(q.mean, q.log_scale, torch.zeros(5)))

    def test_the_release_does_not_change_the_density(self):
        m, before = at(0.39)
        m.set_progress(0.4)
        after = m.prior_distribution()
        torch.testing.assert_close(after.mean, before.mean)
        torch.testing.assert_close(after.log_scale, before.log_scale)
        assert torch.equal(after.logits, before.logits)

    def test_after_the_release_it_does_not_depend_on_the_encoder(self):
        m, before = at(0.4)
        move_encoder(m)
        assert same(m.prior_distribution(), before)

    def test_the_release_follows_the_encoder_of_its_step(self):
        """Not that of an earlier step: the encoder changes between two steps."""
        m, before = at(0.39)
        move_encoder(m)
        m.set_progress(0.4)
        q = m.encode(m.prior.pseudo_inputs)
        torch.testing.assert_close(m.prior_distribution().mean, q.mean)
        assert not torch.allclose(q.mean, before.mean)

    def test_weights_are_kept_at_the_release(self):
        m, _ = at(0.3)
        with torch.no_grad():
            m.prior.logits.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]))
        shares = m.prior_distribution().logits.softmax(0)
        for fraction in (0.5, 1.0):
            m.set_progress(fraction)
            assert torch.equal(m.prior_distribution().logits.softmax(0), shares)

    @pytest.mark.parametrize("fraction", [0.0, 0.9, 1.0])
    def test_gradients_reach_what_the_phase_trains(self, fraction):
        m, p_y = at(fraction)
        y = p_y.sample(20, seeded())
        (y.sum() + p_y.log_prob(y.detach()).sum()).backward()
        own = [m.prior.means, m.prior.log_variances]
        assert (m.prior.pseudo_inputs.grad is None) == (fraction > 0)
        assert all((p.grad is None) == (fraction == 0) for p in own)
        assert m.prior.logits.grad is not None

    def test_a_prior_that_is_not_learned_is_fixed_at_the_end_of_the_warm_up(self):
        assert at(0.9, learn=False)[1].mean.requires_grad
        fixed = at(1.0, learn=False)[1]
        assert not any(value.requires_grad for value in vars(fixed).values())

    def test_the_variances_of_a_prior_that_is_not_learned_are_not_limited(self):
        m, before = at(0.9, learn=False)
        m.set_progress(1.0)
        assert same(m.prior_distribution(), before)

    def test_variances_are_not_limited_without_clip_variance(self):
        assert not at(1.0, clip_variance=False)[0].prior.limits.holds

    def test_hold_is_a_fraction_of_the_warm_up_and_by_default_its_end(self):
        assert at(0.5, learn=False, hold=0.6)[1].mean.requires_grad
        assert not at(0.6, learn=False, hold=0.6)[1].mean.requires_grad
        for hold, fraction in ((0.6, 0.6), (None, 1.0), (1.0, 1.0)):
            assert not at(fraction - 0.1, hold=hold)[0].prior.limits.holds
            assert at(fraction, hold=hold)[0].prior.limits.holds

    def test_it_is_held_a_step_after_the_release_and_not_by_looking_at_it(self):
        m = model(VampInitMixture(5, hold=0.4))
        for fraction in (0.0, 0.4):
            m.set_progress(fraction)
            for _ in range(2):
                m.prior_distribution()
            assert not m.prior.limits.holds
        m.set_progress(0.4)
        assert m.prior.limits.holds

    def test_the_phase_is_saved_with_the_weights(self):
        for fraction in (0.0, 0.5, 1.0):
            m, p_y = at(fraction)
            again = model(VampInitMixture(5))
            again.load_state_dict(copy.deepcopy(m.state_dict()))
            assert again.prior.phase == m.prior.phase
            assert same(again.prior_distribution(), p_y)

    def test_a_smaller_fraction_undoes_nothing(self):
        m, before = at(1.0)
        m.set_progress(0.1)
        assert same(m.prior_distribution(), before)

    def test_a_clone_has_no_weights_and_starts_at_the_first_phase(self):
        prior = clone(at(1.0)[0].prior)
        assert not list(prior.parameters())
        assert prior.phase == VampInitMixture.phase

    def test_a_release_after_the_hold_is_refused(self):
        with pytest.raises(ValueError, match=r"release=0.7 .* is later than hold=0.5.*lower rel"):
            VampInitMixture(release=0.7, hold=0.5).build(2, 4)

    @pytest.mark.parametrize(("release", "first"), [(0.4, 0.4), (0.4, 1.0)])
    def test_a_release_before_the_first_step_is_refused(self, release, first):
        m = model(VampInitMixture(5, release=release))
        with pytest.raises(ValueError, match="released from an untrained encoder.*or release=0"):
            m.set_progress(first)

    def test_a_release_of_zero_releases_an_untrained_encoder(self):
        m = model(VampInitMixture(5, release=0.0))
        before = m.prior_distribution()
        m.set_progress(0.0)
        torch.testing.assert_close(m.prior_distribution().mean, before.mean)
        move_encoder(m)
        torch.testing.assert_close(m.prior_distribution().mean, before.mean)


BRIEF = dict(hidden_layer_sizes=(8,), max_iter=12, random_state=0)


def held_limits(estimator, X):
    """Return the progress of the first epoch whose end finds the limits held, or None."""
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append((net.progress, net.module_.prior.limits.holds))

    estimator.set_params(skorch_callbacks=[Watch()], **BRIEF).fit(X)
    return next((progress for progress, holds in seen if holds), None)


@pytest.mark.parametrize(("hold", "first"), [(None, 0.5), (0.75, 0.75), (1.0, 1.0)])
def test_a_game_holds_the_mixture_when_it_starts_unless_hold_says_when(hold, first, X):
    """The game starts after half of the warm-up."""
    prior = VampInitMixture(5, hold=hold)
    found = held_limits(SoftIntroVAE(2, prior=prior, game_start=5 / 12), X)
    assert first <= found <= first + 0.2
    assert prior.hold == hold


def test_without_a_game_the_mixture_is_held_at_the_end_of_the_warm_up(X):
    assert held_limits(InteLVAE(2, prior=VampInitMixture(5), kl_warmup=0.5), X) == 1.0


def clip(log_variance):
    part = AdaptiveVarianceClip()
    part.build(log_variance.shape[1])
    part.hold(log_variance)
    return part


class TestAdaptiveVarianceClip:
    def test_without_limits_it_does_nothing(self):
        part = AdaptiveVarianceClip()
        part.build(2)
        x = torch.randn(3, 2, generator=seeded())
        assert part(x) is x

    def test_values_at_the_limits_and_between(self):
        part = clip(torch.tensor([[-3.0], [-1.0]]))
        found = part(torch.tensor([[-3.0], [-2.0], [-1.0]]))[:, 0]
        shrunk = 2 * math.log(2) / 10
        expected = torch.tensor([-3 + shrunk, -2, -1 - shrunk])
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)

    def test_all_values_are_within_the_limits_and_gradients_are_finite(self):
        part = clip(torch.tensor([[-3.0], [-1.0]]))
        x = torch.tensor([[-1e3], [-40.0], [-2.0], [30.0], [1e3]], requires_grad=True)
        y = part(x)
        assert ((y >= -3 - 1e-5) & (y <= -1 + 1e-5)).all()
        y.sum().backward()
        assert x.grad.isfinite().all()
        assert x.grad[2] == pytest.approx(0.987, abs=1e-3)

    def test_if_all_modes_have_one_variance_it_is_fixed(self):
        part = clip(torch.full((1, 2), -2.0))
        x = torch.tensor([[-5.0, 3.0]], requires_grad=True)
        y = part(x)
        torch.testing.assert_close(y, torch.full((1, 2), -2.0))
        y.sum().backward()
        assert torch.equal(x.grad, torch.zeros(1, 2))

    def test_limits_keep_no_graph(self):
        values = torch.randn(4, 2, generator=seeded(), requires_grad=True)
        part = clip(values)
        for _ in range(2):
            part(values).sum().backward()
        assert values.grad.isfinite().all()

    def test_limits_are_saved_with_the_weights(self):
        part = clip(torch.tensor([[-3.0], [-1.0]]))
        again = AdaptiveVarianceClip()
        again.build(1)
        again.load_state_dict(part.state_dict())
        assert again.holds
        assert torch.equal(again(torch.ones(1, 1)), part(torch.ones(1, 1)))
