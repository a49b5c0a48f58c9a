"""Ways to return the codes of one fit, and what classifiers make of them.

Run ``python -m benchmarks.league.codes``; it resumes where it stopped. All but the last two are
functions of the same fit of the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from benchmarks._report import command_line, some
from benchmarks._tables import TABLES, table
from benchmarks.league._measures import of_codes
from benchmarks.league.tables import IMAGES, SMALL_TABLES, n_components, standardized
from sklearn_intelvae import InteLVAE

SCALES = ("quick", "small")
SEEDS = range(2)
KINDS = (
    "principal axes, the default",
    "times the gain of each component",
    "whitened",
    "reconstructions",
    "prior N(0, I), times gain",
    "prior N(0, I), reconstructions",
    "PCA",
    "PCA, whitened",
)


def codes(kind: str, k: int, seed: int, train: np.ndarray, tables: tuple) -> list[np.ndarray]:
    """Return the codes of tables, from a model of the training rows."""
    if kind.startswith("PCA"):
        pca = PCA(k, whiten="whitened" in kind, random_state=seed).fit(train)
        return [pca.transform(X) for X in tables]
    settings: dict[str, Any] = {"prior": "normal"} if kind.startswith("prior") else {}
    vae = InteLVAE(k, random_state=seed, **settings).fit(train)
    if "reconstructions" in kind:
        return [vae.reconstruct(X) for X in tables]
    if kind == KINDS[0]:
        return [vae.transform(X) for X in tables]
    whitened = [vae.set_params(whiten=True).transform(X) for X in tables]
    return whitened if kind == "whitened" else [Z * vae.gain_ for Z in whitened]


def case(table: str, kind: str, seed: int) -> dict[str, float]:
    """Return the accuracies with few labels."""
    rows = standardized(table, seed)
    k = n_components(table, rows.train.shape[1])
    Z, Z_test = codes(kind, k, seed, rows.train, (rows.train, rows.test))
    return of_codes(Z, rows.y_train, Z_test, rows.y_test)


def against_pca(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean difference from PCA of each kind, over tables, and its worst table."""
    probes = [c for c in rows.columns if c.startswith(("logistic", "neighbors"))]
    means = rows.groupby(["kind", "table"], sort=False)[probes].mean()
    change = means - means.loc["PCA"].reindex(means.index, level="table")
    found = change.groupby("kind", sort=False).mean()
    found["worst"] = change.min(axis=1).groupby("kind", sort=False).min()
    return found.round(3).reset_index()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows that are missing, and write the tables."""
    options, results = command_line(__doc__, SCALES, argv)
    scale = options.scale
    names = [t for t in TABLES if t not in IMAGES and table(t).y is not None]
    cases = [
        {"table": t, "kind": kind, "seed": seed}
        for seed in some(scale, SEEDS)
        for t in (SMALL_TABLES[:1] if scale == "quick" else names)
        for kind in KINDS
    ]
    rows = results.rows(f"league/codes_{scale}", cases, case)
    results.write(
        f"league/codes_{scale}",
        "Codes behind a classifier",
        [against_pca(rows)],
        [rows],
        note=(
            "Held-out accuracies of logistic regression and of the nearest neighbor with so many "
            "labels, minus those behind PCA; means over tables. worst: the lowest of all tables "
            "and numbers of labels."
        ),
    )


if __name__ == "__main__":
    main()
