"""Trials: short fits that nobody sees choose the start of the fit."""

import numpy as np
import pytest
import torch
from shelf import SMALL
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_intelvae import InteLVAE
from sklearn_intelvae._random import draw_seed
from sklearn_intelvae.datasets import make_infinity
from sklearn_intelvae.estimators import _fitting
from sklearn_intelvae.estimators._restarts import seeds_of_starts, seeds_of_trials
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.mappings import Compose, Glue, Identity, OnComponents
from sklearn_intelvae.training import PlayerNet

LONGER = SMALL | {"max_iter": 30}


class Tried(torch.nn.Module):
    """The identity, tried several times."""

    def __init__(self, n_trials):
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
    """Note the epochs and the losses of everything that is trained."""
    seen = []
    train = PlayerNet.train

    def noted(net, *args, **kwargs):
        try:
            return train(net, *args, **kwargs)
        finally:
            seen.append((net.seed, net.history[:, "train_loss"]))

    monkeypatch.setattr(PlayerNet, "train", noted)
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


def test_one_trial_is_none(X, trains):
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
def test_mappings_inside_mappings_are_tried_too(mapping, X, trains):
    InteLVAE(mapping=mapping, **LONGER).fit(X)
    assert len(trains) == 4


def test_callbacks_and_the_screen_see_the_fit_alone(X, capsys):
    callback = Trains()
    InteLVAE(mapping=Tried(3), callbacks=[callback], **LONGER | {"verbose": 1}).fit(X)
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


def test_going_on_needs_no_trial(X, trains):
    vae = InteLVAE(mapping=Tried(3), warm_start=True, **LONGER).fit(X)
    assert len(trains) == 4
    vae.fit(X)
    vae.partial_fit(X)
    InteLVAE(mapping=Tried(3), **LONGER).partial_fit(X)
    InteLVAE(mapping=Tried(3), **LONGER | {"max_iter": 1}).fit(X)
    assert len(trains) == 8


@pytest.mark.parametrize("n_trials", [0, -1, 2.5, "5", None])
def test_numbers_of_trials_without_a_meaning(n_trials, X):
    with pytest.raises(ValueError, match="n_trials of Tried must be an integer of at least 1"):
        InteLVAE(mapping=Tried(n_trials), **LONGER).fit(X)


def test_trials_take_no_more_than_half_of_a_fit(X, trains):
    InteLVAE(mapping=Tried(6), **LONGER).fit(X)
    assert len(trains) == 1


def test_a_trial_that_diverges_is_passed_over(X, monkeypatch, trains):
    train = PlayerNet.train
    alone = InteLVAE(mapping=Tried(3), **LONGER).fit(X)
    best = trains[-1][0]

    def spoiled(net, train_rows, valid, n_epochs, **kwargs):
        if net.seed == best and n_epochs == 3:
            raise DivergenceError("spoiled", 1)
        return train(net, train_rows, valid, n_epochs, **kwargs)

    monkeypatch.setattr(PlayerNet, "train", spoiled)
    other = clone(alone).fit(X)
    assert trains[-1][0] != best
    assert np.isfinite(other.score(X))


def test_one_seed_one_model(X):
    vae = InteLVAE(mapping=Tried(3), **LONGER)
    assert np.array_equal(vae.fit(X).transform(X), clone(vae).fit(X).transform(X))


def test_a_long_fit_is_not_tried_for_long():
    long = InteLVAE(max_iter=1000, batch_size=100)
    rows = _fitting.Rows(torch.zeros(1000, 1), None, torch.arange(1000))
    sizes = _fitting._sizes(long, rows, one_epoch=False)
    assert sizes.trial_epochs == 16
    assert _fitting._sizes(long.set_params(max_iter=50), rows, False).trial_epochs == 5


@pytest.mark.parametrize("seed", [0, 4, 6])
def test_a_figure_of_eight_is_not_tangled(seed):
    """Two of these seeds tangle in a single trial."""
    X, _ = make_infinity(1000, random_state=seed)
    curve, _ = make_infinity(1000, random_state=100)
    small = dict(hidden_layer_sizes=(64, 64), max_iter=100, random_state=seed)
    S = InteLVAE(2, mapping=Glue(), **small).fit(X).sample(1000, random_state=0)
    off = np.linalg.norm(S[:, None] - curve, axis=2).min(axis=1) > 0.25
    assert off.mean() <= 0.02
