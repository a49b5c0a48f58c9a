"""Samples between two clusters (the paper's Table 2), and ten clusters of digits.

Run ``python benchmarks/intelvae/clusters.py --scale small``. Every fit is a row of
``results/intelvae/clusters_<scale>_two.csv`` or ``_ten.csv`` and is not repeated, and each has its
table; the picture ``clusters_<scale>.png`` is drawn if it is missing. Delete the files to start
anew.
"""

from __future__ import annotations

from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
import torch
from _rivals import MODELS, PAPER_NAMES, rivals
from _shared import (
    RESULTS,
    Scale,
    arguments,
    hole_share,
    images,
    mean_and_spread,
    resumed,
    write,
)
from _zeros_and_ones import classifier, held_out_rows, settings, training_rows
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.datasets import make_two_gaussians
from sklearn_intelvae.mappings import Clusters
from sklearn_intelvae.plotting import plot_images

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N_ROWS = {"small": 2000, "full": 20_000}
SEEDS_TWO, SEEDS_TEN = range(10), range(5)
N_SAMPLES = 10_000
CERTAIN = 0.8
_ANOTHER_DRAW = 1000

GAUSSIANS, DIGITS = "two Gaussians", "MNIST 0 and 1"
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
    """Rows of two classes, and who tells the classes apart."""

    X: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    classifier: LogisticRegression
    settings: dict[str, object]


def problem(scale: Scale, data: str, seed: int) -> Problem:
    """Return the rows of a seed."""
    if data == DIGITS:
        X, _ = training_rows(0.5, seed)
        return Problem(X, *held_out_rows(), classifier(), settings(scale))
    X, y = make_two_gaussians(N_ROWS[scale.name], random_state=seed)
    test = make_two_gaussians(N_ROWS["small"], random_state=_ANOTHER_DRAW + seed)
    return Problem(X, *test, LogisticRegression().fit(X, y), {})


def two(scale: Scale, data: str, n_components: int, model: str, seed: int) -> dict[str, float]:
    """Fit one model of two classes, and measure its samples and how it divides fresh rows."""
    rows = problem(scale, data, seed)
    if model == "data":
        drawn = np.random.default_rng(seed).integers(len(rows.X_test), size=N_SAMPLES)
        return of_samples(data, rows, rows.X_test[drawn])
    means = [[side, *[0.0] * (n_components - 1)] for side in (-2.0, 2.0)]
    settings = rows.settings | rivals(means, 2)[model]
    vae = InteLVAE(n_components, random_state=seed, **settings).fit(rows.X)
    return of_samples(data, rows, vae.sample(N_SAMPLES, random_state=seed)) | {
        "purity %": 100 * purity(vae, rows.X_test, rows.y_test),
        "log_likelihood": vae.score(rows.X_test),
    }


def of_samples(data: str, rows: Problem, X: np.ndarray) -> dict[str, float]:
    """Return what the classifier makes of samples, in percent."""
    probabilities = rows.classifier.predict_proba(X)
    return {
        "uncertain %": 100 * (probabilities.max(axis=1) < CERTAIN).mean(),
        "ones %": 100 * (probabilities[:, 1] > 0.5).mean(),
        "between %": 100 * hole_share("two_gaussians", X) if data == GAUSSIANS else np.nan,
    }


def purity(vae: InteLVAE, X: np.ndarray, y: np.ndarray) -> float:
    """Return the accuracy of the two halves of the latent as classes.

    They are the mapping's regions, the mixture's Gaussians, or the sides of that component which
    divides the classes best.
    """
    if hasattr(vae, "predict"):
        halves = vae.predict(X)[:, None]
    elif hasattr(vae.module_.prior, "responsibilities"):
        with torch.no_grad():
            q = vae.module_.encode(torch.as_tensor(X, dtype=torch.float32, device=device(vae)))
            halves = vae.module_.prior.responsibilities(q.mean).argmax(dim=1)[:, None].cpu().numpy()
    else:
        halves = vae.encode(X)[0] > 0
    accuracy = (halves == y[:, None]).mean(axis=0)
    return float(np.maximum(accuracy, 1 - accuracy).max())


def device(vae: InteLVAE) -> torch.device:
    """Return where a model is."""
    return next(vae.module_.parameters()).device


def ten(scale: Scale, method: str, seed: int) -> dict[str, float]:
    """Divide images of all digits into ten groups."""
    X, y, _, _ = images("mnist")
    X, y = X[: scale.n_images], y[: scale.n_images]
    found = dividers(scale, seed)[method].fit(X).predict(X)
    table = contingency_matrix(y, found)
    matched = table[linear_sum_assignment(-table)].sum()
    shares = np.bincount(found, minlength=10) / len(found)
    return {
        "accuracy": matched / len(y),
        "nmi": normalized_mutual_info_score(y, found),
        "smallest_share": shares.min(),
        "largest_share": shares.max(),
    }


def dividers(scale: Scale, seed: int) -> dict[str, object]:
    """Return the estimators that divide images into ten groups."""
    mixture = GaussianMixture(10, random_state=seed)
    found = {
        "k-means": KMeans(10, n_init=10, random_state=seed),
        "PCA(30), Gaussian mixture": make_pipeline(PCA(30, random_state=seed), mixture),
    }
    settings = dict(likelihood="bernoulli", random_state=seed, **scale.network())
    for learned, label in ((False, "Clusters(10)"), (True, "learned proportions")):
        mapping = Clusters(10, learn_proportions=learned)
        for n_components in (2, 8):
            vae = InteLVAE(n_components, mapping=mapping, **settings)
            found[f"InteLVAE({n_components}), {label}"] = vae
    return found


def picture(scale: Scale) -> None:
    """Draw ten samples of each cluster, a line for each."""
    path = RESULTS / f"intelvae/clusters_{scale.name}.png"
    if path.exists():
        return
    vae = dividers(scale, 0)["InteLVAE(8), Clusters(10)"]
    module = vae.fit(images("mnist")[0][: scale.n_images]).module_
    with torch.no_grad():
        y = module.p_y().sample(N_SAMPLES, torch.Generator(device(vae)).manual_seed(0))
        region = module.mapping.regions(y)
        y = torch.cat([y[region == k][:10] for k in range(10)])
        X = module.decode(module.mapping(y)).mean.cpu().numpy()
    _, ax = plt.subplots(figsize=(6, 6), layout="constrained")
    plot_images(X, (28, 28), n_columns=10, ax=ax).figure.savefig(path, dpi=120)


def write_two(scale: Scale) -> None:
    """Fit and write the models of two clusters."""
    name = f"intelvae/clusters_{scale.name}_two"
    cases = [
        {"data": data, "n_components": n_components, "model": model, "seed": seed}
        for data, n_components in TWO
        for seed in SEEDS_TWO
        for model in ("data", *MODELS)
    ]
    rows = resumed(name, cases, lambda **c: two(scale, **c))
    write(
        name,
        f"Two clusters, scale {scale.name}",
        with_paper(rows),
        note=(
            f"Two Gaussians: {N_ROWS[scale.name]} rows of make_two_gaussians, default settings. "
            "MNIST: 10,000 images, 5000 zeros and 5000 ones, Bernoulli likelihood, all models "
            f"alike. {len(SEEDS_TWO)} seeds, mean ± standard deviation. Of {N_SAMPLES} samples, "
            "each model's from its own prior, taken as means of p(X | z): the share that a "
            "logistic regression on real rows gives no class a probability of "
            f"{CERTAIN}, the share that it calls one, the share with abs(x_1) < 1 between the "
            "Gaussians. On fresh rows: purity of the two halves of the latent (regions of the "
            "mapping, Gaussians of the mixture, else sides of the best component), bound on "
            "log p(x) in nats. The data's own row draws from the fresh rows (of the images: 980 "
            "test images of each digit). Fixed mixture: means -2 and 2, log-variance 1; VampPrior: "
            "500 pseudo-inputs.\n\n"
            "Paper: uncertain % / ones % of its Table 2, where also a Sylvester flow has "
            "16.2 ± 2.1 / 42.5 ± 1.0; its baselines may have been sampled from N(0, I), not their "
            "prior."
        ),
    )


def write_ten(scale: Scale) -> None:
    """Fit and write the models of ten clusters."""
    name = f"intelvae/clusters_{scale.name}_ten"
    methods = list(dividers(scale, 0))
    cases = [{"method": method, "seed": seed} for seed in SEEDS_TEN for method in methods]
    rows = resumed(name, cases, lambda **c: ten(scale, **c))
    picture(scale)
    write(
        name,
        f"Ten clusters, scale {scale.name}",
        with_smallest(rows),
        note=(
            f"The first {scale.n_images} training images of MNIST, {len(SEEDS_TEN)} seeds, mean ± "
            "standard deviation; accuracy after the best matching of clusters with digits, mutual "
            "information normalised. The paper has no such table."
        ),
    )


def with_paper(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads, and the worst seed, beside the paper's."""
    by = ["data", "n_components", "model"]
    table = mean_and_spread(rows, by, digits=2)
    grouped = rows.groupby(by, sort=False)
    names = {"data": "data"} | dict(zip(MODELS, PAPER_NAMES, strict=True))
    paper = table["model"].map(names)
    paper = paper.map(PAPER) + " (" + paper + ")"
    return table.assign(
        **{
            "worst uncertain %": grouped["uncertain %"].max().to_numpy().round(2),
            "worst purity %": grouped["purity %"]
            .min()
            .map("{:.2f}".format)
            .replace("nan", "")
            .to_numpy(),
            "paper": paper.where(table["data"] == DIGITS, ""),
        }
    )


def with_smallest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads, and the smallest cluster of all seeds."""
    smallest = rows.groupby("method", sort=False)["smallest_share"].min().round(3)
    return mean_and_spread(rows, ["method"]).assign(smallest_of_all_seeds=smallest.to_numpy())


def main() -> None:
    scale = arguments(__doc__)
    write_two(scale)
    write_ten(scale)


if __name__ == "__main__":
    main()
