"""Other recipes than that of the default fit, on the tables that were used to choose it.

Run ``python -m benchmarks.league.recipe``; it resumes where it stopped. Each variant changes one
setting of the default fit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from unittest import mock

import pandas as pd

from benchmarks._report import command_line, some
from benchmarks._tables import TUNING_TABLES
from benchmarks.league.tables import n_components, standardized
from sklearn_intelvae import InteLVAE
from sklearn_intelvae.estimators import _parameters
from sklearn_intelvae.priors import FittedMixture

SCALES = ("quick", "small")
SEEDS = range(2)
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    ".9 steps a row, at most 2300": {"steps_per_row": 0.9, "max_steps": 2300, "limit_per_row": 0.0},
    ".35 steps a row, at most 1000": {
        "steps_per_row": 0.35,
        "max_steps": 1000,
        "limit_per_row": 0.0,
    },
    "batches half as large": {"batches_per_epoch": 16},
    "learning rate 2.5e-3": {"learning_rate_init": 2.5e-3},
    "learning rate 1e-2": {"learning_rate_init": 1e-2},
    "linear functions at the full rate": {"linear_rate": 1.0},
    "linear functions at 3 %": {"linear_rate": 0.03},
    "noise at 10 % for all tables": {"noise_rates": (0.1, 0.1)},
    "noise at 3 % for all tables": {"noise_rates": (0.03, 0.03)},
    "noise at the full rate": {"noise_rates": (1.0, 1.0)},
    "costs warm up": {"costs_warm_up": True},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "prior N(0, I)": {"prior": "normal"},
    "mixture learned by gradients": {"prior": "mixture"},
    "VampPrior": {"prior": "vamp"},
    "at most 5 modes": {"prior": FittedMixture(max_modes=5)},
    "at most 50 modes": {"prior": FittedMixture(max_modes=50)},
    "hidden layers (64, 64)": {"hidden_layer_sizes": (64, 64)},
    "hidden layers (256, 256)": {"hidden_layer_sizes": (256, 256)},
    "hidden layer (256,)": {"hidden_layer_sizes": (256,)},
    "activation silu": {"activation": "silu"},
    "weight decay .3": {"skorch_params": {"optimizer__weight_decay": 0.3}},
}


def case(table: str, variant: str, seed: int) -> dict[str, float]:
    """Fit one variant to one table."""
    rows = standardized(table, seed)
    recipe = _parameters._RECIPE_FROM_LINEAR._replace(**RECIPES.get(variant, {}))
    with mock.patch.object(_parameters, "_RECIPE_FROM_LINEAR", recipe):
        vae = InteLVAE(
            n_components(table, rows.train.shape[1]),
            random_state=seed,
            **SETTINGS.get(variant, {}),
        )
        start = time.perf_counter()
        vae.fit(rows.train)
        seconds = time.perf_counter() - start
    return {"log_p": float(vae.score(rows.test)) / rows.train.shape[1], "fit_seconds": seconds}


def changes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean change that each variant makes, and on how many tables it is for the better.

    The unit of the change is a nat per column.
    """
    means = rows.pivot_table(["log_p", "fit_seconds"], "table", "variant", sort=False)
    log_p, seconds = means["log_p"], means["fit_seconds"]
    change = log_p.sub(log_p["default"], axis=0)
    found = {
        "mean change": change.mean(),
        "worst": change.min(),
        "best": change.max(),
        "tables where it is better": (change > 0).sum(),
        "median ratio of seconds": seconds.div(seconds["default"], axis=0).median(),
    }
    return pd.DataFrame(found).round(3).reset_index().rename(columns={"index": "variant"})


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows that are missing, and write the tables."""
    options, results = command_line(__doc__, SCALES, argv)
    scale = options.scale
    variants = ("default", *some(scale, [v for v in RECIPES | SETTINGS if v != "default"]))
    cases = [
        {"table": table, "variant": variant, "seed": seed}
        for seed in some(scale, SEEDS)
        for table in (("wankara",) if scale == "quick" else TUNING_TABLES)
        for variant in variants
    ]
    rows = results.rows(f"league/recipe_{scale}", cases, case)
    results.write(
        f"league/recipe_{scale}",
        "Variants of the default fit",
        [changes(rows)],
        [rows],
        note=f"Changes of the held-out nats per column, over {len(TUNING_TABLES)} tables.",
    )


if __name__ == "__main__":
    main()
