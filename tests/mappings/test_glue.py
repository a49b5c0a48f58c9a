"""The chain of loops: which points are glued, and data of that shape."""

import numpy as np
import pytest
import torch
from scipy import stats

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import Glue, OnComponents
from tests.mappings.mapping_helpers import built, normal

HOLES = [1, 2, 3, 4, 5, 8]


def pinches(h):
    return np.cos(np.pi * np.arange(1, h) / h)


@pytest.mark.parametrize("h", HOLES)
def test_points_above_and_below_a_pinch_point_coincide(h):
    along = pinches(h)
    across = np.sqrt(1 - along**2)
    y = 3 * torch.tensor(np.c_[along, across], dtype=torch.float32)
    z = Glue(h)(y)
    mirrored = Glue(h)(y * torch.tensor([1.0, -1.0]))
    expected = torch.tensor(np.c_[2 * along, 0 * along], dtype=torch.float32)
    torch.testing.assert_close(z, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(mirrored, z, rtol=0, atol=1e-6)


@pytest.mark.parametrize("h", HOLES)
def test_formula(h):
    """As it is documented, in another order of operations and in double precision."""
    y = normal(300, 2).double()
    c = (y / y.norm(dim=1, keepdim=True)).numpy()
    d = np.abs(c[:, :1] - pinches(h)).min(axis=1) if h > 1 else np.ones(300)
    r = np.sqrt(4 / 3 - (1 - d) ** 2) - 1 / np.sqrt(3)
    expected = 1.5 * np.c_[c[:, 0], c[:, 1] * r]
    np.testing.assert_allclose(Glue(h, scale=1.5, eps=1e-14)(y), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("h", HOLES)
def test_loops_have_equal_mass_and_are_open(h):
    z = Glue(h, scale=1.0)(normal(20000, 2)).numpy()
    loop = np.searchsorted(np.sort(pinches(h)), z[:, 0])
    counts = np.bincount(loop, minlength=h)
    if h > 1:
        assert stats.chisquare(counts).pvalue > 1e-4
    for i in range(h):
        inside = z[loop == i, 1]
        assert min(inside.max(), -inside.min()) > 0.5 / h**2


def test_one_hole_is_an_ellipse():
    along, across = Glue(1)(normal(100, 2)).T
    torch.testing.assert_close(along**2 + 3 * across**2, torch.full((100,), 4.0))


@pytest.mark.parametrize("h", HOLES)
def test_gradients_are_finite_where_the_formula_has_kinks(h):
    """At the pinch points, half way between them, and at both ends."""
    angle = np.pi * np.arange(4 * h + 1) / (2 * h)
    y = torch.tensor(np.c_[np.cos(angle), np.sin(angle)], dtype=torch.float32, requires_grad=True)
    Glue(h)(y).sum().backward()
    assert y.grad.isfinite().all()


@pytest.mark.parametrize("d", [1, 3])
def test_other_numbers_of_components_are_refused_with_advice(d):
    with pytest.raises(ValueError, match=rf"n_components=2, got {d}.*OnComponents\(Glue\(\), "):
        Glue().build(d)


def test_the_advice_works():
    g, y = built(OnComponents(Glue(), (0, 1)), 3), normal(5, 3)
    torch.testing.assert_close(g(y), torch.cat([Glue()(y[:, :2]), y[:, 2:]], dim=1))


def eight(n, seed):
    t = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    return np.c_[2 * np.cos(t), np.sin(2 * t)]


def off_the_curve(X):
    """Share of rows that are farther than a quarter from the figure of eight."""
    return (np.linalg.norm(X[:, None] - eight(3000, 9), axis=2).min(axis=1) > 0.25).mean()


def check_samples_of_a_figure_of_eight(seed, **settings):
    settings = dict(likelihood=Gaussian(0.1), random_state=seed) | settings
    X = eight(500, seed)
    chain = InteLVAE(2, mapping="glue", **settings).fit(X).sample(500)
    assert off_the_curve(chain) < 0.05
    assert min((chain[:, 0] > 0.5).mean(), (chain[:, 0] < -0.5).mean()) > 0.3
    assert off_the_curve(InteLVAE(2, prior="normal", **settings).fit(X).sample(500)) > 0.2


def test_samples_of_a_figure_of_eight_stay_on_it():
    brief = dict(hidden_layer_sizes=(32, 32), learning_rate_init=0.01, batch_size=64, max_iter=40)
    check_samples_of_a_figure_of_eight(1, **brief)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_samples_of_a_figure_of_eight_stay_on_it_with_the_default_settings(seed):
    check_samples_of_a_figure_of_eight(seed, max_iter=60)
