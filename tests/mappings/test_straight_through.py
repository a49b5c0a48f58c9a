"""Values of one function with the gradient of another."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import DimensionSelector, Function, Sphere, StraightThrough
from tests.mappings.mapping_helpers import built, normal

FUNCTIONS = [torch.sign, torch.round, lambda y: y > 0, Sphere(), nn.Identity()]
SURROGATES = [None, torch.tanh, Function(torch.sin), nn.Linear(3, 3)]


def step(y):
    return torch.where(y >= 0, 1.0, -1.0)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_the_value_is_exactly_the_functions_and_the_gradient_the_surrogates(function, surrogate):
    g = built(StraightThrough(function, surrogate), 3)
    y = torch.cat([normal(50, 3), 1e4 * normal(50, 3), 1e-9 * normal(50, 3)]).requires_grad_()
    weight = normal(150, 3, seed=5)
    z = g(y)
    assert torch.equal(z, function(y).float())
    guide = y if surrogate is None else g.surrogate(y)
    ours, theirs = (torch.autograd.grad((weight * out).sum(), y)[0] for out in (z, guide))
    assert torch.equal(ours, theirs)


def test_columns_may_change_if_the_surrogates_do_too():
    y = normal(10, 3)
    g = built(StraightThrough(lambda y: y.argmax(dim=1, keepdim=True), nn.Linear(3, 1)), 3)
    assert torch.equal(g(y)[:, 0].long(), y.argmax(dim=1))
    g(y).sum().backward()
    assert g.surrogate.weight.grad.abs().max() > 0


def test_a_function_that_changes_the_width_needs_a_surrogate():
    with pytest.raises(ValueError, match=r"\(3, 1\), its.*identity, \(3, 3\): pass a surrogate"):
        StraightThrough(lambda y: y[:, :1] > 0).build(3)
    with pytest.raises(ValueError, match=r"surrogate.*\(3, 2\)"):
        StraightThrough(torch.sign, nn.Linear(3, 2)).build(3)


@pytest.mark.parametrize(("name", "value"), [("function", None), ("function", 3), ("surrogate", 3)])
def test_what_cannot_be_called_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a function or a torch.nn.Module, got"):
        StraightThrough(**{"function": torch.sign} | {name: value}).build(2)


def test_a_function_that_fails_is_named():
    with pytest.raises(ValueError, match=r"StraightThrough failed on a batch of shape \(3, 2\)"):
        StraightThrough(lambda y: y[:, 5:6] + y.reshape(7)).build(2)


def test_modules_and_functions_can_replace_each_other():
    g = StraightThrough(Sphere(), surrogate=Function(torch.tanh))
    g.set_params(function=torch.sign, surrogate=torch.sin)
    assert not list(g.children())
    g.set_params(function=Sphere(), surrogate=None)
    assert [type(child) for child in g.children()] == [Sphere]
    assert torch.equal(built(g)(normal(5)), Sphere()(normal(5)))


def test_parts_inside_are_built_and_only_the_surrogate_is_trained(X):
    mapping = StraightThrough(DimensionSelector(), surrogate=DimensionSelector())
    settings = dict(hidden_layer_sizes=(8,), random_state=0, learning_rate_init=0.01)
    one, two = (InteLVAE(2, mapping=mapping, max_iter=n, **settings).fit(X) for n in (1, 5))
    before, after = (dict(vae.module_.mapping.named_parameters()) for vae in (one, two))
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"surrogate"}


def check_binary_code(seed, **settings):
    rng = np.random.default_rng(seed)
    label = rng.integers(2, size=600)
    X = np.outer(2 * label - 1, [2.0, 1.0]) + 0.3 * rng.standard_normal((600, 2))
    settings = dict(max_iter=60, random_state=seed) | settings
    vae = InteLVAE(1, mapping=StraightThrough(step), **settings).fit(X)
    z = vae.transform(X)[:, 0]
    assert set(z) == {-1.0, 1.0}
    agreement = np.mean((z > 0) == label)
    assert max(agreement, 1 - agreement) > 0.95
    side = vae.sample(1000)[:, 0]
    assert min((side > 0.5).mean(), (side < -0.5).mean()) > 0.4


@pytest.mark.parametrize("seed", range(2))
def test_a_binary_code_separates_two_blobs(seed):
    brief = dict(hidden_layer_sizes=(16,), learning_rate_init=5e-3, batch_size=150)
    check_binary_code(seed, **brief)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_binary_code_separates_two_blobs_with_the_default_settings(seed):
    check_binary_code(seed)
