"""Trials: short fits without callbacks choose the start of the fit."""

import numpy as np
import pytest
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_intelvae import InteLVAE
from sklearn_intelvae._random import draw_seed, seeds_of_starts, seeds_of_trials
from sklearn_intelvae.datasets import make_infinity
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.mappings import Compose, Glue, Identity, Mapping, OnComponents
from sklearn_intelvae.training._net import MultiPlayerNet
from tests.estimators.shelf import SMALL

LONGER = SMALL | {"max_iter": 30, "linear_path": False, "whiten": True, "random_state": 1}


class Tried(Mapping):
    """The identity, with trials."""

    def __init__(self, n_trials=2):
        super().__init__()
        self.n_trials = n_trials

    def forward(self, y):
        return y


class Trains(Callback):
    def __init__(self):
        self.number = 0

    def on_train_begin(self, net, **kwargs):
        self.number += 1


@pytest.fixture
def trains(monkeypatch):
    """Record the seed and the losses of each training."""
    seen = []
    train = MultiPlayerNet.train

    def recorded(net, *args, **kwargs):
        try:
            return train(net, *args, **kwargs)
        finally:
            seen.append((net.seed, net.history[:, "train_loss"]))

    monkeypatch.setattr(MultiPlayerNet, "train", recorded)
    return seen


def test_the_best_trial_is_trained_and_its_first_epochs_are_the_same(X, trains):
    vae = InteLVAE(mapping=Tried(4), **LONGER).fit(X)
    *tried, (seed, losses) = trains
    seeds = seeds_of_trials(draw_seed(vae.random_state), 4)
    assert [s for s, _ in tried] == seeds
    assert [len(trial) for _, trial in tried] == [3, 3, 3, 3]
    best = min(tried, key=lambda trial: trial[1][-1])
    assert seed == best[0] != seeds[0]
    assert losses[:3] == best[1]
    assert vae.loss_curve_ == losses
    assert len(losses) == 30


def test_one_trial_means_no_trial(X, trains):
    fits = [InteLVAE(mapping=m, **LONGER).fit(X) for m in ("identity", Tried(1))]
    assert len(trains) == 2
    assert np.array_equal(*(fit.transform(X) for fit in fits))


@pytest.mark.parametrize(
    "mapping",
    [
        Glue(n_trials=3),
        Compose(Identity(), Glue(n_trials=3)),
        Compose(Glue(n_trials=3), Identity()),
        OnComponents(Glue(n_trials=3), (0, 1)),
    ],
)
def test_a_nested_mapping_has_its_trials_too(mapping, X, trains):
    InteLVAE(mapping=mapping, **LONGER).fit(X)
    assert len(trains) == 4


def test_callbacks_and_the_printed_lines_are_those_of_the_fit_alone(X, capsys):
    callback = Trains()
    InteLVAE(mapping=Tried(3), skorch_callbacks=[callback], **LONGER | {"verbose": 1}).fit(X)
    assert callback.number == 1
    assert capsys.readouterr().out.count("train_loss") == 1


def test_each_of_several_starts_has_trials_of_its_own(X, trains):
    InteLVAE(mapping=Tried(3), n_init=2, **LONGER).fit(X)
    assert [len(losses) for _, losses in trains] == [3, 3, 3, 30] * 2
    tried = [seed for seed, losses in trains if len(losses) == 3]
    assert len(set(tried)) == 6


def test_trials_are_other_starts_than_those_of_n_init():
    assert seeds_of_trials(7, 1) == seeds_of_starts(7, 1) == [7]
    assert not set(seeds_of_trials(7, 9)[1:]) & set(seeds_of_starts(7, 9)[1:])


def test_continued_training_has_no_trials(X, trains):
    vae = InteLVAE(mapping=Tried(3), warm_start=True, **LONGER).fit(X)
    assert len(trains) == 4
    vae.fit(X)
    vae.partial_fit(X)
    InteLVAE(mapping=Tried(3), **LONGER).partial_fit(X)
    InteLVAE(mapping=Tried(3), **LONGER | {"max_iter": 1}).fit(X)
    assert len(trains) == 8


@pytest.mark.parametrize("n_trials", [0, -1, 2.5, "5", None])
def test_numbers_of_trials_outside_their_range(n_trials, X):
    with pytest.raises(ValueError, match="n_trials of .* must be an integer of at least 1"):
        InteLVAE(mapping=Tried(n_trials), **LONGER).fit(X)


def test_trials_take_no_more_than_half_of_a_fit(X, trains):
    InteLVAE(mapping=Tried(6), **LONGER).fit(X)
    assert len(trains) == 1


def test_a_trial_that_diverges_is_skipped(X, monkeypatch, trains):
    train = MultiPlayerNet.train
    alone = InteLVAE(mapping=Tried(3), **LONGER).fit(X)
    best = trains[-1][0]

    def spoiled(net, train_rows, valid, n_epochs, **kwargs):
        if net.seed == best and n_epochs == 3:
            raise DivergenceError("spoiled", 1)
        return train(net, train_rows, valid, n_epochs, **kwargs)

    monkeypatch.setattr(MultiPlayerNet, "train", spoiled)
    other = clone(alone).fit(X)
    assert trains[-1][0] != best
    assert np.isfinite(other.score(X))


def test_one_seed_gives_one_model(X):
    vae = InteLVAE(mapping=Tried(3), **LONGER)
    assert np.array_equal(vae.fit(X).transform(X), clone(vae).fit(X).transform(X))


class Stop(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


@pytest.mark.parametrize(("max_iter", "trial_epochs"), [(1000, 16), (50, 5)])
def test_a_trial_takes_160_steps_or_a_tenth_of_the_fit(max_iter, trial_epochs, rng, trains):
    """Here an epoch has ten steps."""
    settings = SMALL | dict(max_iter=max_iter, batch_size=100, skorch_callbacks=[Stop()])
    InteLVAE(mapping=Tried(2), **settings).fit(rng.normal(size=(1000, 3)))
    assert [len(losses) for _, losses in trains] == [trial_epochs, trial_epochs, 1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 4, 6])
def test_a_figure_of_eight_is_not_tangled(seed):
    """Two of these seeds tangle in a single trial."""
    X, _ = make_infinity(1000, random_state=seed)
    curve, _ = make_infinity(1000, random_state=100)
    small = dict(hidden_layer_sizes=(64, 64), max_iter=100, random_state=seed)
    S = InteLVAE(2, mapping=Glue(), **small).fit(X).sample(1000, random_state=0)
    off = np.linalg.norm(S[:, None] - curve, axis=2).min(axis=1) > 0.25
    assert off.mean() <= 0.02
