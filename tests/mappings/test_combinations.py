"""Compose and OnComponents: mappings made of mappings."""

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_intelvae import InteLVAE
from sklearn_intelvae._part import untrained_copy
from sklearn_intelvae.mappings import (
    Clusters,
    Compose,
    DimensionSelector,
    Function,
    Identity,
    Linear,
    Mapping,
    OnComponents,
    Sphere,
)
from tests.mappings.mapping_helpers import built, loss_terms, normal

SMALL = dict(hidden_layer_sizes=(8,), max_iter=3, random_state=0)
WIDER = torch.ones(5, 4) / 2


class Scaled(Mapping):
    """A mapping with a weight, a penalty of one number for each row, and regions."""

    has_regions = True

    def build(self, n_components):
        self.scale = nn.Parameter(torch.full((), 2.0))

    def forward(self, y):
        return self.scale * y

    def loss_terms(self, x, mean, y, z):
        return {"penalty": (z - y).square().sum(dim=1), "of_the_mean": (z - mean).sum(dim=1)}

    def regions(self, y):
        return (y[:, 0] > 0).long()


class Recording(Scaled):
    """The same, and keeps the fractions of the warm-up."""

    def __init__(self):
        super().__init__()
        self.fractions = []

    def set_progress(self, fraction):
        self.fractions.append(fraction)


class Plain(nn.Module):
    """A plain module with a weight."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.full((), 2.0))

    def forward(self, y):
        return self.scale * y


class TestCompose:
    def test_the_second_follows_the_first(self):
        y = normal(20)
        torch.testing.assert_close(
            built(Compose(Function(torch.exp), Sphere()))(y), Sphere()(y.exp())
        )

    def test_the_second_is_built_for_what_the_first_returns(self):
        g = built(Compose(Linear(WIDER), DimensionSelector()))
        assert g.second.network.layers[-1].out_features == 5
        assert g(normal(3)).shape == (3, 5)

    def test_what_does_not_fit_is_refused(self):
        with pytest.raises(ValueError, match=r"Linear failed on a batch of shape \(3, 3\)"):
            Compose(nn.Linear(2, 2), Sphere()).build(3)
        with pytest.raises(ValueError, match=r"matrix has shape \(5, 4\)"):
            Compose(Linear([[1.0, 1.0]]), Linear(WIDER)).build(2)

    @pytest.mark.parametrize("name", ["first", "second"])
    @pytest.mark.parametrize("value", [torch.tanh, Sphere, "sphere", None])
    def test_what_is_no_module_is_refused_with_advice(self, name, value):
        children = {"first": Identity(), "second": Identity()} | {name: value}
        with pytest.raises(ValueError, match=rf"{name} must be a mapping.*Function\(\.\.\.\)"):
            Compose(**children).build(2)

    def test_it_has_loss_terms_and_regions_if_one_of_the_two_has_them(self):
        y = normal(20)
        plain = built(Compose(Sphere(), Compose(Identity(), Plain())))
        assert not plain.has_regions
        assert loss_terms(plain, y) == {}
        for mapping in (
            Compose(Clusters(), Identity()),
            Compose(Plain(), Clusters()),
            Compose(Identity(), Compose(Sphere(), Clusters())),
        ):
            g = built(mapping)
            assert g.has_regions
            assert g.regions(y).shape == (20,)
            assert set(loss_terms(g, y)) == {"penalty", "guidance"}

    def test_loss_terms_of_one_name_add_up(self):
        y, mean = normal(30), normal(30, seed=2)
        g = built(Compose(Scaled(), Compose(DimensionSelector(3.0), Scaled())))
        between = 2 * y
        selected = g.second.first(between)
        penalties = (
            (between - y).square().sum(dim=1)
            + loss_terms(g.second.first, between)["penalty"]
            + selected.square().sum(dim=1)
        )
        found = loss_terms(g, y, mean=mean)
        torch.testing.assert_close(found["penalty"], penalties)
        inner_mean = g.second.first(2 * mean)
        of_means = (between - mean).sum(dim=1) + (2 * selected - inner_mean).sum(dim=1)
        torch.testing.assert_close(found["of_the_mean"], of_means)

    @pytest.mark.parametrize("pair", [(Scaled(), Identity()), (Identity(), Scaled())])
    def test_loss_terms_of_one_mapping_are_those_of_both(self, pair):
        y = normal(30)
        penalty = loss_terms(built(Compose(*pair)), y)["penalty"]
        torch.testing.assert_close(penalty, y.square().sum(dim=1))

    def test_regions_are_those_of_the_first_or_else_of_the_second(self):
        y = normal(100, 2)
        rotation = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        g = built(Compose(Linear(rotation), Clusters(4)), 2)
        assert torch.equal(g.regions(y), (built(Clusters(4), 2).regions(y) + 1) % 4)
        both = built(Compose(Scaled(), Clusters(4)), 2)
        assert torch.equal(both.regions(y), Scaled().regions(y))

    def test_training_warms_up_its_mappings_and_records_their_penalty(self, X):
        g = Compose(Recording(), OnComponents(Recording(), (1,)))
        vae = InteLVAE(2, mapping=g, **SMALL).fit(X)
        fitted = vae.module_.mapping
        for recording in (fitted.first, fitted.second.mapping):
            assert (recording.fractions[0], recording.fractions[-1]) == (0.0, 1.0)
            assert recording.fractions == sorted(recording.fractions)
        assert "penalty" in vae.history_[-1]


class TestOnComponents:
    def test_what_is_mapped_comes_first_and_the_rest_is_unchanged(self):
        y = normal(20)
        g = built(OnComponents(Function(lambda y: y[:, :1] - y[:, 1:]), (3, 1)))
        expected = torch.stack([y[:, 3] - y[:, 1], y[:, 0], y[:, 2]], dim=1)
        assert torch.equal(g(y), expected)

    def test_the_mapping_is_built_for_its_components(self):
        g = built(OnComponents(DimensionSelector(), (0, 2, 3)))
        assert g.mapping.network.layers[0].in_features == 3

    @pytest.mark.parametrize(
        "components", [(), (0, 0), (4,), (-1,), (0.0,), (1.5,), 2, None, "01", [0, 1, 2, 3, 4]]
    )
    def test_components_that_are_not_there_once_are_refused(self, components):
        with pytest.raises(ValueError, match=r"components=.* must name some of n_components=4"):
            OnComponents(Sphere(), components).build(4)

    @pytest.mark.parametrize("mapping", [torch.tanh, Sphere, None])
    def test_what_is_no_module_is_refused_with_advice(self, mapping):
        with pytest.raises(ValueError, match=r"mapping must be a mapping.*Function\(\.\.\.\)"):
            OnComponents(mapping, (0,)).build(2)

    def test_it_has_loss_terms_and_regions_if_the_mapping_has_them(self):
        for inner in (Sphere(), Plain()):
            g = built(OnComponents(inner, (0, 1)))
            assert not g.has_regions
            assert loss_terms(g, normal(5)) == {}
        g = built(OnComponents(Clusters(), (0, 1)))
        assert g.has_regions
        assert set(loss_terms(g, normal(5))) == {"penalty", "guidance"}

    @pytest.mark.parametrize("inner", [Clusters(3), Scaled(), Compose(Linear([[1, 2]]), Scaled())])
    def test_loss_terms_and_regions_are_the_mappings(self, inner):
        y, mean = normal(50), normal(50, seed=2)
        g, alone = built(OnComponents(inner, (2, 0))), built(inner, 2)
        found = loss_terms(g, y, mean=mean)
        expected = loss_terms(alone, y[:, [2, 0]], y, mean[:, [2, 0]])
        assert found.keys() == expected.keys()
        for name, term in found.items():
            torch.testing.assert_close(term, expected[name])
        assert torch.equal(g.regions(y), alone.regions(y[:, [2, 0]]))


NESTED = {
    "Compose": (Compose(Sphere(), Clusters(3)), "second__n_clusters"),
    "OnComponents": (OnComponents(Clusters(3), (0, 1)), "mapping__n_clusters"),
    "both": (OnComponents(Compose(Sphere(), Clusters(3)), (0, 1)), "mapping__second__n_clusters"),
}


@pytest.mark.parametrize("name", NESTED)
def test_parameters_of_the_parts_have_nested_names(name):
    mapping, parameter = NESTED[name]
    assert mapping.get_params()[parameter] == 3
    changed = clone(mapping).set_params(**{parameter: 7})
    assert changed.get_params()[parameter] == 7
    assert mapping.get_params()[parameter] == 3


@pytest.mark.parametrize("name", NESTED)
def test_regions_make_predict(name, X):
    vae = InteLVAE(2, mapping=NESTED[name][0], **SMALL).fit(X)
    assert set(vae.predict(X)) <= {0, 1, 2}
    assert not hasattr(InteLVAE(mapping=Compose(Sphere(), Identity())), "predict")


@pytest.mark.parametrize(
    "combine", [lambda g: Compose(g, Sphere()), lambda g: OnComponents(g, (1,))]
)
def test_a_module_inside_keeps_its_weights_and_is_never_trained_in_place(combine, X):
    inner = Plain()
    vae = InteLVAE(2, mapping=combine(inner), learning_rate_init=0.1, **SMALL).fit(X)
    weights = {p.detach().item() for p in vae.module_.mapping.parameters()}
    assert len(weights) == 1
    assert weights != {2.0}
    assert inner.scale.detach().item() == 2
    assert [p.item() for p in untrained_copy(combine(inner)).parameters()] == [2.0]


def test_mappings_inside_come_back_from_a_clone_without_weights():
    g = built(Compose(DimensionSelector(), OnComponents(DimensionSelector(), (1,))))
    assert list(g.parameters())
    assert not list(untrained_copy(g).parameters())


@pytest.mark.parametrize(
    "mapping",
    [
        OnComponents(Clusters(3), (1, 2)),
        Compose(OnComponents(Clusters(3), (1, 2)), Identity()),
        Compose(Linear(torch.eye(3)[[1, 2, 0]]), Clusters(3)),
    ],
)
def test_guidance_reaches_inner_mappings(mapping):
    g, plain, y = built(mapping, 3), built(Clusters(3), 2), normal(60, 3)
    X = torch.cat([normal(20, 2, seed) / 5 + 3 * seed for seed in range(3)])
    for part in (g, plain):
        for inner in part.modules():
            if isinstance(inner, Mapping):
                inner.initialize(X, torch.Generator().manual_seed(0))
    mean = normal(60, 3, seed=5)
    pull = loss_terms(g, y, X, mean)["guidance"]
    assert pull.mean().item() > 1
    torch.testing.assert_close(pull, loss_terms(plain, y[:, 1:], X, mean[:, 1:])["guidance"])
