"""Samples between two clusters (the paper's Table 2), and ten clusters of digits.

Run ``python -m benchmarks.intelvae.clusters --scale small``. The tables are
``clusters_<scale>_two.md`` and ``clusters_<scale>_ten.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

from benchmarks._holes import hole_share
from benchmarks._images import IMAGE_SHAPES, images
from benchmarks._report import Results, command_line, mean_and_spread, seeds_of, some
from benchmarks.intelvae._rivals import MODELS, PAPER_NAMES, rivals
from benchmarks.intelvae._scale import SCALES, Scale
from benchmarks.intelvae._zeros_and_ones import (
    held_out_rows,
    settings,
    training_rows,
    zero_one_classifier,
)
from sklearn_intelvae import InteLVAE
from sklearn_intelvae.datasets import make_two_gaussians
from sklearn_intelvae.mappings import Clusters
from sklearn_intelvae.plotting import plot_images

N_ROWS = {"quick": 500, "small": 2000, "full": 20_000}
SEEDS_TWO, SEEDS_TEN = range(10), range(5)
N_SAMPLES = 10_000
CERTAIN = 0.8
_ANOTHER_DRAW = 1000

GAUSSIANS, DIGITS = "two Gaussians", "zeros and ones"
TWO = ((GAUSSIANS, 1), (GAUSSIANS, 2), (DIGITS, 1))
PAPER = {
    "data": "0.2 ± 0.1 / 50.0 ± 0.2",
    "VAE": "2.5 ± 0.4 / 48.8 ± 0.2",
    "MoG-VAE": "4.5 ± 0.8 / 47.7 ± 0.4",
    "GM-VAE": "3.5 ± 1.8 / 48.1 ± 0.3",
    "Vamp-VAE": "2.4 ± 0.3 / 48.8 ± 0.1",
    "InteL-VAE": "0.9 ± 0.8 / 49.5 ± 0.4",
}


class Problem(NamedTuple):
    """Training and test rows of two classes, and a classifier of the two."""

    X: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    classifier: LogisticRegression
    settings: dict[str, object]


def problem(scale: Scale, data: str, seed: int) -> Problem:
    """Return the rows of a seed."""
    if data == DIGITS:
        X, _ = training_rows(scale.digits, 0.5, seed)
        test = held_out_rows(scale.digits)
        return Problem(X, *test, zero_one_classifier(scale.digits), settings(scale))
    X, y = make_two_gaussians(N_ROWS[scale.name], random_state=seed)
    test = make_two_gaussians(N_ROWS["small"], random_state=_ANOTHER_DRAW + seed)
    return Problem(X, *test, LogisticRegression().fit(X, y), scale.length())


def two(scale: Scale, data: str, n_components: int, model: str, seed: int) -> dict[str, float]:
    """Fit one model of two classes; measure its samples and how it divides new rows."""
    rows = problem(scale, data, seed)
    if model == "data":
        drawn = np.random.default_rng(seed).integers(len(rows.X_test), size=N_SAMPLES)
        return of_samples(data, rows, rows.X_test[drawn])
    means = [[side, *[0.0] * (n_components - 1)] for side in (-2.0, 2.0)]
    parameters = rows.settings | rivals(means, 2)[model]
    vae = InteLVAE(n_components, random_state=seed, **parameters).fit(rows.X)
    return of_samples(data, rows, vae.sample(N_SAMPLES, random_state=seed)) | {
        "purity %": 100 * purity(vae, rows.X_test, rows.y_test),
        "log_likelihood": vae.score(rows.X_test),
    }


def of_samples(data: str, rows: Problem, X: np.ndarray) -> dict[str, float]:
    """Return shares of samples in percent: of uncertain class, of ones, between the Gaussians."""
    probabilities = rows.classifier.predict_proba(X)
    return {
        "uncertain %": 100 * (probabilities.max(axis=1) < CERTAIN).mean(),
        "ones %": 100 * (probabilities[:, 1] > 0.5).mean(),
        "between %": 100 * hole_share("two_gaussians", X) if data == GAUSSIANS else np.nan,
    }


def purity(vae: InteLVAE, X: np.ndarray, y: np.ndarray) -> float:
    """Return the accuracy of the two halves of the latent as classes.

    The halves are the regions of the mapping or the modes of the prior. A model with neither is
    divided at zero along the component that separates the classes best.
    """
    halves = vae.predict(X)[:, None] if hasattr(vae, "predict") else vae.encode(X)[0] > 0
    accuracy = (halves == y[:, None]).mean(axis=0)
    return float(np.maximum(accuracy, 1 - accuracy).max())


def ten(scale: Scale, method: str, seed: int) -> dict[str, float]:
    """Divide images of all digits into ten groups."""
    X, y, _, _ = images(scale.digits)
    X, y = X[: scale.n_images], y[: scale.n_images]
    found = methods_of_ten(scale, seed)[method].fit(X).predict(X)
    table = contingency_matrix(y, found)
    matched = table[linear_sum_assignment(-table)].sum()
    shares = np.bincount(found, minlength=10) / len(found)
    return {
        "accuracy": matched / len(y),
        "nmi": normalized_mutual_info_score(y, found),
        "smallest_share": shares.min(),
        "largest_share": shares.max(),
    }


def methods_of_ten(scale: Scale, seed: int) -> dict[str, object]:
    """Return the estimators that divide images into ten groups."""
    mixture = GaussianMixture(10, random_state=seed)
    found = {
        "k-means": KMeans(10, n_init=10, random_state=seed),
        "PCA(30), Gaussian mixture": make_pipeline(PCA(30, random_state=seed), mixture),
    }
    parameters = dict(likelihood="bernoulli", random_state=seed, **scale.network())
    for learned, label in ((False, "Clusters(10)"), (True, "learned proportions")):
        mapping = Clusters(10, learn_proportions=learned)
        for n_components in (2, 8):
            vae = InteLVAE(n_components, mapping=mapping, **parameters)
            found[f"InteLVAE({n_components}), {label}"] = vae
    return found


def picture(scale: Scale) -> Figure:
    """Draw ten samples of each cluster, one row for each."""
    vae = methods_of_ten(scale, 0)["InteLVAE(8), Clusters(10)"]
    vae.fit(images(scale.digits)[0][: scale.n_images])
    X = np.concatenate([vae.sample(10, cluster=k, random_state=0) for k in range(10)])
    figure = Figure(figsize=(6, 6), layout="constrained")
    plot_images(X, IMAGE_SHAPES[scale.digits], n_columns=10, ax=figure.subplots())
    return figure


def write_two(scale: Scale, results: Results) -> None:
    """Fit and write the models of two clusters."""
    name, seeds = f"intelvae/clusters_{scale.name}_two", some(scale.name, SEEDS_TWO)
    cases = [
        {"data": data, "n_components": n_components, "model": model, "seed": seed}
        for data, n_components in TWO
        for seed in seeds
        for model in ("data", *MODELS)
    ]
    rows = results.rows(name, cases, partial(two, scale))
    results.write(
        name,
        f"Two clusters, scale {scale.name}",
        [with_paper(rows)],
        [rows],
        note=(
            f"Two Gaussians: {N_ROWS[scale.name]} rows of make_two_gaussians, default parameters. "
            f"Digits: zeros and ones of {scale.digits}, at most 5000 each, Bernoulli likelihood, "
            f"the same parameters for all models. {seeds_of(rows)}, mean ± standard deviation. "
            f"Measured on {N_SAMPLES} samples of each model's own prior, which are means of "
            "p(X | z): uncertain, the share to which a logistic regression on real rows gives no "
            f"class a probability of {CERTAIN}; ones, the share that it classifies as one; "
            "between, the share with abs(x_1) < 1, between the Gaussians. Measured on new rows: "
            "purity of the two halves of the latent (regions of the mapping or modes of the prior, "
            "else the sides of the best component), and the lower bound on log p(x) in nats. "
            "The row data is drawn from the new rows themselves. Fixed mixture: means -2 and 2, "
            "log-variance 1; VampPrior: 500 pseudo-inputs.\n\n"
            "Paper: uncertain % / ones % of its Table 2, which also reports 16.2 ± 2.1 / "
            "42.5 ± 1.0 for a Sylvester flow; its baselines may have been sampled from N(0, I), "
            "not from their priors."
        ),
    )


def write_ten(scale: Scale, results: Results) -> None:
    """Fit and write the models of ten clusters."""
    name, seeds = f"intelvae/clusters_{scale.name}_ten", some(scale.name, SEEDS_TEN)
    methods = list(methods_of_ten(scale, 0))
    cases = [{"method": method, "seed": seed} for seed in seeds for method in methods]
    rows = results.rows(name, cases, partial(ten, scale))
    results.picture(f"intelvae/clusters_{scale.name}", partial(picture, scale))
    results.write(
        name,
        f"Ten clusters, scale {scale.name}",
        [with_smallest(rows)],
        [rows],
        note=(
            f"The first {scale.n_images} training images of {scale.digits}, {seeds_of(rows)}, "
            "mean ± standard deviation; accuracy after the best matching of clusters with digits; "
            "normalized mutual information. The paper has no such table."
        ),
    )


def with_paper(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads, the worst seed, and the paper's figures."""
    by = ["data", "n_components", "model"]
    table = mean_and_spread(rows, by, digits=2)
    grouped = rows.groupby(by, sort=False)
    paper = table["model"].map({"data": "data"} | dict(zip(MODELS, PAPER_NAMES, strict=True)))
    paper = paper.map(PAPER) + " (" + paper + ")"
    worst_purity = grouped["purity %"].min().map("{:.2f}".format).replace("nan", "")
    return table.assign(
        **{
            "worst uncertain %": grouped["uncertain %"].max().to_numpy().round(2),
            "worst purity %": worst_purity.to_numpy(),
            "paper": paper.where(table["data"] == DIGITS, ""),
            "commit": table.pop("commit"),
        }
    )


def with_smallest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads, and the smallest cluster of all seeds."""
    smallest = rows.groupby("method", sort=False)["smallest_share"].min().round(3)
    table = mean_and_spread(rows, ["method"])
    return table.assign(smallest_of_all_seeds=smallest.to_numpy(), commit=table.pop("commit"))


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, SCALES, argv)
    write_two(SCALES[options.scale], results)
    write_ten(SCALES[options.scale], results)


if __name__ == "__main__":
    main()
