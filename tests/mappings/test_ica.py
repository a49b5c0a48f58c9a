"""ICA: the rotation into independent components, found from draws alone."""

import copy

import numpy as np
import pytest
import torch

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.datasets import make_entangled_factors
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import ICA, Compose, Identity, Linear, OnComponents
from sklearn_intelvae.metrics import mutual_info_gap
from tests.mappings.mapping_helpers import built

NO_DRAWS = torch.zeros(0)
"""The mapping follows means alone."""


def laplace(shape, generator):
    signs = torch.rand(shape, generator=generator) - 0.5
    return -signs.sign() * torch.log1p(-2 * signs.abs().clamp(max=0.5 - 1e-6)) * 0.5**0.5


def uniform(shape, generator):
    return (2 * torch.rand(shape, generator=generator) - 1) * 3**0.5


def rotation_of(d, generator):
    return torch.linalg.qr(torch.randn(d, d, generator=generator))[0]


def observed(draw, d, n_batches=400, n=128):
    """Pass on batches of rotated factors; return the mapping, and the rotation it leaves."""
    generator = torch.Generator().manual_seed(0)
    rotation = rotation_of(d, generator)
    g = built(ICA(), d)
    for _ in range(n_batches):
        factors = draw((n, d), generator)
        g.observe(factors @ rotation, NO_DRAWS, None)
    return g, g.rotation @ rotation.T


def is_a_signed_permutation(matrix, atol):
    close = matrix.abs() > 1 - atol
    return bool((close.sum(0) == 1).all() and (close.sum(1) == 1).all())


@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("draw", [laplace, uniform])
def test_factors_are_found_whatever_their_tails(draw, d):
    _, found = observed(draw, d)
    assert is_a_signed_permutation(found, 0.02)


def test_a_collapsed_component_stays_apart():
    """Its means hardly vary, but are a function of another component that is far from normal."""
    generator, g = torch.Generator().manual_seed(0), built(ICA(), 3)
    rotation = rotation_of(2, generator)
    for _ in range(400):
        factors = laplace((128, 2), generator)
        g.observe(
            torch.cat([factors @ rotation, 0.01 * factors[:, :1] ** 2], dim=1), NO_DRAWS, None
        )
    assert is_a_signed_permutation(g.rotation[:2, :2] @ rotation.T, 0.02)
    assert g.rotation[2, 2].abs() > 0.98


@pytest.mark.parametrize("place", [0, 1])
def test_nested_it_receives_the_means_that_reach_it(place):
    ica = ICA()
    if place:
        g = built(Compose(Linear(2 * torch.eye(3)), ica), 3)
        expected = 2.0
    else:
        g = built(OnComponents(ica, components=(0, 2)), 3)
        expected = 1.0
    mean = torch.randn(128, 3, generator=torch.Generator().manual_seed(0))
    g.observe(mean, mean + 1, None)
    inner = g.second if place else g.mapping
    columns = [0, 1, 2] if place else [0, 2]
    torch.testing.assert_close(inner.recent[:128], expected * mean[:, columns])


def test_the_matrix_stays_orthogonal():
    g, _ = observed(laplace, 4)
    torch.testing.assert_close(g.rotation @ g.rotation.T, torch.eye(4))


def test_few_rows_change_nothing():
    g, _ = observed(laplace, 3, n_batches=3)
    assert torch.equal(g.rotation, torch.eye(3))


def test_it_rotates_by_small_steps():
    generator = torch.Generator().manual_seed(0)
    g, rotation = built(ICA(), 3), rotation_of(3, generator)
    for _ in range(200):
        before = g.rotation.clone()
        g.observe(laplace((128, 3), generator) @ rotation, NO_DRAWS, None)
        assert float((g.rotation - before).norm()) < 0.3


def test_rows_of_weight_zero_are_ignored():
    """Half of the rows are factors that are rotated differently, and have weight 0."""
    generator = torch.Generator().manual_seed(1)
    rotation, other = rotation_of(2, generator), rotation_of(2, generator)
    g = built(ICA(), 2)
    weight = torch.cat([torch.full((64,), 2.0), torch.zeros(64)])
    for _ in range(400):
        halves = laplace((64, 2), generator) @ rotation, laplace((64, 2), generator) @ other
        g.observe(torch.cat(halves), NO_DRAWS, weight)
    assert is_a_signed_permutation(g.rotation @ rotation.T, 0.03)


def test_draws_that_are_not_finite_are_ignored():
    g, _ = observed(laplace, 2)
    before = g.rotation.clone()
    g.observe(torch.full((2048, 2), torch.nan), NO_DRAWS, None)
    assert torch.equal(g.rotation, before)


def test_the_steps_become_smaller():
    """Also for Gaussian draws, which determine no rotation."""
    generator, g, steps = torch.Generator().manual_seed(0), built(ICA(), 3), []
    for _ in range(4000):
        before = g.rotation
        g.observe(torch.randn(128, 3, generator=generator), NO_DRAWS, None)
        steps.append(float((g.rotation - before).norm()))
    assert sum(steps[-400:]) < 0.3 * sum(steps[400:800])


def test_draws_that_overflow_do_not_stop_the_training():
    g, _ = observed(laplace, 2)
    for value in (torch.inf, torch.nan):
        g.observe(torch.full((128, 2), value), NO_DRAWS, None)
    assert g.rotation.isfinite().all()


def test_observing_between_forward_and_backward_does_not_change_the_gradient():
    generator = torch.Generator().manual_seed(0)
    g, _ = observed(laplace, 2)
    y = laplace((600, 2), generator).requires_grad_()
    z = g(y)
    for _ in range(8):
        g.observe(y.detach(), NO_DRAWS, None)
    z.square().sum().backward()
    torch.testing.assert_close(y.grad, 2 * y.detach())


def test_a_copy_continues_as_the_mapping_does():
    g, _ = observed(laplace, 2, n_batches=20)
    again = copy.deepcopy(g)
    batch = laplace((512, 2), torch.Generator().manual_seed(3))
    for mapping in (g, again):
        mapping.observe(batch, NO_DRAWS, None)
    assert torch.equal(g.rotation, again.rotation)


def test_the_decoder_receives_the_codes_before_the_rotation():
    g, _ = observed(laplace, 3)
    y = torch.randn(10, 3, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(g(y), y, atol=0.1)
    torch.testing.assert_close(g.to_decoder(g(y)), y)


def test_nested_mappings_pass_on_the_decoders_input():
    y = torch.randn(10, 3, generator=torch.Generator().manual_seed(1))
    last, part = (
        Compose(Linear([[2.0, 0, 0], [0, 1, 0], [0, 0, 1]]), ICA()),
        OnComponents(ICA(), (2, 0)),
    )
    for g, expected in ((last, y * torch.tensor([2.0, 1, 1])), (part, y[:, [2, 0, 1]])):
        g = built(g, 3)
        (ica,) = [inner for inner in g.modules() if isinstance(inner, ICA)]
        ica.rotation = rotation_of(len(ica.rotation), torch.Generator().manual_seed(2))
        torch.testing.assert_close(g.to_decoder(g(y)), expected)
    first = built(Compose(ICA(), Identity()), 3)
    first.first.rotation = rotation_of(3, torch.Generator().manual_seed(2))
    z = first(y)
    assert torch.equal(first.to_decoder(z), z)


@pytest.mark.parametrize("n_components", [2, 5])
def test_the_rotation_changes_neither_bound_nor_reconstructions(n_components):
    """Also where components are Gaussian or too many."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(1000, 4)) * [2, 1.5, 1, 1]) @ rng.normal(size=(4, 6))
    settings = dict(hidden_layer_sizes=(32,), max_iter=20, whiten=True, random_state=0)
    plain, rotated = (
        InteLVAE(n_components, mapping=mapping, **settings).fit(X)
        for mapping in ("identity", "ica")
    )
    rotation = rotated.module_.mapping.rotation
    assert (rotation - torch.eye(n_components)).abs().max() > 0.1
    assert rotated.score(X) == pytest.approx(plain.score(X), abs=0.05)
    np.testing.assert_allclose(rotated.reconstruct(X), plain.reconstruct(X), atol=0.2)
    np.testing.assert_allclose(
        rotated.transform(X), plain.transform(X) @ rotation.numpy().T, atol=0.1
    )


def test_a_vae_finds_factors_that_principal_directions_hide():
    """Without the rotation, the codes are the means of y."""
    X, W, *_ = make_entangled_factors(1500, n_factors=2, perturbation=1.4, random_state=0)
    vae = InteLVAE(
        2,
        mapping="ica",
        likelihood=Gaussian(0.5),
        hidden_layer_sizes=(32,),
        learning_rate_init=5e-3,
        batch_size=150,
        max_iter=100,
        random_state=0,
    ).fit(X)
    assert mutual_info_gap(vae.encode(X)[0], W) < 0.3
    assert mutual_info_gap(vae.transform(X), W) > 0.6


@pytest.mark.slow
def test_a_vae_with_ica_finds_factors_that_one_without_it_does_not():
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
