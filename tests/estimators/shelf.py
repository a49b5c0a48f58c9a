"""Every public estimator with every mapping, small enough to test in a fraction of a second."""

import inspect

import pytest
import torch
from sklearn.base import BaseEstimator
from torch import nn

import sklearn_intelvae
from sklearn_intelvae import PCL, ClusteredInteLVAE, InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae.mappings import (
    Clusters,
    Compose,
    DimensionSelector,
    Flow,
    Function,
    Linear,
    OnComponents,
    Sphere,
    StraightThrough,
)
from sklearn_intelvae.priors import Vamp, VampInitMixture

SMALL = dict(hidden_layer_sizes=(8,), max_iter=3, random_state=0)


class Ring(nn.Module):
    def forward(self, y):
        return y / (y.norm(dim=1, keepdim=True) + 1e-6)


ESTIMATORS = {
    "InteLVAE": InteLVAE(**SMALL),
    "InteLVAE identity": InteLVAE(mapping="identity", **SMALL),
    "InteLVAE sphere": InteLVAE(mapping="sphere", **SMALL),
    "InteLVAE clusters": InteLVAE(mapping="clusters", **SMALL),
    "InteLVAE sparse": InteLVAE(mapping="sparse", **SMALL),
    "InteLVAE Sphere()": InteLVAE(mapping=Sphere(), **SMALL),
    "InteLVAE Clusters()": InteLVAE(mapping=Clusters(2, power=0.5), **SMALL),
    "InteLVAE DimensionSelector()": InteLVAE(mapping=DimensionSelector(3.0), **SMALL),
    "InteLVAE glue": InteLVAE(mapping="glue", **SMALL),
    "InteLVAE hierarchy": InteLVAE(mapping="hierarchy", **SMALL),
    "InteLVAE flow": InteLVAE(mapping="flow", **SMALL),
    "InteLVAE ica": InteLVAE(mapping="ica", **SMALL),
    "InteLVAE Linear()": InteLVAE(1, mapping=Linear([[1.0], [0.5]]), **SMALL),
    "InteLVAE Compose()": InteLVAE(mapping=Compose(Clusters(2), DimensionSelector()), **SMALL),
    "InteLVAE OnComponents()": InteLVAE(mapping=OnComponents(Clusters(2), (0,)), **SMALL),
    "InteLVAE StraightThrough()": InteLVAE(mapping=StraightThrough(Sphere(), Flow()), **SMALL),
    "InteLVAE Function": InteLVAE(mapping=Function(torch.tanh), **SMALL),
    "InteLVAE Compose of a Function": InteLVAE(
        mapping=Compose(Sphere(), Function(torch.tanh)), **SMALL
    ),
    "InteLVAE StraightThrough of a Function": InteLVAE(
        mapping=StraightThrough(torch.sign), **SMALL
    ),
    "InteLVAE of one's own": InteLVAE(mapping=Ring(), **SMALL),
    "InteLVAE mixture": InteLVAE(prior="mixture", **SMALL),
    "InteLVAE vamp": InteLVAE(prior="vamp", **SMALL),
    "InteLVAE spike-and-slab": InteLVAE(prior="spike-and-slab", **SMALL),
    "InteLVAE full posterior": InteLVAE(posterior="full", prior="laplace", **SMALL),
    "InteLVAE annealed-capacity": InteLVAE(objective="annealed-capacity", **SMALL),
    "InteLVAE beta-tc": InteLVAE(objective="beta-tc", **SMALL),
    "InteLVAE factor": InteLVAE(objective="factor", **SMALL),
    "InteLVAE dip": InteLVAE(objective="dip", **SMALL),
    "InteLVAE slow": InteLVAE(objective="slow", **SMALL),
    "InteLVAE autoencoder": InteLVAE(objective="autoencoder", **SMALL),
    "InteLVAE laplace": InteLVAE(likelihood="laplace", **SMALL),
    "InteLVAE early stopping": InteLVAE(early_stopping=True, validation_fraction=0.3, **SMALL),
    "InteLVAE two starts": InteLVAE(n_init=2, **SMALL),
    "InteLVAE both outputs": InteLVAE(mapping="sphere", output="both", **SMALL),
    "ClusteredInteLVAE": ClusteredInteLVAE(2, **SMALL),
    "SoftIntroVAE": SoftIntroVAE(game_start=0.3, **SMALL),
    "SoftIntroVAE mixture": SoftIntroVAE(
        prior=VampInitMixture(n_modes=4), responsibility_weight=1.0, game_start=0.5, **SMALL
    ),
    "SoftIntroVAE vamp": SoftIntroVAE(prior=Vamp(n_modes=3), **SMALL),
    "SoftIntroVAE sphere": SoftIntroVAE(mapping="sphere", game_start=0.0, **SMALL),
    "InteLVAE soft-intro": InteLVAE(objective="soft-intro", prior="vamp-init-mixture", **SMALL),
    "PCL": PCL(**SMALL),
    "SparseInteLVAE": SparseInteLVAE(**SMALL),
    "SparseInteLVAE gates": SparseInteLVAE(regularize="gates", floor=0.1, **SMALL),
}

GENERATIVE = {name: e for name, e in ESTIMATORS.items() if hasattr(e, "sample")}

REPRESENTATIVES = {
    "InteLVAE",
    "InteLVAE Compose of a Function",
    "InteLVAE of one's own",
    "InteLVAE mixture",
    "InteLVAE vamp",
    "InteLVAE full posterior",
    "InteLVAE factor",
    "InteLVAE slow",
    "InteLVAE autoencoder",
    "InteLVAE early stopping",
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
