"""A weight of zero is absence: the values of rows of weight 0 have no effect on any bit."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_intelvae import PCL, ClusteredInteLVAE, InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae._random import draws_by_weight, generator_from
from sklearn_intelvae.mappings import Clusters
from tests.estimators.shelf import ESTIMATORS, marks_of

N, ABSENT = 80, slice(30, 45)
OTHERS = {
    "others": lambda X: 5 - 3 * X,
    "huge": lambda X: 1e30 * X,
    "not finite": lambda X: np.full_like(X, np.nan),
    "infinite in float32": lambda X: np.full_like(X, 1e300),
}
SHELF = ESTIMATORS | {
    "bernoulli": InteLVAE(
        likelihood="bernoulli", hidden_layer_sizes=(8,), max_iter=3, random_state=0
    )
}
NAMES = [pytest.param(name, marks=marks_of(name)) for name in ESTIMATORS] + ["bernoulli"]


@pytest.fixture
def X(rng):
    return rng.random((N, 5))


def weights(kind):
    weight = np.ones(N) if kind == "equal" else np.random.default_rng(1).uniform(0.5, 2, N)
    weight[ABSENT] = 0
    return weight


def fitted(estimator, X, weight, **arguments):
    """Fit, and return all that follows, for the rows that count, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = clone(estimator).fit(X, sample_weight=weight, **arguments)
    kept = np.delete(X, np.r_[ABSENT], axis=0)
    found = {"codes": np.asarray(model.transform(kept)), "warnings": sorted(map(str, caught))}
    found["history"] = [{k: v for k, v in row.items() if k != "dur"} for row in model.history_]
    for name in ("kl_per_component_", "active_components_"):
        found[name] = getattr(model, name, None)
    if hasattr(model, "labels_"):
        found["labels"] = np.delete(model.labels_, np.r_[ABSENT])
    if hasattr(model, "sample"):
        found["samples"] = model.sample(10)
        found["scores"] = model.score_samples(kept)
    model.partial_fit(X, sample_weight=weight, **arguments)
    found["codes after partial_fit"] = np.asarray(model.transform(kept))
    return found


def assert_same(a, b):
    for name, value in a.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, b[name], err_msg=name)
        elif name != "warnings":
            assert value == b[name], name
    assert [w.split("'")[1:2] for w in a["warnings"]] == [w.split("'")[1:2] for w in b["warnings"]]


@cache
def fitted_to_zeros(name, kind):
    """Return what follows from a fit in which the rows of weight 0 contain zeros."""
    return fitted(SHELF[name], rows_with(np.zeros_like), weights(kind))


def rows_with(values):
    X = np.random.default_rng(0).random((N, 5))
    X[ABSENT] = values(X[ABSENT])
    return X


@pytest.mark.parametrize("values", OTHERS)
@pytest.mark.parametrize("kind", ["equal", "different"])
@pytest.mark.parametrize("name", NAMES)
def test_other_values_in_rows_of_weight_zero_change_no_bit(name, kind, values):
    found = fitted(SHELF[name], rows_with(OTHERS[values]), weights(kind))
    assert_same(fitted_to_zeros(name, kind), found)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_weight_zero_might_as_well_not_be_passed(name, X):
    estimator = SHELF[name]
    uses_pairs = isinstance(estimator, PCL) or getattr(estimator, "objective", None) == "slow"
    if uses_pairs:
        pytest.skip("without the rows, others would be consecutive")
    weight = np.ones(N)
    weight[ABSENT] = 0
    kept = np.delete(X, np.r_[ABSENT], axis=0)
    a = clone(estimator).fit(X, sample_weight=weight)
    b = clone(estimator).fit(kept)
    np.testing.assert_array_equal(np.asarray(a.transform(kept)), np.asarray(b.transform(kept)))
    assert a.loss_curve_ == b.loss_curve_
    if hasattr(a, "kl_per_component_"):
        np.testing.assert_array_equal(a.kl_per_component_, b.kl_per_component_)


@pytest.mark.parametrize("estimator", [PCL(2), InteLVAE(objective="slow")], ids=["PCL", "slow"])
@pytest.mark.parametrize("values", OTHERS)
def test_pairs_with_a_row_of_weight_zero_are_absent(estimator, values, X, rng):
    """Also as X_prev, where the weight is that of the pair."""
    estimator = clone(estimator).set_params(hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    weight = np.ones(N)
    weight[ABSENT] = 0
    other, X_prev = X.copy(), np.roll(X, 1, axis=0)
    other[ABSENT] = OTHERS[values](other[ABSENT])
    other_prev = X_prev.copy()
    other_prev[ABSENT] = OTHERS[values](other_prev[ABSENT])
    a = fitted(estimator, X, weight, X_prev=X_prev)
    assert_same(a, fitted(estimator, other, weight, X_prev=other_prev))


@pytest.mark.parametrize(
    "estimator",
    [
        InteLVAE(early_stopping=True),
        PCL(early_stopping=True),
        ClusteredInteLVAE(2, early_stopping=True, n_init=2),
        SoftIntroVAE(early_stopping=True),
        SparseInteLVAE(early_stopping=True),
        InteLVAE(mapping=Clusters(2, learn_proportions=True), early_stopping=True),
    ],
    ids=lambda e: type(e).__name__,
)
def test_no_row_of_weight_zero_is_validated_on(estimator, X):
    estimator = clone(estimator).set_params(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
    weight = np.ones(N)
    weight[-20:] = 0
    other = X.copy()
    other[-20:] *= 100
    a, b = (clone(estimator).fit(rows, sample_weight=weight) for rows in (X, other))
    assert a.validation_scores_ == b.validation_scores_
    assert np.ptp(a.validation_scores_) > 0


def test_values_of_rows_of_weight_zero_cause_no_warning(X):
    weight = np.r_[np.zeros(40), np.ones(40)]
    X[:40] = 1.7e9 + np.arange(40)[:, None]  # would be reported as lost in float32
    vae = SoftIntroVAE(hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vae.fit(X, sample_weight=weight)
    assert not caught


def test_diagnostics_are_weighted(X):
    """A row of weight two counts as two rows in the means over rows."""
    vae = InteLVAE(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    weight = np.r_[np.full(40, 2.0), np.ones(40)]
    vae.fit(X, sample_weight=weight)
    mean, variance = (value.astype(float) for value in vae.encode(X))
    kl = 0.5 * (mean**2 + variance - 1 - np.log(variance))
    expected = np.average(kl, axis=0, weights=weight)
    np.testing.assert_allclose(vae.kl_per_component_, expected, rtol=1e-4)


def test_labels_of_rows_that_are_not_finite_are_minus_one(X):
    weight = np.ones(N)
    weight[ABSENT] = 0
    X[ABSENT] = np.nan
    vae = ClusteredInteLVAE(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    labels = vae.fit(X, sample_weight=weight).labels_
    assert (labels[ABSENT] == -1).all()
    assert (np.delete(labels, np.r_[ABSENT]) >= 0).all()


@pytest.mark.parametrize("n_positive", [0, 1])
def test_too_few_rows_with_a_weight_are_refused(n_positive, X):
    weight = np.zeros(N)
    weight[:n_positive] = 1
    with pytest.raises(ValueError, match="non-zero number|sample_weight is positive for 1 of 80"):
        InteLVAE(2, max_iter=1).fit(X, sample_weight=weight)


def test_a_row_with_a_weight_must_be_finite(X):
    weight = np.ones(N)
    weight[ABSENT] = 0
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        InteLVAE(2, max_iter=1).fit(X, sample_weight=weight)


def test_draws_by_weight_follow_the_weights_and_take_any_number_of_them():
    import torch

    weight = torch.tensor([0.0, 1.0, 3.0, 0.0])
    drawn = draws_by_weight(weight, 40_000, generator_from(0))
    shares = torch.bincount(drawn, minlength=4) / 40_000
    assert torch.allclose(shares, weight / 4, atol=0.01)
    many = torch.zeros(2**24 + 10)
    many[-3] = 1.0
    assert (draws_by_weight(many, 5, generator_from(0)) == len(many) - 3).all()


@pytest.mark.slow
def test_more_than_2_to_the_24_rows_can_have_weights():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2**24 + 10, 1), dtype=np.float32)
    weight = rng.random(len(X), dtype=np.float32)
    vae = InteLVAE(1, hidden_layer_sizes=(2,), max_iter=1, batch_size=2**20, random_state=0)
    assert np.isfinite(vae.fit(X, sample_weight=weight).loss_curve_[0])


@pytest.mark.parametrize("factor", [2.0**-1000, 1e-50, 1e-39, 1e39, 1e300])
@pytest.mark.parametrize("weights", ["equal", "different"])
def test_only_ratios_of_weights_matter(weights, factor, X):
    weight = np.ones(N) if weights == "equal" else np.r_[np.ones(40), np.full(40, 3.0)]
    vae = InteLVAE(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    expected = clone(vae).fit(X, sample_weight=weight).transform(X)
    found = clone(vae).fit(X, sample_weight=factor * weight).transform(X)
    if factor == 2.0**-1000 or weights == "equal":
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_callbacks_of_scikit_learn_do_not_see_rows_of_weight_zero(X):
    callback = pytest.importorskip("sklearn.callback")
    weight, seen = np.ones(N), []
    weight[ABSENT] = 0
    X[ABSENT] = np.nan

    def score(model, X, y):
        seen.append((len(X), len(y)))
        return model.score(X)

    vae = InteLVAE(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    vae.set_callbacks(callback.ScoringMonitor(scoring={"score": score}))
    vae.fit(X, list(range(N)), sample_weight=weight)
    assert set(seen) == {(N - 15, N - 15)}


@pytest.mark.parametrize("kind", [pd.Series, np.asarray, list])
def test_weights_that_cannot_be_written_to(kind, X):
    weight = np.linspace(1, 2, N, dtype=np.float32)
    weight.flags.writeable = False
    vae = InteLVAE(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    assert np.isfinite(vae.fit(X, sample_weight=kind(weight)).transform(X)).all()
