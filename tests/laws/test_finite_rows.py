"""Finite rows are never called non-finite, and rounding in float32 at an edge is no error."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_intelvae import PCL, ClusteredInteLVAE, DivergenceError, InteLVAE
from sklearn_intelvae.objectives import SoftIntro
from tests.estimators.shelf import ESTIMATORS, marks_of

SMALL = dict(hidden_layer_sizes=(8,), max_iter=2, random_state=0)
SHELF = [pytest.param(e, id=name, marks=marks_of(name)) for name, e in ESTIMATORS.items()]
NOT_FINITE = "NaN|infinity|not finite|non-finite value|condensed distance"


def outlier(rng, size):
    return np.vstack([rng.standard_normal((80, 5)), np.full((1, 5), size)])


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("size", [1e6, 1e12, 1e18, 1e25, 3e38])
@pytest.mark.parametrize("estimator", SHELF)
def test_an_outlier_is_not_called_non_finite(estimator, size, rng):
    """A fit may diverge, but no row is called non-finite."""
    complaint = ""
    try:
        clone(estimator).fit(outlier(rng, size))
    except (DivergenceError, ValueError) as error:
        complaint = str(error)
    if "diverged" in complaint:
        assert "smaller learning_rate_init" in complaint
    else:
        assert not re.search(NOT_FINITE, complaint)


@pytest.mark.parametrize("size", [1e6, 1e12])
@pytest.mark.parametrize("n_clusters", [2, 3, 5])
def test_clusters_are_found_beside_an_outlier(n_clusters, size, rng):
    """In the unit of an outlier of 1e12, rows of float32 are equal."""
    X = outlier(rng, size)
    vae = ClusteredInteLVAE(n_clusters, learning_rate_init=1e-6, **SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = vae.fit(X).labels_
    assert set(labels) <= set(range(n_clusters))
    centers = vae.module_.mapping.centers
    assert centers is None if size > 1e6 else np.isfinite(centers.numpy()).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("method", ["transform", "encode", "reconstruct", "predict"])
def test_far_rows_are_taken_after_the_fit(method, rng):
    vae = InteLVAE(2, mapping="clusters", **SMALL).fit(rng.standard_normal((50, 5)))
    for size in (1e12, 1e30, 3e38):
        assert len(getattr(vae, method)(np.full((3, 5), size))) == (2 if method == "encode" else 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(6))
def test_a_scaler_to_the_unit_interval_suits_the_bernoulli_likelihood(seed, dtype):
    rows = np.random.default_rng(seed).standard_normal((300, 10)).astype(dtype)
    X = MinMaxScaler().fit_transform(rows)
    vae = InteLVAE(2, likelihood="bernoulli", **SMALL).fit(X, X_val=X)
    assert np.isfinite(vae.score(X))


@pytest.mark.parametrize("edge", [-1e-6, 1 + 1e-6])
def test_values_a_rounding_error_beyond_the_edge_are_taken(edge, rng):
    X = rng.random((50, 3))
    X[0, 0] = edge
    vae = InteLVAE(2, likelihood="bernoulli", **SMALL).fit(X)
    assert np.isfinite(vae.score_samples(X)).all()


@pytest.mark.parametrize("edge", [-1e-3, 1.001])
def test_values_beyond_the_edge_are_refused(edge, rng):
    X = rng.random((50, 3))
    X[0, 0] = edge
    with pytest.raises(ValueError, match=r"needs X in \[0, 1\], but X ranges from"):
        InteLVAE(2, likelihood="bernoulli", **SMALL).fit(X)


# Differences that float32 does not hold


def seconds(n=200):
    time = 1.7e9 + np.arange(n, dtype=float)
    return np.c_[time, np.sin(time / 30)]


@pytest.mark.parametrize("estimator", [InteLVAE(2), ClusteredInteLVAE(2), PCL(2)])
@pytest.mark.parametrize(
    "table",
    [
        lambda X: X,
        lambda X: pd.DataFrame(X, columns=["time", "sine"]),
        lambda X: X.tolist(),
        lambda X: X.astype(np.int64),
    ],
    ids=["array", "frame", "list", "integers"],
)
def test_differences_that_float32_does_not_hold_are_seen(estimator, table):
    """Codes are those of the same rows without the offset; decoded rows are rounded."""
    X = np.round(seconds() * [1, 100])
    shifted = X - [1.7e9, 0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected = clone(estimator).set_params(**SMALL).fit_transform(table(shifted))
        assert not caught
        codes = clone(estimator).set_params(**SMALL).fit_transform(table(X))
    decodes = hasattr(estimator, "inverse_transform")
    assert [("float32" in str(w.message)) for w in caught] == [True] * decodes
    np.testing.assert_allclose(codes, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "X",
    [
        seconds().astype(np.float32),
        StandardScaler().fit_transform(seconds()),
        np.c_[np.full(50, 1 / 3), np.arange(50.0)],
        np.c_[0.1 + 1e-17 * np.arange(50), np.arange(50.0)],
        np.c_[2.0**23 + np.arange(50), np.arange(50.0)],
        np.c_[np.zeros(50), 1e-6 * np.arange(50)],
    ],
    ids=["float32", "scaled", "constant", "rounding", "exact", "tiny"],
)
def test_a_fit_without_loss_does_not_warn(X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        InteLVAE(2, learning_rate_init=1e-9, **SMALL).fit(X)
    assert not caught


@pytest.mark.parametrize("size", [1e15, 1e20, 1e30, 3e38])
@pytest.mark.parametrize("prior", ["mixture", "vamp"])
def test_rows_beyond_float32_have_probabilities_and_scores(prior, size, rng):
    vae = InteLVAE(2, prior=prior, **SMALL).fit(rng.standard_normal((50, 5)))
    far = np.full((3, 5), size)
    np.testing.assert_allclose(vae.predict_proba(far).sum(axis=1), 1, rtol=1e-5)
    assert not np.isnan(vae.score_samples(far)).any()


@pytest.mark.parametrize("size", [1e20, 3e28])
def test_a_constant_column_has_no_spread(size, rng):
    X = rng.standard_normal((100, 3))
    X[:, 0] = size
    assert SoftIntro().check_data(torch.from_numpy(X.astype(np.float32))) == []
