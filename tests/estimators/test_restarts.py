"""Several starts: the first is the fit of one start, and only the best one is kept."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from skorch.callbacks import Callback

from sklearn_intelvae import DivergenceError, InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae._random import Stream, draw_seed, seed_of, seeds_of_starts
from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.objectives import ELBO
from sklearn_intelvae.training._rows import Rows
from sklearn_intelvae.training._starts import evaluation_rows, mean_objective
from tests.estimators.shelf import ESTIMATORS, SMALL


class Starts(Callback):
    """Records the seed of each start, and the weights at its end."""

    def __init__(self):
        self.seeds = []
        self.weights = []

    def on_train_begin(self, net, **kwargs):
        self.seeds.append(net.seed)
        self.weights.append(None)

    def on_train_end(self, net, **kwargs):
        weights = net.module_.state_dict()
        self.weights[-1] = {name: value.clone() for name, value in weights.items()}


class Poison(Callback):
    """Spoils the weights of some starts in their second epoch."""

    def __init__(self, *spoiled):
        self.spoiled = spoiled
        self.number = -1

    def on_train_begin(self, net, **kwargs):
        self.number += 1

    def on_epoch_begin(self, net, **kwargs):
        if self.number in self.spoiled and len(net.history) == 2:
            with torch.no_grad():
                next(net.module_.parameters()).fill_(np.nan)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class FixedSeed(np.random.RandomState):
    """A random state that returns one number."""

    def __init__(self, seed):
        super().__init__()
        self.fixed = seed

    def randint(self, *args, **kwargs):
        return self.fixed


def everything(vae, X, weight=None):
    """Return rows as the fitted model sees them."""
    tensors = {"x": torch.from_numpy(vae._standardization.apply(X))}
    index = torch.arange(len(X))
    if weight is not None:
        tensors["weight"] = torch.from_numpy(weight)
        index = index[tensors["weight"] > 0]
    return Rows(tensors, index)


def objective(vae, rows, random_state=0, batch_size=32):
    seed = seed_of(draw_seed(random_state), Stream.COMPARISON)
    return mean_objective(vae.module_, vae.objective_, rows, batch_size=batch_size, seed=seed)


def each_alone(estimator, n_init, X, **fit_params):
    """Fit from each of the starts with n_init=1."""
    starts = Starts()
    clone(estimator).set_params(n_init=n_init, skorch_callbacks=[starts]).fit(X, **fit_params)
    return [
        clone(estimator).set_params(n_init=1, random_state=FixedSeed(seed)).fit(X, **fit_params)
        for seed in starts.seeds
    ]


@pytest.mark.parametrize(
    "estimator",
    [
        *(ESTIMATORS[name] for name in ("InteLVAE", "InteLVAE early stopping", "SparseInteLVAE")),
        SoftIntroVAE(**SMALL),
    ],
)
def test_the_first_start_is_the_fit_of_one_start(estimator, X):
    one, three = Starts(), Starts()
    clone(estimator).set_params(skorch_callbacks=[one]).fit(X)
    clone(estimator).set_params(skorch_callbacks=[three], n_init=3).fit(X)
    assert len(one.weights) == 1
    assert len(three.weights) == 3
    assert same(one.weights[0], three.weights[0])
    assert not same(three.weights[0], three.weights[1])
    assert not same(three.weights[1], three.weights[2])


def test_if_the_first_start_is_kept_the_others_leave_no_trace(X):
    alone = InteLVAE(**SMALL).fit(X)
    kept = InteLVAE(n_init=3, skorch_callbacks=[Poison(1, 2)], **SMALL).fit(X)
    for method in ("transform", "score_samples", "reconstruct"):
        assert np.array_equal(getattr(alone, method)(X), getattr(kept, method)(X))
    assert alone.loss_curve_ == kept.loss_curve_
    assert np.array_equal(alone.sample(5), kept.sample(5))
    assert alone.n_iter_ == kept.n_iter_ == 3
    kept.skorch_callbacks = None
    assert np.array_equal(alone.partial_fit(X).transform(X), kept.partial_fit(X).transform(X))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("random_state", range(3))
def test_the_start_with_the_lowest_objective_is_kept(random_state, weighted, X):
    weight = np.linspace(0, 2, len(X)).astype(np.float32) if weighted else None
    vae = InteLVAE(n_init=3, **SMALL | {"random_state": random_state}).fit(X, sample_weight=weight)
    alone = each_alone(vae, 3, X, sample_weight=weight)
    rows = everything(vae, X, weight)
    objectives = [objective(fit, rows, random_state) for fit in alone]
    assert objective(vae, rows, random_state) == min(objectives)
    best = alone[int(np.argmin(objectives))]
    assert np.array_equal(vae.transform(X), best.transform(X))
    assert vae.history_[-1]["train_loss"] == best.history_[-1]["train_loss"]


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("estimator", [InteLVAE, SoftIntroVAE])
def test_validation_rows_decide(estimator, early_stopping, X):
    train, valid = X[:80], X[80:]
    vae = estimator(n_init=4, early_stopping=early_stopping, **SMALL).fit(train, X_val=valid)
    alone = each_alone(vae, 4, train, X_val=valid)
    objectives = [objective(fit, everything(fit, valid)) for fit in alone]
    assert len(set(objectives)) == 4
    assert objective(vae, everything(vae, valid)) == min(objectives)


def test_all_starts_set_the_same_rows_aside(X):
    held = []

    class See(Callback):
        def on_train_begin(self, net, X, **kwargs):
            held.append(X.index.tolist())

    InteLVAE(n_init=3, early_stopping=True, skorch_callbacks=[See()], **SMALL).fit(X)
    assert held[0] == held[1] == held[2]
    assert len(held[0]) == 108


def test_more_starts_begin_with_the_same_ones():
    assert seeds_of_starts(7, 1) == [7]
    assert seeds_of_starts(7, 9)[:4] == seeds_of_starts(7, 4)
    assert len(set(seeds_of_starts(7, 9))) == 9
    assert seeds_of_starts(8, 3)[1:] != seeds_of_starts(7, 3)[1:]


def test_more_starts_are_never_worse(X):
    rows = everything(InteLVAE(**SMALL).fit(X), X)
    found = [objective(InteLVAE(n_init=n, **SMALL).fit(X), rows) for n in (1, 2, 4, 8)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0]


class Contrary(ELBO):
    """Its validation loss has the opposite sign."""

    def validation_loss(self, model, batch):
        return -super().validation_loss(model, batch)


def test_the_validation_loss_of_the_objective_decides(X):
    plain, contrary = (
        InteLVAE(n_init=3, objective=objective, **SMALL).fit(X)
        for objective in (ELBO(), Contrary())
    )
    assert plain.loss_curve_[-1] < contrary.loss_curve_[-1]


def test_the_rows_that_decide_are_the_validation_rows_or_evenly_spaced_training_rows():
    many, few = (Rows({"x": torch.zeros(n, 1)}, torch.arange(n)) for n in (25_000, 70))
    selected = evaluation_rows(many, None).index
    assert 8000 < len(selected) <= 10_000
    assert len(set(selected.diff().tolist())) == 1
    assert len(evaluation_rows(few, None)) == 70
    assert evaluation_rows(many, few) is few


def test_an_objective_that_is_not_finite_is_the_worst(X):
    vae = InteLVAE(**SMALL).fit(X)
    with torch.no_grad():
        next(vae.module_.parameters()).fill_(np.nan)
    assert objective(vae, everything(vae, X)) == np.inf


def test_the_objective_is_a_mean_over_rows_with_their_weights(X):
    """Without noise in y, and in batches that do not divide the rows."""
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    vae = InteLVAE(objective=ELBO(0.0), likelihood=Gaussian(1.0), **SMALL).fit(X)
    vae.module_.posterior.forward = lambda h: Normal(h[:, :2], torch.full_like(h[:, :2], -30.0))
    error = 0.5 * ((vae.reconstruct(X) - X) ** 2 + np.log(2 * np.pi)).sum(1)
    weight = np.linspace(0, 5, len(X)).astype(np.float32)
    assert objective(vae, everything(vae, X)) == pytest.approx(error.mean(), rel=1e-5)
    expected = np.average(error, weights=weight)
    assert objective(vae, everything(vae, X, weight)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("random_state", [0, 5])
def test_one_seed_one_model(random_state, X):
    vae = InteLVAE(n_init=3, **SMALL | {"random_state": random_state})
    assert np.array_equal(vae.fit(X).transform(X), clone(vae).fit(X).transform(X))


def test_a_random_state_is_used_once_whatever_the_number_of_starts(X):
    states = [np.random.RandomState(0) for _ in range(2)]
    for n_init, state in zip((1, 3), states, strict=True):
        InteLVAE(n_init=n_init, **SMALL | {"random_state": state}).fit(X)
    assert states[0].randint(2**31) == states[1].randint(2**31)


@pytest.mark.parametrize("spoiled", [(0,), (1,), (0, 2), (1, 2)])
def test_a_start_that_diverges_is_skipped(spoiled, X):
    starts = Starts()
    vae = InteLVAE(n_init=3, skorch_callbacks=[Poison(*spoiled), starts], **SMALL).fit(X)
    kept = [same(w, vae.module_.state_dict()) for w in starts.weights if w is not None]
    assert len(kept) == 3 - len(spoiled)
    assert sum(kept) == 1
    assert np.isfinite(vae.score(X))


def test_if_all_diverge_the_first_error_is_raised(X):
    vae = InteLVAE(n_init=2, skorch_callbacks=[Poison(0, 1)], **SMALL)
    with pytest.raises(DivergenceError, match="InteLVAE diverged") as caught:
        vae.fit(X)
    one = InteLVAE(skorch_callbacks=[Poison(0)], **SMALL)
    with pytest.raises(DivergenceError) as alone:
        one.fit(X)
    assert caught.value.epoch == alone.value.epoch == 2
    survivors = caught.value.estimator, alone.value.estimator
    assert np.array_equal(*(survivor.transform(X) for survivor in survivors))
    with pytest.raises(NotFittedError):
        vae.transform(X)


@pytest.mark.parametrize("spoiled", [(), (0,), (1,)])
def test_no_more_than_two_models_are_alive(spoiled, X):
    models, alive = [], []

    class Count(Callback):
        def on_train_begin(self, net, **kwargs):
            gc.collect()
            models.append(weakref.ref(net.module_))
            alive.append(sum(model() is not None for model in models))

    InteLVAE(n_init=5, skorch_callbacks=[Poison(*spoiled), Count()], **SMALL).fit(X)
    assert alive == [1, 2, 2, 2, 2]


@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
def test_continued_training_is_one_fit(how, X):
    starts = Starts()
    vae = InteLVAE(n_init=3, warm_start=True, skorch_callbacks=[starts], **SMALL).fit(X)
    assert len(starts.weights) == 3
    (vae.fit if how == "warm_start" else vae.partial_fit)(X)
    assert len(starts.weights) == 4
    assert vae.n_iter_ == (6 if how == "warm_start" else 4)


def test_the_first_partial_fit_is_one_fit_too(X):
    many, one = (InteLVAE(n_init=n, **SMALL).partial_fit(X) for n in (3, 1))
    assert np.array_equal(many.transform(X), one.transform(X))


def test_the_number_of_starts_may_change_before_continued_training(X):
    vae = InteLVAE(n_init=2, warm_start=True, **SMALL).fit(X)
    assert vae.set_params(n_init=5).fit(X).n_iter_ == 6


class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, y):
        return self.scale * y


def test_plain_modules_have_their_own_weights_at_each_start(X):
    mapping, seen = Scaled(), []

    class See(Callback):
        def on_train_begin(self, net, **kwargs):
            seen.append(net.module_.mapping.function.scale.item())

    vae = InteLVAE(mapping=mapping, n_init=3, skorch_callbacks=[See()], **SMALL).fit(X)
    assert seen == [1.0, 1.0, 1.0]
    assert vae.module_.mapping.function.scale.item() != 1
    assert mapping.scale.item() == 1


def test_a_line_for_each_start(X, capsys):
    InteLVAE(n_init=3, skorch_callbacks=[Poison(1)], **SMALL | {"verbose": 1}).fit(X)
    lines = [line for line in capsys.readouterr().out.splitlines() if "start" in line]
    assert lines[0].startswith("start 1 of 3: objective ")
    assert lines[0].endswith(", the best")
    assert lines[1] == "start 2 of 3: diverged in epoch 2"
    assert lines[2].startswith("start 3 of 3: objective ")
    assert len(lines) == 3
    InteLVAE(n_init=2, **SMALL).fit(X)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_collapse_is_warned_about_once_for_the_fit_that_is_kept(rng, recwarn):
    X = rng.standard_normal((200, 3)).astype(np.float32)
    collapsing = dict(beta=100.0, likelihood=Gaussian(10.0), kl_warmup=0.0, learning_rate_init=0.01)
    long_enough = dict(max_iter=40, batch_size=8)
    vae = InteLVAE(2, n_init=2, **SMALL | collapsing | long_enough)
    vae.fit(X)
    assert [w.category for w in recwarn] == [ConvergenceWarning]
    assert len(vae.active_components_) == 0


@pytest.mark.parametrize("n_init", [0, -1, 1.5, "auto", None])
def test_numbers_of_starts_outside_their_range(n_init, X):
    with pytest.raises(ValueError, match="'n_init' parameter of InteLVAE must be an int"):
        InteLVAE(n_init=n_init, **SMALL).fit(X)


def test_files_and_pickles_keep_it(X, tmp_path):
    vae = SparseInteLVAE(n_init=2, **SMALL).fit(X)
    vae.save(tmp_path / "model")
    for again in (SparseInteLVAE.load(tmp_path / "model"), pickle.loads(pickle.dumps(vae))):
        assert again.n_init == 2
        assert np.array_equal(again.transform(X), vae.transform(X))


class Recorder:
    """A scikit-learn callback that records its notifications, and may request to stop."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.ended = []
        self.scores = {}

    def setup(self, estimator, context):
        self.ended.append("setup")

    def teardown(self, estimator, context):
        self.ended.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        self.ended.append(context.task_name)
        self.scores.setdefault(context.task_name, []).append(fitted_estimator.score(X))
        return (context.task_name, context.task_id) == self.stop_after


@pytest.fixture
def callback():
    return pytest.importorskip("sklearn.callback")


def test_scikit_learns_callbacks_are_notified_of_starts_and_their_epochs(callback, X):
    recorder = Recorder()
    vae = InteLVAE(n_init=2, **SMALL).set_callbacks(recorder).fit(X)
    start = ["epoch"] * 3 + ["start"]
    assert recorder.ended == ["setup", *start, *start, "fit", "teardown"]
    assert recorder.scores["fit"] == [vae.score(X)]
    assert vae.score(X) in recorder.scores["start"]
    assert np.array_equal(vae.transform(X), InteLVAE(n_init=2, **SMALL).fit(X).transform(X))


def test_a_callback_may_stop_a_start_or_the_starts(callback, X):
    recorder = Recorder(stop_after=("start", 1))
    InteLVAE(n_init=4, **SMALL).set_callbacks(recorder).fit(X)
    assert recorder.ended.count("start") == 2
    recorder = Recorder(stop_after=("epoch", 0))
    InteLVAE(n_init=2, **SMALL).set_callbacks(recorder).fit(X)
    assert recorder.ended == ["setup", "epoch", "start", "epoch", "start", "fit", "teardown"]


def test_a_start_that_diverges_ends_for_callbacks_too(callback, X):
    recorder = Recorder()
    vae = InteLVAE(n_init=2, skorch_callbacks=[Poison(0)], **SMALL).set_callbacks(recorder).fit(X)
    assert recorder.ended[1:] == ["epoch", "start", *["epoch"] * 3, "start", "fit", "teardown"]
    assert np.isfinite(recorder.scores["start"]).all()
    assert recorder.scores["fit"] == [vae.score(X)]
    recorder = Recorder()
    with pytest.raises(DivergenceError):
        InteLVAE(n_init=2, skorch_callbacks=[Poison(0, 1)], **SMALL).set_callbacks(recorder).fit(X)
    assert recorder.ended[-2:] == ["start", "teardown"]


def test_progress_bars_and_monitors_show_the_starts(callback, X, capsys):
    monitor = callback.ScoringMonitor(scoring=lambda estimator, X, y: {"nats": estimator.score(X)})
    bar = callback.ProgressBar(max_propagation_depth=None)
    vae = InteLVAE(n_init=2, **SMALL).set_callbacks(bar, monitor).fit(X)
    assert "start" in capsys.readouterr().out
    logs = monitor.get_logs().data_as_pandas
    assert list(logs.groupby("task_name").size()[["epoch", "fit", "start"]]) == [6, 1, 2]
    assert logs.set_index("task_name")["nats"]["fit"] == vae.score(X)
