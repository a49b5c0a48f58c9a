"""Four densities in the plane: VAEs and soft-introspective VAEs, with several priors (Table 1).

Run ``python -m benchmarks.soft_intro.densities --scale small``. With the names of densities, as in
``--rings``, only these are run, so that several processes can run at a time; the table is written
by a run without names.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch

from benchmarks._report import Results, command_line, mean_and_spread, some
from benchmarks.soft_intro._scale import SCALES, Scale
from sklearn_intelvae import InteLVAE, SoftIntroVAE, datasets
from sklearn_intelvae.metrics import energy_distance, gnelbo, histogram_divergences
from sklearn_intelvae.priors import Vamp, VampInitMixture

SEEDS = range(5)
WINDOWS = {"eight_gaussians": 2, "two_spirals": 4, "checkerboard": 4, "rings": 4}
"""Half the sides of the papers' windows."""
N_MODES = 64
VAE = {
    "VAE": {"prior": "normal"},
    "VAE, VampPrior": {"prior": Vamp(n_modes=N_MODES)},
}
SOFT_INTRO = {
    "normal": {},
    "fixed mixture": {"prior": VampInitMixture(n_modes=N_MODES, learn=False)},
    "learned mixture": {"prior": VampInitMixture(n_modes=N_MODES)},
    "learned, responsibility": {
        "prior": VampInitMixture(n_modes=N_MODES),
        "responsibility_weight": 1.0,
    },
}
REAL = "real rows"
MODELS = (REAL, *VAE, *SOFT_INTRO)
N_SAMPLES, N_DATA = 5000, 12_800
DIAGNOSTICS = ("responsibility_entropy", "inactive_modes", "mode_separation")
_PAPERS_GRID = 1024
_GRID = 256
_DRAWS = {"quick": 5}


def points(density: str, n_rows: int, seed: int) -> np.ndarray:
    """Return points of a density."""
    return getattr(datasets, f"make_{density}")(n_rows, random_state=seed)[0].astype(np.float32)


def fitted(scale: Scale, density: str, model: str, seed: int) -> InteLVAE | SoftIntroVAE:
    """Fit one model; all parameters but the prior and the networks are at their defaults."""
    X = points(density, scale.n_rows, seed)
    estimator, parameters = (
        (InteLVAE, VAE[model]) if model in VAE else (SoftIntroVAE, SOFT_INTRO[model])
    )
    return estimator(2, random_state=seed, **scale.plane, **parameters).fit(X)


def errors(scale: Scale, vae: InteLVAE | SoftIntroVAE, X: np.ndarray) -> np.ndarray:
    """Return KL plus squared error of the deterministic reconstruction of each row.

    The KL from a prior with modes is a mean of 100 estimates, of 5 at scale quick.
    """
    model, generator = vae.module_, torch.Generator().manual_seed(0)
    kl = []
    with torch.no_grad():
        prior = model.prior_distribution()
        n_draws = _DRAWS.get(scale.name, 100) if prior.n_modes else 1
        for x in torch.from_numpy(X).split(8192):
            q = model.encode(x)
            kl.append(sum(prior.kl(q, q.sample(generator)) for _ in range(n_draws)) / n_draws)
    return torch.cat(kl).numpy() + ((vae.reconstruct(X) - X) ** 2).sum(1)


def window_grid(window: float) -> np.ndarray:
    """Return the centers of the cells of a window."""
    ticks = (np.arange(_GRID) + 0.5) / _GRID * 2 * window - window
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2).astype(np.float32)


def case(scale: Scale, density: str, model: str, seed: int) -> dict[str, float]:
    """Fit one model and measure its samples, and its bound on and off the data."""
    window, real = WINDOWS[density], points(density, N_SAMPLES, 1000 + seed)
    if model == REAL:
        return distances(points(density, N_SAMPLES, 2000 + seed), real, window)
    start = time.perf_counter()
    vae = fitted(scale, density, model, seed)
    fit_seconds = time.perf_counter() - start
    on_grid = np.repeat(errors(scale, vae, window_grid(window)), (_PAPERS_GRID // _GRID) ** 2)
    on_data = errors(scale, vae, points(density, N_DATA, 3000 + seed))
    row = {"gnELBO": 1e7 * gnelbo(on_grid, on_data)}
    row |= distances(vae.sample(N_SAMPLES, random_state=seed), real, window)
    last = vae.history_[-1]
    row |= {name: last[name] for name in DIAGNOSTICS if name in last}
    return row | {"fit_seconds": fit_seconds}


def distances(X: np.ndarray, real: np.ndarray, window: float) -> dict[str, float]:
    """Return distances of a sample from a real one, by the papers' formulas and by others."""
    found = histogram_divergences(X, real, window)
    coarse = histogram_divergences(X, real, window, n_bins=25)
    return {
        "KL": found.kl_papers,
        "JSD": found.jsd_papers,
        "JSD, proper": coarse.jsd,
        "energy": 1e3 * energy_distance(X, real),
        "outside": found.outside,
    }


def rows_of(scale: Scale, density: str, results: Results) -> pd.DataFrame:
    """Return the rows of all models of one density."""
    seeds = some(scale.name, SEEDS)
    cases = [{"density": density, "model": m, "seed": s} for s in seeds for m in MODELS]
    name = f"soft_intro/densities_{scale.name}_{density}"
    return results.rows(name, cases, partial(case, scale))


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the differences of the learned mixture from the fixed one of the same seed."""
    index = ["density", "seed"]
    learned, fixed = (
        rows[rows["model"] == model].set_index(index)[["KL", "JSD", "JSD, proper", "energy"]]
        for model in ("learned mixture", "fixed mixture")
    )
    difference = (learned - fixed).reset_index()
    return mean_and_spread(difference, ["density"], digits=2, error=True)


def write(scale: Scale, rows: pd.DataFrame, results: Results) -> None:
    """Write the table of all densities."""
    plane = scale.plane
    results.write(
        f"soft_intro/densities_{scale.name}",
        f"Four densities in the plane, scale {scale.name}",
        [mean_and_spread(rows, ["density", "model"], digits=2, error=True), paired(rows)],
        [rows],
        note=(
            f"Default parameters of all models but for {plane['hidden_layer_sizes']} hidden units, "
            f"batches of {plane['batch_size']} and {plane['max_iter']} epochs; {scale.n_rows} "
            f"rows, {N_MODES} modes, {rows['seed'].nunique()} seeds, mean ± standard error. gnELBO "
            "is in units of 1e-7; that of a constant error is "
            f"{1e7 / (_PAPERS_GRID**2 + N_DATA):.2f}. KL and JSD are the papers', of {N_SAMPLES} "
            "points in 100 x 100 bins; those between two sets of real rows are the floor. JSD, "
            "proper is the Jensen-Shannon divergence in nats, of 25 x 25 bins; energy is the "
            "energy distance times 1000. The second table is the difference of the learned mixture "
            "from the fixed one of the same seed, which has the same warm-up."
        ),
    )


def main(argv: Sequence[str] | None = None) -> None:
    flags = {density: f"run only {density}" for density in WINDOWS}
    options, results = command_line(__doc__, SCALES, argv, **flags)
    scale = SCALES[options.scale]
    chosen = [density for density in WINDOWS if getattr(options, density)]
    densities = chosen or some(scale.name, list(WINDOWS))
    tables = [rows_of(scale, density, results) for density in densities]
    if not chosen:
        write(scale, pd.concat(tables), results)


if __name__ == "__main__":
    main()
