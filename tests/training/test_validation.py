"""Validation and early stopping."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from sklearn_intelvae import InteLVAE
from sklearn_intelvae._random import Stream, draw_seed, generator_from, seed_of
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.objectives import ELBO, Batch
from sklearn_intelvae.training._skorch import WarmedUpEarlyStopping

SMALL = dict(hidden_layer_sizes=(8,), random_state=0)


def test_early_stopping_stops_when_a_negative_loss_rises(X):
    """skorch's relative threshold counts a negative loss that rises as an improvement."""
    ours = WarmedUpEarlyStopping(threshold=1e-4, threshold_mode="abs", patience=2)
    naive = EarlyStopping(threshold=1e-4, threshold_mode="rel", patience=2)

    class Net:
        verbose, progress = 0, 1.0

        def __init__(self, losses):
            self.losses = losses

        @property
        def history(self):
            return {(-1, "valid_loss"): self.losses[0], (-1, "epoch"): 1}

    stopped = {}
    for name, stopping in (("ours", ours), ("naive", naive)):
        stopping.on_train_begin(None)
        stopped[name] = False
        for loss in (-100.0, -99.999, -99.998, -99.997):
            try:
                stopping.on_epoch_end(Net([loss]))
            except KeyboardInterrupt:
                stopped[name] = True
                break
    assert stopped == {"ours": True, "naive": False}


def test_early_stopping_with_a_negative_loss_restores_the_best_weights(rng):
    """To pure noise a large network overfits, so that the best epoch is not the last."""
    X = (0.01 * rng.standard_normal((200, 8))).astype(np.float32)
    vae = InteLVAE(
        2,
        early_stopping=True,
        n_iter_no_change=5,
        kl_warmup=0.0,
        learning_rate="constant",
        learning_rate_init=3e-3,
        max_iter=200,
        likelihood=Gaussian(0.01),
        random_state=0,
    ).fit(X[:100], X_val=X[100:])
    scores = np.array(vae.validation_scores_)
    assert scores.max() > 0
    assert vae.n_iter_ == scores.argmax() + 6 < 200
    noise = generator_from(seed_of(draw_seed(0), Stream.VALIDATION_NOISE))
    table = vae._standardization.apply(X[100:])
    batches = [Batch(x, noise) for x in torch.from_numpy(table).split(32)]
    with torch.no_grad():
        losses = [ELBO().validation_loss(vae.module_, batch) for batch in batches]
    assert -float(torch.cat(losses).mean()) == pytest.approx(scores.max(), abs=1e-4)


def test_epochs_of_the_warm_up_do_not_count(X):
    """The first that counts is the tenth, at whose end the warm-up is over."""
    vae = InteLVAE(
        2, early_stopping=True, n_iter_no_change=1, tol=1e6, kl_warmup=0.5, max_iter=20, **SMALL
    ).fit(X)
    assert vae.n_iter_ == 11


def test_validation_uses_the_same_noise_in_each_epoch(X):
    """With a learning rate near zero, every validation loss is the same."""
    vae = InteLVAE(2, max_iter=4, learning_rate_init=1e-12, **SMALL).fit(X, X_val=X)
    assert np.ptp(vae.validation_scores_) < 1e-5
    assert np.ptp(vae.loss_curve_) > 1e-3


def test_the_split_is_shuffled():
    """skorch's default split sets the first rows aside, which are one class in sorted data."""
    X = np.repeat(np.arange(5.0), 40)[:, None] + np.zeros((1, 3))

    class Rows(Callback):
        def on_train_begin(self, net, X, **kwargs):
            self.train = X.index

    rows = Rows()
    InteLVAE(1, early_stopping=True, max_iter=2, skorch_callbacks=[rows], **SMALL).fit(X)
    per_class = torch.bincount(torch.from_numpy(X[:, 0])[rows.train].long())
    assert per_class.sum() == 180
    assert per_class.max() < 40, "rows of every class are set aside"


def test_validation_is_in_evaluation_mode_and_weighted(X):
    modes = []

    class Watched(ELBO):
        def validation_loss(self, model, batch):
            modes.append(model.training)
            return super().validation_loss(model, batch)

    settings = SMALL | dict(early_stopping=True, max_iter=1, learning_rate_init=1e-12)
    weight = np.where(np.arange(len(X)) % 2, 5.0, 0.1)
    plain = InteLVAE(2, objective=Watched(), **settings).fit(X)
    weighted = InteLVAE(2, objective=Watched(), **settings).fit(X, sample_weight=weight)
    assert set(modes) == {False}
    assert plain.validation_scores_ != weighted.validation_scores_


class WrongValidation(ELBO):
    def validation_loss(self, model, batch):
        return super().validation_loss(model, batch).mean()


def test_a_validation_loss_of_another_shape_is_refused(X):
    with pytest.raises(
        ValueError, match=r"WrongValidation.validation_loss must have shape \(\d+,\)"
    ):
        InteLVAE(2, objective=WrongValidation(), max_iter=1, **SMALL).fit(X, X_val=X)


def test_skorchs_early_stopping_needs_rows_to_validate_on(X):
    vae = InteLVAE(
        2, max_iter=9, skorch_callbacks=[EarlyStopping(patience=1, threshold=1e6)], **SMALL
    )
    with pytest.raises(ValueError, match=r"EarlyStopping, which monitors.*pass X_val to fit"):
        vae.fit(X)
    assert vae.fit(X, X_val=X).n_iter_ < 9
