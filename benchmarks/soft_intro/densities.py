"""Four densities in the plane: a VAE against the introspective one, with several priors (Table 1).

Run ``python benchmarks/soft_intro/densities.py --scale small``. Every fit is a row of
``results/soft_intro/densities_<scale>_<density>.csv`` and is not repeated; delete the files to
start anew. With the name of a density, as in ``--rings``, only that one is run, so that several can
run at once; without any, the table is written.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch
from _shared import Scale, command_line, mean_and_spread, resumed, write

from sklearn_intelvae import InteLVAE, SoftIntroVAE, datasets
from sklearn_intelvae.metrics import energy_distance, gnelbo, histogram_divergences
from sklearn_intelvae.priors import Vamp

SEEDS = range(5)
WINDOWS = {"eight_gaussians": 2, "two_spirals": 4, "checkerboard": 4, "rings": 4}
"""Half the sides of the windows of the papers."""
VAE = {
    "VAE": {},
    "VAE, VampPrior": {"prior": Vamp(64)},
}
SOFT_INTRO = {
    "normal": {},
    "fixed mixture": {"prior": "mixture", "learn_prior": False},
    "learned mixture": {"prior": "mixture"},
    "learned, responsibility": {"prior": "mixture", "responsibility": 1.0},
}
REAL = "real rows"
MODELS = (REAL, *VAE, *SOFT_INTRO)
N_ROWS, N_SAMPLES, N_DATA = 100_000, 5000, 12_800
DIAGNOSTICS = ("responsibility_entropy", "inactive_modes", "mode_separation")
_PAPERS_GRID = 1024
_GRID = 256
_DRAWS = 100


def points(density: str, n_rows: int, seed: int) -> np.ndarray:
    """Return points of a density."""
    return getattr(datasets, f"make_{density}")(n_rows, random_state=seed)[0].astype(np.float32)


def fitted(scale: Scale, density: str, model: str, seed: int) -> InteLVAE | SoftIntroVAE:
    """Fit one model, all of them with their defaults."""
    X = points(density, N_ROWS, seed)
    if model in VAE:
        return InteLVAE(2, random_state=seed, **scale.plane, **VAE[model]).fit(X)
    vae = SoftIntroVAE(2, n_prior_components=64, random_state=seed, **scale.plane)
    return vae.set_params(**SOFT_INTRO[model]).fit(X)


def errors(vae: InteLVAE | SoftIntroVAE, X: np.ndarray) -> np.ndarray:
    """Return KL plus squared error of the deterministic reconstruction of each row."""
    model, generator = vae.module_, torch.Generator().manual_seed(0)
    kl = []
    with torch.no_grad():
        for x in torch.from_numpy(X).split(8192):
            q = model.encode(x)
            n_draws = 1 if hasattr(model.p_y(), "kl") else _DRAWS
            kl.append(sum(model.kl(q, q.sample(generator)) for _ in range(n_draws)) / n_draws)
    return torch.cat(kl).numpy() + ((vae.reconstruct(X) - X) ** 2).sum(1)


def window_grid(window: float) -> np.ndarray:
    """Return the middles of the cells of a window."""
    ticks = (np.arange(_GRID) + 0.5) / _GRID * 2 * window - window
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2).astype(np.float32)


def case(scale: Scale, density: str, model: str, seed: int) -> dict[str, float]:
    """Fit one model and measure its samples, and where its bound is low."""
    window, real = WINDOWS[density], points(density, N_SAMPLES, 1000 + seed)
    if model == REAL:
        return distances(points(density, N_SAMPLES, 2000 + seed), real, window)
    start = time.perf_counter()
    vae = fitted(scale, density, model, seed)
    fit_seconds = time.perf_counter() - start
    on_grid = np.repeat(errors(vae, window_grid(window)), (_PAPERS_GRID // _GRID) ** 2)
    on_data = errors(vae, points(density, N_DATA, 3000 + seed))
    row = {"gnELBO": 1e7 * gnelbo(on_grid, on_data)}
    row |= distances(vae.sample(N_SAMPLES, random_state=seed), real, window)
    last = vae.history_[-1]
    row |= {name: last[name] for name in DIAGNOSTICS if name in last}
    return row | {"fit_seconds": fit_seconds}


def distances(X: np.ndarray, real: np.ndarray, window: float) -> dict[str, float]:
    """Return how far a sample is from a real one, as the papers measure it and otherwise."""
    found = histogram_divergences(X, real, window)
    coarse = histogram_divergences(X, real, window, n_bins=25)
    return {
        "KL": found.kl_papers,
        "JSD": found.jsd_papers,
        "JSD, proper": coarse.jsd,
        "energy": 1e3 * energy_distance(X, real),
        "outside": found.outside,
    }


def rows_of(scale: Scale, density: str) -> pd.DataFrame:
    """Fit and measure, or read, all models of one density."""
    cases = [{"density": density, "model": m, "seed": s} for s in SEEDS for m in MODELS]
    name = f"soft_intro/densities_{scale.name}_{density}"
    return resumed(name, cases, lambda **c: case(scale, **c))


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how the learned mixture differs from the fixed one of the same seed."""
    index = ["density", "seed"]
    learned, fixed = (
        rows[rows["model"] == model].set_index(index)[["KL", "JSD", "JSD, proper", "energy"]]
        for model in ("learned mixture", "fixed mixture")
    )
    difference = (learned - fixed).reset_index()
    return mean_and_spread(difference, ["density"], digits=2, error=True)


def main() -> None:
    scale, options = command_line(__doc__, **{d: f"run only {d}" for d in WINDOWS})
    chosen = [density for density in WINDOWS if getattr(options, density)]
    tables = [rows_of(scale, density) for density in chosen or WINDOWS]
    if chosen:
        return
    rows = pd.concat(tables)
    write(
        f"soft_intro/densities_{scale.name}",
        f"Four densities in the plane, scale {scale.name}",
        mean_and_spread(rows, ["density", "model"], digits=2, error=True),
        paired(rows),
        note=(
            f"Defaults of all models, {scale.plane['hidden_layer_sizes']} hidden units, "
            f"{N_ROWS} rows, batches of {scale.plane['batch_size']}, "
            f"{scale.plane['max_iter']} epochs, 64 modes, {len(SEEDS)} seeds, mean ± standard "
            "error. gnELBO in units of 1e-7, of a constant error "
            f"{1e7 / (_PAPERS_GRID**2 + N_DATA):.2f}. KL and JSD are the papers', of {N_SAMPLES} "
            "points in 100 x 100 bins, and those of other real rows are the floor; JSD, proper is "
            "the Jensen-Shannon divergence in nats, of 25 x 25 bins; energy is the energy distance "
            "times 1000. The second table is the learned mixture less the fixed one of the same "
            "seed, which have the same warm-up."
        ),
    )


if __name__ == "__main__":
    main()
