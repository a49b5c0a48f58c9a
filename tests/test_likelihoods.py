"""Laws of the likelihoods, and the scales of those that have one."""

import math

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_intelvae import likelihoods
from sklearn_intelvae.distributions import Distribution
from sklearn_intelvae.likelihoods import Bernoulli, Gaussian, Laplace, Likelihood

CLASSES = {
    name: value
    for name, value in vars(likelihoods).items()
    if isinstance(value, type) and issubclass(value, Likelihood) and not name.startswith("_")
}
CASES = [
    Gaussian(),
    Gaussian("per_feature"),
    Gaussian(0.3),
    Laplace(),
    Laplace("per_feature", min_scale=0.1),
    Laplace(2.0),
    Bernoulli(),
]


def built(likelihood, X=None):
    likelihood = clone(likelihood)
    likelihood.build(3)
    if X is not None:
        likelihood.initialize(X, torch.Generator())
    return likelihood


def test_all_public_likelihoods_have_a_case():
    assert {type(c) for c in CASES} == set(CLASSES.values()) - {Likelihood}


@pytest.mark.parametrize("likelihood", CASES)
def test_densities_have_their_normalizing_constants(likelihood):
    """The density of one feature integrates, or sums, to one."""
    part = clone(likelihood)
    part.build(1)
    h = torch.tensor([[0.4]])
    if isinstance(likelihood, Bernoulli):
        total = sum(float(part(h).log_prob(torch.tensor([[x]])).exp()) for x in (0.0, 1.0))
    else:
        x = torch.linspace(-60, 60, 400001)[:, None]
        density = part(h.expand(len(x), 1)).log_prob(x).exp()
        total = torch.trapezoid(density, x[:, 0]).item()
    assert total == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("likelihood", CASES)
def test_the_mean_is_the_decoders_output(likelihood):
    h = torch.tensor([[-1.0, 0.0, 2.0]])
    part = built(likelihood)
    p: Distribution = part(h)
    expected = h.sigmoid() if isinstance(likelihood, Bernoulli) else h
    torch.testing.assert_close(p.mean, expected)
    assert torch.equal(part.mean(h), p.mean)


@pytest.mark.parametrize("kind", [Gaussian, Laplace])
@pytest.mark.parametrize("scale", ["learned", "per_feature"])
def test_a_learned_scale_starts_at_the_spread_of_the_data(kind, scale):
    X = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [1.0, 10.0, 100.0]
    )
    part = built(kind(scale), X)
    spread = X.std(dim=0, correction=0)
    expected = spread if scale == "per_feature" else spread.square().mean().sqrt()
    torch.testing.assert_close(part.log_scale().exp(), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("scale", ["learned", "per_feature"])
def test_a_learned_scale_stays_above_its_bound(scale):
    X = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    part = built(Gaussian(scale, min_scale=0.05), X)
    with torch.no_grad():
        part.excess.fill_(-50)
    spread = X.std(dim=0, correction=0)
    spread = spread if scale == "per_feature" else spread.log().mean().exp()
    torch.testing.assert_close(part.log_scale().exp(), 0.05 * spread)


@pytest.mark.parametrize(("n_varying", "bound"), [(1, 1.0), (4, 0.25), (1000, 0.01)])
def test_a_scale_is_not_smaller_than_the_rows_that_determine_it_say(n_varying, bound):
    """Of 1000 rows only some differ from 0, all by as much, in one direction or the other."""
    X = torch.zeros(1000, 3)
    X[:n_varying] = 1.0
    X[: n_varying // 2] = -1.0
    part = built(Gaussian(), X)
    with torch.no_grad():
        part.excess.fill_(-50)
    spread = X.std(dim=0, correction=0)
    torch.testing.assert_close(part.log_scale().exp(), bound * spread, rtol=2e-3, atol=0)


@pytest.mark.parametrize("kind", [Gaussian, Laplace])
def test_scales_change_alike_at_first_and_each_for_itself_later(kind):
    """Otherwise the feature that is reconstructed best can get all gradients, and no other any."""
    X = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    part = built(kind(), X)

    def gradient(fraction):
        part.set_progress(fraction)
        loss = -part(0.1 * X[:, [0, 0, 0]]).log_prob(X).mean()
        return torch.autograd.grad(loss, part.excess)[0]

    alike, mixed, own = gradient(0.0), gradient(0.125), gradient(0.25)
    assert own.unique().numel() == 3
    torch.testing.assert_close(alike, own.mean().expand(3))
    torch.testing.assert_close(mixed, (alike + own) / 2)


def test_only_the_gradients_of_scales_are_mixed():
    part = built(Gaussian(), torch.randn(100, 3, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        part.excess.copy_(torch.tensor([-0.1, 0.0, 0.1]))
    own = part.log_scale()
    part.set_progress(0.0)
    assert torch.equal(part.log_scale(), own)
    assert own.unique().numel() == 3


def test_scales_of_the_linear_model_are_each_for_itself():
    part = built(Gaussian(), torch.randn(100, 3, generator=torch.Generator().manual_seed(0)))
    own = torch.autograd.grad((part.log_scale() * torch.arange(3.0)).sum(), part.excess)[0]
    part.set_noise(part.log_scale().exp().square().detach().numpy(), 1.0)
    part.set_progress(0.0)
    found = torch.autograd.grad((part.log_scale() * torch.arange(3.0)).sum(), part.excess)[0]
    torch.testing.assert_close(found, own)


def test_a_constant_feature_does_not_break_the_scale():
    X = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    X[:, 1] = 4
    assert built(Gaussian("per_feature"), X).log_scale().isfinite().all()
    assert built(Gaussian(), torch.full((10, 3), 4.0)).log_scale().isfinite().all()


@pytest.mark.parametrize("scale", [0, -1.0, math.inf, math.nan, "free"])
@pytest.mark.parametrize("kind", [Gaussian, Laplace])
def test_scales_out_of_range_are_refused(kind, scale):
    with pytest.raises(ValueError, match="'scale' parameter of .* must be"):
        kind(scale).build(2)


@pytest.mark.parametrize("bound", [0, 1, 2.0])
def test_bounds_out_of_range_are_refused(bound):
    with pytest.raises(ValueError, match="'min_scale' parameter of Gaussian must be"):
        Gaussian(min_scale=bound).build(2)


@pytest.mark.parametrize("likelihood", CASES)
def test_a_likelihood_accepts_values_in_its_support(likelihood):
    built(likelihood).check_support(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    if not isinstance(likelihood, Bernoulli):
        built(likelihood).check_support(np.array([[-1e6, 0.0, 1e6]], dtype=np.float32))


@pytest.mark.parametrize("bad", [-0.1, 1.1])
def test_bernoulli_refuses_values_outside_its_support(bad):
    X = np.full((3, 2), 0.5)
    Bernoulli().check_support(X)
    X[1, 1] = bad
    with pytest.raises(ValueError, match=r"needs X in \[0, 1\], but X ranges from"):
        Bernoulli().check_support(X)


def test_a_feature_that_others_predict_in_all_rows_may_have_little_noise():
    """A heavy tail alone is no reason to doubt a relation that also holds in the tail."""
    generator = torch.Generator().manual_seed(0)
    tail = torch.randn(100, 1, generator=generator) ** 5
    X = torch.cat([tail, 2 * tail + 1, torch.randn(100, 1, generator=generator) ** 5], dim=1)
    part = built(Gaussian(), X)
    with torch.no_grad():
        part.excess.fill_(-50)
    smallest = part.log_scale().exp() / X.std(dim=0, correction=0)
    assert (smallest[:2] < 0.05).all()
    assert smallest[2] > 0.2
