"""What a start at a linear model gives ClusteredInteLVAE, SoftIntroVAE and PCL.

Run ``python -m benchmarks.league.others``; it resumes where it stopped. Each estimator is fitted
from the linear model and from random weights, each with its default number of steps and with a
quarter of that from random weights. By default all three start at random weights: the shift of
clusters is not a linear function, and the game needs a warm-up. Here they start at the linear model
without shift, which then grows as it does by default, and without the warm-up of the costs. PCL
starts at independent component analysis. It is measured on series of known factors; of the others,
the classes of the tables are known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from benchmarks._report import command_line, some
from benchmarks.league._measures import of_codes
from benchmarks.league.tables import n_components, standardized
from sklearn_intelvae import PCL, ClusteredInteLVAE, SoftIntroVAE
from sklearn_intelvae.datasets import make_entangled_factors
from sklearn_intelvae.metrics import frechet_distance, mean_correlation
from sklearn_intelvae.models import _linear_start
from sklearn_intelvae.models._linear_start import inverse_at_start
from sklearn_intelvae.objectives import SoftIntro

SCALES = ("quick", "small")
SEEDS = range(3)
STARTS = ("linear model", "random weights")
SHARES = (1.0, 0.25)
TABLES = ("wine", "diabetes", "breast_cancer", "vehicle", "digits")
_FACTORS, _AUTOCORRELATIONS = 4, (0.95, 0.85, 0.7, 0.5)


def mixed_series(n_rows: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a curved function of series with different autocorrelations, and the series."""
    rng = np.random.default_rng(seed)
    rho = np.array(_AUTOCORRELATIONS)
    factors = np.zeros((n_rows, _FACTORS))
    steps = rng.laplace(scale=np.sqrt(0.5), size=factors.shape)
    for t in range(1, n_rows):
        factors[t] = rho * factors[t - 1] + np.sqrt(1 - rho**2) * steps[t]
    rotation = np.linalg.qr(rng.normal(size=(_FACTORS, _FACTORS)))[0]
    hidden = factors @ rotation
    X = np.where(hidden > 0, hidden, 0.3 * hidden) @ rng.normal(size=(_FACTORS, 10))
    return X + noise * rng.normal(size=X.shape), factors


SERIES: dict[str, Callable[[int], Sequence[Any]]] = {
    "entangled": lambda seed: make_entangled_factors(4000, random_state=seed),
    "entangled, perturbed": lambda seed: make_entangled_factors(
        4000, perturbation=1.4, random_state=seed
    ),
    "mixed series": lambda seed: mixed_series(4000, 0.0, seed),
    "mixed series with noise": lambda seed: mixed_series(4000, 0.3, seed),
    "mixed series of 600 rows": lambda seed: mixed_series(600, 0.0, seed),
}


def case(estimator: str, data: str, start: str, share: float, seed: int) -> dict[str, float]:
    """Fit an estimator from one of the starts, with a share of the steps."""
    settings = {"linear_path": start == "linear model", "random_state": seed}
    if estimator == "PCL":
        X, factors = SERIES[data](seed)[:2]
        model, seconds = _fitted(PCL(_FACTORS, **settings), X, share)
        found = {"correlation": float(mean_correlation(model.transform(X), factors))}
        return found | {"fit_seconds": seconds}
    rows = standardized(data, seed)
    k = n_components(data, rows.train.shape[1])
    if estimator == "ClusteredInteLVAE":
        n_classes = 3 if rows.y_train is None else len(np.unique(rows.y_train))
        new: Any = ClusteredInteLVAE(n_classes, n_components=k, **settings)
    else:
        new = SoftIntroVAE(k, **settings)
    with (
        mock.patch.object(SoftIntro, "needs_warmup", False),
        mock.patch.object(_linear_start, "inverse_at_start", _inverse_before_the_shift),
    ):
        model, seconds = _fitted(new, rows.train, share)
    samples = np.asarray(model.sample(len(rows.test), random_state=seed), dtype=np.float64)
    found = {
        "log_p": float(model.score(rows.test)),
        "frechet": float(frechet_distance(rows.test, samples)),
        "fit_seconds": seconds,
    }
    if rows.y_train is None:
        return found
    Z, Z_test = model.transform(rows.train), model.transform(rows.test)
    found |= of_codes(Z, rows.y_train, Z_test, rows.y_test)
    if estimator == "ClusteredInteLVAE":
        labels = model.predict(rows.test)
        found["rand_index"] = float(adjusted_rand_score(rows.y_test, labels))
    return found


def _inverse_before_the_shift(mapping: Any, k: int) -> Any:
    """Return the linear function from z to y at progress 0, where clusters are not shifted yet."""
    mapping.train().set_progress(0.0)
    with mock.patch.object(_linear_start, "evaluated", nullcontext):
        found = inverse_at_start(mapping, k)
    mapping.set_progress(1.0)
    return found


def _fitted(model: Any, X: np.ndarray, share: float) -> tuple[Any, float]:
    """Return the fitted model and the seconds of its fit."""
    if share < 1:  # of the steps from random weights
        own, _ = model._recipes
        epochs = own.n_epochs(len(X), own.batch_size(len(X)))
        model.set_params(max_iter=max(1, round(share * epochs)))
    start = time.perf_counter()
    model.fit(X)
    return model, round(time.perf_counter() - start, 3)


def comparison(rows: pd.DataFrame, estimator: str) -> pd.DataFrame:
    """Return the means over seeds of one estimator: a line for each table and start."""
    kept = rows[rows["estimator"] == estimator].dropna(axis=1, how="all")
    keys = ["estimator", "data", "share", "start"]
    measured = ("correlation", "log_p", "frechet", "rand_index", "logistic_20", "neighbors_50")
    names = [n for n in (*measured, "fit_seconds") if n in kept]
    return kept.groupby(keys, sort=False)[names].mean().round(3).reset_index()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows that are missing, and write the tables."""
    options, results = command_line(__doc__, SCALES, argv)
    scale = options.scale
    data = {
        "PCL": some(scale, tuple(SERIES)),
        "ClusteredInteLVAE": some(scale, TABLES),
        "SoftIntroVAE": some(scale, TABLES),
    }
    cases = [
        {"estimator": estimator, "data": name, "start": start, "share": share, "seed": seed}
        for estimator, names in data.items()
        for name in names
        for seed in some(scale, SEEDS)
        for start in STARTS
        for share in (SHARES[-1:] if scale == "quick" else SHARES)
    ]
    rows = results.rows(f"league/others_{scale}", cases, case)
    results.write(
        f"league/others_{scale}",
        "Starts of the other estimators",
        [comparison(rows, estimator) for estimator in data],
        [rows],
        note=(
            "correlation: of codes with the factors. share: of the default number of steps from "
            "random weights; 1 is the default number of each start."
        ),
    )


if __name__ == "__main__":
    main()
