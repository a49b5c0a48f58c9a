"""Learned proportions of two clusters of unequal size (the paper's Table 3).

Run ``python -m benchmarks.intelvae.proportions --scale small``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from benchmarks._report import command_line, commits, mean_and_spread, seeds_of, some
from benchmarks.intelvae._scale import SCALES, Scale
from benchmarks.intelvae._zeros_and_ones import settings, training_rows, zero_one_classifier
from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import Clusters

SEEDS = range(5)
SHARES = (0.5, 0.4, 0.25, 0.2, 0.1)
N_SAMPLES = 10_000
PAPER = {0.5: "0.47 ± 0.01", 0.4: "0.36 ± 0.10", 0.25: "0.25 ± 0.08", 0.2: "0.16 ± 0.11"}


def case(scale: Scale, share: float, seed: int) -> dict[str, float]:
    """Fit one model to zeros and ones with this share of zeros."""
    X, y = training_rows(scale.digits, share, seed)
    mapping = Clusters(2, learn_proportions=True)
    vae = InteLVAE(1, mapping=mapping, random_state=seed, **settings(scale)).fit(X)
    found = vae.predict(X)
    cluster = np.bincount(found[y == 0]).argmax()
    learned = vae.module_.mapping.proportions[cluster].item()
    samples = vae.sample(N_SAMPLES, random_state=seed)
    generated = (zero_one_classifier(scale.digits).predict(samples) == 0).mean()
    return {
        "rows": len(X),
        "learned": learned,
        "generated": generated,
        "error": abs(learned - share),
        "error_of_generated": abs(generated - share),
        "right_direction": float(share == 0.5 or (learned < 0.5) == (share < 0.5)),
        "purity": ((found == cluster) == (y == 0)).mean(),
    }


def with_paper(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads, the worst seed, and the paper's figures."""
    grouped = rows.groupby("share", sort=False)
    right = grouped["right_direction"].sum().map("{:.0f} of ".format)
    extra = {
        "rows": grouped["rows"].first(),
        "largest error": grouped["error"].max().round(3),
        "right direction": right + grouped["seed"].count().astype(str),
        "paper, learned": pd.Series({share: PAPER.get(share, "") for share in SHARES}),
        "commit": commits(rows, ["share"]),
    }
    means = mean_and_spread(rows.drop(columns=["rows", "right_direction", "commit"]), ["share"])
    return means.assign(**{name: means["share"].map(column) for name, column in extra.items()})


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, SCALES, argv)
    scale, seeds = SCALES[options.scale], some(options.scale, SEEDS)
    name = f"intelvae/proportions_{scale.name}"
    cases = [{"share": share, "seed": seed} for seed in seeds for share in SHARES]
    rows = results.rows(name, cases, partial(case, scale))
    results.write(
        name,
        f"Learned proportions, scale {scale.name}",
        [with_paper(rows)],
        [rows],
        note=(
            f"Zeros and ones of the training images of {scale.digits}, no image twice, at most "
            "10,000 and as many as have exactly the share; InteLVAE(1, mapping=Clusters(2, "
            f"learn_proportions=True)), Bernoulli likelihood, {seeds_of(rows)}, mean ± standard "
            "deviation. share: that of the zeros. learned: proportion of the cluster with the most "
            f"zeros. generated: share of zeros among {N_SAMPLES} samples, by a logistic "
            "regression. error: absolute difference from the share. purity: share of training "
            "images in the cluster of their digit.\n\n"
            "Paper: 10 runs; it also reports 0.02 ± 0.01 for a share of 0. If its shares are those "
            "of images that are repeated and were not balanced first, then .5, .4, .25 and .2 "
            "correspond to .468, .369, .227 and .180 here."
        ),
    )


if __name__ == "__main__":
    main()
