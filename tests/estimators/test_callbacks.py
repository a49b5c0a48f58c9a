"""scikit-learn's callbacks, and versions without them."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_intelvae import InteLVAE, SparseInteLVAE
from tests.estimators.shelf import SMALL

callback = pytest.importorskip("sklearn.callback")


def nats(estimator, X, y):
    return {"nats": estimator.score(X)}


class Recorder:
    """A callback that records its notifications, and may request to stop."""

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


def test_a_callback_does_not_change_the_model(X):
    watched = InteLVAE(**SMALL).set_callbacks(Recorder()).fit(X)
    assert np.array_equal(watched.transform(X), InteLVAE(**SMALL).fit(X).transform(X))


def test_a_callback_may_stop_the_fit(X):
    vae = InteLVAE(**SMALL | {"max_iter": 9}).set_callbacks(Recorder(stop_at=1)).fit(X)
    assert vae.n_iter_ == 2


def test_a_fit_that_fails_calls_teardown(X):
    recorder = Recorder()
    with pytest.raises(ArithmeticError):
        InteLVAE(learning_rate_init=1e30, **SMALL).set_callbacks(recorder).fit(X)
    assert recorder.ended[-1] == "teardown"


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"n_init": 2}])
def test_the_last_report_has_the_prior_and_the_noise_of_the_end(X, settings):
    recorder = Recorder()
    long_enough = SMALL | {"max_iter": 60}
    vae = InteLVAE(**long_enough, **settings).set_callbacks(recorder).fit(X)
    assert vae._training_state["noise_factor"] > 1
    assert recorder.scores[-1] == vae.score(X)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_progress_bars_nest_in_pipeline_and_grid_search(n_jobs, X, capsys):
    pipe = make_pipeline(StandardScaler(), SparseInteLVAE(**SMALL))
    search = GridSearchCV(pipe, {"sparseintelvae__gamma": [0, 1]}, cv=2, n_jobs=n_jobs)
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


WITHOUT_CALLBACKS = """
import sys
import numpy as np
import sklearn_intelvae
for name in [name for name in sys.modules if name.startswith("sklearn_intelvae")]:
    del sys.modules[name]
sys.modules["sklearn.callback"] = None
from sklearn_intelvae import InteLVAE
X = np.random.default_rng(0).normal(size=(60, 3))
for n_init in (1, 2):
    vae = InteLVAE(2, hidden_layer_sizes=(4,), max_iter=2, n_init=n_init, random_state=0).fit(X)
    print(vae.partial_fit(X).n_iter_)
print(hasattr(vae, "set_callbacks"))
"""


@pytest.mark.slow
def test_without_scikit_learns_callbacks_a_fit_works():
    """Versions before 1.9 have no sklearn.callback."""
    run = [sys.executable, "-c", WITHOUT_CALLBACKS]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in printed] == ["3", "3", "False"]


def test_verbose_prints_a_line_for_each_epoch(X, capsys):
    InteLVAE(**SMALL | {"verbose": 1}).fit(X)
    lines = capsys.readouterr().out.strip().splitlines()
    assert "train_loss" in lines[0]
    assert len(lines) == 2 + 3
    InteLVAE(**SMALL).fit(X)
    assert capsys.readouterr().out == ""
