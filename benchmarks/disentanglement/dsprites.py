"""dSprites, original, manipulated, and with noise: the paper's Table 1, at its size.

Run ``python -m benchmarks.disentanglement.dsprites --scale full`` on a GPU: a fit of 300,000 steps
takes hours on a processor. ``--scale small`` takes minutes and is too short to show an effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks._report import command_line, in_order, mean_and_spread, some
from benchmarks.disentanglement._methods import PAIRS, wide
from sklearn_intelvae import PCL, InteLVAE
from sklearn_intelvae.datasets import make_sprites, perturb_dataset, uniform_noise_control
from sklearn_intelvae.metrics import dci_scores, mutual_info_gap
from sklearn_intelvae.networks import ConvDecoder, ConvEncoder
from sklearn_intelvae.objectives import BetaTC, FactorVAE, SlowVAE

IMAGE_SHAPE = (1, 64, 64)
CHANNELS = (32, 32, 64, 64)
EPSILON = 0.1
ROTATED = ((1, 2), (3, 4))
"""Pairs of factors: scale and orientation, and the two positions."""
DATA = ("original", "manipulated", "uniform noise")
METHODS: dict[str, dict[str, Any]] = {
    "autoencoder": {"objective": "autoencoder"},
    "beta-VAE": {"beta": 8.0},
    "FactorVAE": {"objective": FactorVAE(gamma=35.0, hidden_layer_sizes=(1000,) * 6)},
    "beta-TC-VAE": {"objective": BetaTC(beta=6.0)},
    "SlowVAE": {"objective": SlowVAE(beta=1.0)},
    "PCL": {},
}
PAPER = {
    "autoencoder": (".09 ± .06", ".05 ± .02", ".06 ± .03"),
    "beta-VAE": (".23 ± .08", ".07 ± .09", ".14 ± .07"),
    "FactorVAE": (".27 ± .11", ".20 ± .12", ".16 ± .08"),
    "beta-TC-VAE": (".25 ± .08", ".14 ± .10", ".20 ± .04"),
    "SlowVAE": (".39 ± .08", ".27 ± .08", ".37 ± .09"),
    "PCL": (".21 ± .03", ".24 ± .07", ".24 ± .07"),
}
"""Mutual information gap over ten seeds, the paper's Table 1 as reported by a third party."""


class Scale(NamedTuple):
    """Sizes and lengths."""

    n_images: int
    steps: int
    steps_of_change: int
    """Of the training of the manipulation."""
    seeds: int


SCALES = {
    "quick": Scale(200, 3, 2, 1),
    "small": Scale(2000, 100, 20, 1),
    "full": Scale(200_000, 300_000, 1500, 5),
}
BATCH = 64


def render(W: np.ndarray) -> np.ndarray:
    """Draw sprites; factors may be fractional, and are clipped to their range."""
    W = np.clip(W, 0, np.array([2, 5, 39, 31, 31]))
    return make_sprites(factors=np.c_[np.round(W[:, :1]), W[:, 1:]])[0]


@cache
def images(scale: Scale, data: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, their factors, and the preceding images."""
    X, W, X_prev, W_prev = make_sprites(scale.n_images, paired=True, random_state=seed)
    if data == "original":
        return X, W, X_prev
    if data == "uniform noise":
        noisy = [
            uniform_noise_control(rows, epsilon=EPSILON, random_state=seed + i).X
            for i, rows in enumerate((X, X_prev))
        ]
        return noisy[0], W, noisy[1]
    changed = perturb_dataset(
        render, W, pairs=ROTATED, epsilon=EPSILON, max_iter=scale.steps_of_change, random_state=seed
    )
    return changed.X, W, changed.render(W_prev)


def case(scale: Scale, method: str, data: str, seed: int) -> dict[str, float]:
    """Fit one method to one set of images."""
    X, W, X_prev = images(scale, data, seed)
    settings = {
        "encoder": ConvEncoder(IMAGE_SHAPE, CHANNELS, n_hidden=256),
        "batch_size": BATCH,
        "max_iter": max(1, scale.steps * BATCH // scale.n_images),
        "learning_rate": "constant",
        "learning_rate_init": 1e-4,
        "random_state": seed,
    }
    if method == "PCL":
        model = PCL(W.shape[1], **settings)
    else:
        decoder = ConvDecoder(IMAGE_SHAPE, CHANNELS, n_hidden=256)
        settings |= {
            "decoder": decoder,
            "likelihood": "bernoulli",
            "prior": "normal",
            "kl_warmup": 0.0,
        }
        model = InteLVAE(W.shape[1], **settings, **METHODS[method])
    model.fit(X, **({"X_prev": X_prev} if method in PAIRS else {}))
    Z = model.transform(X[:10_000])
    dci = dci_scores(Z, W[:10_000], random_state=0)
    return {
        "MIG": mutual_info_gap(Z, W[:10_000]),
        "DCI-D": dci.disentanglement,
        "DCI-I": dci.informativeness,
    }


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, SCALES, argv)
    scale = SCALES[options.scale]
    name = f"disentanglement/dsprites_{options.scale}"
    cases = [
        {"method": method, "data": data, "seed": seed}
        for seed in range(scale.seeds)
        for data in some(options.scale, DATA)
        for method in METHODS
    ]
    rows = in_order(results.rows(name, cases, partial(case, scale)), "method", METHODS)
    paper = pd.DataFrame(PAPER, index=list(DATA)).T.rename_axis("paper").reset_index()
    results.write(
        name,
        f"dSprites, scale {options.scale}",
        [wide(rows), paper, mean_and_spread(rows, ["method", "data"])],
        [rows],
        note=(
            "The mutual information gap, that of the paper, and all measures. "
            f"{scale.n_images} images drawn at random, {scale.steps} steps of {BATCH} images, "
            f"{scale.seeds} seeds. The manipulation rotates scale and orientation, and the two "
            "positions."
        ),
    )


if __name__ == "__main__":
    main()
