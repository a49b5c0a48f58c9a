"""Mappings in soft-introspective VAEs: whether they keep their structure, and the gain.

Run ``python -m benchmarks.soft_intro.mappings --scale small``. With ``--owner`` it compares instead
whether the parameters of a mapping are trained with the decoder or with the encoder, in
``owner_<scale>.csv``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import normalized_mutual_info_score

from benchmarks._holes import coverage, hole_share, off_curve_share
from benchmarks._images import frechet, images, n_compared
from benchmarks._report import Results, command_line, mean_and_spread, seeds_of, some
from benchmarks.soft_intro._scale import SCALES, Scale
from sklearn_intelvae import InteLVAE, SoftIntroVAE
from sklearn_intelvae.datasets import make_circle, make_rings
from sklearn_intelvae.mappings import Clusters, DimensionSelector, Flow, Mapping, Sphere
from sklearn_intelvae.metrics import energy_distance, hoyer_sparsity
from sklearn_intelvae.models import VAE
from sklearn_intelvae.objectives import SoftIntro

SEEDS = range(5)
OBJECTIVES = ("ELBO", "SoftIntro")
OWNERS = ("decoder", "encoder")
N_ROWS = 20_000


class MappingWithEncoder(SoftIntro):
    """The objective with the mapping among the parameters of the encoder's player."""

    def players(self, model: VAE) -> dict[str, list[torch.nn.Parameter]]:
        """Return the parameters of each player."""
        mapping = [p for p in model.mapping.parameters() if p.requires_grad]
        own = set(map(id, mapping))
        players = super().players(model)
        others = [p for p in players["decoder"] if id(p) not in own]
        return {"encoder": [*players["encoder"], *mapping], "decoder": others}


def circle(vae: InteLVAE, seed: int, n_rows: int) -> dict[str, float]:
    """Fit a circle, and measure whether samples are on it."""
    X = vae.fit(make_circle(n_rows, random_state=seed)[0]).sample(5000, random_state=seed)
    real = make_circle(5000, random_state=1000 + seed)[0]
    return {
        "distance": 1e3 * energy_distance(X, real),
        "hole_share": hole_share("circle", X),
        "off_curve_share": off_curve_share("circle", X),
        "coverage": coverage("circle", X),
    }


def digits(vae: InteLVAE, seed: int, n_rows: int) -> dict[str, float]:
    """Fit digits, and compare samples with other digits in a classifier's features."""
    X, y, _, _ = images("digits")
    vae.fit(X)
    row = {"distance": frechet("digits", vae.sample(n_compared("digits"), random_state=seed))}
    if isinstance(vae.mapping, DimensionSelector):
        row["sparsity"] = hoyer_sparsity(vae.transform(X))
    if hasattr(vae, "predict"):
        labels = vae.predict(X)
        row["smallest_cluster"] = np.bincount(labels, minlength=10).min() / len(X)
        row["NMI"] = normalized_mutual_info_score(y, labels)
    return row


def rings(vae: InteLVAE, seed: int, n_rows: int) -> dict[str, float]:
    """Fit rings, and measure samples."""
    X = vae.fit(make_rings(n_rows, random_state=seed)[0]).sample(5000, random_state=seed)
    return {"distance": 1e3 * energy_distance(X, make_rings(5000, random_state=1000 + seed)[0])}


Run = Callable[[InteLVAE, int, int], dict[str, float]]
SIZE = {"hidden_layer_sizes": (128, 128, 128), "learning_rate_init": 1e-3}
FIXED: dict[str, tuple[Run, Mapping]] = {
    "circle, Sphere": (circle, Sphere()),
    "digits, Clusters(10)": (digits, Clusters(10)),
}
LEARNED: dict[str, tuple[Run, Mapping]] = {
    "digits, DimensionSelector(3)": (digits, DimensionSelector(3.0)),
    "rings, Flow": (rings, Flow()),
}


def settings(scale: Scale, data: str, seed: int) -> dict[str, object]:
    """Return the parameters that both models of a comparison have."""
    sizes = scale.digits if data.startswith("digits") else scale.long_plane
    return {"random_state": seed, **sizes, **SIZE}


def n_rows(scale: Scale) -> int:
    """Return the number of training rows in the plane."""
    return min(N_ROWS, scale.n_rows)


def case(scale: Scale, data: str, objective: str, seed: int) -> dict[str, float]:
    """Fit one model with one objective."""
    run, mapping = FIXED[data]
    estimator = InteLVAE if objective == "ELBO" else SoftIntroVAE
    vae = estimator(mapping=mapping, **settings(scale, data, seed))
    return run(vae, seed, n_rows(scale))


def owner_case(scale: Scale, data: str, owner: str, seed: int) -> dict[str, float]:
    """Fit one model whose mapping belongs to one player."""
    run, mapping = LEARNED[data]
    objective = SoftIntro() if owner == "decoder" else MappingWithEncoder()
    warmup = 2 * SoftIntroVAE().game_start
    vae = InteLVAE(
        mapping=mapping, objective=objective, kl_warmup=warmup, **settings(scale, data, seed)
    )
    return run(vae, seed, n_rows(scale))


def write_objectives(scale: Scale, results: Results) -> None:
    """Compare SoftIntroVAE with InteLVAE."""
    name, seeds = f"soft_intro/mappings_{scale.name}", some(scale.name, SEEDS)
    cases = [
        {"data": d, "objective": o, "seed": s} for d in FIXED for s in seeds for o in OBJECTIVES
    ]
    rows = results.rows(name, cases, partial(case, scale))
    ratio = rows.pivot_table(index=["data", "seed"], columns="objective", values="distance")
    ratios = (ratio["SoftIntro"] / ratio["ELBO"]).groupby("data").agg(["mean", "max"])
    ratios = ratios.add_prefix("distance over the ELBO's, ").round(2).reset_index()
    results.write(
        name,
        "Mappings in soft-introspective VAEs",
        [mean_and_spread(rows, ["data", "objective"], error=True), pd.DataFrame(ratios)],
        [rows],
        note=(
            "InteLVAE (ELBO) and SoftIntroVAE with the same networks and lengths "
            f"({scale.long_plane}, {scale.digits}, {SIZE}), other parameters at their defaults; "
            f"{n_rows(scale)} points of the circle, 1000 digits; {seeds_of(rows)}, mean ± "
            "standard error. distance of samples from rows that were not fitted: for the circle "
            "the energy distance times 1000, for digits the Frechet distance in the features of a "
            "classifier."
        ),
    )


def write_owners(scale: Scale, results: Results) -> None:
    """Compare the players that a mapping can belong to."""
    name, seeds = f"soft_intro/owner_{scale.name}", some(scale.name, SEEDS)
    cases = [{"data": d, "owner": o, "seed": s} for d in LEARNED for s in seeds for o in OWNERS]
    rows = results.rows(name, cases, partial(owner_case, scale))
    results.write(
        name,
        "The player that a learned mapping belongs to",
        [mean_and_spread(rows, ["data", "owner"], error=True)],
        [rows],
        note=(
            f"{seeds_of(rows)}, mean ± standard error; distance as in the table of mappings, "
            "sparsity by Hoyer's measure."
        ),
    )


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(
        __doc__, SCALES, argv, owner="compare the players that a mapping can belong to"
    )
    write = write_owners if options.owner else write_objectives
    write(SCALES[options.scale], results)


if __name__ == "__main__":
    main()
