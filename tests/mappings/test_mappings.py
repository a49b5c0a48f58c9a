"""Laws that hold over the whole shelf of mappings, then what each is for."""

import copy
import pickle

import numpy as np
import pytest
import torch
from mapping_helpers import built, normal
from scipy import stats
from sklearn.base import clone

from sklearn_intelvae import mappings
from sklearn_intelvae.mappings import (
    ICA,
    Clusters,
    Compose,
    DimensionSelector,
    Flow,
    Function,
    Glue,
    Hierarchy,
    Identity,
    Linear,
    OnComponents,
    Sphere,
    StraightThrough,
)

SHELF = {
    "Identity": [Identity()],
    "ICA": [ICA()],
    "Function": [Function(torch.tanh)],
    "Sphere": [Sphere()],
    "Clusters": [*(Clusters(k) for k in (2, 3, 4, 5, 10)), Clusters((2, 3)), Clusters((3, 2))],
    "DimensionSelector": [
        DimensionSelector(2.0),
        DimensionSelector(2.0, floor=0.2, regularise="abs"),
    ],
    "Glue": [Glue(h) for h in (1, 2, 3, 4, 5)],
    "Hierarchy": [
        Hierarchy(),
        Hierarchy([1, 1, 2], (8,), "identity"),
        Hierarchy(splits=3, activation="tanh"),
    ],
    "Linear": [Linear(np.eye(4)), Linear([[1.0, 2.0, 0.0, 0.0]]), Linear(np.ones((6, 4)) / 2)],
    "Flow": [Flow(), Flow(n_layers=1, hidden_layer_sizes=()), Flow(3, max_log_scale=0.5)],
    "StraightThrough": [
        StraightThrough(torch.sign),
        StraightThrough(torch.round, surrogate=torch.tanh),
        StraightThrough(Sphere(), surrogate=Flow()),
    ],
    "Compose": [
        Compose(Function(torch.tanh), Identity()),
        Compose(Sphere(), Clusters(3)),
        Compose(DimensionSelector(), Linear(np.ones((2, 4)))),
        Compose(Clusters(2), DimensionSelector()),
        Compose(Flow(), Compose(Hierarchy(), Sphere())),
    ],
    "OnComponents": [
        OnComponents(Sphere(), (3, 1)),
        OnComponents(Clusters(5), (0, 1)),
        OnComponents(DimensionSelector(), (2, 0, 1)),
        OnComponents(OnComponents(Glue(), (0, 2)), range(4)),
    ],
}
N_COMPONENTS = {"Glue": 2}  # of y, where four will not do
CASES = [(g, N_COMPONENTS.get(name, 4)) for name, cases in SHELF.items() for g in cases]


def test_the_shelf_is_complete():
    assert set(SHELF) == set(mappings.__all__) - {"Mapping"}


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
        if hasattr(g, "penalty"):
            loss = loss + g.penalty(y[-1:], g(y)[-1:])
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

    def test_a_penalty_is_one_finite_number(self, mapping, d):
        g, y = built(mapping, d), normal(30, d)
        if hasattr(g, "penalty"):
            penalty = g.penalty(y, g(y))
            assert penalty.shape == ()
            assert penalty.isfinite()

    def test_regions_are_kept(self, mapping, d):
        g, y = built(mapping, d), normal(500, d)
        if hasattr(g, "regions"):
            assert torch.equal(g.regions(g(y)), g.regions(y))


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


def test_sphere_fixes_the_origin():
    assert torch.equal(Sphere()(torch.zeros(1, 3)), torch.zeros(1, 3))


@pytest.mark.parametrize("regularise", ["gates", "abs"])
class TestSelector:
    def test_the_penalty_has_the_bounds_of_a_divergence(self, regularise):
        g, y = built(DimensionSelector(1.0, regularise=regularise)), normal(64)
        assert -np.log(4) - 1e-4 <= g.penalty(y, g(y)).item() <= 1e-4

    def test_the_penalty_of_equal_rows_is_zero(self, regularise):
        g = built(DimensionSelector(3.0, regularise=regularise))
        y = normal(1).expand(10, 4)
        assert abs(g.penalty(y, g(y)).item()) < 1e-5

    def test_the_penalty_scales_with_gamma(self, regularise):
        y = normal(64)
        one, three = (built(DimensionSelector(c, regularise=regularise)) for c in (1.0, 3.0))
        torch.testing.assert_close(3 * one.penalty(y, one(y)), three.penalty(y, three(y)))

    def test_perfect_division_of_labour_reaches_the_lower_bound(self, regularise):
        g = DimensionSelector(1.0, regularise=regularise)
        rows = torch.eye(5)
        g.gates = lambda y: rows
        assert abs(g.penalty(rows, rows).item() + np.log(5)) < 1e-4


@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_gates_lie_between_floor_and_one(floor):
    gates = built(DimensionSelector(floor=floor)).gates(100 * normal(200))
    assert gates.min().item() >= floor
    assert gates.max().item() <= 1


def test_the_selector_starts_open_and_its_penalty_starts_at_nothing():
    g, y = built(DimensionSelector(5.0)), normal(50)
    assert g.gates(y).min().item() > 0.85
    full = g.eval().penalty(y, g(y)).item()
    g.train().warm_up(0.0)
    assert g.penalty(y, g(y)).item() == 0
    g.warm_up(0.5)
    assert g.penalty(y, g(y)).item() == pytest.approx(full / 2)
