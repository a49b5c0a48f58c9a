"""Sparsity, likelihood, few labels, and clusters on the bundled digits.

Run ``python -m benchmarks.digits``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split

from benchmarks._report import command_line, mean_and_spread, seeds_of, some
from sklearn_intelvae import InteLVAE, SparseInteLVAE
from sklearn_intelvae.mappings import Clusters
from sklearn_intelvae.metrics import few_label_curve, hoyer_sparsity

SEEDS = range(5)
N_COMPONENTS = 20
LIKELIHOODS = ("bernoulli", "gaussian")
SPARSE = {"sparse": {}, "sparser": {"sparsity": 0.7, "max_cost": 0.2}}
MODELS = ("VAE", *SPARSE)
METHODS = (
    "k-means",
    "Gaussian mixture",
    "InteLVAE(2), Clusters(10)",
    "InteLVAE(8), Clusters(10)",
)
LENGTH = {"quick": {"max_iter": 5}, "small": {}}
N_DRAWS = {"quick": 1, "small": 10}


def sparsity(scale: str, likelihood: str, model: str, seed: int) -> dict[str, float]:
    """Fit one model to 70 % of the digits and measure it on the rest."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X / 16, y, test_size=0.3, stratify=y, random_state=seed
    )
    settings = {"likelihood": likelihood, "random_state": seed, **LENGTH[scale]}
    if model == "VAE":
        vae = InteLVAE(N_COMPONENTS, **settings)
    else:
        vae = SparseInteLVAE(N_COMPONENTS, **SPARSE[model], **settings)
    Z_train, Z_test = vae.fit(X_train).transform(X_train), vae.transform(X_test)
    row = {
        "hoyer": hoyer_sparsity(Z_test),
        "log_likelihood": vae.score(X_test),
        "active": len(vae.active_components_),
    }
    for probe in ("linear", "forest"):
        curve = few_label_curve(
            Z_train,
            y_train,
            Z_test,
            y_test,
            (20, 50, 500),
            probe,
            n_repeats=N_DRAWS[scale],
            random_state=seed,
        )
        row |= {f"{probe}_{n}": a for n, a in zip(curve["n_labels"], curve["mean"], strict=True)}
    return row


def clusters(scale: str, method: str, seed: int) -> dict[str, float]:
    """Divide all digits into ten groups."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    settings = {"mapping": Clusters(10), "random_state": seed, **LENGTH[scale]}
    methods = {
        "k-means": KMeans(10, n_init=10, random_state=seed),
        "Gaussian mixture": GaussianMixture(
            10, covariance_type="diag", reg_covar=1e-3, random_state=seed
        ),
        "InteLVAE(2), Clusters(10)": InteLVAE(2, **settings),
        "InteLVAE(8), Clusters(10)": InteLVAE(8, **settings),
    }
    labels = methods[method].fit(X).predict(X)
    shares = np.bincount(labels, minlength=10) / len(labels)
    return {
        "nmi": normalized_mutual_info_score(y, labels),
        "smallest_share": shares.min(),
        "largest_share": shares.max(),
    }


def with_smallest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads, and the smallest cluster of all seeds."""
    smallest = rows.groupby("method", sort=False)["smallest_share"].min().round(3)
    table = mean_and_spread(rows, ["method"])
    return table.assign(smallest_of_all_seeds=smallest.to_numpy(), commit=table.pop("commit"))


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, LENGTH, argv)
    scale, seeds = options.scale, some(options.scale, SEEDS)
    cases = [
        {"likelihood": likelihood, "model": model, "seed": seed}
        for likelihood in some(scale, LIKELIHOODS)
        for model in some(scale, MODELS, 2)
        for seed in seeds
    ]
    rows = results.rows("digits_sparsity", cases, partial(sparsity, scale))
    cases = [{"method": method, "seed": seed} for method in METHODS for seed in seeds]
    grouped = results.rows("digits_clusters", cases, partial(clusters, scale))
    results.write(
        "digits",
        f"Digits: 1797 images of 8 x 8 pixels, mean ± standard deviation over {seeds_of(rows)}",
        [mean_and_spread(rows, ["likelihood", "model"]), with_smallest(grouped)],
        [rows, grouped],
        note=(
            f"{N_COMPONENTS} components, default parameters, 30 % held out; log-likelihood in nats "
            "per row, importance-weighted with 32 particles; accuracy of a linear probe and of the "
            "paper's small random forest at 20, 50 and 500 labels, mean of "
            f"{N_DRAWS[scale]} draws of labels. "
            "Clusters: all rows; mutual information with the digit, normalized."
        ),
    )


if __name__ == "__main__":
    main()
