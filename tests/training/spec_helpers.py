"""Specs and data for the tests of the training, which know no estimator."""

import numpy as np
import torch

from sklearn_intelvae.objectives import ELBO
from sklearn_intelvae.training import FitData, FitSpec, Recipe
from sklearn_intelvae.training._spec import constant_rate
from tests.small_models import vae_parts

RECIPE = Recipe(steps_per_row=3, max_steps=100, open_ended_steps=50)


def fit_spec(parts=None, **changes):
    """Return the spec of a fit of three epochs at a constant rate, of which some is replaced."""
    fields = {
        "parts": vae_parts() if parts is None else parts,
        "objective": ELBO(),
        "n_components": 2,
        "recipe": RECIPE,
        "recipe_from_linear": RECIPE,
        "learning_rate": constant_rate,
        "learning_rate_init": 1e-3,
        "batch_size": 32,
        "max_iter": 3,
        "n_init": 1,
        "early_stopping": False,
        "validation_fraction": 0.1,
        "n_iter_no_change": 10,
        "tol": 1e-4,
        "skorch_callbacks": (),
        "skorch_params": {},
        "device": torch.device("cpu"),
        "seed": 0,
        "verbose": 0,
    }
    return FitSpec(**fields | changes)


def fit_data(X, valid=None, **fields):
    """Return the data of a fit; further fields are "weight" and "previous"."""
    train = {"x": X} | {name: np.asarray(v, np.float32) for name, v in fields.items()}
    return FitData(train, None if valid is None else {"x": valid})
