"""Random numbers: layers, seeds of streams, draws by weight, and noise of rows."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from sklearn_intelvae._random import (
    OwnRandomness,
    Stream,
    draw_seed,
    draws_by_weight,
    generator_from,
    noise_of_rows,
    seed_of,
    seeds_of_starts,
    seeds_of_trials,
)


def layers():
    return [
        nn.Linear(3, 4),
        nn.Conv2d(1, 2, 3),
        nn.ConvTranspose2d(1, 2, 3),
        nn.Embedding(3, 2),
        nn.LSTM(2, 2),
        nn.MultiheadAttention(4, 2),
        nn.Bilinear(2, 2, 2),
    ]


def test_layers_draw_from_the_given_generator_and_leave_the_global_one_unchanged():
    before = torch.get_rng_state()
    made = []
    for _ in range(2):
        with OwnRandomness(generator_from(5)):
            made.append([p for layer in layers() for p in layer.parameters()])
        torch.manual_seed(len(made))
        before = torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))
    with OwnRandomness(generator_from(5)):
        layers()
    assert torch.equal(before, torch.get_rng_state())


def test_own_randomness_draws_what_torch_would_draw():
    torch.manual_seed(7)
    expected = nn.Linear(5, 5).weight
    with OwnRandomness(generator_from(7)):
        assert torch.equal(nn.Linear(5, 5).weight, expected)


def test_own_randomness_gives_way_to_a_generator_that_is_passed():
    with OwnRandomness(generator_from(7)):
        inside = torch.randn(3, generator=generator_from(1))
        like = torch.randn_like(inside), torch.rand_like(inside)
    assert torch.equal(inside, torch.randn(3, generator=generator_from(1)))
    own = generator_from(7)
    assert torch.equal(like[0], torch.randn(3, generator=own))
    assert torch.equal(like[1], torch.rand(3, generator=own))


def test_all_streams_of_neighboring_seeds_have_seeds_of_their_own():
    others = [stream for stream in Stream if stream is not Stream.FIT]
    keys = [(seed, s, number) for seed in range(9) for s in others for number in range(9)]
    seeds = [seed_of(*key) for key in keys] + [seed_of(seed, Stream.FIT) for seed in range(9)]
    assert len(set(seeds)) == len(seeds)


def test_the_stream_of_the_fit_has_the_seed_itself():
    assert seed_of(5, Stream.FIT) == 5


@pytest.mark.parametrize("seeds", [seeds_of_starts, seeds_of_trials])
def test_the_first_start_or_trial_has_the_seed_itself_and_further_ones_change_nothing(seeds):
    assert seeds(5, 1) == [5]
    assert seeds(5, 3) == seeds(5, 9)[:3]
    assert len(set(seeds(5, 100))) == 100
    assert seeds(5, 3) != seeds(6, 3)


def test_starts_and_trials_have_different_seeds():
    assert set(seeds_of_starts(5, 100)) & set(seeds_of_trials(5, 100)) == {5}


def test_draws_by_weight_have_the_shares_of_the_weights(generator):
    weight = torch.tensor([0.0, 1.0, 0.0, 3.0, 6.0, 0.0])
    drawn = draws_by_weight(weight, 20_000, generator)
    counts = torch.bincount(drawn, minlength=6)
    assert not counts[weight == 0].any()
    expected = 20_000 * weight[weight > 0] / 10
    assert stats.chisquare(counts[weight > 0].numpy(), expected.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_draws_by_weight_do_not_depend_on_the_unit_of_the_weights(scale):
    weight = torch.rand(50, generator=generator_from(1), dtype=torch.float64)
    plain = draws_by_weight(weight, 1000, generator_from(2))
    assert torch.equal(draws_by_weight(scale * weight, 1000, generator_from(2)), plain)


def test_weights_of_zero_alone_are_equal_weights(generator):
    drawn = draws_by_weight(torch.zeros(4), 4000, generator)
    assert stats.chisquare(torch.bincount(drawn, minlength=4).numpy()).pvalue > 1e-3


def test_seeds_follow_random_state_and_none_does_not_touch_numpy():
    assert draw_seed(3) == draw_seed(3) != draw_seed(4)
    state = np.random.RandomState(0)
    assert draw_seed(state) != draw_seed(state)
    before = np.random.get_state()[1].copy()
    assert draw_seed(None) != draw_seed(None)
    assert (before == np.random.get_state()[1]).all()


def test_noise_belongs_to_the_row(rng):
    X = rng.random((50, 7)).astype(np.float32)
    noise = noise_of_rows(X, 5, 3)
    order = rng.permutation(50)
    np.testing.assert_array_equal(noise_of_rows(X[order][:10], 5, 3), noise[:, order][:, :10])
    assert noise.dtype == np.float32
    assert noise.shape == (5, 50, 3)


def test_noise_is_standard_normal_and_independent(rng):
    X = rng.random((4000, 3)).astype(np.float32)
    noise = noise_of_rows(X, 4, 2)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    flat = noise.transpose(1, 0, 2).reshape(4000, 8)
    off_diagonal = np.corrcoef(flat, rowvar=False)[~np.eye(8, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.06
    assert abs(np.corrcoef(flat[:-1, 0], flat[1:, 0])[0, 1]) < 0.06


@pytest.mark.parametrize("change", [1e-6, -0.0])
def test_noise_tells_rows_apart_but_not_signs_of_zero(change):
    X = np.zeros((1, 3), np.float32)
    other = X.copy()
    other[0, 1] = change
    same = np.array_equal(noise_of_rows(X, 2, 2), noise_of_rows(other, 2, 2))
    assert same == (change == 0)
