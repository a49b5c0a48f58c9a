"""Mappings inside the game: whether they keep their structure, and what the game adds.

Run ``python benchmarks/soft_intro/mappings.py --scale small``. Every fit is a row of
``results/soft_intro/mappings_<scale>.csv`` and is not repeated; delete the file to start anew. With
``--owner`` it asks instead which player a mapping that learns should belong to, in
``owner_<scale>.csv``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from _shared import (
    Scale,
    command_line,
    coverage,
    frechet,
    hole_share,
    images,
    mean_and_spread,
    n_compared,
    off_curve_share,
    resumed,
    write,
)
from sklearn.metrics import normalized_mutual_info_score

from sklearn_intelvae import InteLVAE, SoftIntroVAE
from sklearn_intelvae.datasets import make_circle, make_rings
from sklearn_intelvae.mappings import Clusters, DimensionSelector, Flow, Mapping, Sphere
from sklearn_intelvae.metrics import energy_distance, hoyer_sparsity
from sklearn_intelvae.model import Model
from sklearn_intelvae.objectives import SoftIntro

SEEDS = range(5)
OBJECTIVES = ("ELBO", "SoftIntro")
OWNERS = ("decoder", "encoder")
N_ROWS = 20_000


class WithTheEncoder(SoftIntro):
    """The game in which the mapping plays with the encoder."""

    def players(self, model: Model) -> dict[str, list[torch.nn.Parameter]]:
        """Return the players, of which the encoder now has the mapping."""
        mapping = [p for p in model.mapping.parameters() if p.requires_grad]
        own = set(map(id, mapping))
        players = super().players(model)
        others = [p for p in players["decoder"] if id(p) not in own]
        return {"encoder": [*players["encoder"], *mapping], "decoder": others}


def circle(vae: InteLVAE, seed: int) -> dict[str, float]:
    """Fit a circle, and tell whether samples are on it."""
    X = vae.fit(make_circle(N_ROWS, random_state=seed)[0]).sample(5000, random_state=seed)
    real = make_circle(5000, random_state=1000 + seed)[0]
    return {
        "distance": 1e3 * energy_distance(X, real),
        "hole_share": hole_share("circle", X),
        "off_curve_share": off_curve_share("circle", X),
        "coverage": coverage("circle", X),
    }


def digits(vae: InteLVAE, seed: int) -> dict[str, float]:
    """Fit digits, and compare samples with others, in a classifier's features."""
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


def rings(vae: InteLVAE, seed: int) -> dict[str, float]:
    """Fit rings."""
    X = vae.fit(make_rings(N_ROWS, random_state=seed)[0]).sample(5000, random_state=seed)
    return {"distance": 1e3 * energy_distance(X, make_rings(5000, random_state=1000 + seed)[0])}


Run = Callable[[InteLVAE, int], dict[str, float]]
OF_DIGITS = {"n_components": 10, "max_iter": 640}
IN_THE_PLANE = {"n_components": 2, "max_iter": 192}
SIZE = {"hidden_layer_sizes": (128, 128, 128), "learning_rate_init": 1e-3}
CASES: dict[str, tuple[Run, Mapping, dict[str, int]]] = {
    "circle, Sphere": (circle, Sphere(), IN_THE_PLANE),
    "digits, Clusters(10)": (digits, Clusters(10), OF_DIGITS),
}
LEARNED: dict[str, tuple[Run, Mapping, dict[str, int]]] = {
    "digits, DimensionSelector(3)": (digits, DimensionSelector(3.0), OF_DIGITS),
    "rings, Flow": (rings, Flow(), IN_THE_PLANE),
}


def case(data: str, objective: str, seed: int) -> dict[str, float]:
    """Fit one model."""
    run, mapping, sizes = CASES[data]
    estimator = InteLVAE if objective == "ELBO" else SoftIntroVAE
    return run(estimator(mapping=mapping, random_state=seed, **sizes, **SIZE), seed)


def owner_case(data: str, owner: str, seed: int) -> dict[str, float]:
    """Fit one model whose mapping belongs to one player."""
    run, mapping, sizes = LEARNED[data]
    objective = SoftIntro() if owner == "decoder" else WithTheEncoder()
    vae = InteLVAE(
        mapping=mapping,
        objective=objective,
        kl_warmup=SoftIntroVAE()._warmup,
        random_state=seed,
        **sizes,
        **SIZE,
    )
    return run(vae, seed)


def write_objectives(scale: Scale) -> None:
    """Compare the game with the bound."""
    cases = [
        {"data": d, "objective": o, "seed": s} for d in CASES for s in SEEDS for o in OBJECTIVES
    ]
    rows = resumed(f"soft_intro/mappings_{scale.name}", cases, lambda **c: case(**c))
    by = ["data", "objective"]
    ratio = rows.pivot_table(index=["data", "seed"], columns="objective", values="distance")
    table = (ratio["SoftIntro"] / ratio["ELBO"]).groupby("data").agg(["mean", "max"])
    write(
        f"soft_intro/mappings_{scale.name}",
        "Mappings inside the game",
        mean_and_spread(rows, by, error=True),
        pd.DataFrame(table).add_prefix("distance over the ELBO's, ").round(2).reset_index(),
        note=(
            f"InteLVAE and SoftIntroVAE with the same networks and lengths ({IN_THE_PLANE}, "
            f"{OF_DIGITS}, {SIZE}), else their defaults; {N_ROWS} points of the circle, 1000 "
            f"digits; {len(SEEDS)} seeds, mean ± standard error. "
            "distance: of the circle the energy distance times 1000, of the digits the Frechet "
            "distance in the features of a classifier, of samples from rows that were not fitted."
        ),
    )


def write_owners(scale: Scale) -> None:
    """Compare the owners of a learned mapping."""
    cases = [{"data": d, "owner": o, "seed": s} for d in LEARNED for s in SEEDS for o in OWNERS]
    rows = resumed(f"soft_intro/owner_{scale.name}", cases, lambda **c: owner_case(**c))
    write(
        f"soft_intro/owner_{scale.name}",
        "Which player a learned mapping belongs to",
        mean_and_spread(rows, ["data", "owner"], error=True),
        note=(
            f"{len(SEEDS)} seeds, mean ± standard error; distance as in the table of "
            "objectives, sparsity by Hoyer's measure."
        ),
    )


def main() -> None:
    scale, options = command_line(__doc__, owner="compare the owners of a learned mapping")
    if options.owner:
        write_owners(scale)
    else:
        write_objectives(scale)


if __name__ == "__main__":
    main()
