from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_intelvae.metrics import few_label_curve


class Recorder(ClassifierMixin, BaseEstimator):
    """Predict one class; record the first code and the label of each row of every fit."""

    fits = []

    def fit(self, Z, y):
        self.fits.append((Z[:, 0].astype(int).tolist(), y.tolist()))
        self.classes_ = np.unique(y)
        return self

    def predict(self, Z):
        return np.full(len(Z), self.classes_[0])


class SeedRecorder(DecisionTreeClassifier):
    """Record the random state of every fit."""

    seeds = []

    def fit(self, Z, y):
        self.seeds.append(self.random_state)
        return super().fit(Z, y)


@pytest.fixture
def recorder():
    Recorder.fits.clear()
    return Recorder()


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 400)
    Z = rng.standard_normal((400, 3)) + 2.0 * np.eye(4, 3)[y]
    return Z[:300], y[:300], Z[300:], y[300:]


def test_the_table_has_a_row_for_each_number_of_labels(blobs):
    curve = few_label_curve(*blobs, n_labels=(10, 40, 200), n_repeats=3, random_state=0)
    assert list(curve.columns) == ["n_labels", "mean", "std", "n_repeats"]
    assert curve["n_labels"].tolist() == [10, 40, 200]
    assert (curve["n_repeats"] == 3).all()
    assert curve["mean"].between(0, 1).all()
    assert (curve["std"] >= 0).all()


def test_codes_that_vary_by_hardly_anything_in_the_labeled_rows(blobs):
    """Divided by a deviation of 1e-38, ordinary float32 codes would overflow."""
    Z_train, y_train, Z_test, y_test = blobs
    Z_train, Z_test = Z_train.astype(np.float32), Z_test.astype(np.float32)
    Z_train[:, 0] *= np.float32(1e-38)
    curve = few_label_curve(Z_train, y_train, Z_test, y_test, n_labels=20, random_state=0)
    assert curve["mean"].between(0, 1).all()


@pytest.mark.parametrize("probe", ["linear", "forest"])
def test_more_labels_increase_the_accuracy(blobs, probe):
    curve = few_label_curve(
        *blobs, n_labels=(8, 200), probe=probe, n_repeats=3, random_state=0
    ).set_index("n_labels")
    assert curve.loc[200, "mean"] > curve.loc[8, "mean"] > 0.3


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("linear", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))),
        ("forest", RandomForestClassifier(max_depth=4, n_estimators=50)),
    ],
)
def test_names_are_shorthand_for_instances(blobs, name, instance):
    arguments = dict(n_labels=30, n_repeats=2, random_state=3)
    named = few_label_curve(*blobs, probe=name, **arguments)
    given = few_label_curve(*blobs, probe=instance, **arguments)
    assert named.equals(given)


def test_same_seed_same_curve_and_other_seed_other_curve(blobs):
    arguments = dict(n_labels=(10, 20), n_repeats=4)
    first, again, other = (
        few_label_curve(*blobs, random_state=seed, **arguments) for seed in (0, 0, 1)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_draws_do_not_depend_on_the_codes(recorder):
    y = np.arange(60) % 3
    rows = np.arange(60.0)[:, None]
    wide = np.hstack([rows, np.random.default_rng(0).standard_normal((60, 5))])
    arguments = dict(n_labels=(6, 12), n_repeats=3, probe=recorder, random_state=7)
    few_label_curve(rows, y, rows, y, **arguments)
    narrow_draws = list(recorder.fits)
    recorder.fits.clear()
    few_label_curve(wide, y, wide, y, **arguments)
    assert recorder.fits == narrow_draws
    assert len(narrow_draws) == 6


def test_draws_are_subsets_without_replacement_that_keep_rows_and_labels_together(recorder):
    y = np.arange(60) % 3
    rows = np.arange(60.0)[:, None]
    few_label_curve(rows, y, rows, y, n_labels=(6, 12), n_repeats=3, probe=recorder)
    for codes, labels in recorder.fits:
        assert len(set(codes)) == len(codes) in (6, 12)
        assert labels == y[codes].tolist()
    assert len({tuple(codes) for codes, _ in recorder.fits}) == 6


@pytest.mark.parametrize("seed", range(3))
def test_every_draw_is_stratified_and_contains_the_smaller_ones(recorder, seed):
    y = np.repeat([5, 6, 7, 8], [200, 100, 50, 3])
    rows = np.arange(353.0)[:, None]
    sizes = (4, 20, 50, 100, 300, 353)
    few_label_curve(
        rows, y, rows, y, n_labels=sizes, n_repeats=1, probe=recorder, random_state=seed
    )
    drawn = [codes for codes, _ in recorder.fits]
    assert [len(codes) for codes in drawn] == list(sizes)
    for smaller, larger in pairwise(drawn):
        assert larger[: len(smaller)] == smaller
    assert sorted(drawn[-1]) == list(range(353))
    assert len(set(y[drawn[0]])) == 4
    for codes in drawn[1:]:
        counts = np.bincount(y[codes] - 5)
        np.testing.assert_allclose(counts, len(codes) * np.bincount(y - 5) / 353, atol=2.5)


def test_balanced_classes_give_equal_shares(recorder):
    y = np.random.RandomState(0).permutation(np.repeat(np.arange(10), 30))
    rows = np.arange(300.0)[:, None]
    few_label_curve(rows, y, rows, y, n_labels=(10, 20, 100), n_repeats=3, probe=recorder)
    assert len(recorder.fits) == 9
    for codes, _ in recorder.fits:
        assert np.bincount(y[codes]).tolist() == [len(codes) // 10] * 10


def test_labels_may_be_strings(blobs):
    Z_train, y_train, Z_test, y_test = blobs
    names = np.array(["a", "b", "c", "d"])
    arguments = dict(n_labels=20, n_repeats=2, random_state=0)
    named = few_label_curve(Z_train, names[y_train], Z_test, names[y_test], **arguments)
    assert named.equals(few_label_curve(*blobs, **arguments))


def test_an_instance_is_not_modified_and_its_accuracy_is_recorded(blobs):
    probe = DummyClassifier(strategy="constant", constant=1)
    curve = few_label_curve(*blobs, n_labels=50, probe=probe, n_repeats=2)
    assert curve["mean"][0] == pytest.approx(np.mean(blobs[3] == 1))
    assert curve["std"][0] == 0
    assert not hasattr(probe, "classes_")


@pytest.mark.parametrize("random_state", [5, None])
def test_a_random_state_is_set_only_if_it_is_none(blobs, random_state):
    SeedRecorder.seeds.clear()
    probe = make_pipeline(StandardScaler(), SeedRecorder(random_state=random_state))
    few_label_curve(*blobs, n_labels=20, n_repeats=4, probe=probe, random_state=9)
    seeds = SeedRecorder.seeds
    assert seeds == [5] * 4 if random_state else len(set(seeds)) == 4
    assert None not in seeds
    assert probe[-1].random_state is random_state


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(n_labels=(10, 301)), r"n_labels must lie between 2 .* 300; got \(10, 301\)"),
        (dict(n_labels=1), "n_labels must lie between 2"),
        (dict(n_labels=0.5), "n_labels must be an int"),
        (dict(n_labels=()), "n_labels must be an int"),
        (dict(probe="svm"), "probe must be 'linear', 'forest' or an instance.*'svm'"),
        (dict(probe=LogisticRegression), "probe must be"),
        (dict(probe=StandardScaler()), "probe must be"),
        (dict(n_repeats=0), "n_repeats must be an int of at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(blobs, arguments, message):
    with pytest.raises(ValueError, match=message):
        few_label_curve(*blobs, **{"n_labels": 10, **arguments})


def test_arrays_that_do_not_match_are_refused(blobs):
    Z_train, y_train, Z_test, y_test = blobs
    with pytest.raises(ValueError, match="Z_train has 3 components and Z_test has 2"):
        few_label_curve(Z_train, y_train, Z_test[:, :2], y_test)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        few_label_curve(Z_train, y_train[:-1], Z_test, y_test)
    with pytest.raises(ValueError, match="y_train contains a single class"):
        few_label_curve(Z_train, np.zeros(300, int), Z_test, y_test)
    with pytest.raises(ValueError, match="Unknown label type"):
        few_label_curve(Z_train, Z_train[:, 0], Z_test, y_test)
