"""Callbacks and optimizers of others, with one player and with several."""

import copy
import os
import signal
import threading
import time
from collections import deque
from typing import ClassVar

import numpy as np
import pytest
import skorch.callbacks
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
)
from skorch.utils import freeze_parameter
from torch import nn
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR, StepLR

from sklearn_intelvae import PCL, DivergenceError, InteLVAE, SoftIntroVAE
from sklearn_intelvae.objectives import ELBO, FactorVAE

SMALL = dict(hidden_layer_sizes=(8,), max_iter=3, learning_rate="constant", random_state=0)
ESTIMATORS = {
    "one player": InteLVAE(2, **SMALL),
    "a discriminator": InteLVAE(2, objective=FactorVAE(hidden_layer_sizes=(8,)), **SMALL),
    "a game": SoftIntroVAE(2, game_start=0.2, **SMALL),
    "pairs": PCL(2, **SMALL),
}


class Writer:
    def add_scalar(self, *args, **kwargs):
        pass

    def close(self):
        pass


def score(net, X, y):
    return 1.0


WORK = {
    "Callback": Callback,
    "EarlyStopping": lambda: EarlyStopping(monitor="train_loss", sink=lambda text: None),
    "EpochTimer": EpochTimer,
    "Freezer": lambda: Freezer("encoder*"),
    "GradientNormClipping": lambda: GradientNormClipping(1.0),
    "Initializer": lambda: Initializer("encoder*weight", fn=torch.nn.init.ones_),
    "LRScheduler": lambda: LRScheduler(StepLR, step_size=1),
    "LRScheduler per batch": lambda: LRScheduler(
        OneCycleLR, step_every="batch", max_lr=1e-2, total_steps=100
    ),
    "LRScheduler cyclic": lambda: LRScheduler(
        CyclicLR, step_every="batch", base_lr=1e-4, max_lr=1e-3
    ),
    "LRScheduler plateau": lambda: LRScheduler("ReduceLROnPlateau", monitor="train_loss"),
    "ParamMapper": lambda: ParamMapper("decoder*", fn=freeze_parameter, at=2),
    "PrintLog": lambda: PrintLog(sink=lambda *text: None),
    "ProgressBar": lambda: ProgressBar(detect_notebook=False),
    "TensorBoard": lambda: TensorBoard(Writer()),
    "Unfreezer": lambda: Unfreezer("encoder*"),
}
REFUSED = {
    "BatchScoring": (lambda: BatchScoring(score, name="a"), "history_|set_callbacks"),
    "Checkpoint": (Checkpoint, "early_stopping=True .* save"),
    "EpochScoring": (lambda: EpochScoring(score, name="a"), "history_|set_callbacks"),
    "InputShapeSetter": (InputShapeSetter, "sized at fit"),
    "LoadInitState": (lambda: LoadInitState(Checkpoint()), "warm_start=True or partial_fit"),
    "PassthroughScoring": (
        lambda: PassthroughScoring("train_loss", on_train=True),
        "history_ already has",
    ),
    "TrainEndCheckpoint": (TrainEndCheckpoint, "early_stopping=True .* save"),
}
NEED_A_SERVICE = {"MlflowLogger", "NeptuneLogger", "SacredLogger", "WandbLogger"}


@pytest.fixture
def X(rng):
    return rng.standard_normal((100, 6)).astype(np.float32)


def with_callbacks(estimator, *callbacks):
    return clone(estimator).set_params(skorch_callbacks=list(callbacks))


def test_every_callback_of_skorch_has_a_case():
    named = {name.split()[0] for name in WORK} | REFUSED.keys() | NEED_A_SERVICE
    assert set(skorch.callbacks.__all__) - {"WarmRestartLR"} == named


@pytest.mark.parametrize("callback", WORK)
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_callbacks_that_work(estimator, callback, X, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = with_callbacks(estimator, WORK[callback]()).fit(X)
    model.partial_fit(X)
    assert np.isfinite(model.transform(X)).all()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("callback", REFUSED)
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_callbacks_that_are_refused_by_name_with_a_remedy(estimator, callback, X):
    make, remedy = REFUSED[callback]
    match = f"skorch_callbacks holds {callback}, .*({remedy})"
    with pytest.raises(ValueError, match=match):
        with_callbacks(estimator, make()).fit(X)
    with pytest.raises(ValueError, match=match):
        clone(estimator).set_params(skorch_callbacks=[("mine", make())]).fit(X)


class Rates(Callback):
    """Records the rate of each group, and how much each player's weights have moved."""

    def on_train_begin(self, net, **kwargs):
        self.seen, self.moved = [], []

    def on_epoch_begin(self, net, **kwargs):
        self.before = {k: [p.detach().clone() for p in v] for k, v in net.players_.items()}

    def on_epoch_end(self, net, **kwargs):
        self.seen.append([group["lr"] for group in net.optimizer_.param_groups])
        self.moved.append(
            {
                player: max(
                    float((a - b.detach()).abs().max())
                    for a, b in zip(before, net.players_[player], strict=True)
                )
                for player, before in self.before.items()
            }
        )


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_schedule_acts_on_every_player(estimator, X):
    rates = Rates()
    decay = LRScheduler(StepLR, step_size=1, gamma=1e-4)
    estimator = clone(estimator).set_params(skorch_callbacks=[rates, decay], max_iter=3)
    fitted = estimator.fit(X)
    rates = fitted.skorch_callbacks[0]
    first, second, third = rates.seen
    np.testing.assert_allclose(second, 1e-4 * np.array(first))
    np.testing.assert_allclose(third, 1e-8 * np.array(first))
    for player, moved in rates.moved[-1].items():
        assert moved < 1e-3 * rates.moved[0][player], player


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_clipping_acts_on_every_player(estimator, X):
    class Norms(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            grads = [p.grad for _, p in named_parameters if p.grad is not None]
            norms.append(float(torch.stack([g.norm() for g in grads]).norm()))

    norms = []
    clip = GradientNormClipping(1e-3)
    model = with_callbacks(estimator, ("clip", clip), ("norms", Norms())).fit(X)
    n_players = len(model.objective_.players(model.module_))
    assert len(norms) == 3 * 4 * n_players  # epochs, batches
    assert max(norms) < 1.01e-3


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_frozen_weights_stay_and_can_be_trained_again(estimator, X):
    start = with_callbacks(estimator, Freezer("*")).fit(X)
    weights = {name: p.detach().clone() for name, p in start.module_.named_parameters()}
    model = with_callbacks(estimator, Freezer("encoder*")).fit(X)
    for name, parameter in model.module_.named_parameters():
        assert parameter.requires_grad
        if name.startswith("encoder"):
            assert torch.equal(parameter, weights[name]), name
    model.set_params(skorch_callbacks=None).partial_fit(X)
    moved = [
        not torch.equal(p, weights[name])
        for name, p in model.module_.named_parameters()
        if name.startswith("encoder")
    ]
    assert all(moved)


def test_a_module_that_is_frozen_by_its_author_stays_so(X):
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4))
    for parameter in encoder[0].parameters():
        parameter.requires_grad_(False)
    vae = InteLVAE(2, encoder=encoder, **SMALL).fit(X).partial_fit(X)
    assert torch.equal(vae.module_.encoder.network[0].weight, encoder[0].weight)
    assert not torch.equal(vae.module_.encoder.network[2].weight, encoder[2].weight)


# Optimizers


class WithNumbers(torch.optim.Optimizer):
    """Its state holds an int, a float, None, a list, and a nested dict."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, dict(lr=lr, scale=1.0))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["n_steps"] = group.get("n_steps", 0) + 1
            group["scale"] *= 0.9
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                state["step"] = state.get("step", 0) + 1
                state["decay"] = 0.5 * state.get("decay", 1.0)
                state["nothing"] = None
                state["recent"] = [*state.get("recent", [])[-1:], 0.1 * state["step"]]
                state["nested"] = {"mean": p.grad.clone(), "half": p.grad.to(torch.bfloat16)}
                size = group["scale"] / group["n_steps"] + state["decay"] + sum(state["recent"])
                p.sub_(0.1 * size * group["lr"] * (p.grad + state["nested"]["half"].float()))


REFUSE = {"LBFGS", "Muon", "SparseAdam"}
"""Optimizers that need a loss without noise, matrices only, or sparse gradients."""
OPTIMIZERS = [
    cls
    for name, cls in sorted(vars(torch.optim).items())
    if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)
    if name not in {"Optimizer", *REFUSE}
] + [WithNumbers]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.__name__)
@pytest.mark.parametrize("name", ["one player", "a discriminator", "a game"])
def test_the_state_of_any_optimizer_survives(name, optimizer, X, tmp_path):
    """Training continues from a file and in memory with the same bits, not without the state."""
    params = {"optimizer": optimizer}
    model = clone(ESTIMATORS[name]).set_params(skorch_params=params)
    model.partial_fit(X).partial_fit(X)
    model.save(tmp_path / "model")
    objects = {"skorch_params": params} if optimizer is WithNumbers else {}
    again = type(model).load(tmp_path / "model", **objects)
    without = copy.deepcopy(model)
    slots = without._training_state["optimizer"].pop("slots")
    without._training_state["optimizer"]["slots"] = {}
    for estimator in (model, again, without):
        estimator.partial_fit(X)
    np.testing.assert_array_equal(model.transform(X), again.transform(X))
    acts = optimizer is not torch.optim.ASGD  # its average of the weights does not change them
    if acts and any(value is not None for slot in slots.values() for value in slot.values()):
        assert not np.array_equal(model.transform(X), without.transform(X))


@pytest.mark.parametrize("name", ["one player", "a discriminator"])
@pytest.mark.parametrize("second", OPTIMIZERS, ids=lambda o: o.__name__)
@pytest.mark.parametrize("first", [torch.optim.Adam, torch.optim.SGD], ids=lambda o: o.__name__)
def test_another_optimizer_starts_with_a_state_of_its_own(first, second, name, X):
    model = clone(ESTIMATORS[name]).set_params(warm_start=True)
    model.set_params(skorch_params={"optimizer": first}).fit(X)
    model.set_params(skorch_params={"optimizer": second}).fit(X)
    assert model.n_iter_ == 6
    assert np.isfinite(model.transform(X)).all()


def test_parameter_groups_of_the_user_are_restored(X):
    groups = [("encoder*", {"lr": 1e-2}), ("decoder*", {"weight_decay": 0.1})]
    params = {"optimizer": torch.optim.AdamW, "optimizer__param_groups": groups}
    vae = InteLVAE(2, skorch_params=params, **SMALL)
    once = clone(vae).partial_fit(X).partial_fit(X)
    again = clone(vae).partial_fit(X)
    again = again.set_params(random_state=3).partial_fit(X)
    np.testing.assert_array_equal(once.transform(X), again.transform(X))


@pytest.mark.parametrize("name", ["one player", "a game"])
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (torch.optim.RMSprop, {"momentum": 0.9}),
        (torch.optim.RMSprop, {"centered": True}),
        (torch.optim.SGD, {"momentum": 0.9}),
        (torch.optim.Adam, {"amsgrad": True}),
        (torch.optim.AdamW, {"amsgrad": True}),
    ],
    ids=str,
)
def test_an_option_that_needs_another_state_can_be_changed(optimizer, options, name, X):
    options = {f"optimizer__{key}": value for key, value in options.items()}
    model = clone(ESTIMATORS[name]).set_params(warm_start=True)
    for settings in ({}, options, {}):
        model.set_params(skorch_params={"optimizer": optimizer} | settings).fit(X)
    assert np.isfinite(model.transform(X)).all()


@pytest.mark.parametrize("option", ["foreach", "fused", "amsgrad", "maximize"])
@pytest.mark.parametrize("value", [True, False])
def test_options_of_the_default_optimizer(option, value, X):
    vae = InteLVAE(2, skorch_params={f"optimizer__{option}": value}, **SMALL)
    assert np.isfinite(vae.fit(X).transform(X)).all()


def test_a_differentiable_optimizer_is_refused(X):
    with pytest.raises(ValueError, match="'optimizer__differentiable'.* cannot be True"):
        InteLVAE(2, skorch_params={"optimizer__differentiable": True}, **SMALL).fit(X)


@pytest.mark.parametrize(
    ("optimizer", "option"),
    [
        (torch.optim.Adam, {"weight_decay": 1e-9}),
        (torch.optim.SGD, {"nesterov": True}),
        (torch.optim.SGD, {"dampening": 0.1}),
    ],
    ids=str,
)
def test_an_option_that_needs_no_other_state_keeps_it(optimizer, option, X):
    params = {"optimizer": optimizer}
    if optimizer is torch.optim.SGD:
        params["optimizer__momentum"] = 0.9
    vae = InteLVAE(2, skorch_params=params, **SMALL).fit(X)
    without = copy.deepcopy(vae)
    without._training_state["optimizer"]["slots"] = {}
    for model in (vae, without):
        further = {f"optimizer__{name}": value for name, value in option.items()}
        model.set_params(skorch_params=params | further).partial_fit(X)
    assert not np.array_equal(vae.transform(X), without.transform(X))


class Counting(torch.optim.Optimizer):
    """Its steps shrink, by a count that it keeps in different places."""

    where = "group"

    def __init__(self, params, lr=1e-3):
        super().__init__(params, dict(lr=lr))
        if self.where == "large array":
            self.param_groups[0]["count"] = torch.zeros(2000)

    def count(self):
        if self.where == "large array":
            self.param_groups[0]["count"][1000] += 1
            return float(self.param_groups[0]["count"][1000])
        place = self.state["shared"] if self.where == "state" else self.param_groups[0]
        place["count"] = place.get("count", 0) + 1
        return place["count"]

    @torch.no_grad()
    def step(self, closure=None):
        size = 10 * self.param_groups[0]["lr"] / self.count()
        for p in self.param_groups[0]["params"]:
            if p.grad is not None:
                p.sub_(size * p.grad)


@pytest.mark.parametrize("where", ["group", "state", "large array"])
def test_state_that_belongs_to_no_parameter_survives(where, X, tmp_path):
    optimizer = type("Counting", (Counting,), {"where": where})
    params = {"optimizer": optimizer}
    vae = InteLVAE(2, skorch_params=params, kl_warmup=0.0, **SMALL)
    whole = clone(vae).set_params(max_iter=4).fit(X)
    parts = clone(vae).set_params(max_iter=1, warm_start=True)
    for _ in range(3):
        parts.fit(X)
    parts.save(tmp_path / "model")
    parts = InteLVAE.load(tmp_path / "model", skorch_params=params).fit(X)
    np.testing.assert_array_equal(parts.transform(X), whole.transform(X))


class WithObjects(torch.optim.SGD):
    """Its state holds what neither JSON nor an array can hold."""

    def step(self, closure=None):
        super().step(closure)
        for p in self.param_groups[0]["params"]:
            self.state[p]["recent"] = deque([1.0], maxlen=3)


def test_a_state_that_a_file_does_not_hold_is_omitted_with_a_warning(X, tmp_path):
    params = {"optimizer": WithObjects}
    vae = InteLVAE(2, skorch_params=params, **SMALL).fit(X).partial_fit(X)
    with pytest.warns(UserWarning, match=r"_training_state holds .* deque.*new opt"):
        vae.save(tmp_path / "model")
    again = InteLVAE.load(tmp_path / "model", skorch_params=params)
    np.testing.assert_array_equal(again.transform(X), vae.transform(X))
    assert again.partial_fit(X).n_iter_ == 5
    assert copy.deepcopy(vae).partial_fit(X).n_iter_ == 5


class LBFGSOfTheUser(torch.optim.LBFGS):
    pass


def test_a_subclass_of_lbfgs_is_refused(X):
    with pytest.raises(ValueError, match="cannot be LBFGS"):
        InteLVAE(2, skorch_params={"optimizer": LBFGSOfTheUser}, **SMALL).fit(X)


# Callbacks that are passed as classes, and players


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_classes_of_callbacks_are_refused_too(name, X, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for entry in (getattr(skorch.callbacks, name), ("mine", getattr(skorch.callbacks, name))):
        with pytest.raises(ValueError, match=f"holds {name}, which is not supported"):
            InteLVAE(2, skorch_callbacks=[entry], **SMALL).fit(X)
    assert not list(tmp_path.iterdir())


class Counts(Callback):
    seen: ClassVar[list[int]] = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(len(net.history))


@pytest.mark.parametrize("entry", [Counts, ("counts", Counts), Counts(), ("counts", Counts())])
def test_callbacks_are_taken_as_classes_and_with_names(entry, X):
    Counts.seen.clear()
    InteLVAE(2, skorch_callbacks=[entry], **SMALL).fit(X)
    assert Counts.seen == [1, 2, 3]


def test_an_item_that_is_no_pair_is_refused(X):
    with pytest.raises(TypeError, match="pairs of a name and a callback"):
        InteLVAE(2, skorch_callbacks=[("a", Counts(), 1)], **SMALL).fit(X)


@pytest.mark.parametrize("cls", [LRScheduler, EarlyStopping], ids=lambda c: c.__name__)
def test_classes_are_checked_as_instances_are(cls, X):
    with pytest.raises(ValueError, match=f"holds {cls.__name__}, (but|which monitors)"):
        InteLVAE(2, skorch_callbacks=[cls], **SMALL | {"learning_rate": "cosine"}).fit(X)


PLAYERS = {
    "a generator": lambda model: {"model": model.parameters()},
    "a filter": lambda model: {"model": filter(lambda p: p.requires_grad, model.parameters())},
    "two generators": lambda model: {
        "encoder": model.encoder.parameters(),
        "others": (p for n, p in model.named_parameters() if not n.startswith("encoder")),
    },
}


@pytest.mark.parametrize("name", PLAYERS)
def test_players_may_be_iterators(name, X):
    own = type("Own", (ELBO,), {"players": lambda self, model: PLAYERS[name](model)})
    codes = [
        InteLVAE(2, objective=own(), **SMALL | {"max_iter": n}).fit(X).transform(X) for n in (1, 9)
    ]
    assert not np.array_equal(*codes)


@pytest.mark.parametrize(
    "returned",
    [
        lambda model: None,
        lambda model: list(model.parameters()),
        lambda model: {},
        lambda model: {"model": model},
        lambda model: {"model": None},
        lambda model: {"model": ["encoder"]},
    ],
)
def test_what_players_returns_is_checked(returned, X):
    own = type("Own", (ELBO,), {"players": lambda self, model: returned(model)})
    with pytest.raises(TypeError, match=r"Own\.players must return a (dict|list)"):
        InteLVAE(2, objective=own(), **SMALL).fit(X)


class Averaging(torch.optim.Optimizer):
    """Wraps another optimizer, and has a ``state_dict`` of its own."""

    def __init__(self, params, lr=1e-3):
        self.base = torch.optim.Adam(params, lr=lr)
        super().__init__(self.base.param_groups, dict(lr=lr))
        self.slow = [p.detach().clone() for g in self.base.param_groups for p in g["params"]]

    def state_dict(self):
        return self.base.state_dict() | {"slow": self.slow}

    def load_state_dict(self, state):
        self.slow = state["slow"]
        self.base.load_state_dict({k: v for k, v in state.items() if k != "slow"})
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def step(self, closure=None):
        self.base.step()
        ours = [p for g in self.base.param_groups for p in g["params"]]
        for slow, p in zip(self.slow, ours, strict=True):
            p.copy_(slow.lerp_(p, 0.5))


def test_an_optimizer_with_a_state_dict_of_its_own(X, tmp_path):
    params = {"optimizer": Averaging}
    vae = InteLVAE(2, skorch_params=params, kl_warmup=0.0, **SMALL)
    whole = clone(vae).set_params(max_iter=3).fit(X)
    parts = clone(vae).set_params(max_iter=1, warm_start=True).fit(X).fit(X)
    parts.save(tmp_path / "model")
    parts = InteLVAE.load(tmp_path / "model", skorch_params=params).fit(X)
    np.testing.assert_array_equal(parts.transform(X), whole.transform(X))


class AddsGroup(Callback):
    def on_train_begin(self, net, **kwargs):
        net.optimizer_.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})


def test_a_group_that_a_callback_adds(X):
    vae = InteLVAE(2, skorch_callbacks=[AddsGroup()], **SMALL).fit(X)
    assert vae.partial_fit(X).n_iter_ == 4


class Breaks(Callback):
    def on_epoch_end(self, net, **kwargs):
        with torch.no_grad():
            next(net.module_.parameters()).fill_(float("nan"))


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_divergence_of_frozen_weights_has_a_survivor(estimator, X):
    model = clone(estimator).set_params(skorch_callbacks=[Freezer("*"), Breaks()])
    with pytest.raises(DivergenceError) as caught:
        model.fit(X)
    assert np.isfinite(np.asarray(caught.value.estimator.transform(X))).all()


class Stops(Callback):
    def __init__(self, flag):
        self.flag = flag

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            press_ctrl_c()
        if self.flag:
            raise KeyboardInterrupt


def test_a_handler_that_only_sets_a_flag_is_no_interrupt(X):
    flag, handler = [], signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda *args: flag.append(1))
    try:
        vae = InteLVAE(2, skorch_callbacks=[Stops(flag)], **SMALL | {"max_iter": 9}).fit(X)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert vae.n_iter_ == 2


def test_names_of_skorch_params_are_strings(X):
    with pytest.raises(TypeError, match="skorch_params must have names as keys, got 3"):
        InteLVAE(2, skorch_params={3: 4}, **SMALL).fit(X)


class Budget(Callback):
    def on_batch_end(self, net, **kwargs):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "further",
    [
        dict(),
        dict(early_stopping=True),
        dict(skorch_callbacks=[EarlyStopping("train_loss", load_best=True)]),
    ],
    ids=["plain", "early stopping", "a callback"],
)
def test_a_training_that_stops_within_the_first_epoch_has_a_model(further, X):
    callbacks = [Budget(), *further.get("skorch_callbacks", [])]
    vae = InteLVAE(2, **SMALL | further | {"skorch_callbacks": callbacks}).fit(X)
    assert vae.n_iter_ == 0
    assert np.isfinite(vae.transform(X)).all()


# Ctrl-C


class Interrupt(Callback):
    def __init__(self, how, event="on_epoch_end"):
        self.how = how
        self.event = event

    def _act(self, event, net):
        if event == self.event and len(net.history) == 2:
            self.how()

    def on_epoch_end(self, net, **kwargs):
        self._act("on_epoch_end", net)

    def on_batch_end(self, net, **kwargs):
        self._act("on_batch_end", net)

    def on_grad_computed(self, net, **kwargs):
        self._act("on_grad_computed", net)


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)


def stop():
    raise KeyboardInterrupt


@pytest.mark.parametrize("event", ["on_epoch_end", "on_batch_end", "on_grad_computed"])
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_ctrl_c_in_a_callback_ends_the_fit_and_leaves_the_estimator(estimator, event, X):
    handler = signal.getsignal(signal.SIGINT)
    model = clone(estimator).set_params(max_iter=50)
    model.set_params(skorch_callbacks=[Interrupt(press_ctrl_c, event)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not hasattr(model, "module_")
    assert not hasattr(model, "n_features_in_")


def test_ctrl_c_ends_a_search(X):
    calls = []

    def press():
        calls.append(1)
        press_ctrl_c()

    vae = InteLVAE(2, skorch_callbacks=[Interrupt(press)], **SMALL | {"max_iter": 5})
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(vae, {"beta": [1, 2, 4]}, cv=2).fit(X)
    assert len(calls) == 1


def test_ctrl_c_ends_a_fit_from_several_starts(X):
    vae = InteLVAE(2, n_init=3, skorch_callbacks=[Interrupt(press_ctrl_c)], **SMALL)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(X)


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_callback_that_raises_keyboard_interrupt_stops_the_training(estimator, X):
    model = clone(estimator).set_params(max_iter=50)
    model.set_params(skorch_callbacks=[Interrupt(stop)]).fit(X)
    assert model.n_iter_ == 2


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_training_that_stops_within_an_epoch_has_the_epochs_before(estimator, X):
    model = clone(estimator).set_params(max_iter=50)
    model.set_params(skorch_callbacks=[Interrupt(stop, "on_batch_end")]).fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 1
    assert np.isfinite(np.asarray(model.transform(X))).all()
    assert model.set_params(skorch_callbacks=None).partial_fit(X).n_iter_ == 2


def test_a_fit_in_another_thread_leaves_the_handler_alone(X):
    handler, found = signal.getsignal(signal.SIGINT), []

    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            found.append(signal.getsignal(signal.SIGINT))

    vae = InteLVAE(2, skorch_callbacks=[See()], **SMALL)
    thread = threading.Thread(target=vae.fit, args=(X,))
    thread.start()
    thread.join()
    assert set(found) == {handler}
    assert vae.n_iter_ == 3
