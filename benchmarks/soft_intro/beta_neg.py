"""The weight of the KL of generated rows: its effect on samples and on the terms of the loss.

Run ``python -m benchmarks.soft_intro.beta_neg --scale small``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial

from sklearn.exceptions import ConvergenceWarning

from benchmarks._report import command_line, mean_and_spread, seeds_of, some
from benchmarks.soft_intro._scale import SCALES, Scale
from benchmarks.soft_intro.densities import N_SAMPLES, WINDOWS, distances, points
from sklearn_intelvae import SoftIntroVAE

SEEDS = range(3)
DENSITY = "eight_gaussians"
BETAS_NEG = (0.0, 0.1, 0.2, 0.3, 0.6, 1.2)
_TERMS = ("kl_real", "kl_fake", "kl_rec", "exp_elbo_fake", "exp_elbo_rec")


def case(scale: Scale, beta_neg: float, seed: int) -> dict[str, float]:
    """Fit with one weight; return distances of samples, last terms, and whether fit warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vae = SoftIntroVAE(beta_neg=beta_neg, random_state=seed, **scale.plane)
        vae.fit(points(DENSITY, scale.n_rows, seed))
    real = points(DENSITY, N_SAMPLES, 1000 + seed)
    row = distances(vae.sample(N_SAMPLES, random_state=seed), real, WINDOWS[DENSITY])
    row |= {name: vae.history_[-1][name] for name in _TERMS}
    return row | {"warned": float(any(w.category is ConvergenceWarning for w in caught))}


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, SCALES, argv)
    scale, seeds = SCALES[options.scale], some(options.scale, SEEDS)
    name = f"soft_intro/beta_neg_{scale.name}"
    cases = [
        {"beta_neg": beta_neg, "seed": seed}
        for seed in seeds
        for beta_neg in some(scale.name, BETAS_NEG, 4)
    ]
    rows = results.rows(name, cases, partial(case, scale))
    results.write(
        name,
        f"The weight of the KL of generated rows, scale {scale.name}",
        [mean_and_spread(rows, ["beta_neg"], digits=2, error=True)],
        [rows],
        note=(
            f"{DENSITY}, normal prior, {seeds_of(rows)}, mean ± standard error; other parameters "
            "are defaults. Distances as in the table of densities; the terms are those of the last "
            "epoch; warned: share of fits that ended with a ConvergenceWarning."
        ),
    )


if __name__ == "__main__":
    main()
