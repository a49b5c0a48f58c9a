"""The mixture that starts as a VampPrior: its phases, its weights, and limits on its variances."""

import copy
import math

import pytest
import torch
from sklearn.base import clone

from sklearn_intelvae import distributions
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import Identity
from sklearn_intelvae.model import Parts, build_model
from sklearn_intelvae.networks import MLP
from sklearn_intelvae.posteriors import DiagonalGaussian
from sklearn_intelvae.priors import AdaptiveVarianceClip, Normal, VampMixture
from sklearn_intelvae.priors._gaussians import Gaussians


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def model(prior, n_components=2):
    words = Parts(MLP((8,)), DiagonalGaussian(), Identity(), MLP((8,)), Gaussian(), prior)
    m = build_model(words, 4, n_components, seeded())
    m.prior.initialise(3 * torch.randn(100, 4, generator=seeded(1)), seeded(2))
    return m


def at(share, **params):
    m = model(VampMixture(**{"n_modes": 5} | params))
    for now in (0.0, share, share):  # one step lets the mixture go, the next one holds it
        m.prior.warm_up(now)
        m.p_y()
    return m


def same(p, q):
    return all(torch.equal(a, b) for a, b in zip(p._tensors(), q._tensors(), strict=True))


def move_encoder(m):
    with torch.no_grad():
        for parameter in m.encoder.parameters():
            parameter.add_(0.1)


class TestPhases:
    def test_until_the_release_it_is_what_the_encoder_makes_of_the_pseudo_inputs(self):
        m = at(0.39)
        move_encoder(m)
        q = m.encode(m.prior.pseudo_inputs)
        assert same(m.p_y(), Gaussians(q.mean, q.log_scale, torch.zeros(5)))

    def test_the_release_changes_nothing_but_the_owner(self):
        m = at(0.39)
        before = m.p_y()
        m.prior.warm_up(0.4)
        after = m.p_y()
        torch.testing.assert_close(after.mean, before.mean)
        torch.testing.assert_close(after.log_scale, before.log_scale)
        move_encoder(m)
        assert same(m.p_y(), after)

    def test_weights_survive_the_release(self):
        m = at(0.5)
        with torch.no_grad():
            m.prior.logits.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]))
        shares = m.p_y().logits.softmax(0)
        m.prior.warm_up(1.0)
        assert torch.equal(m.p_y().logits.softmax(0), shares)

    @pytest.mark.parametrize("share", [0.0, 0.9, 1.0])
    def test_gradients_go_to_what_the_phase_trains(self, share):
        m = at(share)
        y = m.p_y().sample(20, seeded())
        (y.sum() + m.p_y().log_prob(y.detach()).sum()).backward()
        own = [m.prior.means, m.prior.log_variances]
        assert (m.prior.pseudo_inputs.grad is None) == (share > 0)
        assert all((p.grad is None) == (share == 0) for p in own)
        assert m.prior.logits.grad is not None

    def test_a_prior_that_is_not_learned_stays_as_the_warm_up_left_it(self):
        assert at(0.9, learn=False).p_y().mean.requires_grad
        assert not at(1.0, learn=False).p_y().mean.requires_grad

    def test_a_prior_that_is_not_learned_is_not_clipped_either(self):
        m = at(0.9, learn=False)
        before = m.p_y()
        m.prior.warm_up(1.0)
        assert same(m.p_y(), before)

    def test_it_is_held_from_the_share_that_it_is_told(self):
        assert at(0.5, learn=False, hold=0.6).p_y().mean.requires_grad
        assert not at(0.6, learn=False, hold=0.6).p_y().mean.requires_grad
        assert not at(0.5, hold=0.6).prior.limits.holds
        assert at(0.6, hold=0.6).prior.limits.holds

    @pytest.mark.parametrize(("hold", "held"), [(None, True), (1.0, False)])
    def test_a_game_holds_it_as_it_begins_unless_it_is_told_when(self, hold, held):
        m = model(VampMixture(5, hold=hold))
        m.prior.expect_game(0.5)
        for share in (0.0, 0.4, 0.49, 0.5):
            assert not m.prior.limits.holds
            m.prior.warm_up(share)
            m.p_y()
        assert m.prior.limits.holds is held

    def test_looking_at_it_does_not_hold_it(self):
        m = model(VampMixture(5, hold=0.4))
        for share in (0.0, 0.4):
            m.prior.warm_up(share)
            m.p_y()
        m.p_y()
        assert not m.prior.limits.holds
        m.prior.warm_up(0.4)
        assert m.prior.limits.holds

    def test_the_phase_belongs_to_the_weights(self):
        m = at(1.0)
        again = model(VampMixture(5))
        again.load_state_dict(copy.deepcopy(m.state_dict()))
        assert again.prior.phase == m.prior.phase
        assert same(again.p_y(), m.p_y())

    def test_phases_never_go_back(self):
        m = at(1.0)
        before = m.p_y()
        m.prior.warm_up(0.1)
        assert same(m.p_y(), before)

    def test_a_clone_starts_anew(self):
        prior = clone(at(1.0).prior)
        assert not list(prior.parameters())


class TestDensity:
    def test_identical_modes_are_one(self):
        one = Gaussians(torch.ones(1, 3), torch.zeros(1, 3), torch.zeros(1))
        seven = Gaussians(torch.ones(7, 3), torch.zeros(7, 3), torch.randn(7, generator=seeded()))
        y = torch.randn(50, 3, generator=seeded(1))
        torch.testing.assert_close(seven.log_prob(y), one.log_prob(y))

    def test_the_estimated_kl_of_a_standard_mode_is_the_closed_form(self):
        p = Gaussians(torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1))
        one = distributions.Normal(torch.tensor([[1.0, -0.5, 0.2]]), torch.tensor([[-1.0, 0, 0.3]]))
        q = distributions.Normal(*(v.expand(200_000, 3) for v in (one.mean, one.log_scale)))
        y = q.sample(seeded())
        estimate = (q.log_prob(y) - p.log_prob(y)).mean()
        assert estimate == pytest.approx(Normal().kl(one).item(), rel=0.01)

    def test_one_mode_and_a_density_without_gradients(self):
        p = at(0.9).p_y()
        assert torch.equal(p.component(2).mean, p.mean[2:3])
        assert not p.detached().mean.requires_grad
        y = p.component(2).sample(4000, seeded())
        assert (y.mean(0) - p.mean[2]).abs().max() < 0.1


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

    def test_nothing_leaves_the_limits_and_gradients_are_finite(self):
        part = clip(torch.tensor([[-3.0], [-1.0]]))
        x = torch.tensor([[-1e3], [-40.0], [-2.0], [30.0], [1e3]], requires_grad=True)
        y = part(x)
        assert ((y >= -3 - 1e-5) & (y <= -1 + 1e-5)).all()
        y.sum().backward()
        assert x.grad.isfinite().all()
        assert x.grad[2] == pytest.approx(0.987, abs=1e-3)

    def test_where_modes_agree_the_variance_is_frozen(self):
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

    def test_limits_belong_to_the_weights(self):
        part = clip(torch.tensor([[-3.0], [-1.0]]))
        again = AdaptiveVarianceClip()
        again.build(1)
        again.load_state_dict(part.state_dict())
        assert again.holds
        assert torch.equal(again(torch.ones(1, 1)), part(torch.ones(1, 1)))
