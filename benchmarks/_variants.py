"""Every public estimator with every named part, small enough to fit in a fraction of a second."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator

from sklearn_intelvae import PCL, ClusteredInteLVAE, InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae.estimators._parameters import REGISTRY
from sklearn_intelvae.priors import VampInitMixture

SMALL: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
PARAMETERS = "mapping", "prior", "posterior", "likelihood", "objective"
LEFT_OUT = {
    *("identity", "normal", "diagonal", "gaussian", "elbo"),  # the defaults
    "bernoulli",  # takes numbers in [0, 1] only
}


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
    for parameter in PARAMETERS:
        for name in (n for n in REGISTRY[parameter] if n not in LEFT_OUT):
            found[f"InteLVAE, {parameter} {name}"] = InteLVAE(**{parameter: name}, **SMALL)
    return found | {
        "InteLVAE, early stopping": InteLVAE(early_stopping=True, validation_fraction=0.3, **SMALL),
        "InteLVAE, prior fitted": InteLVAE(**SMALL | {"max_iter": 25, "batch_size": 10}),
        "InteLVAE, two starts": InteLVAE(n_init=2, **SMALL),
        "InteLVAE, both outputs": InteLVAE(mapping="sphere", output="both", **SMALL),
    }
