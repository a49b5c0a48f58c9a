"""Which level of a hierarchical latent carries the coarse class (the paper's appendix B).

Run ``python benchmarks/intelvae/hierarchy.py --scale small``. The paper shows CelebA, which no
package index holds; here are the five levels of its Figure B.2, on Fashion-MNIST.
"""

from __future__ import annotations

import numpy as np
from _shared import RESULTS, Scale, arguments, images, mean_and_spread, resumed, write
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import Hierarchy
from sklearn_intelvae.plotting import plot_images

SEEDS = range(5)
N_LEVELS, LEVEL_SIZE = 5, 4
COARSE = np.array([0, 1, 0, 2, 0, 3, 0, 3, 4, 3])
"""Tops, trousers, dresses, shoes, bags: the coarse class of each of the ten."""


def fitted(scale: Scale, model: str, seed: int) -> InteLVAE:
    """Fit the hierarchy, or a plain VAE of the same size."""
    X, _, _, _ = images("fashion-mnist")
    mapping = Hierarchy(N_LEVELS) if model == "InteLVAE, Hierarchy(5)" else "identity"
    vae = InteLVAE(
        N_LEVELS * LEVEL_SIZE,
        mapping=mapping,
        likelihood="bernoulli",
        random_state=seed,
        **scale.network(),
    )
    return vae.fit(X[: scale.n_images])


def case(scale: Scale, model: str, seed: int) -> dict[str, float]:
    """Return how well each level tells the coarse and the fine class."""
    vae = fitted(scale, model, seed)
    _, _, X_test, y_test = images("fashion-mnist")
    Z = vae.transform(X_test).reshape(len(X_test), N_LEVELS, LEVEL_SIZE)
    row = {"log_likelihood": vae.score(X_test[:2000])}
    for name, label in (("coarse", COARSE[y_test]), ("fine", y_test)):
        for level in range(N_LEVELS):
            row[f"{name}_{level}"] = probe(Z[:, level], label)
    return row


def probe(codes: np.ndarray, label: np.ndarray) -> float:
    """Return the accuracy on 2000 rows of a linear classifier fitted to 8000 others."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return classifier.fit(codes[:8000], label[:8000]).score(codes[8000:], label[8000:])


def picture(scale: Scale) -> None:
    """Draw images in which one level is resampled and the others are kept: a row for each level."""
    vae = fitted(scale, "InteLVAE, Hierarchy(5)", 0)
    _, _, X_test, y_test = images("fashion-mnist")
    intermediary, _ = vae.encode(X_test[y_test == 7][:1])
    rng = np.random.default_rng(0)
    rows = []
    for level in range(N_LEVELS):
        Y = np.repeat(intermediary, 10, axis=0)
        block = slice(level * LEVEL_SIZE, (level + 1) * LEVEL_SIZE)
        Y[1:, block] = rng.standard_normal((9, LEVEL_SIZE))
        rows.append(vae.set_params(codes="intermediary").inverse_transform(Y.astype(np.float32)))
    ax = plot_images(np.concatenate(rows), (1, 28, 28), n_columns=10)
    ax.figure.savefig(RESULTS / f"intelvae/hierarchy_{scale.name}.png", dpi=80)


def main() -> None:
    scale = arguments(__doc__)
    cases = [
        {"model": model, "seed": seed}
        for seed in SEEDS
        for model in ("VAE", "InteLVAE, Hierarchy(5)")
    ]
    name = f"intelvae/hierarchy_{scale.name}"
    rows = resumed(name, cases, lambda **c: case(scale, **c))
    coarse = rows[[f"coarse_{level}" for level in range(N_LEVELS)]]
    summary = rows.assign(
        level_0=coarse["coarse_0"], best_other=coarse.drop(columns="coarse_0").max(axis=1)
    )[["model", "seed", "level_0", "best_other"]]
    picture(scale)
    write(
        name,
        "Hierarchy: linear probes of each level of z, Fashion-MNIST",
        mean_and_spread(rows, ["model"]),
        summary,
        note=(
            f"{N_LEVELS} levels of {LEVEL_SIZE} components, {scale.n_images} training images, "
            f"{len(SEEDS)} seeds. coarse_i: accuracy for tops, trousers, dresses, shoes, bags from "
            "level i alone; fine_i: for the ten classes. Of the plain VAE a level is a block of as "
            "many components. Below: level 0 against the best other level or block, by seed."
        ),
    )


if __name__ == "__main__":
    main()
