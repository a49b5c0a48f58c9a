"""The default fit to few rows, beside PCA and factor analysis, and without each of its safeguards.

Run ``python -m benchmarks.league.few_rows``; it resumes where it stopped. Of each table 2.5, 5, 10
and 30 rows for each column are fitted, and at most 1500 others are scored. The tables are those
that were used to choose the defaults, some that the league reports, and independent uniform
columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA, FactorAnalysis

from benchmarks._report import command_line, some
from benchmarks._tables import TUNING_TABLES, Split
from benchmarks._tables import table as table_of
from benchmarks.league._methods import LinearGaussian
from benchmarks.league.tables import in_units_of_training_rows, n_components
from sklearn_intelvae import InteLVAE, _moments
from sklearn_intelvae.models import _linear_model, _linear_start
from sklearn_intelvae.training import _fit

SCALES = ("quick", "small")
SEEDS = range(2)
ROWS_PER_COLUMN = (2.5, 5, 10, 30)
REPORTED = ("digits", "texture", "satimage", "spambase", "optdigits", "breast_cancer", "segment")
TABLES = (*TUNING_TABLES, *REPORTED, "uniform")
_MAX_TEST = 1500
_TOLERANCE = 0.05

SAFEGUARDS: dict[str, list[tuple[Any, str, Any]]] = {
    "default": [],
    "noise not corrected": [(_fit._Fit, "_noise_correction", lambda *_: [])],
    "learning rate as it is": [(_linear_start, "nonlinearity", lambda *_: np.inf)],
    "few rows always bound the noise": [
        (_moments, "_errors_of_prediction", lambda rows, _: np.full(rows.shape[1], np.inf))
    ],
    "15 iterations of factor analysis": [
        (_linear_model, "_ITERATIONS", 15),
        (_linear_model, "_SMALL_GAIN", 1e-9),
    ],
}
"""By name, what is replaced."""


def subset(name: str, rows_per_column: float, seed: int) -> Split | None:
    """Return rows to fit and to score, standardized by the first; None if there are too few."""
    rng = np.random.RandomState(seed)
    X = rng.uniform(size=(3000, 30)) if name == "uniform" else table_of(name).X
    n = int(rows_per_column * X.shape[1])
    if n > 0.75 * len(X):
        return None
    rows = rng.permutation(len(X))
    test = rows[n : n + _MAX_TEST]
    return in_units_of_training_rows(Split(X[rows[:n]], X[test], None, None))


def case(table: str, rows_per_column: float, seed: int) -> dict[str, float]:
    """Score PCA, factor analysis and all variants of the default fit."""
    rows = subset(table, rows_per_column, seed)
    assert rows is not None
    k = n_components(table, rows.train.shape[1])
    linear = (PCA(k, random_state=seed), FactorAnalysis(k, random_state=seed))
    models: dict[str, Callable[[], Any]] = {
        type(model).__name__: lambda model=model: LinearGaussian(model) for model in linear
    }
    models |= dict.fromkeys(SAFEGUARDS, lambda: InteLVAE(k, random_state=seed))
    found = {"n": len(rows.train), "columns": rows.train.shape[1]}
    for name, new in models.items():
        with without(name):
            found[name] = float(np.mean(new().fit(rows.train).score_samples(rows.test)))
    return found


@contextmanager
def without(safeguard: str) -> Iterator[None]:
    """Switch a safeguard off, for a while."""
    with ExitStack() as stack:
        for owner, name, value in SAFEGUARDS.get(safeguard, []):
            stack.enter_context(mock.patch.object(owner, name, value))
        yield


def above_linear(rows: pd.DataFrame) -> pd.DataFrame:
    """Return by how much the fits exceed the better linear model, by the rows for each column."""
    found = []
    for rows_per_column, own in rows.groupby("rows_per_column"):
        best = own[["PCA", "FactorAnalysis"]].max(axis=1)
        for name in SAFEGUARDS:
            change = own[name] - best
            found.append(
                {
                    "rows per column": rows_per_column,
                    "fit": name,
                    "fits": len(own),
                    "at least the linear models - .05": int((change >= -_TOLERANCE).sum()),
                    "median change per column": (change / own["columns"]).median(),
                    "lowest change per column": (change / own["columns"]).min(),
                }
            )
    return pd.DataFrame(found).round(3)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows that are missing, and write the tables."""
    options, results = command_line(__doc__, SCALES, argv)
    scale = options.scale
    cases = [
        {"table": name, "rows_per_column": share, "seed": seed}
        for seed in some(scale, SEEDS)
        for name in (("wankara", "uniform") if scale == "quick" else TABLES)
        for share in (ROWS_PER_COLUMN[:2] if scale == "quick" else ROWS_PER_COLUMN)
        if subset(name, share, seed) is not None
    ]
    rows = results.rows(f"league/few_rows_{scale}", cases, case)
    results.write(
        f"league/few_rows_{scale}",
        "The default fit to few rows",
        [above_linear(rows)],
        [rows],
        note="Held-out nats per row above the better of PCA and factor analysis.",
    )


if __name__ == "__main__":
    main()
