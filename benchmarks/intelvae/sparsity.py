"""Sparsity against the quality of samples, and what few labels are worth (the paper's Figure 7).

Run ``python benchmarks/intelvae/sparsity.py --scale small``. Every fit is a row of
``results/intelvae/sparsity_<scale>_<data>.csv`` and is not repeated; delete the files to start
anew. ``--fashion`` and ``--mnist`` run one of the two, so that two cores can work at a time.
With ``--inception`` the distances of some points of the curve are those of the paper, FID, for the
first seed alone; they are in ``sparsity_fid_<scale>.csv`` and take minutes a row on one core.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from _shared import (
    Scale,
    command_line,
    fid,
    frechet,
    images,
    mean_and_spread,
    others,
    resumed,
    write,
)
from torch import Tensor

from sklearn_intelvae import InteLVAE, SparseInteLVAE
from sklearn_intelvae.mappings import DimensionSelector
from sklearn_intelvae.metrics import few_label_curve, hoyer_sparsity
from sklearn_intelvae.priors import SpikeAndSlab

DATA_WITH_LABELS = "fashion-mnist"
SEEDS = range(3)
GAMMAS = {"gates": (0.3, 1, 3, 10, 30), "|z|": (0.3, 1, 3, 10, 15, 20, 30, 100)}
PROBES = ("linear", "forest")
N_LABELS = (10, 20, 50, 100, 500, 1000, 2000, 5000)
WITH_FID = ("VAE", "|z|, gamma 3", "|z|, gamma 10", "|z|, gamma 30")
WITH_LABELS = ("VAE", "gates, gamma 10", "|z|, gamma 3", "|z|, gamma 10", "|z|, gamma 30")


class OnlyPenalised(DimensionSelector):
    """The penalty without the gates: the paper's ablation."""

    def gates(self, y: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones_like(y)


def models(scale: Scale) -> dict[str, Callable[[], InteLVAE | SparseInteLVAE]]:
    """Return how to make each model of the comparison."""
    settings = dict(likelihood="bernoulli", **scale.network())
    learned = settings | {"likelihood": "gaussian"}
    found = {
        "VAE": lambda: InteLVAE(50, **settings),
        "beta-VAE, beta 4": lambda: InteLVAE(50, beta=4.0, **settings),
        "VAE, spike-and-slab prior": lambda: InteLVAE(50, prior=SpikeAndSlab(), **settings),
        "VAE with penalty alone, gamma 30": lambda: InteLVAE(
            50, mapping=OnlyPenalised(gamma=30.0), **settings
        ),
        "selector, gamma 0": lambda: SparseInteLVAE(50, gamma=0, **settings),
    }
    for regularise, label in (("gates", "gates"), ("abs", "|z|")):
        for gamma in GAMMAS[label]:
            found[f"{label}, gamma {gamma}"] = lambda gamma=gamma, regularise=regularise: (
                SparseInteLVAE(50, gamma=gamma, regularise=regularise, **settings)
            )
    for sizes in ((32,), (20, 20)):
        found[f"|z|, gamma 20, selector {sizes}"] = lambda sizes=sizes: SparseInteLVAE(
            50, gamma=20, selector_layer_sizes=sizes, **settings
        )
    found["VAE, learned Gaussian scale"] = lambda: InteLVAE(50, **learned)
    found["|z|, gamma 100, learned Gaussian scale"] = lambda: SparseInteLVAE(
        50, gamma=100, **learned
    )
    return found


def fitted(scale: Scale, data: str, model: str, seed: int) -> InteLVAE | SparseInteLVAE:
    """Fit one model."""
    vae = models(scale)[model]().set_params(random_state=seed)
    return vae.fit(images(data)[0][: scale.n_images])


def case(scale: Scale, data: str, model: str, seed: int) -> dict[str, float]:
    """Fit one model and measure it on the test images."""
    _, _, X_test, y_test = images(data)
    vae = fitted(scale, data, model, seed)
    Z = vae.transform(X_test)
    spread = Z.std(axis=0)
    used = np.abs(Z) > 0.5 * np.where(spread > 0, spread, np.inf)
    row = {
        "hoyer": hoyer_sparsity(Z),
        "distance": frechet(data, vae.sample(5000, random_state=seed)),
        "distance_of_reconstructions": frechet(data, vae.reconstruct(others(data))),
        "log_likelihood": vae.score(X_test[:2000]),
        "active_components": len(vae.active_components_),
        "share_used_per_row": used.mean(),
    }
    if data == DATA_WITH_LABELS and model in WITH_LABELS:
        row |= labels(vae, X_test, y_test)
    return row


def inception_case(scale: Scale, model: str) -> dict[str, float]:
    """Return the sparsity and the FID of the first seed's model of Fashion-MNIST."""
    data = DATA_WITH_LABELS
    vae = fitted(scale, data, model, 0)
    return {
        "hoyer": hoyer_sparsity(vae.transform(images(data)[2])),
        "fid": fid(data, vae.sample(2000, random_state=0)),
    }


def labels(vae: InteLVAE | SparseInteLVAE, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return accuracies on the last 2000 test images after training on others of them."""
    row = {}
    for codes in ("z", "intermediary", "both"):
        C = vae.set_params(codes=codes).transform(X)
        for probe in PROBES:
            curve = few_label_curve(
                C[:8000], y[:8000], C[8000:], y[8000:], N_LABELS, probe, random_state=0
            )
            for n, mean, std in zip(curve["n_labels"], curve["mean"], curve["std"], strict=True):
                row |= {f"{codes} {probe} {n}": mean, f"{codes} {probe} {n} std": std}
    return row


def write_fid(scale: Scale) -> None:
    """Compute and write the FID of some points of the curve."""
    name = f"intelvae/sparsity_fid_{scale.name}"
    cases = [{"model": model} for model in WITH_FID]
    rows = resumed(name, cases, lambda **c: inception_case(scale, **c))
    write(
        name,
        "Sparsity and FID, Fashion-MNIST",
        rows.round(3),
        note=(
            f"50 components, {scale.n_images} training images, one seed, Bernoulli likelihood. "
            "2000 samples against 2000 test images, in the features of Inception."
        ),
    )


def write_curves(scale: Scale, data: str) -> None:
    """Compute and write sparsity, distances and, of one data set, what few labels are worth."""
    name = f"intelvae/sparsity_{scale.name}_{data}"
    cases = [{"data": data, "model": model, "seed": s} for s in SEEDS for model in models(scale)]
    rows = resumed(name, cases, lambda **c: case(scale, **c))
    with_labels = rows[rows["model"].isin(WITH_LABELS)]
    write(
        name,
        f"Sparsity, {data}, scale {scale.name}",
        mean_and_spread(rows[[c for c in rows if " " not in c]], ["model"]),
        *([few_label_table(with_labels)] if data == DATA_WITH_LABELS else []),
        note=(
            f"50 components, {scale.n_images} training images, {len(SEEDS)} seeds, mean ± standard "
            "deviation; Bernoulli likelihood unless said. Hoyer sparsity of g(mean) on the test "
            "images; Frechet distance of 5000 samples from 5000 test images, and of the "
            "reconstructions of the other 5000, in the features of a classifier (not comparable "
            "with FID); share of the components that a row uses: those of a magnitude above half "
            "of their standard deviation. Few labels: accuracy on 2000 test images, mean over "
            "seeds and 10 draws, linear probe / random forest of 50 trees of depth 4.\n\n"
            "Paper (curves only, read off its text): the distance beats the plain VAE's for gamma "
            "below 3, while sparsity rises with gamma to extremely high levels; the penalty alone "
            "moves Hoyer from .230 to .235; fewer than 10 % of the components are in use."
        ),
    )


def few_label_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies by model and codes, linear probe / forest."""
    means = rows.groupby("model", sort=False).mean(numeric_only=True)
    table = [
        {"model": model, "codes": codes}
        | {str(n): " / ".join(f"{row[f'{codes} {p} {n}']:.3f}" for p in PROBES) for n in N_LABELS}
        for model, row in means.iterrows()
        for codes in (("z",) if model == "VAE" else ("z", "intermediary", "both"))
    ]
    return pd.DataFrame(table)


def main() -> None:
    scale, options = command_line(
        __doc__,
        inception="compute some FID instead, for one seed",
        fashion="Fashion-MNIST only",
        mnist="MNIST only",
    )
    if options.inception:
        write_fid(scale)
        return
    for data, alone in ((DATA_WITH_LABELS, options.fashion), ("mnist", options.mnist)):
        if alone or not (options.fashion or options.mnist):
            write_curves(scale, data)


if __name__ == "__main__":
    main()
