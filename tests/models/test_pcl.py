"""The model of permutation-contrastive learning: its codes, its log odds, and how it is built."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_intelvae.models import PCLParts
from sklearn_intelvae.models._pcl import log_odds
from sklearn_intelvae.networks import MLP
from tests.small_models import seeded


def model(encoder=None, seed=0):
    return PCLParts(encoder or MLP((8,))).build(5, 2, seeded(seed))


def rows(n=50, seed=1):
    return torch.randn(n, 5, generator=seeded(seed))


def test_codes_have_mean_zero_and_unit_variance():
    h, before = model().train()(rows(), rows(seed=2))
    both = torch.cat([h, before])
    assert h.shape == before.shape == (50, 2)
    torch.testing.assert_close(both.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(both.var(0, correction=0), torch.ones(2), atol=1e-3, rtol=0)


def test_in_evaluation_mode_rows_are_transformed_one_by_one():
    m = model().train()
    for _ in range(5):
        m(rows(), rows(seed=2))
    x = rows()
    z = m.eval().transform(x)
    torch.testing.assert_close(m.transform(x[:3]), z[:3])
    assert torch.equal(m.transform(x), z)


def test_one_seed_builds_one_model_and_leaves_the_global_generator_unchanged():
    before = torch.get_rng_state()
    first, again, other = (model(seed=seed).eval().transform(rows()) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_plain_encoder_of_any_width_is_adapted_and_copied():
    encoder = nn.Linear(5, 17)
    m = model(encoder)
    assert m.transform(rows()).shape == (50, 2)
    assert torch.equal(m.encoder[0].weight, encoder.weight)
    assert m.encoder[0] is not encoder


def test_a_linear_path_starts_at_independent_components():
    factors = np.random.default_rng(0).laplace(size=(2000, 2))
    X = torch.tensor(factors @ np.array([[1.0, 2, 0, 1, 0], [1, -1, 3, 0, 0]]) + 5).float()
    path = PCLParts(MLP((8,)), linear_path=True).build(5, 3, seeded())
    path.initialize(X, seeded())
    h = path.encoder(X).detach().numpy()
    found = np.abs(np.corrcoef(h[:, :2].T, factors.T)[:2, 2:])
    assert found.max(axis=0).min() > 0.99
    assert np.abs(h[:, :2].mean(axis=0)).max() < 1e-4
    np.testing.assert_allclose(h[:, :2].std(axis=0), 1, atol=1e-3)
    assert np.isfinite(h).all()  # the third component is beyond the rank of X


@pytest.mark.parametrize("X", [torch.ones(20, 5), torch.eye(5)[:2]])
def test_a_linear_path_of_rows_without_components_stays_finite(X):
    path = PCLParts(MLP((8,)), linear_path=True).build(5, 2, seeded())
    path.initialize(X, seeded())
    assert path.encoder(X).isfinite().all()


def test_the_log_odds_are_a_sum_over_components():
    """Changing one component of a pair changes them by the same amount, whatever the other is."""
    regression = model().regression
    h, previous = torch.randn(2, 20, 2, generator=seeded())
    moved = h.clone()
    moved[:, 0] += 1
    changes = []
    for second in (-1.0, 3.0):
        h[:, 1], moved[:, 1], previous[:, 1] = second, second, 0.5
        changes.append(regression(moved, previous) - regression(h, previous))
    torch.testing.assert_close(*changes, atol=1e-5, rtol=1e-5)


class Spy(nn.Module):
    """Stores the pairs that it receives, and returns log odds of 0 for each."""

    def __init__(self):
        super().__init__()
        self.pairs = []

    def forward(self, h, previous):
        self.pairs.append((h, previous))
        return h.new_zeros(len(h))


def test_random_pairs_never_have_the_true_predecessor_and_use_each_once():
    spy, h = Spy(), torch.arange(20.0)[:, None]
    log_odds(spy, h, h - 1, seeded())
    (_, real), (_, other) = spy.pairs
    assert torch.equal(real, h - 1)
    assert torch.equal(other.sort(dim=0).values, h - 1)
    assert not (other == real).any()


def test_rows_of_weight_zero_are_never_the_predecessor_of_a_random_pair():
    spy, h = Spy(), torch.arange(2000.0)[:, None]
    weight = torch.cat([torch.zeros(1000), torch.ones(500), torch.full((500,), 3.0)])
    log_odds(spy, h, h, seeded(), weight)
    _, other = spy.pairs[1]
    assert other.min() >= 1000
    assert (other >= 1500).float().mean().item() == pytest.approx(0.75, abs=0.04)


class Recorded(MLP):
    """Keeps what its hooks receive."""

    fractions = ()

    def initialize(self, X, generator):
        self.shown, self.drawn = X, torch.rand(3)

    def set_progress(self, fraction):
        self.fractions = (*self.fractions, fraction)


def test_the_hooks_of_the_encoder_are_called():
    before = torch.get_rng_state()
    m = model(Recorded((8,)))
    m.initialize(rows(), seeded(3))
    m.set_progress(0.5)
    assert torch.equal(m.encoder.shown, rows())
    assert torch.equal(m.encoder.drawn, torch.rand(3, generator=seeded(3)))
    assert m.encoder.fractions == (0.5,)
    assert torch.equal(before, torch.get_rng_state())


def test_it_has_no_trials_and_no_support():
    parts = PCLParts(MLP((8,)))
    parts.check_support(np.full((3, 5), -1e9), None)
    assert parts.n_trials == 1
