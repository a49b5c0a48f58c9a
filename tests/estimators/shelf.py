"""Every public estimator with every named part, small enough to test in a fraction of a second."""

import inspect

import pytest
import torch
from sklearn.base import BaseEstimator

import sklearn_intelvae
from sklearn_intelvae import PCL, ClusteredInteLVAE, InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae.estimators._parameters import REGISTRY
from sklearn_intelvae.mappings import Compose, Function, Sphere, StraightThrough
from sklearn_intelvae.priors import Vamp, VampInitMixture
from tests.mappings.shelf import MAPPINGS, Ring

SMALL = dict(hidden_layer_sizes=(8,), max_iter=3, random_state=0)
LONG_ENOUGH = dict(prior="fitted-mixture", max_iter=25, batch_size=10)
"""For tables of 40 rows; in shorter fits the prior is not fitted to the codes."""


NEEDS_MORE = {
    "bernoulli": None,  # refuses the values of most tables of the tests
    "full": {"prior": "laplace"},
    "soft-intro": {"prior": "vamp-init-mixture"},
}
"""Further parameters for named parts; None if there is no estimator with the part."""

NAMED = {
    f"InteLVAE {parameter} {name}": InteLVAE(**{parameter: name}, **more, **SMALL)
    for parameter in ("mapping", "prior", "posterior", "likelihood", "objective")
    for name in REGISTRY[parameter]
    if (more := NEEDS_MORE.get(name, {})) is not None
}
OBJECTS = {
    f"InteLVAE {name}()": InteLVAE(**case.small, **SMALL)
    for name, case in MAPPINGS.items()
    if case.small
}

ESTIMATORS = {
    "InteLVAE": InteLVAE(**SMALL),
    **NAMED,
    **OBJECTS,
    "InteLVAE Compose of a function": InteLVAE(
        mapping=Compose(Sphere(), Function(torch.tanh)), **SMALL
    ),
    "InteLVAE StraightThrough of a function": InteLVAE(
        mapping=StraightThrough(torch.sign), **SMALL
    ),
    "InteLVAE of one's own": InteLVAE(mapping=Ring(), **SMALL),
    "InteLVAE early stopping": InteLVAE(early_stopping=True, validation_fraction=0.3, **SMALL),
    "InteLVAE fits its prior": InteLVAE(**SMALL | LONG_ENOUGH),
    "InteLVAE two starts": InteLVAE(n_init=2, **SMALL),
    "InteLVAE both outputs": InteLVAE(mapping="sphere", output="both", **SMALL),
    "ClusteredInteLVAE": ClusteredInteLVAE(2, **SMALL),
    "SoftIntroVAE": SoftIntroVAE(game_start=0.3, **SMALL),
    "SoftIntroVAE mixture": SoftIntroVAE(
        prior=VampInitMixture(n_modes=4), responsibility_weight=1.0, game_start=0.5, **SMALL
    ),
    "SoftIntroVAE vamp": SoftIntroVAE(prior=Vamp(n_modes=3), **SMALL),
    "SoftIntroVAE sphere": SoftIntroVAE(mapping="sphere", game_start=0.0, **SMALL),
    "PCL": PCL(**SMALL),
    "PCL linear path": PCL(linear_path=True, **SMALL),
    "SparseInteLVAE": SparseInteLVAE(**SMALL),
    "SparseInteLVAE gates": SparseInteLVAE(regularize="gates", floor=0.1, **SMALL),
}

GENERATIVE = {name: e for name, e in ESTIMATORS.items() if hasattr(e, "sample")}

REPRESENTATIVES = {
    "InteLVAE",
    "InteLVAE Compose of a function",
    "InteLVAE of one's own",
    "InteLVAE prior mixture",
    "InteLVAE prior vamp",
    "InteLVAE posterior full",
    "InteLVAE objective factor",
    "InteLVAE objective slow",
    "InteLVAE objective autoencoder",
    "InteLVAE early stopping",
    "InteLVAE fits its prior",
    "InteLVAE two starts",
    "InteLVAE both outputs",
    "ClusteredInteLVAE",
    "SoftIntroVAE mixture",
    "PCL",
    "SparseInteLVAE",
}
"""One estimator for each class and each mechanism; tests of the others are marked as slow."""


def marks_of(name):
    """Return the marks of a test of an estimator of the shelf."""
    return () if name in REPRESENTATIVES else (pytest.mark.slow,)


def cases(estimators):
    """Return a case of a test for each estimator, marked as slow unless it is representative."""
    return [pytest.param(e, id=name, marks=marks_of(name)) for name, e in estimators.items()]


def public_estimators():
    members = (getattr(sklearn_intelvae, name) for name in sklearn_intelvae.__all__)
    return {m for m in members if inspect.isclass(m) and issubclass(m, BaseEstimator)}
