"""Batches, the player step, and skorch's traps."""

import numpy as np
import pytest
import torch
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    GradientNormClipping,
    LRScheduler,
)
from torch import nn

from sklearn_intelvae import InteLVAE, SparseInteLVAE
from sklearn_intelvae._random import draw_seed, generator_from
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import ELBO, Batch, Objective
from sklearn_intelvae.training import Batches, PlayerNet, Rows, WarmedUpEarlyStopping

SMALL = dict(hidden_layer_sizes=(8,), random_state=0)


def rows(n, weight=None):
    return Rows(torch.arange(n).float()[:, None].expand(n, 2), weight, torch.arange(n))


@pytest.mark.parametrize("n", [2, 3, 31, 32, 33, 34, 63, 64, 65, 100])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_visit_every_row_once_and_never_one_alone(n, shuffle, generator):
    batches = Batches(rows(n), 32, generator if shuffle else None)
    seen = [batch.x[:, 0] for batch in batches]
    assert len(seen) == len(batches)
    assert min(map(len, seen)) > 1
    assert torch.equal(torch.cat(seen).sort().values, torch.arange(n).float())
    if shuffle and n > 3:
        assert not torch.equal(torch.cat(seen), torch.cat([batch.x[:, 0] for batch in batches]))


def test_batches_select_from_a_resident_tensor_with_its_weights():
    data = Rows(torch.rand(10, 2), torch.arange(10).float(), torch.tensor([7, 3, 5]))
    ((x, weight, previous),) = Batches(data, 4)
    assert torch.equal(x, data.X[[7, 3, 5]])
    assert weight.tolist() == [7, 3, 5]
    assert previous is None


def test_batches_of_pairs_hold_the_row_before_each():
    X = torch.rand(10, 2)
    ((x, _, previous),) = Batches(Rows(X, None, torch.tensor([7, 3]), is_series=True), 4)
    assert torch.equal(x, X[[7, 3]])
    assert torch.equal(previous, X[[6, 2]])
    ((x, _, previous),) = Batches(Rows(X, None, torch.tensor([7, 3]), X + 1), 4)
    assert torch.equal(previous, x + 1)


class Duel(Objective):
    """Two players of known gradient: one moves encoder and mapping, the other the decoder."""

    def players(self, model):
        second = list(model.decoder.parameters()) + list(model.likelihood.parameters())
        ids = set(map(id, second))
        return {
            "first": [p for p in model.parameters() if id(p) not in ids],
            "second": second,
        }

    def loss(self, player, model, batch):
        _, _, _, p = model(batch.x, batch.generator)
        loss = -p.log_prob(batch.x)
        return (loss if player == "first" else 0 * loss), {f"{player}_term": loss}


def test_each_player_moves_its_own_parameters_only(X):
    start = InteLVAE(2, objective=Duel(), max_iter=1, learning_rate_init=1e-12, **SMALL).fit(X)
    after = InteLVAE(2, objective=Duel(), max_iter=3, **SMALL).fit(X)
    for (name, a), (_, b) in zip(
        start.module_.named_parameters(), after.module_.named_parameters(), strict=True
    ):
        own = name.startswith(("encoder", "mapping"))
        assert torch.allclose(a, b, atol=1e-6) != own, name
    assert {"train_loss", "second_loss", "first_term", "second_term"} <= after.history_[-1].keys()


class Critic(Objective):
    """An objective with weights of its own."""

    def build(self, model):
        self.critic = nn.Linear(2, 1)

    def players(self, model):
        return super().players(model) | {"critic": list(self.critic.parameters())}

    def loss(self, player, model, batch):
        q, y, _, p = model(batch.x, batch.generator)
        judged = self.critic(y.detach() if player == "critic" else y)[:, 0]
        if player == "critic":
            return judged.square(), {}
        return -p.log_prob(batch.x) + model.kl(q, y) + 0 * judged, {"kl": model.kl(q, y)}


def test_an_objective_may_own_weights_and_they_are_trained_and_kept(X):
    vae = InteLVAE(2, objective=Critic(), max_iter=2, **SMALL).fit(X)
    before = vae._objective.critic.weight.clone()
    vae.partial_fit(X)
    assert not torch.equal(before, vae._objective.critic.weight)
    assert set(vae._training_state["optimizers"]) == {"model", "critic"}


def test_training_equals_a_loop_written_by_hand(X):
    """The same weights, batches, noise and Adam give the same loss curve."""
    settings = dict(kl_warmup=0.0, learning_rate="constant", batch_size=32, device="cpu")
    vae = InteLVAE(2, max_iter=3, **settings, **SMALL).fit(X)

    class Recorder(Callback):
        def on_train_begin(self, net, **kwargs):
            self.model = net.module_
            self.start = {k: v.clone() for k, v in net.module_.state_dict().items()}
            self.state = net.generator_.get_state()

    recorder = Recorder()
    InteLVAE(2, max_iter=1, callbacks=[recorder], **settings, **SMALL).fit(X)
    model, generator = recorder.model, torch.Generator()
    model.load_state_dict(recorder.start)
    generator.set_state(recorder.state)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x, curve = torch.from_numpy(X), []
    for _ in range(3):
        losses = []
        for index in torch.randperm(len(x), generator=generator).split(32):
            loss, _ = ELBO().loss("model", model, Batch(x[index], generator))
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
            losses.append(loss.mean().item() * len(index))
        curve.append(sum(losses) / len(x))
    np.testing.assert_allclose(vae.loss_curve_, curve, rtol=1e-5)


def test_early_stopping_stops_when_a_negative_loss_rises(X):
    """skorch's relative threshold counts a negative loss that rises as an improvement."""
    ours = WarmedUpEarlyStopping(threshold=1e-4, threshold_mode="abs", patience=2)
    naive = EarlyStopping(threshold=1e-4, threshold_mode="rel", patience=2)

    class Net:
        verbose, warmup = 0, 1.0

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
    """On pure noise a large network overfits, so that the best epoch is not the last."""
    X = (0.01 * rng.standard_normal((200, 8))).astype(np.float32)
    vae = InteLVAE(
        2,
        early_stopping=True,
        n_iter_no_change=5,
        kl_warmup=0.0,
        learning_rate="constant",
        learning_rate_init=3e-3,
        max_iter=200,
        random_state=0,
    ).fit(X[:100], X_val=X[100:])
    scores = np.array(vae.validation_scores_)
    assert scores.max() > 0
    assert vae.n_iter_ == scores.argmax() + 6 < 200
    noise = generator_from(draw_seed(0) + 1)
    batches = [Batch(x, noise) for x in torch.from_numpy(X[100:]).split(32)]
    with torch.no_grad():
        losses = [ELBO().validation_loss(vae.module_, batch) for batch in batches]
    assert -float(torch.cat(losses).mean()) == pytest.approx(scores.max(), abs=1e-4)


def test_epochs_of_the_warm_up_do_not_count(X):
    """The first to be judged is the tenth, at whose end the warm-up is over."""
    vae = InteLVAE(
        2, early_stopping=True, n_iter_no_change=1, tol=1e6, kl_warmup=0.5, max_iter=20, **SMALL
    ).fit(X)
    assert vae.n_iter_ == 11


def test_validation_uses_common_random_numbers(X):
    """With a learning rate of almost nothing, every validation loss is the same."""
    vae = InteLVAE(2, max_iter=4, learning_rate_init=1e-12, **SMALL).fit(X, X_val=X)
    assert np.ptp(vae.validation_scores_) < 1e-5
    assert np.ptp(vae.loss_curve_) > 1e-3


def test_the_split_is_shuffled():
    """skorch's default split holds out the first rows, which are one class in sorted data."""
    X = np.repeat(np.arange(5.0), 40)[:, None] + np.zeros((1, 3))

    class Held(Callback):
        def on_train_begin(self, net, X, **kwargs):
            self.train = X.X[X.index][:, 0]

    held = Held()
    InteLVAE(1, early_stopping=True, max_iter=2, callbacks=[held], **SMALL).fit(X)
    per_class = torch.bincount(held.train.long())
    assert per_class.sum() == 180
    assert per_class.max() < 40, "rows of every class are held out"


def test_a_keyboard_interrupt_of_the_user_is_not_swallowed(X):
    class Interrupt(Objective):
        def loss(self, player, model, batch):
            raise KeyboardInterrupt

    vae = InteLVAE(2, objective=Interrupt(), max_iter=2, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(X)
    assert not hasattr(vae, "module_")


def test_a_callback_that_raises_keyboard_interrupt_stops_politely(X):
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    vae = InteLVAE(2, max_iter=9, callbacks=[Stop()], **SMALL).fit(X)
    assert vae.n_iter_ == 2


def test_the_history_keeps_epochs_only(X):
    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            self.batches = len(net.history[-1, "batches"])

    see = See()
    vae = InteLVAE(2, max_iter=2, batch_size=40, callbacks=[see], **SMALL).fit(X)
    assert see.batches == 3
    assert all("batches" not in row for row in vae.history_)
    assert all(isinstance(v, int | float) for row in vae.history_ for v in row.values())


def test_a_scheduler_of_skorch_is_followed(X):
    rates = []

    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    scheduler = LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    InteLVAE(2, max_iter=3, learning_rate="constant", callbacks=[See(), scheduler], **SMALL).fit(X)
    np.testing.assert_allclose(rates, [1e-3, 5e-4, 2.5e-4])


def test_the_cosine_schedule_falls_to_nothing(X):
    rates = []

    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    InteLVAE(2, max_iter=10, callbacks=[See()], **SMALL).fit(X)
    assert rates[0] == pytest.approx(1e-3)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-4


def test_batch_norm_and_a_last_batch_of_one(rng):
    X = rng.standard_normal((33, 4)).astype(np.float32)
    encoder = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    vae = InteLVAE(2, encoder=encoder, max_iter=2, batch_size=32, random_state=0).fit(X)
    np.testing.assert_allclose(vae.transform(X)[:5], vae.transform(X[:5]), rtol=1e-4, atol=1e-6)


def test_divergence_names_the_epoch_and_keeps_the_last_finite_weights(X):
    class Late(Objective):
        def loss(self, player, model, batch):
            q, y, _, p = model(batch.x, batch.generator)
            loss = -p.log_prob(batch.x) + model.kl(q, y)
            self.calls = getattr(self, "calls", 0) + 1
            return (loss * float("nan") if self.calls > 8 else loss), {}

    vae = InteLVAE(2, objective=Late(), max_iter=9, batch_size=30, **SMALL)
    with pytest.raises(DivergenceError, match=r"epoch 3.*smaller learning_rate_init") as caught:
        vae.fit(X)
    assert not hasattr(vae, "module_")
    assert not hasattr(vae, "n_features_in_")
    assert caught.value.epoch == 3
    assert np.isfinite(caught.value.estimator.transform(X)).all()
    assert np.isfinite(caught.value.estimator.score(X))


def test_weights_that_overflow_are_noticed_even_if_the_loss_was_finite(X):
    class Kick(Callback):
        def on_batch_end(self, net, training, **kwargs):
            if training:
                with torch.no_grad():
                    next(net.module_.parameters()).fill_(float("inf"))

    vae = InteLVAE(2, max_iter=2, batch_size=120, callbacks=[Kick()], **SMALL)
    with pytest.raises(DivergenceError, match="epoch 1"):
        vae.fit(X)


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
    monkeypatch.setattr(PlayerNet, "torch_compile", compiled)
    vae = InteLVAE(2, max_iter=2, **SMALL).fit(X)
    assert not any("_orig_mod" in name for name in vae.module_.state_dict())
    assert np.array_equal(vae.transform(X), plain.transform(X))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("lr", "learning_rate_init"),
        ("max_epochs", "max_iter"),
        ("module", "mapping"),
        ("train_split", "early_stopping"),
        ("iterator_train__shuffle", "index selections"),
        ("dataset", "index selections"),
    ],
)
def test_net_params_that_are_ours_are_refused(X, name, remedy):
    with pytest.raises(ValueError, match=rf"net_params\['{name}'\].*{remedy}"):
        InteLVAE(2, net_params={name: 1}, **SMALL).fit(X)


def test_net_params_reach_the_net(X):
    seen = []

    class See(Callback):
        def on_train_begin(self, net, **kwargs):
            seen.append(net.optimizer_)

    params = {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.5}
    InteLVAE(2, max_iter=1, net_params=params, callbacks=[See()], **SMALL).fit(X)
    assert isinstance(seen[0], torch.optim.SGD)
    assert seen[0].param_groups[0]["momentum"] == 0.5


class Warming(nn.Module):
    told = []

    def warm_up(self, fraction):
        self.told.append(fraction)

    def forward(self, y):
        return y


def test_parts_that_warm_up_are_told_before_each_step(X):
    Warming.told.clear()
    InteLVAE(2, mapping=Warming(), max_iter=4, kl_warmup=0.5, batch_size=60, **SMALL).fit(X)
    assert Warming.told == [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]


class Idle(nn.Module):
    """A mapping whose first weight never gets a gradient."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(7))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, y):
        return self.scale * y


def test_a_weight_without_a_gradient_does_not_shift_the_optimizers_state(X):
    settings = SMALL | dict(mapping=Idle(), learning_rate="constant", kl_warmup=0.0)
    whole = InteLVAE(2, max_iter=3, **settings).fit(X)
    pieces = InteLVAE(2, max_iter=2, **settings).fit(X).partial_fit(X)
    assert np.array_equal(whole.transform(X), pieces.transform(X))


def test_dropout_is_repeatable_and_leaves_the_global_generator_alone(X):
    encoder = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.5), nn.ReLU())
    before = torch.get_rng_state()
    first = InteLVAE(2, encoder=encoder, max_iter=2, random_state=0).fit(X).transform(X)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    again = InteLVAE(2, encoder=encoder, max_iter=2, random_state=0).fit(X).transform(X)
    assert np.array_equal(first, again)


class Lax(Objective):
    """Forgets the decoder, or returns a mean."""

    def __init__(self, fault):
        super().__init__()
        self.fault = fault

    def players(self, model):
        everything = list(model.parameters())
        return {
            "forgets": {"model": everything[:-1]},
            "doubles": {"a": everything, "b": everything[:1]},
            "averages": {"model": everything},
        }[self.fault]

    def loss(self, player, model, batch):
        return -model(batch.x, batch.generator).p.log_prob(batch.x).mean(), {}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("forgets", "players of Lax must own every trainable parameter"),
        ("doubles", "players of Lax must own every trainable parameter"),
        ("averages", "Lax.loss returned shape .* must return the loss of each row"),
    ],
)
def test_objectives_with_a_fault_are_named(fault, message, X):
    with pytest.raises(ValueError, match=message):
        InteLVAE(2, objective=Lax(fault), max_iter=1, **SMALL).fit(X)


def test_skorchs_early_stopping_needs_rows_to_watch(X):
    vae = InteLVAE(2, max_iter=9, callbacks=[EarlyStopping(patience=1, threshold=1e6)], **SMALL)
    with pytest.raises(ValueError, match=r"EarlyStopping, which watches.*pass X_val to fit"):
        vae.fit(X)
    assert vae.fit(X, X_val=X).n_iter_ < 9


def test_nothing_is_written_to_the_working_directory(X, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    InteLVAE(2, max_iter=2, early_stopping=True, **SMALL).fit(X)
    assert not list(tmp_path.iterdir())


def test_validation_is_done_in_evaluation_mode_with_the_rows_weights(X):
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


def test_partial_fit_keeps_the_initial_rate(X):
    rates = []

    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    vae = InteLVAE(2, max_iter=4, callbacks=[See()], **SMALL).fit(X)
    vae.partial_fit(X).partial_fit(X)
    assert rates[-2:] == [1e-3, 1e-3] != rates[2:4]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_history_adds_up(weighted, X):
    settings = SMALL | dict(max_iter=2, kl_warmup=0.0, beta=3.0)
    weight = np.arange(len(X)) % 4 if weighted else None
    row = SparseInteLVAE(3, gamma=2.0, **settings).fit(X, sample_weight=weight).history_[-1]
    total = row["reconstruction"] + 3 * row["kl"] + row["penalty"]
    assert row["train_loss"] == pytest.approx(total, rel=1e-5)
    assert row["kl"] > 0


def test_an_optimizer_that_needs_a_closure_is_refused(X):
    with pytest.raises(ValueError, match="cannot be LBFGS"):
        InteLVAE(2, net_params={"optimizer": torch.optim.LBFGS}, **SMALL).fit(X)


def test_far_outliers_do_not_swamp_the_training(rng):
    X = rng.standard_normal((400, 5)).astype(np.float32)
    X[:3] = 60
    vae = InteLVAE(2, max_iter=60, random_state=0).fit(X)
    assert max(vae.loss_curve_) < 100


def test_training_can_go_on_after_a_divergence(X):
    vae = InteLVAE(2, max_iter=5, **SMALL | {"learning_rate_init": 1e20})
    with pytest.raises(DivergenceError) as caught:
        vae.fit(X)
    survivor = caught.value.estimator
    assert survivor.n_iter_ == len(survivor.loss_curve_) == caught.value.epoch - 1
    assert np.isfinite(survivor.loss_curve_).all()
    survivor.set_params(learning_rate_init=1e-3).partial_fit(X)
    assert np.isfinite(survivor.loss_curve_[-1])


class Late(Objective):
    """Fails in the third epoch of four batches."""

    def loss(self, player, model, batch):
        q, y, _, p = model(batch.x, batch.generator)
        self.calls = getattr(self, "calls", 0) + 1
        loss = -p.log_prob(batch.x) + model.kl(q, y)
        return (loss * float("nan") if self.calls > 8 else loss), {}


def test_the_survivor_has_the_weights_of_the_last_good_epoch(X):
    settings = SMALL | dict(batch_size=30, learning_rate="constant", kl_warmup=0.0)
    with pytest.raises(DivergenceError) as caught:
        InteLVAE(2, objective=Late(), max_iter=9, **settings).fit(X)
    two = InteLVAE(2, max_iter=2, **settings).fit(X)
    assert np.array_equal(caught.value.estimator.transform(X), two.transform(X))


def test_a_scheduler_beside_the_cosine_is_refused(X):
    scheduler = LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    with pytest.raises(ValueError, match="set learning_rate='constant'"):
        InteLVAE(2, callbacks=[scheduler], **SMALL).fit(X)


class Trunk(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.shift = nn.Parameter(torch.randn_like(torch.zeros(8)))

    def forward(self, x):
        return self.layers(x) + self.shift


def test_a_class_is_instantiated_with_our_own_randomness(X):
    before = torch.get_rng_state()
    one, two = (InteLVAE(2, encoder=Trunk, max_iter=1, random_state=0).fit(X) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(one.transform(X), two.transform(X))


def test_weights_of_any_size_will_do(X):
    weight = np.ones(len(X))
    weight[0] = 2
    one, huge = (InteLVAE(2, **SMALL).fit(X, sample_weight=c * weight) for c in (1, 2.0**123))
    assert np.array_equal(one.transform(X), huge.transform(X))


def test_skorchs_checkpoint_and_clipping_work(X, tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path, load_best=True)
    callbacks = [checkpoint, GradientNormClipping(1.0)]
    vae = InteLVAE(2, max_iter=4, callbacks=callbacks, **SMALL).fit(X, X_val=X)
    best = int(np.argmax(vae.validation_scores_))
    assert [row["valid_loss_best"] for row in vae.history_][best]
    assert (tmp_path / "params.pt").exists()
