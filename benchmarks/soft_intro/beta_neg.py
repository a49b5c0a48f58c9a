"""How far generated rows are coded from the prior, and what that does to samples.

Run ``python benchmarks/soft_intro/beta_neg.py --scale small``. Every fit is a row of
``results/soft_intro/beta_neg_<scale>.csv`` and is not repeated; delete the file to start anew.
"""

from __future__ import annotations

import warnings

from _shared import Scale, command_line, mean_and_spread, resumed, write
from densities import N_ROWS, N_SAMPLES, WINDOWS, distances, points
from sklearn.exceptions import ConvergenceWarning

from sklearn_intelvae import SoftIntroVAE

SEEDS = range(3)
DENSITY = "eight_gaussians"
BETAS_NEG = (0.0, 0.1, 0.2, 0.3, 0.6, 1.2)
_TERMS = ("kl_real", "kl_fake", "kl_rec", "exp_elbo_fake", "exp_elbo_rec")


def case(scale: Scale, beta_neg: float, seed: int) -> dict[str, float]:
    """Fit with one weight, and tell what the fit says of itself."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vae = SoftIntroVAE(beta_neg=beta_neg, random_state=seed, **scale.plane)
        vae.fit(points(DENSITY, N_ROWS, seed))
    real = points(DENSITY, N_SAMPLES, 1000 + seed)
    row = distances(vae.sample(N_SAMPLES, random_state=seed), real, WINDOWS[DENSITY])
    row |= {name: vae.history_[-1][name] for name in _TERMS}
    return row | {"advised": float(any(w.category is ConvergenceWarning for w in caught))}


def main() -> None:
    scale, _ = command_line(__doc__)
    name = f"soft_intro/beta_neg_{scale.name}"
    cases = [{"beta_neg": beta_neg, "seed": seed} for seed in SEEDS for beta_neg in BETAS_NEG]
    rows = resumed(name, cases, lambda **c: case(scale, **c))
    write(
        name,
        f"The weight of the KL of generated rows, scale {scale.name}",
        mean_and_spread(rows, ["beta_neg"], digits=2, error=True),
        note=(
            f"{DENSITY}, normal prior, {len(SEEDS)} seeds, mean ± standard error; other parameters "
            "are defaults. Distances as in densities.py; the other columns are those of the last "
            "epoch; advised: share of fits that warned at their end."
        ),
    )


if __name__ == "__main__":
    main()
