"""Fits of the prior to the codes: when they happen, to which rows, and what they are for."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from sklearn_intelvae import InteLVAE, SparseInteLVAE, priors
from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.priors import FittedMixture
from sklearn_intelvae.training._prior import fit_prior
from sklearn_intelvae.training._rows import Rows
from tests.estimators.shelf import LONG_ENOUGH, SMALL


class Counted(FittedMixture):
    """Notes the number of codes in each call."""

    calls = []

    def fit_codes(self, y):
        self.calls.append(len(y))
        super().fit_codes(y)


@pytest.fixture
def calls():
    Counted.calls.clear()
    return Counted.calls


@pytest.fixture(scope="module")
def X():
    return make_blobs(400, 5, centers=4, random_state=1)[0]


FITTED = SMALL | LONG_ENOUGH
COUNTED = FITTED | {"prior": Counted()}


def modes(vae):
    return vae.module_.prior_distribution().n_modes


def test_it_is_fitted_at_the_start_after_half_of_a_fit_and_at_the_end(X, calls):
    InteLVAE(**COUNTED).fit(X[:200])
    assert calls == [200] * 3


def test_from_random_weights_it_is_not_fitted_at_the_start(X, calls):
    InteLVAE(linear_path=False, **COUNTED).fit(X[:200])
    assert calls == [200] * 2


def test_early_stopping_ends_with_a_fit_to_the_training_rows(X, calls):
    vae = InteLVAE(early_stopping=True, n_iter_no_change=1, tol=1e9, **COUNTED).fit(X[:200])
    assert vae.n_iter_ < COUNTED["max_iter"]
    assert calls[-1] == 180


@pytest.mark.parametrize("train", ["fit", "partial_fit"])
def test_short_fits_and_partial_fits_keep_the_normal_prior(X, train, calls):
    short = COUNTED | {"max_iter": 1}
    vae = getattr(InteLVAE(**short), train)(X[:200])
    normal = getattr(InteLVAE(**short | {"prior": "normal"}), train)(X[:200])
    assert not calls
    assert modes(vae) == 1
    assert np.array_equal(vae.score_samples(X), normal.score_samples(X))
    assert np.array_equal(vae.sample(5), normal.sample(5))


def test_partial_fit_after_a_fit_keeps_the_mixture(X):
    vae = InteLVAE(**FITTED).fit(X)
    before = modes(vae)
    assert before > 1
    assert modes(vae.partial_fit(X[:50])) == before


def test_scores_between_two_trainings_change_no_bit(X):
    vae, scored = InteLVAE(**FITTED).fit(X), InteLVAE(**FITTED).fit(X)
    scored.score(X)
    expected = vae.partial_fit(X[:50]).transform(X)
    assert np.array_equal(scored.partial_fit(X[:50]).transform(X), expected)
    assert vae.score(X) == scored.score(X)


class Transparent(torch.nn.Module):
    """A model whose codes are its rows."""

    n_components = 2

    @property
    def prior(self):
        return self

    def encode(self, x):
        return Normal(x, torch.full_like(x, -20.0))

    def fit_codes(self, y):
        self.seen = y


def test_rows_count_by_their_weights():
    x = torch.arange(1000.0)[:, None].expand(-1, 2).contiguous()
    weight = torch.where(x[:, 0] < 500, 0.5, 1.5)
    model = Transparent()
    fit_prior(model, Rows({"x": x}, torch.arange(0, 1000, 2)), seed=0)
    torch.testing.assert_close(model.seen, x[::2])
    fit_prior(model, Rows({"x": x, "weight": weight}, torch.arange(1000)), seed=0)
    assert len(model.seen) == 1000
    share = (model.seen[:, 0] > 499.5).float().mean()
    assert float(share) == pytest.approx(0.75, abs=0.04)


def test_of_many_rows_some_are_used():
    x = torch.arange(30_000.0)[:, None].expand(-1, 2).contiguous()
    model = Transparent()
    fit_prior(model, Rows({"x": x}, torch.arange(30_000)), seed=0)
    torch.testing.assert_close(model.seen, x[::12])


def test_it_raises_the_bound_where_rows_form_groups(X):
    settings = FITTED | {"max_iter": 60}
    scores = {
        prior: InteLVAE(**settings | {"prior": prior}).fit(X[:300]).score(X[300:])
        for prior in ("normal", "fitted-mixture")
    }
    assert scores["fitted-mixture"] > scores["normal"] + 0.5


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (InteLVAE(), FittedMixture),
        (InteLVAE(mapping="sparse"), FittedMixture),
        (SparseInteLVAE(), FittedMixture),
        (InteLVAE(mapping="sphere"), priors.Normal),
        (InteLVAE(beta=2.0), priors.Normal),
        (InteLVAE(beta=lambda progress: progress), priors.Normal),
        (InteLVAE(objective="beta-tc"), priors.Normal),
        (InteLVAE(linear_path=False), priors.Normal),
        (InteLVAE(prior="normal"), priors.Normal),
    ],
    ids=[
        "default",
        "sparse mapping",
        "sparse",
        "sphere",
        "beta",
        "schedule",
        "beta-tc",
        "random weights",
        "normal",
    ],
)
def test_the_default_prior_is_fitted_if_nothing_else_says_how_codes_should_lie(estimator, expected):
    assert type(estimator._parts().prior) is expected


def test_the_fit_does_not_depend_on_the_number_of_threads_or_on_other_draws(X):
    first = InteLVAE(**FITTED).fit(X)
    np.random.rand(3)
    second = InteLVAE(**FITTED).fit(X)
    assert np.array_equal(first.sample(50), second.sample(50))
    assert np.array_equal(first.predict_proba(X), second.predict_proba(X))
