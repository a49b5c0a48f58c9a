"""A loss or a weight that becomes non-finite, and data that should not lead to one."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import Objective

SMALL = dict(hidden_layer_sizes=(8,), random_state=0)


class Late(Objective):
    """Diverges in the third epoch of four batches."""

    def loss(self, player, model, batch):
        q, y, _, p = model(batch.x, batch.generator)
        self.calls = getattr(self, "calls", 0) + 1
        loss = -p.log_prob(batch.x) + model.prior_distribution().kl(q, y)
        return (loss * float("nan") if self.calls > 8 else loss), {}


def test_the_error_names_the_epoch_and_keeps_the_last_finite_weights(X):
    vae = InteLVAE(2, objective=Late(), max_iter=9, batch_size=30, **SMALL)
    with pytest.raises(DivergenceError, match=r"epoch 3.*smaller learning_rate_init") as caught:
        vae.fit(X)
    assert not hasattr(vae, "module_")
    assert not hasattr(vae, "n_features_in_")
    assert caught.value.epoch == 3
    assert np.isfinite(caught.value.estimator.transform(X)).all()
    assert np.isfinite(caught.value.estimator.score(X))


def test_the_estimator_of_the_error_has_the_weights_of_the_last_finite_epoch(X):
    settings = SMALL | dict(prior="normal", batch_size=30, learning_rate="constant", kl_warmup=0.0)
    with pytest.raises(DivergenceError) as caught:
        InteLVAE(2, objective=Late(), max_iter=9, **settings).fit(X)
    two = InteLVAE(2, max_iter=2, **settings).fit(X)
    assert np.array_equal(caught.value.estimator.transform(X), two.transform(X))


def test_a_weight_that_overflows_is_an_error_even_if_the_loss_was_finite(X):
    class Kick(Callback):
        def on_batch_end(self, net, training, **kwargs):
            if training:
                with torch.no_grad():
                    next(net.module_.parameters()).fill_(float("inf"))

    vae = InteLVAE(2, max_iter=2, batch_size=120, skorch_callbacks=[Kick()], **SMALL)
    with pytest.raises(DivergenceError, match="epoch 1"):
        vae.fit(X)


def test_training_can_continue_after_a_divergence(X):
    vae = InteLVAE(2, max_iter=5, **SMALL | {"learning_rate_init": 1e20})
    with pytest.raises(DivergenceError) as caught:
        vae.fit(X)
    survivor = caught.value.estimator
    assert survivor.n_iter_ == len(survivor.loss_curve_) == caught.value.epoch - 1
    assert np.isfinite(survivor.loss_curve_).all()
    survivor.set_params(learning_rate_init=1e-3).partial_fit(X)
    assert np.isfinite(survivor.loss_curve_[-1])


def test_far_outliers_do_not_dominate_the_loss(rng):
    X = rng.standard_normal((400, 5)).astype(np.float32)
    X[:3] = 60
    vae = InteLVAE(2, max_iter=60, random_state=0).fit(X)
    assert max(vae.loss_curve_) < 100
