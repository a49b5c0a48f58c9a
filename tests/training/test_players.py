"""The training step: what each player moves, what an objective may return, what is recorded."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_intelvae import InteLVAE, SparseInteLVAE
from sklearn_intelvae.mappings import Compose, Identity, Mapping
from sklearn_intelvae.objectives import ELBO, Batch, Objective

SMALL = dict(hidden_layer_sizes=(8,), random_state=0)
CONSTANT = SMALL | dict(learning_rate="constant", kl_warmup=0.0)


class Duel(Objective):
    """Two players: one moves encoder and mapping; the loss of the other, the decoder, is zero."""

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
        value = self.critic(y.detach() if player == "critic" else y)[:, 0]
        if player == "critic":
            return value.square(), {}
        return -p.log_prob(batch.x) + model.prior_distribution().kl(q, y) + 0 * value, {}


def test_weights_of_an_objective_are_trained_and_kept(X):
    vae = InteLVAE(2, objective=Critic(), max_iter=2, **CONSTANT).fit(X)
    before = vae.objective_.critic.weight.clone()
    vae.partial_fit(X)
    assert not torch.equal(before, vae.objective_.critic.weight)
    whole = InteLVAE(2, objective=Critic(), max_iter=3, **CONSTANT).fit(X)
    assert torch.equal(whole.objective_.critic.weight, vae.objective_.critic.weight)


def test_training_equals_a_loop_written_by_hand(X):
    """The same weights, batches, noise and Adam give the same loss curve."""
    settings = CONSTANT | dict(batch_size=32, device="cpu", linear_path=False)
    vae = InteLVAE(2, max_iter=3, **settings).fit(X)

    class Recorder(Callback):
        def on_train_begin(self, net, **kwargs):
            self.model = net.module_
            self.start = {k: v.clone() for k, v in net.module_.state_dict().items()}
            self.state = net.generator_.get_state()

    recorder = Recorder()
    InteLVAE(2, max_iter=1, skorch_callbacks=[recorder], **settings).fit(X)
    model, generator = recorder.model, torch.Generator()
    model.load_state_dict(recorder.start)
    generator.set_state(recorder.state)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x, curve = torch.from_numpy(vae._standardization.apply(X)), []
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


class Idle(nn.Module):
    """A plain mapping whose first weight never has a gradient."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(7))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, y):
        return self.scale * y


def test_a_weight_without_a_gradient_does_not_shift_the_optimizers_state(X):
    settings = CONSTANT | dict(mapping=Idle())
    whole = InteLVAE(2, max_iter=3, **settings).fit(X)
    pieces = InteLVAE(2, max_iter=2, **settings).fit(X).partial_fit(X)
    assert np.array_equal(whole.transform(X), pieces.transform(X))


class Wrong(Objective):
    """Owns too few parameters or one twice, or returns something else than losses of rows."""

    def __init__(self, fault):
        super().__init__()
        self.fault = fault

    def players(self, model):
        everything = list(model.parameters())
        return {
            "forgets": {"model": everything[:-1]},
            "doubles": {"a": everything, "b": everything[:1]},
        }.get(self.fault, {"model": everything})

    def loss(self, player, model, batch):
        loss = -model(batch.x, batch.generator).p.log_prob(batch.x)
        return {
            "averages": (loss.mean(), {}),
            "forgets the terms": loss,
            "lists terms": (loss, ["loss"]),
            "records rows": (loss, {"rows": batch.x}),
            "records numbers": (loss, {"loss": 3.0}),
            "detaches": (loss.detach(), {}),
        }.get(self.fault, (loss, {}))


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("forgets", ValueError, "players of Wrong must own every trainable parameter"),
        ("doubles", ValueError, "players of Wrong must own every trainable parameter"),
        ("averages", ValueError, "Wrong.loss returned shape .* must return the loss of each row"),
        ("forgets the terms", TypeError, "Wrong.loss must return the loss of each row and a dict"),
        ("lists terms", TypeError, "Wrong.loss must return a dict of tensors by name, got list"),
        ("records rows", ValueError, r"Wrong.loss: 'rows' must have shape .*32, 6\)"),
        ("records numbers", ValueError, "Wrong.loss: 'loss' .* got float"),
        ("detaches", ValueError, "Wrong.loss does not depend on the parameters"),
    ],
)
def test_objectives_with_a_fault_are_named(fault, error, message, X):
    with pytest.raises(error, match=message):
        InteLVAE(2, objective=Wrong(fault), max_iter=1, batch_size=32, **SMALL).fit(X)


class InPlace(Duel):
    """The first player changes the rows; the second one records those that it receives."""

    received = []

    def loss(self, player, model, batch):
        if player == "first":
            batch.x.zero_()
        else:
            self.received.append(batch.x.clone())
        return super().loss(player, model, batch)


def test_a_player_that_works_in_place_changes_its_own_copy(X):
    InPlace.received.clear()
    vae = InteLVAE(2, objective=InPlace(), max_iter=1, **SMALL).fit(X)
    received = torch.cat(InPlace.received)
    assert sorted(received.tolist()) == sorted(vae._standardization.apply(X).tolist())


def test_the_history_keeps_epochs_only(X):
    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            self.batches = len(net.history[-1, "batches"])

    see = See()
    vae = InteLVAE(2, max_iter=2, batch_size=40, skorch_callbacks=[see], **SMALL).fit(X)
    assert see.batches == 3
    assert all("batches" not in row for row in vae.history_)
    assert all(isinstance(v, int | float) for row in vae.history_ for v in row.values())


@pytest.mark.parametrize("weighted", [False, True])
def test_the_history_adds_up(weighted, X):
    settings = SMALL | dict(max_iter=2, kl_warmup=0.0, beta=3.0)
    weight = np.arange(len(X)) % 4 if weighted else None
    row = SparseInteLVAE(3, gamma=2.0, **settings).fit(X, sample_weight=weight).history_[-1]
    total = row["reconstruction"] + 3 * row["kl"] + row["penalty"]
    assert row["train_loss"] == pytest.approx(total, rel=1e-5)
    assert row["kl"] > 0


class Recording(Mapping):
    """Keeps the fractions of the warm-up."""

    fractions = []

    def set_progress(self, fraction):
        self.fractions.append(fraction)

    def forward(self, y):
        return y


@pytest.mark.parametrize("mapping", [Recording(), Compose(Identity(), Recording())])
def test_parts_receive_the_progress_before_each_step(mapping, X):
    Recording.fractions.clear()
    InteLVAE(2, mapping=mapping, max_iter=4, kl_warmup=0.5, batch_size=60, **SMALL).fit(X)
    assert Recording.fractions == [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]


class Progress(ELBO):
    """Keeps the progress that it receives, of the batches that it trains on, and validates on."""

    def __init__(self):
        super().__init__()
        self.received, self.trained, self.validated = [], [], []

    def set_progress(self, fraction):
        self.received.append(fraction)

    def loss(self, player, model, batch):
        if torch.is_grad_enabled():
            self.trained.append(batch.progress)
        return super().loss(player, model, batch)

    def validation_loss(self, model, batch):
        self.validated.append(batch.progress)
        return super().validation_loss(model, batch)


@pytest.mark.parametrize("n_init", [1, 2])
def test_batches_have_the_progress_of_the_warm_up_and_validation_is_at_its_end(n_init, X):
    settings = SMALL | dict(max_iter=4, kl_warmup=0.5, batch_size=60, n_init=n_init)
    objective = InteLVAE(2, objective=Progress(), **settings).fit(X, X_val=X).objective_
    assert objective.received == objective.trained == [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]
    assert set(objective.validated) == {1.0}
