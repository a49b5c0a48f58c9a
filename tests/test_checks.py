"""The checks of what a part returns, by themselves; those of a built model are in tests/models."""

import pytest
import torch
from torch import nn

from sklearn_intelvae import mappings
from sklearn_intelvae._checks import hooks_of, output_width, refuse_hooks
from sklearn_intelvae.mappings import Function, Mapping
from sklearn_intelvae.networks import Network

BASES = Mapping, Network
"""The base classes of parts that may be plain modules instead."""


class TestOutputWidth:
    def test_it_is_the_number_of_columns(self):
        assert output_width(nn.Linear(2, 3), 2) == 3
        assert output_width(Function(lambda y: y[:, :1]), 2) == 1

    def test_training_mode_and_running_statistics_are_unchanged(self):
        module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        assert output_width(module, 2) == 3
        assert module.training
        assert torch.equal(module[1].running_mean, torch.zeros(3))

    @pytest.mark.parametrize(
        ("function", "message"),
        [
            (lambda y: y.double(), r"returned torch.float64; .* append .float\(\)"),
            (lambda y: y > 0, r"returned torch.bool.*StraightThrough"),
            (lambda y: y[0], r"returned shape \(2,\)"),
            (lambda y: y[:1], r"returned shape \(1, 2\)"),
            (lambda y: y[:, :0], r"returned shape \(3, 0\)"),
            (lambda y: [y], "returned list"),
            (lambda y: y @ torch.ones(7, 7), r"failed on a batch of shape \(3, 2\)"),
        ],
    )
    def test_other_results_are_refused_with_advice(self, function, message):
        with pytest.raises(ValueError, match=f"mapping Function {message}"):
            output_width(Function(function), 2, "mapping")


def methods_of(base):
    return sorted(name for name in hooks_of(base) if callable(getattr(base, name, None)))


@pytest.mark.parametrize(
    ("base", "hook"), [(base, hook) for base in BASES for hook in methods_of(base)]
)
def test_a_plain_module_that_defines_a_hook_is_refused(base, hook):
    """It would never be called; the message names the hook and the base class to derive from."""
    plain = type("Plain", (nn.Module,), {hook: lambda self, *args: None})
    with pytest.raises(TypeError, match=rf"role Plain defines {hook}, .*\.{base.__name__}: derive"):
        refuse_hooks(plain(), base, "role")


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    "module",
    [nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))],
    ids=["one layer", "two"],
)
def test_a_plain_module_with_forward_only_is_accepted(base, module):
    assert refuse_hooks(module, base, "role") is None


class PlainPenalized(nn.Module):
    def forward(self, y):
        return y

    def loss_terms(self, x, mean, y, z):
        return {"penalty": y.sum()}


@pytest.mark.parametrize(
    "mapping",
    [
        mappings.Function(PlainPenalized()),
        mappings.Compose(PlainPenalized(), mappings.Identity()),
        mappings.Compose(mappings.Identity(), PlainPenalized()),
        mappings.OnComponents(PlainPenalized(), (0,)),
        mappings.StraightThrough(PlainPenalized()),
        mappings.StraightThrough(torch.sign, surrogate=PlainPenalized()),
    ],
)
def test_every_mapping_refuses_hooks_of_plain_modules_inside_it(mapping):
    with pytest.raises(TypeError, match=r"defines loss_terms.*sklearn_intelvae.mappings.Mapping"):
        mapping.build(2)
