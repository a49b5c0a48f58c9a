"""scikit-learn's own callbacks, and life without them."""

import importlib
import pickle

import numpy as np
import pytest
from shelf import SMALL
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_intelvae import InteLVAE, SparseInteLVAE

callback = pytest.importorskip("sklearn.callback")


def nats(estimator, X, y):
    return {"nats": estimator.score(X)}


class Recorder:
    """A callback that notes what it is told, and may ask to stop."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.ended = []
        self.scores = []

    def setup(self, estimator, context):
        self.ended.append("setup")

    def teardown(self, estimator, context):
        self.ended.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        self.ended.append(context.task_name)
        self.scores.append(fitted_estimator.score(X))
        return context.task_id == self.stop_at and context.task_name == "epoch"


def test_every_epoch_is_reported_with_a_usable_estimator(X):
    recorder = Recorder()
    vae = InteLVAE(**SMALL).set_callbacks(recorder).fit(X)
    assert recorder.ended == ["setup", "epoch", "epoch", "epoch", "fit", "teardown"]
    assert len(set(recorder.scores[:3])) == 3
    assert recorder.scores[-1] == vae.score(X)


def test_watching_does_not_change_the_model(X):
    watched = InteLVAE(**SMALL).set_callbacks(Recorder()).fit(X)
    assert np.array_equal(watched.transform(X), InteLVAE(**SMALL).fit(X).transform(X))


def test_a_callback_may_stop_the_fit(X):
    vae = InteLVAE(**SMALL | {"max_iter": 9}).set_callbacks(Recorder(stop_at=1)).fit(X)
    assert vae.n_iter_ == 2


def test_a_failing_fit_tears_callbacks_down(X):
    recorder = Recorder()
    bad = X.copy()
    bad[0] = 1e30
    with pytest.raises(ArithmeticError):
        InteLVAE(**SMALL).set_callbacks(recorder).fit(bad)
    assert recorder.ended[-1] == "teardown"


def test_progress_bars_nest_in_pipeline_and_grid_search(X, capsys):
    pipe = make_pipeline(StandardScaler(), SparseInteLVAE(**SMALL))
    search = GridSearchCV(pipe, {"sparseintelvae__gamma": [0, 1]}, cv=2, n_jobs=2)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X)
    assert "SparseInteLVAE" in capsys.readouterr().out
    assert np.isfinite(search.best_score_)


def test_the_scoring_monitor_has_a_row_for_each_epoch(X):
    monitor = callback.ScoringMonitor(scoring=nats)
    vae = InteLVAE(**SMALL).set_callbacks(monitor).fit(X)
    scores = monitor.get_logs().data_as_pandas["nats"]
    assert len(scores) == 4
    assert scores.iloc[-1] == vae.score(X)
    assert scores.nunique() == 3


def test_estimators_with_callbacks_can_be_pickled(X):
    vae = InteLVAE(**SMALL).set_callbacks(callback.ScoringMonitor(scoring=nats)).fit(X)
    assert np.array_equal(pickle.loads(pickle.dumps(vae)).transform(X), vae.transform(X))


def test_without_scikit_learns_callbacks_all_else_works(X, monkeypatch):
    """Versions before 1.9 have no sklearn.callback."""
    from sklearn_intelvae.estimators import _callbacks

    monkeypatch.setitem(__import__("sys").modules, "sklearn.callback", None)
    try:
        older = importlib.reload(_callbacks)
        assert not hasattr(older.CallbackSupportMixin, "set_callbacks")
        tasks = older.FitTasks(older.CallbackSupportMixin(), X, None, 3, 1)
        assert tasks.of_a_start(dict) == []
        assert not tasks.stopped
    finally:
        monkeypatch.undo()
        importlib.reload(_callbacks)


def test_verbose_prints_a_line_an_epoch(X, capsys):
    InteLVAE(**SMALL | {"verbose": 1}).fit(X)
    lines = capsys.readouterr().out.strip().splitlines()
    assert "train_loss" in lines[0]
    assert len(lines) == 2 + 3
    InteLVAE(**SMALL).fit(X)
    assert capsys.readouterr().out == ""
