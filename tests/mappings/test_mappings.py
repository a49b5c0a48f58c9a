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
    "Function": [Function(torch.tanh)],
    "Sphere": [Sphere()],
    "Clusters": [Clusters(k) for k in (2, 3, 4, 5, 10)],
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
CASES = [
    pytest.param(g, N_COMPONENTS.get(name, 4), id=repr(g))
    for name, cases in SHELF.items()
    for g in cases
]


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


@pytest.mark.parametrize("k", [2, 3, 4, 5, 10])
class TestClusters:
    def test_sectors_have_equal_mass(self, k):
        counts = torch.bincount(Clusters(k).regions(normal(20000, 2)), minlength=k)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-4

    def test_formula(self, k):
        """The closed form, computed in another way: by the two borders of each sector."""
        y = normal(200, 3).double()
        sector = Clusters(k).regions(y).double()
        centre = 2 * np.pi * sector / k
        distances = []
        for side in (-1, 1):
            border = centre + side * np.pi / k
            along = torch.stack([border.cos(), border.sin()], 1)
            distances.append((y[:, 0] * along[:, 1] - y[:, 1] * along[:, 0]).abs())
        step = 5 * torch.minimum(*distances) ** 0.2
        expected = y.clone()
        expected[:, 0] += step * centre.cos()
        expected[:, 1] += step * centre.sin()
        torch.testing.assert_close(Clusters(k)(y), expected, rtol=1e-6, atol=1e-6)

    def test_it_is_continuous_across_borders(self, k):
        """The map is Hoelder continuous only: a step of e may move z by about 2 c e^p."""
        border = np.pi / k
        near = torch.tensor(
            [[np.cos(border + e), np.sin(border + e)] for e in (-1e-9, 1e-9)], dtype=torch.float64
        )
        z = Clusters(k)(near)
        assert (z[0] - z[1]).norm() < 2 * 5 * (1e-9) ** 0.2 + 1e-6

    def test_it_is_injective(self, k):
        """On one ray, which stays in its sector, the map is monotone."""
        radius = torch.linspace(0.01, 3, 50)[:, None]
        angle = torch.tensor(0.4 * np.pi / k)
        z = Clusters(k)(radius * torch.stack([angle.cos(), angle.sin()]))
        assert (z.norm(dim=1).diff() > 0).all()


def test_two_clusters_leave_hardly_any_mass_between_them():
    z = Clusters(2)(normal(200000, 1))
    assert float((z.abs() < 1).float().mean()) < 1e-3
    y = normal(100, 1)
    torch.testing.assert_close(
        Clusters(2, shift=2, power=0.5)(y), y + 2 * y.sign() * y.abs().sqrt()
    )


@pytest.mark.parametrize("n_clusters", [3, 10])
def test_one_component_cannot_hold_more_than_two_clusters(n_clusters):
    with pytest.raises(ValueError, match="needs n_components of at least 2, got 1"):
        Clusters(n_clusters).build(1)


@pytest.mark.parametrize(("name", "value"), [("n_clusters", 1), ("power", 0.0), ("power", 1.0)])
def test_clusters_refuse_settings_without_a_meaning(name, value):
    with pytest.raises(ValueError, match=name):
        Clusters(**{name: value}).build(2)


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


def test_selector_refuses_an_unknown_regulariser():
    with pytest.raises(ValueError, match="regularise must be 'gates' or 'abs', got 'l1'"):
        DimensionSelector(regularise="l1").build(3)


def test_clusters_are_softened_in_training_only():
    g, y = Clusters(4), normal(20, 2)
    full = g(y)
    for fraction in (0.0, 0.5):
        g.warm_up(fraction)
        assert torch.equal(g(y), y)
    g.warm_up(0.75)
    assert not torch.equal(g(y), y)
    assert torch.equal(g.eval()(y), full)
    assert torch.equal(clone(g)(y), full)


def test_the_balance_penalty_is_zero_for_the_prior_and_largest_for_one_sector():
    g = built(Clusters(5, balance=2.0), 2)
    assert 0 <= g.penalty(normal(20000, 2), None).item() < 0.01
    lumped = torch.tensor([[3.0, 0.0]]).expand(10, 2)
    assert g.eval().penalty(lumped, None).item() == pytest.approx(2 * np.log(5), abs=1e-3)


def test_the_weight_of_balance_rises_while_a_sector_is_empty_and_falls_back():
    g = built(Clusters(5, balance=2.0), 2)
    lumped, spread = torch.tensor([[3.0, 0.0]]).expand(100, 2), normal(100, 2)
    for _ in range(20):
        g.penalty(lumped, None)
        g.warm_up(1.0)
    high = g.pressure.item()
    assert high > 2
    for _ in range(300):
        g.penalty(spread, None)
        g.warm_up(1.0)
    assert 1 <= g.pressure.item() < high
    assert built(g, 2).pressure.item() == 1


def test_the_selector_starts_open_and_its_penalty_starts_at_nothing():
    g, y = built(DimensionSelector(5.0)), normal(50)
    assert g.gates(y).min().item() > 0.85
    full = g.eval().penalty(y, g(y)).item()
    g.train().warm_up(0.0)
    assert g.penalty(y, g(y)).item() == 0
    g.warm_up(0.5)
    assert g.penalty(y, g(y)).item() == pytest.approx(full / 2)
