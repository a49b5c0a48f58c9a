"""Samples of the default fit to images, beside those of PCA's Gaussian.

Run ``python -m benchmarks.league.images``; it resumes where it stopped. The distance is that of
Frechet, of at most 5000 samples from as many test images, in the features of a classifier.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA

from benchmarks._images import frechet, images, n_compared, others
from benchmarks._report import command_line, mean_and_spread, some
from sklearn_intelvae import InteLVAE

SCALES = ("quick", "small")
N_TRAIN = {"quick": 500, "small": 10_000}
N_COMPONENTS = {"digits": 10, "fashion-mnist": 32, "mnist": 50}
LIKELIHOODS = {
    "digits": ("gaussian",),
    "fashion-mnist": ("gaussian", "bernoulli"),
    "mnist": ("bernoulli",),
}
MODELS = ("other test images", "PCA", "InteLVAE", "InteLVAE, normal prior", "random weights")
_SETTINGS = {
    "InteLVAE": {},
    "InteLVAE, normal prior": {"prior": "normal"},
    "random weights": {"linear_path": False},
}


def case(data: str, likelihood: str, model: str, seed: int, n_train: int) -> dict[str, float]:
    """Fit one model to the first images, and measure its samples."""
    X, _, test, _ = images(data)
    X, n, k = X[:n_train], n_compared(data), N_COMPONENTS[data]
    if model == "other test images":
        return {"distance": frechet(data, others(data))}
    start = time.perf_counter()
    if model == "PCA":
        pca = PCA(k, random_state=seed).fit(X)
        codes = np.random.RandomState(seed).normal(size=(n, k)) * np.sqrt(pca.explained_variance_)
        return {"distance": frechet(data, pca.inverse_transform(codes).astype(np.float32))}
    vae = InteLVAE(k, likelihood=likelihood, random_state=seed, **_SETTINGS[model]).fit(X)
    seconds = time.perf_counter() - start
    return {
        "distance": frechet(data, vae.sample(n, random_state=seed)),
        "reconstructions": frechet(data, vae.reconstruct(test[:n])),
        "log_p": float(vae.score(test[:n])),
        "fit_seconds": seconds,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows that are missing, and write the table."""
    options, results = command_line(__doc__, SCALES, argv)
    scale = options.scale
    cases = [
        {
            "data": data,
            "likelihood": likelihood,
            "model": model,
            "seed": seed,
            "n_train": N_TRAIN[scale],
        }
        for seed in some(scale, range(2))
        for data in (("digits",) if scale == "quick" else ("fashion-mnist", "mnist"))
        for likelihood in LIKELIHOODS[data]
        for model in MODELS
        if model in _SETTINGS or likelihood == LIKELIHOODS[data][0]
    ]
    rows = results.rows(f"league/images_{scale}", cases, case)
    table = mean_and_spread(rows.drop(columns="n_train"), ["data", "likelihood", "model"], digits=2)
    results.write(
        f"league/images_{scale}",
        "Samples of the default fit to images",
        [table],
        [rows],
        note="10,000 training images. log_p: nats per test image, in the unit of the likelihood.",
    )


if __name__ == "__main__":
    main()
