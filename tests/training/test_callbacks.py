"""Callbacks, schedules and further parameters of skorch."""

import signal

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Checkpoint, GradientNormClipping, LRScheduler

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.objectives import Objective

SMALL = dict(hidden_layer_sizes=(8,), random_state=0)


def test_a_keyboard_interrupt_of_the_user_is_raised(X):
    class Interrupt(Objective):
        def loss(self, player, model, batch):
            raise KeyboardInterrupt

    vae = InteLVAE(2, objective=Interrupt(), max_iter=2, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(X)
    assert not hasattr(vae, "module_")


def test_a_callback_that_raises_keyboard_interrupt_ends_the_training(X):
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    vae = InteLVAE(2, max_iter=9, skorch_callbacks=[Stop()], **SMALL).fit(X)
    assert vae.n_iter_ == 2


def test_ctrl_c_while_callbacks_run_is_raised(X):
    class Interrupted(Callback):
        def on_epoch_end(self, net, **kwargs):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    vae = InteLVAE(2, max_iter=9, skorch_callbacks=[Interrupted()], **SMALL)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(X)
    assert not hasattr(vae, "module_")
    assert signal.getsignal(signal.SIGINT) is before


def test_parameters_that_a_callback_freezes_do_not_move_and_are_trainable_afterwards(X):
    class Frozen(Callback):
        def on_train_begin(self, net, **kwargs):
            net.module_.encoder.requires_grad_(False)
            self.before = [p.clone() for p in net.module_.encoder.parameters()]

    frozen = Frozen()
    vae = InteLVAE(2, max_iter=2, skorch_callbacks=[("frozen", frozen)], **SMALL).fit(X)
    weights = list(vae.module_.encoder.parameters())
    assert all(p.requires_grad and p.grad is None for p in vae.module_.parameters())
    assert len(weights) == 6
    assert all(torch.equal(*pair) for pair in zip(weights, frozen.before, strict=True))


def test_a_scheduler_of_skorch_sets_the_rate(X):
    rates = []

    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    scheduler = LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    InteLVAE(
        2, max_iter=3, learning_rate="constant", skorch_callbacks=[See(), scheduler], **SMALL
    ).fit(X)
    np.testing.assert_allclose(rates, [5e-3, 2.5e-3, 1.25e-3])


def test_a_scheduler_beside_the_cosine_is_refused(X):
    scheduler = LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    with pytest.raises(ValueError, match="set learning_rate='constant'"):
        InteLVAE(2, skorch_callbacks=[scheduler], **SMALL).fit(X)


def test_the_cosine_schedule_falls_to_zero(X):
    rates = []

    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    schedule = dict(learning_rate="cosine", learning_rate_init=1e-3, linear_path=False)
    InteLVAE(2, max_iter=10, skorch_callbacks=[See()], **schedule, **SMALL).fit(X)
    assert rates[0] == pytest.approx(1e-3, rel=0.05)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-4


def test_one_cycle_rises_and_falls(X):
    rates = []

    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append([group["lr"] for group in net.optimizer_.param_groups])

    InteLVAE(2, max_iter=20, skorch_callbacks=[See()], **SMALL).fit(X**2)
    networks, linear, noise = np.transpose(rates)
    top = networks.argmax()
    assert 3 <= top <= 7
    assert networks[top] == pytest.approx(5e-3, rel=0.1)
    assert (np.diff(networks[: top + 1]) > 0).all()
    assert (np.diff(networks[top:]) < 0).all()
    np.testing.assert_allclose(linear, 0.1 * networks)
    np.testing.assert_allclose(noise, 0.03 * networks)


def test_partial_fit_keeps_the_initial_rate(X):
    rates = []

    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    vae = InteLVAE(2, max_iter=4, skorch_callbacks=[See()], **SMALL).fit(X)
    vae.partial_fit(X).partial_fit(X)
    assert rates[-2:] == [5e-3, 5e-3] != rates[2:4]


def test_gradient_clipping_works(X):
    settings = dict(learning_rate="constant", max_iter=2, **SMALL)
    params = {"optimizer": torch.optim.SGD}
    plain, clipped = (
        InteLVAE(2, skorch_callbacks=callbacks, skorch_params=params, **settings).fit(X)
        for callbacks in ([], [GradientNormClipping(1e-8)])
    )
    assert clipped.loss_curve_[-1] == pytest.approx(clipped.loss_curve_[0], rel=0.2)
    assert clipped.loss_curve_ != plain.loss_curve_


def test_skorchs_checkpoint_is_refused_with_advice(X, tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path, load_best=True)
    with pytest.raises(ValueError, match="Checkpoint, .* early_stopping=True restores the best"):
        InteLVAE(2, skorch_callbacks=[checkpoint], **SMALL).fit(X, X_val=X)
    assert not list(tmp_path.iterdir())


def test_early_stopping_restores_the_best_weights_as_the_checkpoint_would(X):
    vae = InteLVAE(2, max_iter=4, **SMALL).fit(X, X_val=X)
    best = int(np.argmax(vae.validation_scores_))
    assert [row["valid_loss_best"] for row in vae.history_][best]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("lr", "learning_rate_init"),
        ("max_epochs", "max_iter"),
        ("module", "mapping"),
        ("criterion", "objective"),
        ("criterion__beta", "objective"),
        ("train_split", "early_stopping"),
        ("callbacks", "skorch_callbacks"),
        ("seed", "random_state"),
        ("schedule", "learning_rate"),
        ("warmup_steps", "kl_warmup"),
        ("warm_start", "warm_start"),
        ("batch_events", "skorch_callbacks"),
        ("iterator_train__shuffle", "index selections"),
        ("dataset", "index selections"),
    ],
)
def test_skorch_params_that_the_estimator_sets_are_refused(X, name, remedy):
    with pytest.raises(ValueError, match=rf"skorch_params\['{name}'\].*{remedy}"):
        InteLVAE(2, skorch_params={name: 1}, **SMALL).fit(X)


def test_skorch_params_reach_the_net(X):
    seen = []

    class See(Callback):
        def on_train_begin(self, net, **kwargs):
            seen.append(net.optimizer_)

    params = {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.5}
    InteLVAE(2, max_iter=1, skorch_params=params, skorch_callbacks=[See()], **SMALL).fit(X)
    assert isinstance(seen[0], torch.optim.SGD)
    assert seen[0].param_groups[0]["momentum"] == 0.5


def test_an_optimizer_that_needs_a_closure_is_refused(X):
    with pytest.raises(ValueError, match="cannot be LBFGS"):
        InteLVAE(2, skorch_params={"optimizer": torch.optim.LBFGS}, **SMALL).fit(X)


@pytest.mark.parametrize("optimizer", ["adam", None])
def test_what_is_no_optimizer_is_refused(optimizer, X):
    with pytest.raises(TypeError, match="must be the class of an optimizer"):
        InteLVAE(2, skorch_params={"optimizer": optimizer}, **SMALL).fit(X)


@pytest.mark.parametrize("callback", ["print", object()])
def test_what_is_no_callback_is_refused(callback, X):
    with pytest.raises(TypeError, match="which is not a skorch callback. Derive it from"):
        InteLVAE(2, skorch_callbacks=[callback], **SMALL).fit(X)
