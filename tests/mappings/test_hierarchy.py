"""The levels of a hierarchy: their sizes, and which depends on which."""

import numpy as np
import pytest
import torch

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import Hierarchy
from tests.mappings.mapping_helpers import built, normal


def sizes(g):
    return [level.stop - level.start for level in g.levels]


@pytest.mark.parametrize(
    ("splits", "n_components", "expected"),
    [
        (2, 2, [1, 1]),
        (2, 7, [3, 4]),
        (5, 50, [10] * 5),
        (5, 7, [1, 1, 1, 1, 3]),
        (1, 3, [3]),
        ([1, 1, 2], 4, [1, 1, 2]),
        (np.array([3, 1]), 4, [3, 1]),
        (np.int64(2), 4, [2, 2]),
    ],
)
def test_levels_divide_the_components(splits, n_components, expected):
    g = built(Hierarchy(splits), n_components)
    assert sizes(g) == expected
    columns = torch.arange(n_components)
    assert torch.equal(torch.cat([columns[level] for level in g.levels]), columns)
    assert g(normal(3, n_components)).shape == (3, n_components)


@pytest.mark.parametrize(
    "splits", [5, 0, -1, 2.0, "ab", None, (2, 1), (2, 3), (5, -1), (4, 0), (2.0, 2.0), ()]
)
def test_splits_that_do_not_divide_the_components_are_refused(splits):
    with pytest.raises(ValueError, match=r"splits=.* does not divide n_components=4 into levels"):
        Hierarchy(splits).build(4)


@pytest.mark.parametrize("activation", ["relu", "identity", "tanh"])
@pytest.mark.parametrize("hidden", [(), (16,)])
def test_a_level_depends_on_those_before_it_and_on_no_other(activation, hidden):
    g = built(Hierarchy((1, 2, 3, 2), hidden, activation), 8)
    y = normal(200, 8).requires_grad_()
    z = g(y)
    for i, upper in enumerate(g.levels):
        (gradient,) = torch.autograd.grad(z[:, upper].square().sum(), y, retain_graph=True)
        reached = [bool(gradient[:, lower].any()) for lower in g.levels]
        assert reached == [j <= i for j in range(4)]


def test_formula():
    g, y = built(Hierarchy((1, 2), (5,), "elu"), 3), normal(20, 3)
    first, _, second = g.networks[0][0].layers
    hidden = torch.nn.functional.elu(y @ first.weight.T + first.bias)
    expected = torch.nn.functional.elu(hidden @ second.weight.T + second.bias)
    z = g(y)
    assert torch.equal(z[:, :1], y[:, :1])
    torch.testing.assert_close(z[:, 1:], expected)


def test_relu_makes_later_levels_non_negative():
    z = built(Hierarchy(2))(normal(100))
    assert z[:, :2].min() < 0
    assert z[:, 2:].min() >= 0


def test_one_level_of_fitted_rows_can_be_drawn_again(X):
    vae = InteLVAE(
        4, mapping=Hierarchy(4), hidden_layer_sizes=(8,), max_iter=3, whiten=True, random_state=0
    ).fit(X)
    g = vae.module_.mapping
    y = torch.from_numpy(vae.encode(X)[0])
    with torch.no_grad():
        before = g(y)
        y[:, g.levels[2]] = normal(len(y), 1)
        after = g(y)
    np.testing.assert_allclose(before, vae.transform(X), rtol=1e-5, atol=1e-6)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2:], after[:, 2:])
    assert vae.inverse_transform(after.numpy()).shape == X.shape
