"""Laws of the posteriors: from the encoder's output to q(y | X)."""

import math

import pytest
import torch

from sklearn_intelvae import posteriors
from sklearn_intelvae.distributions import FullNormal, Normal
from sklearn_intelvae.posteriors import DiagonalGaussian, FullGaussian

CASES = {"DiagonalGaussian": DiagonalGaussian(), "FullGaussian": FullGaussian()}
every_posterior = pytest.mark.parametrize("posterior", CASES.values(), ids=CASES)


def outputs(posterior, d, n=6):
    generator = torch.Generator().manual_seed(0)
    return 0.5 * torch.randn(n, posterior.n_outputs(d), generator=generator)


def test_all_public_posteriors_have_a_case():
    assert set(CASES) == set(posteriors.__all__) - {"Posterior"}


@every_posterior
@pytest.mark.parametrize("d", [1, 2, 3, 10, 50])
class TestLaws:
    def test_sizes(self, posterior, d):
        q = posterior(outputs(posterior, d))
        assert q.mean.shape == q.variance.shape == q.log_scale.shape == (6, d)
        assert (q.variance > 0).all()

    def test_the_mean_alone_is_that_of_the_distribution(self, posterior, d):
        h = outputs(posterior, d)
        assert torch.equal(posterior.mean(h), posterior(h).mean)

    def test_no_output_is_the_standard_normal(self, posterior, d):
        q = posterior(torch.zeros(6, posterior.n_outputs(d)))
        assert torch.equal(q.kl_from_standard(), torch.zeros(6, d))

    def test_wild_outputs_stay_finite(self, posterior, d):
        q = posterior(1e3 * outputs(posterior, d).sign())
        assert q.log_scale.isfinite().all()
        assert q.sample(torch.Generator().manual_seed(0)).isfinite().all()

    def test_every_output_matters(self, posterior, d):
        h = outputs(posterior, d).requires_grad_()
        y = posterior(h).reparameterize(torch.ones(6, d))
        (gradient,) = torch.autograd.grad(y.square().sum(), h)
        assert (gradient != 0).all()


def test_what_they_return():
    assert isinstance(DiagonalGaussian()(torch.zeros(2, 4)), Normal)
    assert isinstance(FullGaussian()(torch.zeros(2, 5)), FullNormal)


def test_variances_of_a_diagonal_posterior_are_limited():
    q = DiagonalGaussian()(torch.tensor([[0.0, 1000.0], [0.0, -1000.0], [0.0, 1.0]]))
    torch.testing.assert_close(q.variance.log(), torch.tensor([[4.0], [-18.0], [1.0]]))


def test_a_full_posterior_has_a_lower_triangular_factor_with_limited_diagonal():
    h = torch.tensor([[0.5, -0.5, 1000.0, 1.0, 7.0]])
    q = FullGaussian()(h)
    assert torch.equal(q.mean, torch.tensor([[0.5, -0.5]]))
    expected = torch.tensor([[[math.exp(2.0), 0.0], [7.0, math.exp(0.5)]]])
    torch.testing.assert_close(q.factor, expected)


def test_a_full_posterior_has_the_covariance_asked_for():
    factor = torch.randn(4, 4, generator=torch.manual_seed(0), dtype=torch.float64)
    covariance = factor @ factor.T + 0.1 * torch.eye(4)
    outputs = FullGaussian().outputs_for(covariance)
    q = FullGaussian()(outputs[None])
    assert outputs.dtype == torch.float32
    assert not q.mean.any()
    torch.testing.assert_close(q.covariance[0].double(), covariance, rtol=1e-4, atol=1e-5)


def test_a_diagonal_posterior_has_the_variances_given_the_other_components():
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)
    q = DiagonalGaussian()(DiagonalGaussian().outputs_for(covariance)[None])
    torch.testing.assert_close(q.variance, torch.full((1, 2), 0.36))
