"""The learned mixture: clipped variances, and the weight of the responsibilities.

Run ``python -m benchmarks.soft_intro.priors --scale small``. The tables are ``clip_<scale>.md`` and
``responsibility_<scale>.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from benchmarks._images import frechet, images, n_compared
from benchmarks._report import Results, command_line, each_row, mean_and_spread, seeds_of, some
from benchmarks.soft_intro._scale import SCALES, Scale
from sklearn_intelvae import SoftIntroVAE
from sklearn_intelvae.datasets import make_eight_gaussians, make_rings
from sklearn_intelvae.metrics import energy_distance
from sklearn_intelvae.priors import Mixture, VampInitMixture

SEEDS = range(5)
DENSITIES = {"eight_gaussians": make_eight_gaussians, "rings": make_rings}
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the training, when variances are noted."""
WEIGHTS = (0, 1, 10, 100)
N_MODES = 100
STARTS = {"at codes": VampInitMixture(n_modes=N_MODES), "at random": Mixture(n_modes=N_MODES)}
"""Where the modes start: at the codes of training rows, or at random."""


def clip_case(scale: Scale, density: str, clip: bool, times: int) -> dict[str, float]:
    """Fit a density for some times the usual length; return the course of the prior's variances."""
    make = DENSITIES[density]
    plane = scale.plane | {"max_iter": times * scale.plane["max_iter"]}
    vae = SoftIntroVAE(
        prior=VampInitMixture(n_modes=64, clip_variance=clip),
        game_start=SoftIntroVAE().game_start / times,
        random_state=0,
        **plane,
    ).fit(make(scale.n_rows, random_state=0)[0])
    largest = [row["largest_prior_variance"] for row in vae.history_]
    start = next(i for i, row in enumerate(vae.history_) if "kl_fake" in row)
    row = {"at the start of the game": largest[start]}
    row |= {f"at {s:.0%}": largest[round(s * len(largest)) - 1] for s in SHARES}
    row["largest in the game"] = max(largest[start:])
    limits = vae.module_.prior.limits
    row["limit"] = float(limits.high.max().exp()) if clip else np.nan
    X = vae.sample(5000, random_state=0)
    return row | {"energy": 1e3 * energy_distance(X, make(5000, random_state=1000)[0])}


def responsibility_case(scale: Scale, start: str, weight: float, seed: int) -> dict[str, float]:
    """Fit digits with many modes, and count those that are not used."""
    length = {"max_iter": scale.digits["max_iter"]} if scale.name == "quick" else {}
    vae = SoftIntroVAE(
        10,
        prior=STARTS[start],
        responsibility_weight=float(weight),
        random_state=seed,
        **length,
    ).fit(images("digits")[0])
    last = vae.history_[-1]
    names = ("inactive_modes", "responsibility_entropy", "mode_separation")
    row = {name: last[name] for name in names}
    row["modes that are a row's best"] = len(np.unique(vae.predict(images("digits")[2])))
    row["samples"] = frechet("digits", vae.sample(n_compared("digits"), random_state=seed))
    return row


def write_clip(scale: Scale, results: Results) -> None:
    """Fit with and without limits, and write the table."""
    name = f"soft_intro/clip_{scale.name}"
    cases = [
        {"density": density, "clip": clip, "times": times}
        for density in some(scale.name, list(DENSITIES))
        for times in some(scale.name, (1, 4))
        for clip in (True, False)
    ]
    rows = results.rows(name, cases, partial(clip_case, scale))
    results.write(
        name,
        f"The largest variance of a learned mixture, scale {scale.name}",
        [each_row(rows)],
        [rows],
        note=(
            "64 modes, one seed. times: length of the training in units of the usual one, with "
            "the same warm-up. The variances are those when generated rows begin to count, after "
            "shares of the training, and the largest from then on; limit: the largest that "
            "clipping allows. energy: energy distance of samples times 1000."
        ),
    )


def write_responsibility(scale: Scale, results: Results) -> None:
    """Fit with several weights, and write the table."""
    name, seeds = f"soft_intro/responsibility_{scale.name}", some(scale.name, SEEDS)
    weights = some(scale.name, WEIGHTS, 2)
    cases = [
        {"start": start, "weight": weight, "seed": seed}
        for start in STARTS
        for seed in seeds
        for weight in weights
    ]
    rows = results.rows(name, cases, partial(responsibility_case, scale))
    results.write(
        name,
        "Modes that real rows use, by the weight of the responsibilities",
        [
            mean_and_spread(rows, ["start", "weight"], digits=2, error=True),
            inactive_by_seed(rows, weights),
        ],
        [rows],
        note=(
            f"Digits, {N_MODES} modes, {seeds_of(rows)}, mean ± standard error. Modes start at "
            "the codes of training rows (VampInitMixture) or at random (Mixture). A mode is "
            "inactive if its share of the codes of real rows is below "
            f"1 / {N_MODES}^2. samples: Frechet distance in the features of a classifier. The "
            "second table counts inactive modes, seed by seed."
        ),
    )


def inactive_by_seed(rows: pd.DataFrame, weights: Sequence[int]) -> pd.DataFrame:
    """Return the number of inactive modes by weight, and whether it falls with each weight."""
    table = rows.pivot_table(index=["start", "seed"], columns="weight", values="inactive_modes")
    table = table.reset_index()
    return table.assign(falls=(np.diff(table[list(weights)], axis=1) < 0).all(1))


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, SCALES, argv)
    write_responsibility(SCALES[options.scale], results)
    write_clip(SCALES[options.scale], results)


if __name__ == "__main__":
    main()
