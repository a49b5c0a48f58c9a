"""Laws of all parts: their hyper-parameters, their hooks, and their copies."""

import inspect

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils._param_validation import generate_invalid_param_val, make_constraint
from torch import nn

from sklearn_intelvae import likelihoods, mappings, networks, objectives, posteriors, priors
from sklearn_intelvae._checks import hooks_of
from sklearn_intelvae._part import Part, call, untrained_copy
from sklearn_intelvae.networks import MLP
from tests.mappings.shelf import MAPPINGS
from tests.small_models import small_vae

SIZES = {
    mappings: (4,),
    priors: (4, 6),
    likelihoods: (6,),
    networks: (6, 4),
    objectives: (small_vae(),),
    posteriors: None,
}


def public_parts():
    return [
        (part, sizes)
        for room, sizes in SIZES.items()
        for part in (getattr(room, name) for name in room.__all__)
        if isinstance(part, type) and issubclass(part, Part)
    ]


def made(part):
    """Return a part, with the arguments that it needs."""
    case = MAPPINGS.get(part.__name__)
    return clone(case.examples[0]) if case else part()


def ranges():
    """Return each hyper-parameter that has a range, with the part's class and its sizes."""
    return [
        pytest.param(part, sizes, parameter, constraints, id=f"{part.__name__}-{parameter}")
        for part, sizes in public_parts()
        for parameter, constraints in part._parameter_constraints.items()
    ]


@pytest.mark.parametrize(("part", "sizes", "parameter", "constraints"), ranges())
def test_values_out_of_range_are_refused_by_name(part, sizes, parameter, constraints):
    values = [object()]
    for constraint in map(make_constraint, constraints):
        try:
            values.append(generate_invalid_param_val(constraint))
        except NotImplementedError:
            continue
    for value in values:
        spoiled = made(part).set_params(**{parameter: value})
        message = f"'{parameter}' parameter of {part.__name__} must be"
        with pytest.raises(ValueError, match=message):
            spoiled.build(*sizes)


def test_the_ranges_name_parameters_that_exist():
    for case in ranges():
        part, _, parameter, _ = case.values
        assert parameter in part._get_param_names()


@pytest.mark.parametrize("part", [part for part, _ in public_parts()], ids=lambda p: p.__name__)
def test_constructors_store_their_arguments_unchanged(part):
    if part.__init__ is Part.__init__:
        assert not part._get_param_names()
        return
    marks = {name: object() for name in part._get_param_names()}
    stored = part(**marks).get_params(deep=False)
    assert all(stored[name] is mark for name, mark in marks.items())


@pytest.mark.parametrize("part", [part for part, _ in public_parts()], ids=lambda p: p.__name__)
def test_a_hook_has_the_signature_that_its_base_class_declares(part):
    for base in part.__mro__[1 : part.__mro__.index(Part) + 1]:
        for name in hooks_of(base):
            declared, own = getattr(base, name, None), getattr(part, name, None)
            if callable(declared):
                assert [*inspect.signature(own).parameters] == [
                    *inspect.signature(declared).parameters
                ], name


class Holder(Part):
    def __init__(self, inner=None):
        super().__init__()
        self.inner = inner


def test_anything_can_replace_a_module():
    holder = Holder(mappings.Sphere())
    assert "inner" in holder._modules
    holder.set_params(inner=abs)
    assert holder.inner is abs
    assert not holder._modules
    holder.set_params(inner=mappings.Identity())
    assert list(holder.children()) == [holder.inner]


class TestUntrainedCopy:
    def test_a_part_loses_its_weights(self):
        built = MLP((3,))
        built.build(2, 2)
        copy = untrained_copy(built)
        assert repr(copy) == repr(built)
        assert not list(copy.parameters())

    def test_a_plain_module_keeps_its_weights_in_a_copy(self):
        linear = nn.Linear(2, 2)
        copy = untrained_copy(linear)
        assert torch.equal(copy.weight, linear.weight)
        assert copy.weight is not linear.weight

    def test_a_module_inside_a_part_keeps_its_weights_in_a_copy(self):
        holder = Holder(nn.Linear(2, 2))
        copy = untrained_copy(holder)
        assert torch.equal(copy.inner.weight, holder.inner.weight)
        assert copy.inner.weight is not holder.inner.weight

    def test_it_is_scikit_learns_clone(self):
        assert repr(clone(Holder(MLP()))) == repr(untrained_copy(Holder(MLP())))


class Doubling(nn.Module):
    """Works in place, as torch's activations can."""

    def forward(self, y):
        return y.mul_(2)

    def halve(self, y):
        return y.mul_(0.5)


class TestCall:
    def test_a_module_of_the_users_own_cannot_change_the_callers_tensor(self):
        y, module = torch.ones(3), Doubling()
        assert torch.equal(call(module, y), 2 * y)
        assert torch.equal(call(module.halve, y), y / 2)
        assert torch.equal(y, torch.ones(3))

    def test_nor_can_a_function(self):
        y = torch.ones(3)
        assert torch.equal(call(lambda y: y.add_(1), y), y + 1)
        assert torch.equal(y, torch.ones(3))

    def test_nor_the_callers_array(self):
        X = np.ones(3)
        call(lambda X: X.fill(0), X)
        assert X.all()

    def test_gradients_pass_through_the_copy(self):
        y = torch.ones(3, requires_grad=True)
        call(Doubling(), y).sum().backward()
        assert torch.equal(y.grad, torch.full((3,), 2.0))

    def test_a_part_of_this_package_receives_the_tensor_itself(self):
        y = torch.ones(3, 2)
        assert call(mappings.Identity(), y) is y

    def test_none_is_passed_on(self):
        assert call(lambda y, weight: weight, torch.ones(3), None) is None
