"""A fit from a spec and data to a result, and networks that are hard to train repeatably."""

import copy
import dataclasses
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_intelvae import InteLVAE
from sklearn_intelvae._random import draw_seed, seeds_of_trials
from sklearn_intelvae.estimators._parameters import bound_recipes
from sklearn_intelvae.estimators._standardization import standardization_of
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.mappings import Clusters, Glue
from sklearn_intelvae.models import PCLParts
from sklearn_intelvae.networks import MLP
from sklearn_intelvae.objectives import ELBO, PermutationContrast, SlowVAE
from sklearn_intelvae.training import FitSpec, Recipe, train
from sklearn_intelvae.training._net import MultiPlayerNet
from tests.small_models import seeded, vae_parts
from tests.training.spec_helpers import fit_data, fit_spec

SMALL = dict(hidden_layer_sizes=(8,), random_state=0)


def codes(result, X):
    with torch.no_grad():
        return result.model.transform(torch.from_numpy(X))


class TestResult:
    def test_it_has_a_trained_model_in_evaluation_mode_and_a_row_for_each_epoch(self, X):
        result = train(fit_spec(), fit_data(X))
        assert not result.model.training
        assert codes(result, X).shape == (120, 2)
        assert [row["epoch"] for row in result.history] == [1, 2, 3]
        assert {"train_loss", "reconstruction", "kl", "dur"} <= result.history[0].keys()
        assert result.state["steps_done"] == 3 * 4
        assert result.index.tolist() == list(range(120))

    def test_it_is_that_of_an_estimator_with_these_parameters(self, X):
        settings = dict(learning_rate="constant", learning_rate_init=1e-3, kl_warmup=0.0)
        vae = InteLVAE(2, linear_path=False, whiten=True, batch_size=32, max_iter=3, **settings)
        vae.set_params(**SMALL).fit(X)
        table = standardization_of(X, None, "columns").apply(X)
        result = train(fit_spec(seed=draw_seed(0)), fit_data(table))
        assert np.array_equal(codes(result, table), vae.transform(X))

    def test_one_seed_makes_one_result(self, X):
        first, again = (train(fit_spec(), fit_data(X)) for _ in range(2))
        other = train(fit_spec(seed=1), fit_data(X))
        assert torch.equal(codes(first, X), codes(again, X))
        assert not torch.equal(codes(first, X), codes(other, X))

    def test_neither_spec_nor_data_nor_global_generators_are_changed(self, X):
        spec, data = fit_spec(vae_parts(mapping=Clusters(2))), fit_data(X, X[:9])
        before = torch.get_rng_state(), X.copy()
        train(spec, data)
        assert torch.equal(before[0], torch.get_rng_state())
        assert np.array_equal(before[1], X)
        assert not any(list(part.parameters()) for part in spec.parts[:-1])
        assert not list(spec.objective.parameters())

    def test_the_spec_is_frozen(self):
        spec = fit_spec()
        with pytest.raises(dataclasses.FrozenInstanceError):
            spec.seed = 1
        with pytest.raises(TypeError, match="missing"):
            FitSpec()

    def test_a_model_without_likelihood_is_trained_alike(self, X):
        spec = fit_spec(PCLParts(MLP((8,))), objective=PermutationContrast())
        result = train(spec, fit_data(X))
        assert codes(result, X).shape == (120, 2)
        assert result.index.tolist() == list(range(1, 120))
        assert "accuracy" in result.history[-1]


class Sometimes(ELBO):
    def loss(self, player, model, batch):
        loss, terms = super().loss(player, model, batch)
        if batch.progress == 0:
            terms["first"] = loss
        if batch.progress > 0.5:
            terms["later"] = loss
        return loss, terms


def test_the_history_has_the_terms_that_every_batch_of_an_epoch_has(X):
    """Of the twelve steps, the warm-up takes 8.4: "later" begins within the second epoch."""
    recipe = fit_spec().recipe._replace(warmup=0.7)
    history = train(fit_spec(objective=Sometimes(), recipe=recipe), fit_data(X)).history
    assert all("kl" in row and "first" not in row for row in history)
    assert ["later" in row for row in history] == [False, False, True]


class TestContinuing:
    def test_two_fits_are_one(self, X):
        """A constant rate has no memory of the number of epochs."""
        whole = train(fit_spec(max_iter=4), fit_data(X))
        half = train(fit_spec(max_iter=2), fit_data(X))
        again = train(fit_spec(max_iter=2), fit_data(X), previous=half)
        assert torch.equal(codes(whole, X), codes(again, X))
        assert [row["epoch"] for row in again.history] == [1, 2, 3, 4]
        losses = [[row["train_loss"] for row in r.history] for r in (whole, again)]
        assert losses[0] == losses[1]

    def test_the_previous_result_is_not_changed(self, X):
        half = train(fit_spec(max_iter=2), fit_data(X))
        before = copy.deepcopy((half.model.state_dict(), half.history, half.state["steps_done"]))
        train(fit_spec(max_iter=2), fit_data(X), previous=half)
        assert (half.history, half.state["steps_done"]) == before[1:]
        for name, value in half.model.state_dict().items():
            assert torch.equal(value, before[0][name])

    def test_one_epoch_at_a_time(self, X):
        result = None
        for n in range(1, 4):
            result = train(fit_spec(), fit_data(X), previous=result, one_epoch=True)
            assert len(result.history) == n
        assert torch.equal(codes(result, X), codes(train(fit_spec(), fit_data(X)), X))

    def test_a_result_can_be_pickled(self, X):
        half = pickle.loads(pickle.dumps(train(fit_spec(max_iter=2), fit_data(X))))
        whole = train(fit_spec(), fit_data(X))
        again = train(fit_spec(), fit_data(X), previous=half, one_epoch=True)
        assert torch.equal(codes(whole, X), codes(again, X))


class TestSplit:
    def test_some_rows_are_set_aside_at_random(self, X):
        result = train(fit_spec(early_stopping=True, validation_fraction=0.25), fit_data(X))
        assert len(result.index) == 90
        assert len(set(result.index.tolist())) == 90
        assert result.index.tolist() != sorted(result.index.tolist())
        assert "valid_loss" in result.history[-1]

    def test_the_last_rows_of_a_series_are_set_aside(self, X):
        spec = fit_spec(objective=SlowVAE(), early_stopping=True, validation_fraction=0.25)
        assert train(spec, fit_data(X)).index.tolist() == list(range(1, 90))

    def test_given_pairs_are_set_aside_at_random(self, X):
        spec = fit_spec(objective=SlowVAE(), early_stopping=True, validation_fraction=0.25)
        index = train(spec, fit_data(X, previous=X[::-1].copy())).index.tolist()
        assert len(index) == 90
        assert index != sorted(index)

    def test_nothing_is_set_aside_if_rows_to_validate_on_are_given(self, X):
        result = train(fit_spec(early_stopping=True), fit_data(X, X[:20]))
        assert len(result.index) == 120
        assert "valid_loss" in result.history[-1]

    def test_rows_of_weight_zero_are_not_trained_on(self, X):
        weight = np.where(np.arange(120) < 40, 0.0, 2.0)
        result = train(fit_spec(), fit_data(X, weight=weight))
        assert result.index.tolist() == list(range(40, 120))
        other = np.where(weight[:, None] > 0, X, np.float32(1e6))
        again = train(fit_spec(), fit_data(other, weight=weight))
        assert torch.equal(codes(result, X), codes(again, X))

    @pytest.mark.parametrize("n", [2, 3])
    def test_too_few_rows_are_refused(self, n, X):
        with pytest.raises(ValueError, match=r"early_stopping=True sets aside \d of \d rows"):
            train(fit_spec(early_stopping=True, validation_fraction=0.5), fit_data(X[:n]))

    def test_a_short_series_is_refused(self, X):
        with pytest.raises(ValueError, match="a series of 2 rows"):
            train(fit_spec(objective=SlowVAE()), fit_data(X[:2]))

    def test_pairs_are_refused_by_an_objective_of_single_rows(self, X):
        with pytest.raises(ValueError, match="X_prev has no effect on ELBO"):
            train(fit_spec(), fit_data(X, previous=X))


class TestRecipe:
    @pytest.mark.parametrize(
        ("n_rows", "n_epochs"), [(100, 96), (1000, 96), (10_000, 26), (1_000_000, 20)]
    )
    def test_the_number_of_epochs_follows_from_the_steps(self, n_rows, n_epochs):
        """Three steps per row, at most 8000, at least 20 epochs."""
        assert Recipe(3, 8000, 1000).n_epochs(n_rows, 32) == n_epochs

    @pytest.mark.parametrize(
        ("n_rows", "plain", "with_gates"),
        [(700, 399, 525), (5000, 1400, 2300), (10_000, 2800, 2800), (40_000, 5600, 5600)],
    )
    def test_many_rows_raise_the_limit_of_the_steps(self, n_rows, plain, with_gates):
        """As the docstrings of ``max_iter`` say."""
        for has_gates, steps in ((False, plain), (True, with_gates)):
            _, recipe = bound_recipes("auto", has_gates=has_gates)
            assert recipe.n_epochs(n_rows, 256) == math.ceil(steps * 256 / n_rows)

    @pytest.mark.parametrize(
        ("n_rows", "size"), [(10, 10), (100, 32), (1000, 64), (2000, 128), (10**6, 256)]
    )
    def test_a_batch_is_about_a_sixteenth_of_the_rows(self, n_rows, size):
        assert fit_spec(batch_size=None).resolved_batch_size(n_rows) == size
        assert fit_spec(batch_size=50).resolved_batch_size(n_rows) == min(50, n_rows)


class TestPretraining:
    @pytest.mark.parametrize("seed", range(3))
    def test_the_encoder_of_a_short_fit_starts_with_the_guidance(self, seed):
        """Without it, a fit of one epoch does not separate the clusters."""
        X = torch.randn(200, 5, generator=seeded()).numpy() / 3
        X[:100] += 2
        settings = dict(max_iter=1, seed=seed)
        guided = train(fit_spec(vae_parts(mapping=Clusters(2)), **settings), fit_data(X))
        mapping = Clusters(2, guidance_weight=0.0, balance_weight=0.0)
        plain = train(fit_spec(vae_parts(mapping=mapping), **settings), fit_data(X))
        shares = []
        for result in (guided, plain):
            with torch.no_grad():
                rows = torch.from_numpy(X)
                regions = result.model.mapping.regions(result.model.posterior_mean(rows))
            shares.append(abs(regions[:100].float().mean() - regions[100:].float().mean()))
        assert shares[0] > 0.95 > shares[1]


def test_the_best_trial_is_trained(X):
    """Of the 160 steps of a fit, a trial has a tenth: four epochs, of which the last counts."""
    settings = dict(max_iter=40, n_components=2)
    best = train(fit_spec(vae_parts(mapping=Glue(n_trials=3)), **settings), fit_data(X))
    parts = vae_parts(mapping=Glue(n_trials=1))
    alone = [
        train(fit_spec(parts, seed=seed, **settings), fit_data(X)) for seed in seeds_of_trials(0, 3)
    ]
    expected = min(alone, key=lambda result: result.history[3]["train_loss"])
    assert len({result.history[3]["train_loss"] for result in alone}) == 3
    assert torch.equal(codes(best, X), codes(expected, X))


class NotFinite(ELBO):
    def loss(self, player, model, batch):
        loss, terms = super().loss(player, model, batch)
        return loss * float("nan"), terms


def test_a_divergence_has_the_result_with_the_last_finite_weights(X):
    with pytest.raises(DivergenceError) as caught:
        train(fit_spec(objective=NotFinite()), fit_data(X))
    assert caught.value.result.history == []
    assert codes(caught.value.result, X).isfinite().all()


def test_batch_norm_and_a_last_batch_of_one(rng):
    X = rng.standard_normal((33, 4)).astype(np.float32)
    encoder = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    vae = InteLVAE(2, encoder=encoder, max_iter=2, batch_size=32, random_state=0).fit(X)
    np.testing.assert_allclose(vae.transform(X)[:5], vae.transform(X[:5]), rtol=1e-4, atol=1e-6)


def test_dropout_is_repeatable_and_leaves_the_global_generator_unchanged(X):
    encoder = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.5), nn.ReLU())
    before = torch.get_rng_state()
    first = InteLVAE(2, encoder=encoder, max_iter=2, random_state=0).fit(X).transform(X)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    again = InteLVAE(2, encoder=encoder, max_iter=2, random_state=0).fit(X).transform(X)
    assert np.array_equal(first, again)


def test_compiled_modules_are_unwrapped(X, monkeypatch):
    """skorch replaces the module by a wrapper whose weights have other names."""

    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self._orig_mod = module

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self._orig_mod, name)

        def forward(self, *args):
            return self._orig_mod(*args)

    def compiled(self, module, name):
        return Wrapper(module) if name == "module" else module

    plain = InteLVAE(2, max_iter=2, **SMALL).fit(X)
    monkeypatch.setattr(MultiPlayerNet, "torch_compile", compiled)
    vae = InteLVAE(2, max_iter=2, **SMALL).fit(X)
    assert not any("_orig_mod" in name for name in vae.module_.state_dict())
    assert np.array_equal(vae.transform(X), plain.transform(X))


class Trunk(nn.Module):
    """A class that draws weights when it is called."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.shift = nn.Parameter(torch.randn_like(torch.zeros(8)))

    def forward(self, x):
        return self.layers(x) + self.shift


def test_a_class_draws_from_the_generator_of_the_fit(X):
    before = torch.get_rng_state()
    one, two = (InteLVAE(2, encoder=Trunk, max_iter=1, random_state=0).fit(X) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(one.transform(X), two.transform(X))


def test_only_ratios_of_weights_count(X):
    weight = np.ones(len(X))
    weight[0] = 2
    one, huge = (InteLVAE(2, **SMALL).fit(X, sample_weight=c * weight) for c in (1, 2.0**123))
    assert np.array_equal(one.transform(X), huge.transform(X))


def test_nothing_is_written_to_the_working_directory(X, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    InteLVAE(2, max_iter=2, early_stopping=True, **SMALL).fit(X)
    assert not list(tmp_path.iterdir())
