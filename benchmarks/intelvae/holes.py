"""Samples on curves with holes, compared with those of a plain VAE (the paper's Figure 4).

Run ``python -m benchmarks.intelvae.holes --scale small``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks._holes import CURVES, coverage, hole_share, off_curve_share
from benchmarks._report import command_line, commits, in_order, mean_and_spread, seeds_of, some
from benchmarks.intelvae._scale import SCALES, Scale
from sklearn_intelvae import InteLVAE, datasets
from sklearn_intelvae.mappings import Glue, Sphere

SEEDS = range(10)
MODELS = ("VAE", "InteLVAE")
N_ROWS = {"quick": 500, "small": 2000, "full": 20_000}
N_SAMPLES = 5000
_ANOTHER_DRAW = 1000


def curve(shape: str, n_rows: int, seed: int) -> np.ndarray:
    """Return points of a shape, without noise."""
    return getattr(datasets, f"make_{shape}")(n_rows, random_state=seed)[0]


def fitted(scale: Scale, shape: str, model: str, seed: int) -> InteLVAE:
    """Fit one model; all parameters but the mapping are at their defaults."""
    mapping = Glue() if shape == "infinity" else Sphere()
    if model == "VAE":
        mapping = "identity"
    vae = InteLVAE(2, mapping=mapping, prior="normal", random_state=seed, **scale.length())
    return vae.fit(curve(shape, N_ROWS[scale.name], seed))


def case(scale: Scale, shape: str, model: str, seed: int) -> dict[str, float]:
    """Fit one model and measure its samples."""
    start = time.perf_counter()
    vae = fitted(scale, shape, model, seed)
    fit_seconds = time.perf_counter() - start
    X = vae.sample(N_SAMPLES, random_state=seed)
    return {
        "hole_share": hole_share(shape, X),
        "off_curve_share": off_curve_share(shape, X),
        "coverage": coverage(shape, X),
        "score": vae.score(curve(shape, N_ROWS["small"], _ANOTHER_DRAW + seed)),
        "fit_seconds": fit_seconds,
    }


def with_worst(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads, and the values of the worst seed."""
    by = ["shape", "model"]
    grouped = rows.groupby(by, sort=False)
    worst = {
        "worst hole (bar .01)": grouped["hole_share"].max(),
        "worst off (bar .02)": grouped["off_curve_share"].max(),
        "worst coverage (bar 1)": grouped["coverage"].min(),
        "slowest fit (bar 10)": grouped["fit_seconds"].max(),
    }
    table = mean_and_spread(rows.drop(columns=["seconds", "commit"]), by)
    table = table.assign(**{name: column.to_numpy().round(4) for name, column in worst.items()})
    return table.assign(commit=commits(rows, by).to_numpy())


def picture(scale: Scale) -> Figure:
    """Draw data and samples of the first seed's models, one column for each shape."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots(3, len(CURVES))
    for column, shape in zip(axes.T, CURVES, strict=True):
        points = {"data": curve(shape, N_ROWS["small"], 0)}
        for model in MODELS:
            points[model] = fitted(scale, shape, model, 0).sample(N_ROWS["small"], random_state=0)
        for ax, (name, X) in zip(column, points.items(), strict=True):
            ax.scatter(*X.T, s=1, linewidths=0)
            ax.set(title=f"{shape}, {name}", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
            ax.set_axis_off()
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, SCALES, argv)
    scale, seeds = SCALES[options.scale], some(options.scale, SEEDS)
    name = f"intelvae/holes_{scale.name}"
    cases = [
        {"shape": shape, "model": model, "seed": seed}
        for seed in seeds
        for shape in CURVES
        for model in MODELS
    ]
    rows = results.rows(name, cases, partial(case, scale))
    results.picture(name, partial(picture, scale))
    rows = in_order(in_order(rows, "model", MODELS), "shape", CURVES)
    results.write(
        name,
        f"Curves with holes, scale {scale.name}",
        [with_worst(rows)],
        [rows],
        note=(
            f"Two components, {N_ROWS[scale.name]} training rows without noise, all other "
            f"parameters at their defaults, {seeds_of(rows)}, mean ± standard deviation. The "
            "mapping of InteLVAE is Glue() for infinity and Sphere() for the other shapes. "
            f"Measured on {N_SAMPLES} samples, which are means of p(X | z): the share in the hole, "
            "the share farther than 0.25 from the curve, and the share of 100 equally long arcs "
            "of the curve with a sample within 0.25. score: lower bound on log p(x) of new rows, "
            "in nats. Bars for every seed of InteLVAE: at most .01 in the hole, at most .02 off "
            "the curve, the whole curve covered, a fit in less than 10 s.\n\n"
            "Paper: pictures only. The VAE fills the holes, the InteL-VAE leaves them empty."
        ),
    )


if __name__ == "__main__":
    main()
