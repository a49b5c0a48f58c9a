"""Every public estimator with every named part, small enough to fit in a fraction of a second."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator

from sklearn_intelvae import PCL, ClusteredInteLVAE, InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae.priors import VampInitMixture

SMALL: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
NAMES = {
    "mapping": ("sphere", "clusters", "sparse", "glue", "hierarchy", "flow", "ica"),
    "prior": ("mixture", "vamp", "vamp-init-mixture", "laplace", "spike-and-slab"),
    "posterior": ("full",),
    "likelihood": ("laplace",),
    "objective": (
        "annealed-capacity",
        "beta-tc",
        "factor",
        "dip",
        "slow",
        "autoencoder",
        "soft-intro",
    ),
}
"""The named parts of InteLVAE that take any table."""


def variants() -> dict[str, BaseEstimator]:
    """Return the unfitted estimators by name."""
    found: dict[str, BaseEstimator] = {
        "InteLVAE": InteLVAE(**SMALL),
        "SparseInteLVAE": SparseInteLVAE(**SMALL),
        "ClusteredInteLVAE": ClusteredInteLVAE(2, **SMALL),
        "SoftIntroVAE": SoftIntroVAE(**SMALL),
        "SoftIntroVAE, mixture": SoftIntroVAE(
            prior=VampInitMixture(n_modes=4), responsibility_weight=1.0, **SMALL
        ),
        "PCL": PCL(**SMALL),
    }
    for parameter, names in NAMES.items():
        for name in names:
            found[f"InteLVAE, {parameter} {name}"] = InteLVAE(**{parameter: name}, **SMALL)
    return found | {
        "InteLVAE, early stopping": InteLVAE(early_stopping=True, validation_fraction=0.3, **SMALL),
        "InteLVAE, two starts": InteLVAE(n_init=2, **SMALL),
        "InteLVAE, both outputs": InteLVAE(mapping="sphere", output="both", **SMALL),
    }
