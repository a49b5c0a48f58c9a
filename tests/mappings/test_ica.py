"""ICA: the turn that makes components independent, found from draws alone."""

import copy

import numpy as np
import pytest
import torch
from mapping_helpers import built

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.datasets import make_entangled_factors
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import ICA, Compose, Identity, Linear, OnComponents
from sklearn_intelvae.metrics import mutual_info_gap


def laplace(shape, generator):
    signs = torch.rand(shape, generator=generator) - 0.5
    return -signs.sign() * torch.log1p(-2 * signs.abs().clamp(max=0.5 - 1e-6)) * 0.5**0.5


def uniform(shape, generator):
    return (2 * torch.rand(shape, generator=generator) - 1) * 3**0.5


def turn_of(d, generator):
    return torch.linalg.qr(torch.randn(d, d, generator=generator))[0]


def shown(draw, d, n_batches=400, n=128, turn=None, weights=None):
    """Show batches of turned factors; return the mapping and what it makes of the factors."""
    generator = torch.Generator().manual_seed(0)
    turn = turn_of(d, generator) if turn is None else turn
    g = built(ICA(), d)
    for _ in range(n_batches):
        factors = draw((n, d), generator)
        g.notice(factors @ turn, None if weights is None else weights(factors))
    return g, g.rotation @ turn.T


def is_a_signed_permutation(matrix, atol):
    close = matrix.abs() > 1 - atol
    return bool((close.sum(0) == 1).all() and (close.sum(1) == 1).all())


@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("draw", [laplace, uniform])
def test_factors_are_found_whatever_their_tails(draw, d):
    _, found = shown(draw, d)
    assert is_a_signed_permutation(found, 0.02)


def test_the_turn_stays_a_turn():
    g, _ = shown(laplace, 4)
    torch.testing.assert_close(g.rotation @ g.rotation.T, torch.eye(4))


def test_few_rows_say_nothing():
    g, _ = shown(laplace, 3, n_batches=3)
    assert torch.equal(g.rotation, torch.eye(3))


def test_it_turns_from_where_it_is_and_never_jumps():
    generator = torch.Generator().manual_seed(0)
    g, turn = built(ICA(), 3), turn_of(3, generator)
    for _ in range(200):
        before = g.rotation.clone()
        g.notice(laplace((128, 3), generator) @ turn, None)
        assert float((g.rotation - before).norm()) < 0.3


def test_rows_without_weight_are_not_seen():
    """Half of the rows are of other factors, which turned differently, and weigh nothing."""
    generator = torch.Generator().manual_seed(1)
    turn, other = turn_of(2, generator), turn_of(2, generator)
    g = built(ICA(), 2)
    weight = torch.cat([torch.full((64,), 2.0), torch.zeros(64)])
    for _ in range(400):
        halves = laplace((64, 2), generator) @ turn, laplace((64, 2), generator) @ other
        g.notice(torch.cat(halves), weight)
    assert is_a_signed_permutation(g.rotation @ turn.T, 0.03)


def test_draws_that_are_not_finite_are_passed_over():
    g, _ = shown(laplace, 2)
    before = g.rotation.clone()
    g.notice(torch.full((2048, 2), torch.nan), None)
    assert torch.equal(g.rotation, before)


def test_each_turn_is_smaller_than_those_before():
    """Of Gaussian draws, which say nothing, the turn comes to rest."""
    generator, g, steps = torch.Generator().manual_seed(0), built(ICA(), 3), []
    for _ in range(4000):
        before = g.rotation
        g.notice(torch.randn(128, 3, generator=generator), None)
        steps.append(float((g.rotation - before).norm()))
    assert sum(steps[-400:]) < 0.3 * sum(steps[400:800])


def test_draws_that_overflow_do_not_stop_the_training():
    g, _ = shown(laplace, 2)
    for value in (torch.inf, torch.nan):
        g.notice(torch.full((128, 2), value), None)
    assert g.rotation.isfinite().all()


def test_noticing_does_not_disturb_a_gradient_that_is_under_way():
    generator = torch.Generator().manual_seed(0)
    g, _ = shown(laplace, 2)
    y = laplace((600, 2), generator).requires_grad_()
    z = g(y)
    for _ in range(8):
        g.notice(y.detach(), None)
    z.square().sum().backward()
    torch.testing.assert_close(y.grad, 2 * y.detach())


def test_a_copy_goes_on_as_the_mapping_does():
    g, _ = shown(laplace, 2, n_batches=20)
    again = copy.deepcopy(g)
    batch = laplace((512, 2), torch.Generator().manual_seed(3))
    for mapping in (g, again):
        mapping.notice(batch, None)
    assert torch.equal(g.rotation, again.rotation)


def test_the_decoder_is_given_the_codes_as_they_were_before_the_turn():
    g, _ = shown(laplace, 3)
    y = torch.randn(10, 3, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(g(y), y, atol=0.1)
    torch.testing.assert_close(g.to_decoder(g(y)), y)


def test_wrapped_mappings_pass_on_what_the_decoder_is_given():
    y = torch.randn(10, 3, generator=torch.Generator().manual_seed(1))
    last, part = (
        Compose(Linear([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]]), ICA()),
        OnComponents(ICA(), (2, 0)),
    )
    for g, unturned in ((last, y * torch.tensor([2.0, 1, 1])), (part, y[:, [2, 0, 1]])):
        g = built(g, 3)
        (turn,) = [inner for inner in g.modules() if isinstance(inner, ICA)]
        turn.rotation = turn_of(len(turn.rotation), torch.Generator().manual_seed(2))
        torch.testing.assert_close(g.to_decoder(g(y)), unturned)
    assert not hasattr(Compose(ICA(), Identity()), "to_decoder")


@pytest.mark.parametrize("n_components", [2, 5])
def test_the_turn_costs_nothing(n_components):
    """Neither while it moves nor where components are Gaussian or too many."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(1000, 4)) * [2, 1.5, 1, 1]) @ rng.normal(size=(4, 6))
    settings = dict(hidden_layer_sizes=(32,), max_iter=20, random_state=0)
    plain, turned = (
        InteLVAE(n_components, mapping=mapping, **settings).fit(X)
        for mapping in ("identity", "ica")
    )
    rotation = turned.module_.mapping.rotation
    assert (rotation - torch.eye(n_components)).abs().max() > 0.1
    assert turned.score(X) == pytest.approx(plain.score(X), abs=0.05)
    np.testing.assert_allclose(turned.reconstruct(X), plain.reconstruct(X), atol=0.2)
    np.testing.assert_allclose(
        turned.transform(X), plain.transform(X) @ rotation.numpy().T, atol=0.1
    )


def test_a_vae_finds_factors_that_principal_directions_hide():
    X, W, *_ = make_entangled_factors(4000, n_factors=2, perturbation=1.4, random_state=0)
    settings = dict(
        likelihood=Gaussian(0.5),
        hidden_layer_sizes=(64,),
        learning_rate_init=3e-3,
        max_iter=150,
        random_state=0,
    )
    gaps = {
        mapping: mutual_info_gap(InteLVAE(2, mapping=mapping, **settings).fit(X).transform(X), W)
        for mapping in ("identity", "ica")
    }
    assert gaps["identity"] < 0.3
    assert gaps["ica"] > 0.6
