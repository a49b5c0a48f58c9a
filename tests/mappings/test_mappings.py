"""Laws of all mappings, then what each is for."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone

from sklearn_intelvae.mappings import (
    DimensionSelector,
    Identity,
    Sphere,
)
from tests.mappings.mapping_helpers import built, loss_terms, normal
from tests.mappings.shelf import MAPPINGS
from tests.small_models import seeded

CASES = [(g, case.n_components) for case in MAPPINGS.values() for g in case.examples]


@pytest.mark.parametrize(("mapping", "d"), CASES)
class TestLaws:
    def test_rows_are_mapped_one_by_one(self, mapping, d):
        g, y = built(mapping, d), normal(50, d)
        order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(g(y)[order], g(y[order]))
        torch.testing.assert_close(g(y)[:1], g(y[:1]))

    def test_values_and_gradients_are_finite_even_at_the_origin(self, mapping, d):
        g = built(mapping, d)
        y = torch.cat([normal(20, d), torch.zeros(1, d), 1e-8 * normal(5, d), 1e3 * normal(5, d)])
        y.requires_grad_()
        loss = g(y).square().sum()
        for term in loss_terms(g.eval(), y[-1:]).values():
            loss = loss + term.sum()
        loss.backward()
        assert g(y).isfinite().all()
        assert y.grad.isfinite().all()

    def test_clones_have_parameters_but_no_weights(self, mapping, d):
        g = built(mapping, d)
        again = clone(g)
        assert repr(again) == repr(mapping)
        assert not list(again.parameters())

    def test_copies_and_pickles_map_alike(self, mapping, d):
        g, y = built(mapping, d), normal(5, d)
        assert torch.equal(copy.deepcopy(g)(y), g(y))
        assert torch.equal(pickle.loads(pickle.dumps(g))(y), g(y))

    def test_loss_terms_are_finite_and_have_the_shapes_of_the_base_class(self, mapping, d):
        g, y = built(mapping, d), normal(30, d)
        for training in (True, False):
            for name, term in loss_terms(g.train(training), y).items():
                assert term.shape in ((), (30,))
                assert term.isfinite().all()
                assert training or name != "guidance"

    def test_the_penalty_of_one_of_ours_is_one_number(self, mapping, d):
        g, y = built(mapping, d), normal(30, d)
        assert loss_terms(g, y).get("penalty", torch.zeros(())).shape == ()

    def test_a_mapping_maps_each_region_into_itself(self, mapping, d):
        g, y = built(mapping, d), normal(500, d)
        if g.has_regions:
            regions = g.regions(y)
            assert regions.dtype == torch.int64
            assert torch.equal(g.regions(g(y)), regions)
        else:
            with pytest.raises(NotImplementedError):
                g.regions(y)

    def test_the_decoders_input_has_the_shape_of_z(self, mapping, d):
        g = built(mapping, d)
        z = g(normal(7, d))
        assert g.to_decoder(z).shape == z.shape

    def test_progress_and_draws_change_no_codes_in_evaluation_mode(self, mapping, d):
        g, y = built(mapping, d), normal(20, d)
        z = g.eval()(y)
        for fraction in (0.0, 0.3, 1.0):
            g.set_progress(fraction)
            g.observe(y, y, torch.rand(20))
            assert torch.equal(g(y), z)


def test_identity_is_the_identity():
    y = normal(3)
    assert torch.equal(Identity()(y), y)


@pytest.mark.parametrize("d", [2, 3, 5])
def test_sphere_has_radius_one_and_makes_the_prior_uniform(d):
    z = Sphere()(normal(5000, d))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(5000), rtol=1e-4, atol=1e-4)
    if d == 2:
        angle = torch.atan2(z[:, 1], z[:, 0]).numpy()
        assert stats.kstest(angle, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    assert z.mean(dim=0).abs().max() < 0.05


def test_sphere_maps_the_origin_to_itself():
    assert torch.equal(Sphere()(torch.zeros(1, 3)), torch.zeros(1, 3))


def penalty(g, y):
    return loss_terms(g, y)["penalty"]


@pytest.mark.parametrize("regularize", ["gates", "abs"])
class TestSelector:
    def test_the_penalty_has_the_bounds_of_a_divergence(self, regularize):
        g, y = built(DimensionSelector(1.0, regularize=regularize)), normal(64)
        assert -np.log(4) - 1e-4 <= penalty(g, y).item() <= 1e-4

    def test_the_penalty_of_equal_rows_is_zero(self, regularize):
        g = built(DimensionSelector(3.0, regularize=regularize))
        y = normal(1).expand(10, 4)
        assert abs(penalty(g, y).item()) < 1e-5

    def test_the_penalty_scales_with_gamma(self, regularize):
        y = normal(64)
        one, three = (built(DimensionSelector(c, regularize=regularize)) for c in (1.0, 3.0))
        torch.testing.assert_close(3 * penalty(one, y), penalty(three, y))

    def test_rows_that_use_one_dimension_each_reach_the_lower_bound(self, regularize):
        g = DimensionSelector(1.0, regularize=regularize)
        rows = torch.eye(5)
        g.gates = lambda y: rows
        assert abs(g.loss_terms(rows, rows, rows, rows)["penalty"].item() + np.log(5)) < 1e-4


@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_gates_lie_between_floor_and_one(floor):
    gates = built(DimensionSelector(floor=floor)).gates(100 * normal(200))
    assert gates.min().item() >= floor
    assert gates.max().item() <= 1


def test_the_gate_of_a_component_far_from_zero_is_open():
    g = built(DimensionSelector())
    torch.nn.init.constant_(g.network.layers[-1].bias, -1)  # closes all others
    y = normal(200).clamp(-3, 3)
    y[:, 1] = 7
    gates = g.gates(y)
    assert gates[:, 1].min().item() > 0.9
    assert gates[:, 0].max().item() < 0.1


def test_a_closed_gate_is_exactly_zero_once_training_is_over():
    g, y = built(DimensionSelector()), normal(200).clamp(-3, 3)
    torch.nn.init.constant_(g.network.layers[-1].bias, -1)
    assert (g.train().gates(y) > 0).all()
    assert (g.eval()(y) == 0).all()
    torch.nn.init.constant_(g.network.layers[-1].bias, torch.nan)
    assert g(y).isnan().all()


def test_a_component_far_from_zero_hardly_moves_the_gates_of_the_others():
    g, y = built(DimensionSelector()), normal(200).clamp(-3, 3)
    torch.nn.init.normal_(g.network.layers[-1].weight, std=0.1, generator=seeded())
    near, far = (y.clone().index_fill_(1, torch.tensor([1]), value) for value in (30.0, 3000.0))
    torch.testing.assert_close(g.gates(near)[:, 0], g.gates(far)[:, 0], atol=0.05, rtol=0)


def training_steps(g, y, n_steps=200, n_columns=10):
    """Pass the warm-up with the same draws in each step; return the weights of the penalty."""
    g.train()
    weights = []
    for step in range(n_steps):
        g.set_progress(step / n_steps)
        g.loss_terms(y.new_zeros(1, n_columns), y, y, g(y))
        weights.append(g.weight.item())
    return np.array(weights)


class TestAutomaticGamma:
    def test_it_grows_with_the_warm_up_while_nothing_becomes_sparse(self):
        weights = training_steps(built(DimensionSelector(sparsity=1.0)), normal(200))
        assert (weights[:10] == 0).all()
        assert (np.diff(weights[11:]) > 0).all()

    def test_it_is_proportional_to_the_cost_and_to_the_number_of_columns(self):
        y = normal(200)
        one = training_steps(built(DimensionSelector(max_cost=0.1)), y)[-1]
        two = training_steps(built(DimensionSelector(max_cost=0.2)), y)[-1]
        wide = training_steps(built(DimensionSelector(max_cost=0.1)), y, n_columns=20)[-1]
        assert two == wide == pytest.approx(2 * one, rel=1e-5)

    def test_it_decreases_where_codes_are_sparser_than_asked(self):
        weights = training_steps(built(DimensionSelector(sparsity=0.0)), normal(200))
        assert weights[-1] < 0.2 * weights.max()

    def test_it_does_not_change_in_evaluation_mode(self):
        g, y = built(DimensionSelector()), normal(50)
        training_steps(g, y)
        before = g.weight.item()
        penalty(g.eval(), y)
        assert g.weight.item() == before > 0

    def test_without_a_warm_up_it_is_found_too(self):
        g, y = built(DimensionSelector()).train(), normal(50)
        g.set_progress(1.0)
        assert [penalty(g, y).item() == 0 for _ in range(3)] == [True, False, False]


def test_the_gates_start_open_and_the_penalty_grows_from_zero_in_training():
    g, y = built(DimensionSelector(5.0)), normal(50)
    assert g.gates(y).min().item() > 0.85
    full = penalty(g.eval(), y).item()
    g.train().set_progress(0.0)
    assert penalty(g, y).item() == 0
    g.set_progress(0.5)
    assert penalty(g, y).item() == pytest.approx(full / 2)
    assert penalty(g.eval(), y).item() == pytest.approx(full)
