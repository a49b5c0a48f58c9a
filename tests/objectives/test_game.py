"""The functions of the Soft-IntroVAE game."""

import math

import pytest
import torch

from sklearn_intelvae.objectives._game import (
    energy,
    expected_kl,
    fake_loss,
    game_weight,
    normalized_entropy,
    squared_error,
    total_variance,
    weighted_median,
)


def rows():
    return torch.rand(20, 6, generator=torch.Generator().manual_seed(1))


class TestErrors:
    @pytest.mark.parametrize("scale", [1.0, 255.0])
    def test_the_error_of_a_mean_prediction_is_the_unit_times_the_variance(self, scale):
        """With the unit d / V it is d on average, whatever the features and their scale."""
        X = scale * rows()
        unit = 2 / total_variance(X)
        assert squared_error(X.mean(0), X, unit).mean().item() == pytest.approx(2, rel=1e-4)

    def test_the_total_variance_is_the_sum_over_columns(self):
        X = rows()
        torch.testing.assert_close(total_variance(X), X.var(0, correction=0).sum())

    def test_an_energy_is_a_weighted_sum(self):
        error, kl = rows()[:, 0], rows()[:, 1]
        torch.testing.assert_close(energy(error, kl, 0.3, 2.0), 0.3 * error + 2.0 * kl)


class TestFakeLoss:
    def test_it_is_smooth_and_falls_with_the_energy(self):
        values = torch.tensor([-2.0, 1.0 - 1e-3, 1.0, 1.0 + 1e-3, 3.0], requires_grad=True)
        loss = fake_loss(values, torch.tensor(1.0), 2.0, 0.3)
        expected = torch.tensor([7.0, 1.002, 1.0, math.exp(-0.002), math.exp(-4.0)])
        torch.testing.assert_close(loss, 0.3 * expected)
        (slope,) = torch.autograd.grad(loss.sum(), values)
        torch.testing.assert_close(slope[:3], torch.full((3,), -0.6))
        assert -0.6 < slope[3] < slope[4] < 0

    def test_a_row_at_the_median_of_the_real_ones_costs_the_fake_weight(self):
        median = torch.tensor(5.0)
        assert fake_loss(median[None], median, 2.0, 0.25).item() == 0.25

    def test_it_does_not_depend_on_how_well_the_data_can_be_reconstructed(self):
        values = torch.tensor([0.1, 0.5, 2.0])
        low, high = (fake_loss(values + level, 1.0 + level, 2.0, 0.25) for level in (0.0, 50.0))
        torch.testing.assert_close(low, high, rtol=1e-4, atol=0)

    def test_without_a_fake_weight_it_is_the_exponential_of_the_papers(self):
        values = torch.tensor([-1.0, 0.0, 2.0])
        loss = fake_loss(values, torch.tensor(7.0), 1.5, None)
        torch.testing.assert_close(loss, (-1.5 * values).exp())


@pytest.mark.parametrize(
    ("start", "progress", "weight"),
    [
        (0.5, 0.0, 0.0),
        (0.5, 0.5, 0.0),
        (0.5, 0.75, 0.5),
        (0.5, 1.0, 1.0),
        (0.0, 0.25, 0.25),
        (1.0, 0.99, 0.0),
        (1.0, 1.0, 1.0),
    ],
)
def test_the_weight_of_the_game_grows_from_its_start_to_the_end_of_the_warm_up(
    start, progress, weight
):
    assert game_weight(progress, start) == weight


def test_a_weight_of_two_counts_in_the_median_as_two_rows():
    values = torch.tensor([3.0, -1.0, 8.0, 0.5, 2.0])
    times = torch.tensor([1, 4, 0, 2, 2])
    repeated = values.repeat_interleave(times).median()
    assert weighted_median(values, times.float()) == repeated
    assert weighted_median(values, torch.ones(5)) == weighted_median(values, None) == 2.0


def test_the_entropy_is_one_for_equal_shares_and_zero_for_one_mode():
    assert normalized_entropy(torch.full((5,), 0.2)) == pytest.approx(1, abs=1e-6)
    assert normalized_entropy(torch.eye(5)[0]) == pytest.approx(0, abs=1e-6)
    assert normalized_entropy(torch.ones(1)) == 0


@pytest.mark.parametrize(("d", "beta_kl", "beta_rec"), [(2, 0.09, 0.15), (5, 0.2, 3.0)])
def test_the_expected_kl_is_that_of_a_linear_channel(d, beta_kl, beta_rec):
    """Per component half the log of one plus the ratio of signal and noise."""
    noise = beta_kl / (2 * beta_rec)
    assert expected_kl(d, beta_kl, beta_rec) == pytest.approx(
        0.5 * d * math.log((noise + 1) / noise)
    )
