"""Theorem 1 of the InteL-VAE paper: no mapping increases the divergence from the prior.

KL(q(z | x) || p(z)) <= KL(q(y | x) || p(y)), with equality for an invertible mapping.
"""

import math

import numpy as np
import pytest
import torch

from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.mappings import Clusters, Flow, Glue, Linear, Sphere
from tests.mappings.mapping_helpers import built

MEAN = torch.tensor([[1.2, -0.5]], dtype=torch.float64)
LOG_SCALE = torch.full((1, 2), math.log(0.4), dtype=torch.float64)
Q = Normal(MEAN, LOG_SCALE)
KL_OF_Y = Q.kl_from_standard().sum().item()


def draws(n=200_000):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return MEAN + LOG_SCALE.exp() * noise


def log_ratio(y):
    """Return log q(y | x) - log p(y)."""
    q, p = Normal(MEAN.expand_as(y), LOG_SCALE), Normal(0 * y, 0 * LOG_SCALE)
    return q.log_prob(y) - p.log_prob(y)


def histogram_kl(mapping):
    """Estimate KL(q(z | x) || p(z)) of a mapping onto a curve or plane, on a fine grid."""
    with torch.no_grad():
        z_q = mapping(draws(400_000)).numpy()
        y_p = torch.randn(400_000, 2, generator=torch.Generator().manual_seed(1)).double()
        z_p = mapping(y_p).numpy()
    low, high = np.minimum(z_q.min(0), z_p.min(0)), np.maximum(z_q.max(0), z_p.max(0))
    bins = [np.linspace(a, b, 61) for a, b in zip(low, high, strict=True)]
    q, p = (np.histogram2d(*z.T, bins=bins)[0] / len(z) for z in (z_q, z_p))
    both = (q > 0) & (p > 0)
    return float((q[both] * np.log(q[both] / p[both])).sum())


def test_an_affine_mapping_keeps_the_divergence():
    """Both sides in closed form: q(z | x) and p(z) are Gaussians with full covariances."""
    A = torch.tensor([[2.0, 0.5], [-1.0, 1.5]])
    g = Linear(A.tolist())
    g.build(2)
    A = A.double()
    moved = MEAN @ A.T
    torch.testing.assert_close(g(MEAN.float()).double(), moved)
    q = torch.distributions.MultivariateNormal(moved[0], 0.16 * A @ A.T)
    p = torch.distributions.MultivariateNormal(torch.zeros(2).double(), A @ A.T)
    assert torch.distributions.kl_divergence(q, p).item() == pytest.approx(KL_OF_Y, abs=1e-6)


def test_a_flow_keeps_the_divergence():
    """By Monte Carlo; the Jacobian cancels in the ratio of the densities of z."""
    g = Flow(n_layers=4, hidden_layer_sizes=(8,))
    torch.manual_seed(0)
    g.build(2)
    g.double()
    with torch.no_grad():
        for weight in g.parameters():
            weight += 0.5 * torch.randn_like(weight)
        z = g(draws())
        found = log_ratio(g.inverse(z)).mean().item()
        assert not torch.allclose(z, draws(), atol=0.5)
    assert found == pytest.approx(KL_OF_Y, abs=0.02)


def test_the_sphere_decreases_the_divergence():
    """The angle of an isotropic Gaussian has a projected normal density."""
    y = draws()
    with torch.no_grad():
        z = Sphere()(y)
    direction = MEAN / MEAN.norm()
    m = (MEAN.norm() / 0.4).item()
    t = m * (z @ direction.T)[:, 0]
    normal = torch.distributions.Normal(0.0, 1.0)
    log_uniform = -math.log(2 * math.pi)
    log_q = log_uniform - m**2 / 2 + torch.log1p(t * normal.cdf(t) / normal.log_prob(t).exp())
    kl_of_z = (log_q - log_uniform).mean().item()
    assert log_ratio(y).mean().item() == pytest.approx(KL_OF_Y, abs=0.02)
    assert 0 < kl_of_z < KL_OF_Y - 0.2


@pytest.mark.parametrize("mapping", [Sphere(), Glue(), Clusters(2), Clusters(5)])
def test_no_mapping_increases_the_divergence(mapping):
    """On a grid, which decreases the divergence, too: for invertible mappings it is near equal."""
    g = built(mapping, 2).double().eval()
    found = histogram_kl(g)
    assert found <= KL_OF_Y + 0.02
    if isinstance(g, Clusters):
        assert found > KL_OF_Y - 0.3
