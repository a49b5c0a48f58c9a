"""The learned mixture: clipped variances, and the weight of the responsibilities.

Run ``python benchmarks/soft_intro/priors.py --scale small``. Every fit is a row of
``results/soft_intro/clip_<scale>.csv`` or ``responsibility_<scale>.csv`` and is not repeated;
delete the files to start anew.
"""

from __future__ import annotations

import numpy as np
from _shared import (
    Scale,
    command_line,
    frechet,
    images,
    mean_and_spread,
    n_compared,
    resumed,
    write,
)

from sklearn_intelvae import SoftIntroVAE
from sklearn_intelvae.datasets import make_eight_gaussians, make_rings
from sklearn_intelvae.metrics import energy_distance
from sklearn_intelvae.priors import Mixture

SEEDS = range(5)
DENSITIES = {"eight_gaussians": make_eight_gaussians, "rings": make_rings}
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the training, when variances are noted."""
WEIGHTS = (0, 1, 10, 100)
N_MODES = 100
STARTS: dict[str, dict[str, object]] = {
    "at codes": {"prior": "mixture", "n_prior_components": N_MODES},
    "at random": {"prior": Mixture(N_MODES)},
}
"""Where the modes begin: at the codes of training rows, or anywhere."""


def clip_case(scale: Scale, density: str, clip: bool, times: int) -> dict[str, float]:
    """Fit a density for some times the usual length, and follow the prior's variances."""
    make = DENSITIES[density]
    plane = scale.plane | {"max_iter": times * scale.plane["max_iter"]}
    vae = SoftIntroVAE(
        prior="mixture",
        n_prior_components=64,
        clip_prior_variance=clip,
        vae_warmup=SoftIntroVAE().vae_warmup / times,
        game_warmup=SoftIntroVAE().game_warmup / times,
        random_state=0,
        **plane,
    ).fit(make(100_000, random_state=0)[0])
    largest = [row["largest_prior_variance"] for row in vae.history_]
    game = next(i for i, row in enumerate(vae.history_) if "kl_fake" in row)
    row = {"at the start of the game": largest[game]}
    row |= {f"at {s:.0%}": largest[round(s * len(largest)) - 1] for s in SHARES}
    row["largest in the game"] = max(largest[game:])
    limits = vae.module_.prior.limits
    row["limit"] = float(limits.high.max().exp()) if clip else np.nan
    X = vae.sample(5000, random_state=0)
    return row | {"energy": 1e3 * energy_distance(X, make(5000, random_state=1000)[0])}


def responsibility_case(start: str, weight: float, seed: int) -> dict[str, float]:
    """Fit digits with many modes, and count those that are not used."""
    vae = SoftIntroVAE(10, responsibility=float(weight), random_state=seed, **STARTS[start]).fit(
        images("digits")[0]
    )
    X_test = images("digits")[2]
    last = vae.history_[-1]
    names = ("inactive_modes", "responsibility_entropy", "mode_separation")
    row = {name: last[name] for name in names}
    row["modes that are a row's best"] = len(np.unique(vae.predict(X_test)))
    row["samples"] = frechet("digits", vae.sample(n_compared("digits"), random_state=seed))
    return row


def write_clip(scale: Scale) -> None:
    """Fit with and without limits."""
    cases = [
        {"density": density, "clip": clip, "times": times}
        for density in DENSITIES
        for times in (1, 4)
        for clip in (True, False)
    ]
    rows = resumed(f"soft_intro/clip_{scale.name}", cases, lambda **c: clip_case(scale, **c))
    write(
        f"soft_intro/clip_{scale.name}",
        f"The largest variance of a learned mixture, scale {scale.name}",
        rows.round(3),
        note=(
            "64 modes, one seed. times: length of the training in units of the usual one, with "
            "the same warm-up. energy: energy distance of samples times 1000."
        ),
    )


def write_responsibility(scale: Scale) -> None:
    """Fit with several weights."""
    cases = [
        {"start": start, "weight": weight, "seed": seed}
        for start in STARTS
        for seed in SEEDS
        for weight in WEIGHTS
    ]
    name = f"soft_intro/responsibility_{scale.name}"
    rows = resumed(name, cases, lambda **c: responsibility_case(**c))
    inactive = rows.pivot_table(
        index=["start", "seed"], columns="weight", values="inactive_modes"
    ).reset_index()
    inactive["falls"] = (np.diff(inactive[list(WEIGHTS)], axis=1) < 0).all(1)
    write(
        name,
        "Modes that real rows use, by the weight of the responsibilities",
        mean_and_spread(rows, ["start", "weight"], digits=2, error=True),
        inactive,
        note=(
            f"Digits, {N_MODES} modes, {len(SEEDS)} seeds, mean ± standard error. Modes start at "
            "the codes of training rows, as those of VampMixture do, or at random, as those of "
            "Mixture. A mode is inactive if its share of the codes of real rows is below "
            f"1 / {N_MODES}^2. samples: Frechet distance in the features of a classifier. The "
            "second table counts inactive modes, seed by seed."
        ),
    )


def main() -> None:
    scale, _ = command_line(__doc__)
    write_responsibility(scale)
    write_clip(scale)


if __name__ == "__main__":
    main()
