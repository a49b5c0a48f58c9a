"""Learned proportions of two clusters of unequal size (the paper's Table 3).

Run ``python benchmarks/intelvae/proportions.py --scale small``. Every fit is a row of
``results/intelvae/proportions_<scale>.csv`` and is not repeated; delete the file to start anew.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _shared import Scale, arguments, mean_and_spread, resumed, write
from _zeros_and_ones import classifier, settings, training_rows

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import Clusters

SEEDS = range(5)
SHARES = (0.5, 0.4, 0.25, 0.2, 0.1)
N_SAMPLES = 10_000
PAPER = {0.5: "0.47 ± 0.01", 0.4: "0.36 ± 0.10", 0.25: "0.25 ± 0.08", 0.2: "0.16 ± 0.11"}


def case(scale: Scale, share: float, seed: int) -> dict[str, float]:
    """Fit one model to zeros and ones of which the zeros have this share."""
    X, y = training_rows(share, seed)
    mapping = Clusters(2, learn_proportions=True)
    vae = InteLVAE(1, mapping=mapping, random_state=seed, **settings(scale)).fit(X)
    found = vae.predict(X)
    cluster = np.bincount(found[y == 0]).argmax()
    learned = vae.module_.mapping.proportions[cluster].item()
    generated = classifier().predict(vae.sample(N_SAMPLES, random_state=seed))
    return {
        "rows": len(X),
        "learned": learned,
        "generated": (generated == 0).mean(),
        "error": abs(learned - share),
        "error_of_generated": abs((generated == 0).mean() - share),
        "right_direction": float(share == 0.5 or (learned < 0.5) == (share < 0.5)),
        "purity": ((found == cluster) == (y == 0)).mean(),
    }


def beside_paper(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads, and the worst seed, beside the paper's."""
    grouped = rows.groupby("share", sort=False)
    right = grouped["right_direction"].sum().map("{:.0f} of ".format)
    extra = {
        "rows": grouped["rows"].first(),
        "largest error": grouped["error"].max().round(3),
        "right direction": right + grouped["seed"].count().astype(str),
        "paper, learned": pd.Series({share: PAPER.get(share, "") for share in SHARES}),
    }
    means = mean_and_spread(rows.drop(columns=["rows", "right_direction"]), ["share"])
    return means.assign(**{k: means["share"].map(column) for k, column in extra.items()})


def main() -> None:
    scale = arguments(__doc__)
    cases = [{"share": share, "seed": seed} for seed in SEEDS for share in SHARES]
    rows = resumed(f"intelvae/proportions_{scale.name}", cases, lambda **c: case(scale, **c))
    write(
        f"intelvae/proportions_{scale.name}",
        f"Learned proportions, scale {scale.name}",
        beside_paper(rows),
        note=(
            "MNIST's zeros and ones, training images, no image twice, at most 10,000 and as many "
            "as have exactly the share; InteLVAE(1, mapping=Clusters(2, learn_proportions=True)), "
            f"Bernoulli likelihood, {len(SEEDS)} seeds, mean ± standard deviation. share: that of "
            "the zeros. learned: proportion of the cluster that holds most zeros. generated: share "
            f"of zeros among {N_SAMPLES} samples, by a logistic regression. error: absolute "
            "difference from the share. purity: share of training images in the cluster of their "
            "digit.\n\n"
            "Paper: 10 runs; it also has 0.02 ± 0.01 for a share of 0. Its shares may be those of "
            "repeated images that were not balanced first: then .5, .4, .25, .2 stand for .468, "
            ".369, .227, .180."
        ),
    )


if __name__ == "__main__":
    main()
