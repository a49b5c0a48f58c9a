"""The flow: its inverse, its determinant, and its start at the identity."""

import pytest
import torch

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import Flow
from tests.mappings.mapping_helpers import built, normal

SIZES = [1, 2, 3, 5]


def perturbed(d, dtype=torch.float32, **settings):
    """Return a flow with weights far from those of the identity."""
    g = built(Flow(**settings), d).to(dtype)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in g.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator).to(dtype)
    return g


@pytest.mark.parametrize("d", SIZES)
def test_it_starts_as_the_identity_and_every_component_can_move(d):
    g, y = built(Flow(), d), normal(20, d)
    assert torch.equal(g(y), y)
    assert torch.equal(g.log_abs_det(y), torch.zeros(20))
    moved = perturbed(d)(y) - y
    assert (moved.abs() > 0.01).any(dim=0).all()


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("n_layers", [1, 2, 5])
def test_the_inverse_undoes_it(d, n_layers):
    g, y = perturbed(d, n_layers=n_layers), normal(100, d)
    torch.testing.assert_close(g.inverse(g(y)), y, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(g(g.inverse(y)), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("d", SIZES)
def test_the_determinant_is_that_of_the_jacobian(d):
    g, y = perturbed(d, torch.float64), normal(10, d).double()
    jacobians = [torch.autograd.functional.jacobian(lambda r: g(r[None])[0], row) for row in y]
    _, expected = torch.linalg.slogdet(torch.stack(jacobians))
    assert expected.abs().max() > 0.02
    torch.testing.assert_close(g.log_abs_det(y), expected)


def test_the_first_half_stays_with_one_layer():
    y = normal(20, 5)
    z = perturbed(5, n_layers=1)(y)
    assert torch.equal(z[:, :2], y[:, :2])
    assert (z[:, 2:] != y[:, 2:]).any(dim=0).all()


def test_log_scales_are_bounded():
    """By the bound of a layer times the two components that it moves, over three layers."""
    g = built(Flow(n_layers=3, max_log_scale=0.5))
    for sign in (-1, 1):
        for layer in g.layers:
            torch.nn.init.constant_(layer.network.layers[-1].bias, 1e4 * sign)
        torch.testing.assert_close(g.log_abs_det(normal(5)), torch.full((5,), sign * 3.0))


def test_with_an_invertible_mapping_both_divergences_are_equal():
    """Theorem 1 where it is an equality: by Monte Carlo in z, and in closed form in y."""
    g = perturbed(2, torch.float64)
    prior = torch.distributions.Normal(torch.zeros(2).double(), 1.0)
    q = torch.distributions.Normal(torch.tensor([0.7, -1.0]).double(), 0.5)
    with torch.no_grad():
        z = g(q.mean + 0.5 * normal(200_000, 2).double())
        y = g.inverse(z)
        log_q, log_p = (p.log_prob(y).sum(dim=1) - g.log_abs_det(y) for p in (q, prior))
    exact = torch.distributions.kl_divergence(q, prior).sum().item()
    assert (log_q - log_p).mean().item() == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("d", [1, 3])
def test_it_is_trained(d, X):
    vae = InteLVAE(
        d, mapping="flow", hidden_layer_sizes=(8,), max_iter=10, learning_rate_init=0.01
    ).fit(X)
    g, y = vae.module_.mapping, normal(20, d)
    with torch.no_grad():
        assert (g(y) - y).abs().max() > 1e-3
        torch.testing.assert_close(g.inverse(g(y)), y, rtol=1e-5, atol=1e-5)
