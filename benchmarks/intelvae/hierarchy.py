"""Which level of a hierarchical latent carries the coarse class (the paper's appendix B).

Run ``python -m benchmarks.intelvae.hierarchy --scale small``. The paper shows CelebA, which is in
no package registry. Here its Figure B.2, with five levels, is repeated on Fashion-MNIST.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._images import IMAGE_SHAPES, images
from benchmarks._report import command_line, mean_and_spread, seeds_of, some
from benchmarks.intelvae._scale import SCALES, Scale
from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import Hierarchy
from sklearn_intelvae.plotting import plot_images

SEEDS = range(5)
MODELS = ("VAE", "InteLVAE, Hierarchy(5)")
N_LEVELS, LEVEL_SIZE = 5, 4
COARSE = np.array([0, 1, 0, 2, 0, 3, 0, 3, 4, 3])
"""The coarse class of each of the ten classes: tops, trousers, dresses, shoes, bags."""
_SHOWN = 7


def fitted(scale: Scale, model: str, seed: int) -> InteLVAE:
    """Fit the hierarchy, or a plain VAE of the same size."""
    X, _, _, _ = images(scale.clothes)
    vae = InteLVAE(
        N_LEVELS * LEVEL_SIZE,
        mapping="identity" if model == "VAE" else Hierarchy(N_LEVELS),
        prior="normal",
        likelihood="bernoulli",
        random_state=seed,
        **scale.network(),
    )
    return vae.fit(X[: scale.n_images])


def case(scale: Scale, model: str, seed: int) -> dict[str, float]:
    """Return how well a classifier predicts the coarse and the fine class from each level."""
    vae = fitted(scale, model, seed)
    _, _, X_test, y_test = images(scale.clothes)
    Z = vae.transform(X_test).reshape(len(X_test), N_LEVELS, LEVEL_SIZE)
    row = {"log_likelihood": vae.score(X_test[:2000])}
    for name, label in (("coarse", COARSE[y_test]), ("fine", y_test)):
        for level in range(N_LEVELS):
            row[f"{name}_{level}"] = probe(Z[:, level], label)
    return row


def probe(codes: np.ndarray, label: np.ndarray) -> float:
    """Return the accuracy of a linear classifier, fitted to four fifths, on the rest."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    n = len(codes) * 4 // 5
    return classifier.fit(codes[:n], label[:n]).score(codes[n:], label[n:])


def picture(scale: Scale) -> Figure:
    """Draw images in which one level is sampled anew and the others are kept: one row per level."""
    vae = fitted(scale, MODELS[1], 0).set_params(output="posterior_mean")
    _, _, X_test, y_test = images(scale.clothes)
    intermediary, _ = vae.encode(X_test[y_test == _SHOWN][:1])
    rng = np.random.default_rng(0)
    rows = []
    for level in range(N_LEVELS):
        Y = np.repeat(intermediary, 10, axis=0)
        block = slice(level * LEVEL_SIZE, (level + 1) * LEVEL_SIZE)
        Y[1:, block] = rng.standard_normal((9, LEVEL_SIZE))
        rows.append(vae.inverse_transform(Y.astype(np.float32)))
    figure = Figure(figsize=(6, 3), layout="constrained")
    shape = IMAGE_SHAPES[scale.clothes]
    plot_images(np.concatenate(rows), shape, n_columns=10, ax=figure.subplots())
    return figure


def by_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the coarse accuracy of level 0 and of the best other level, for each row."""
    coarse = rows[[f"coarse_{level}" for level in range(N_LEVELS)]]
    best = coarse.drop(columns="coarse_0").max(axis=1)
    table = rows.assign(level_0=coarse["coarse_0"], best_other=best)
    return table[["model", "seed", "level_0", "best_other", "commit"]]


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, SCALES, argv)
    scale, seeds = SCALES[options.scale], some(options.scale, SEEDS)
    name = f"intelvae/hierarchy_{scale.name}"
    cases = [{"model": model, "seed": seed} for seed in seeds for model in MODELS]
    rows = results.rows(name, cases, partial(case, scale))
    results.picture(name, partial(picture, scale), dpi=80)
    results.write(
        name,
        f"Hierarchy: linear probes of each level of z, {scale.clothes}",
        [mean_and_spread(rows, ["model"]), by_seed(rows)],
        [rows],
        note=(
            f"{N_LEVELS} levels of {LEVEL_SIZE} components, {scale.n_images} training images, "
            f"{seeds_of(rows)}. coarse_i: accuracy for tops, trousers, dresses, shoes, bags from "
            "level i alone; fine_i: for the ten classes. A level of the plain VAE is a block of as "
            "many components. The second table compares level 0 with the best other level, seed "
            "by seed."
        ),
    )


if __name__ == "__main__":
    main()
