"""Our estimators by default beside PCA, factor analysis, ICA, NMF, mixtures and the raw columns.

Run ``python -m benchmarks.league.tables``; it resumes where it stopped. ``--scale quick`` measures
one seed of three small tables in less than three minutes. Tables are standardized with the means
and standard deviations of the training rows, and columns that are constant there are left out, so
that log-likelihoods and distances have one unit. The number of components is half of that of the
columns, at most 20, and 32 for images.

Most settings were chosen on other tables, ``benchmarks._tables.TUNING_TABLES``. Some tables of the
league were looked at too: breast_cancer, digits, vehicle, segment, satimage, texture, heart, wine
and movement_libras for the penalty of ``SparseInteLVAE``; satimage, segment, vehicle, wine, heart,
breast_cancer and both sets of images for the fitted prior; all tables with classes for the
coordinates of the codes; satimage, digits, breast_cancer and spambase for the learning rate of the
noise; vehicle, digits, segment and the seconds of eight tables for the number of steps and the size
of batches; subsets of rows of the tables that ``few_rows`` names, movement_libras, heart, wine and
vehicle for the safeguards of fits of few rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from benchmarks._report import Results, command_line, some
from benchmarks._tables import TABLES, Split, split
from benchmarks.league._measures import measures
from benchmarks.league._methods import METHODS, fitted

SCALES = ("quick", "small")
SEEDS = range(5)
SLOW = ("UMAP", "TVAE", "random weights", "ClusteredInteLVAE", "SoftIntroVAE")
"""Methods that are measured for two seeds, and for no images."""
_SEEDS_OF_SLOW, _SEEDS_OF_IMAGES = 2, 1
SMALL_TABLES = ("wine", "breast_cancer", "vehicle")
IMAGES = ("fashion_mnist", "mnist")
_LOW = ("frechet", "energy", "auc", "fit_seconds")
"""Measures that are better if they are lower."""


def standardized(name: str, seed: int) -> Split:
    """Return training and held-out rows in units of the training rows."""
    return in_units_of_training_rows(split(name, seed))


def in_units_of_training_rows(rows: Split) -> Split:
    """Return standardized rows; columns in which the training rows do not differ are left out."""
    mean, spread = rows.train.mean(axis=0), rows.train.std(axis=0)
    varies = spread > 1e-9 * np.abs(mean)
    train, test = ((X[:, varies] - mean[varies]) / spread[varies] for X in (rows.train, rows.test))
    return Split(train, test, rows.y_train, rows.y_test)


def n_components(name: str, n_columns: int) -> int:
    """Return the number of components of a table."""
    return 32 if name in IMAGES else int(np.clip(n_columns // 2, 1, 20))


def case(table: str, method: str, seed: int) -> dict[str, float]:
    """Fit one method to one table, and measure it on held-out rows."""
    rows = standardized(table, seed)
    start = time.perf_counter()
    model = fitted(method, rows.train, n_components(table, rows.train.shape[1]), seed)
    seconds = time.perf_counter() - start
    seconds = getattr(model, "seconds_", seconds)
    return {"fit_seconds": round(seconds, 3)} | measures(model, rows, seed)


def by_table(rows: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return the means over seeds of a measure: tables in rows, methods in columns."""
    means = rows.pivot_table(measure, "table", "method", sort=False, dropna=True)
    return means.round(3).reset_index().rename(columns={"table": measure})


def mean_ranks(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the mean rank of each method, 1 for the best, for each measure.

    Over the tables and seeds for which all methods are measured.
    """
    common = rows[~rows["table"].isin(IMAGES) & (rows["seed"] < _SEEDS_OF_SLOW)]
    ranks = {}
    for measure in names:
        means = common.pivot_table(measure, "table", "method", sort=False)
        ranks[measure] = means.rank(axis=1, ascending=measure in _LOW).mean()
    return pd.DataFrame(ranks).round(2).reset_index().rename(columns={"index": "method"})


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows that are missing, and write the tables."""
    options, results = command_line(__doc__, SCALES, argv)
    write(results, options.scale)


def write(results: Results, scale: str) -> None:
    """Measure and write one scale."""
    tables = SMALL_TABLES if scale == "quick" else TABLES
    cases = [
        {"table": table, "method": method, "seed": seed}
        for seed in some(scale, SEEDS)
        for table in tables
        for method in METHODS
        if _is_measured(method, table, seed, scale)
    ]
    rows = results.rows(f"league/tables_{scale}", cases, partial(case))
    measured = [name for name in _measures(rows) if rows[name].notna().any()]
    results.write(
        f"league/tables_{scale}",
        "Real tables",
        [mean_ranks(rows, measured), *(by_table(rows, name) for name in measured)],
        [rows],
        note=(
            "log_p: nats per held-out row. frechet, energy, auc: distance of as many rows drawn "
            "from the model, without noise, from held-out rows (distances: mean of up to ten draws "
            "of small tables), and how well a booster tells them apart. logistic_n, neighbors_n: "
            "held-out accuracy of logistic regression and of the nearest neighbor behind the codes "
            "of n labeled rows, stratified, nothing scaled. hoyer: sparsity of the codes. The "
            "first table has mean ranks over the tables without images, 1 for the best method, of "
            f"two seeds. The others have means over seeds: five, of {', '.join(SLOW)} two, of "
            "images one."
        ),
    )


def _is_measured(method: str, table: str, seed: int, scale: str) -> bool:
    """Return whether a method is measured for a table and a seed, by the time that it takes."""
    if method in ("SoftIntroVAE", "UMAP", "TVAE") and scale == "quick":
        return False
    if table in IMAGES:
        return method not in SLOW and seed < _SEEDS_OF_IMAGES
    return method not in SLOW or seed < _SEEDS_OF_SLOW


def _measures(rows: pd.DataFrame) -> list[str]:
    other = {"table", "method", "seed", "seconds", "date"}
    return [c for c in rows.columns if c not in other and rows[c].dtype.kind == "f"]


if __name__ == "__main__":
    main()
