"""A fit or a search by default, with whatever version of the package is first on the path.

Run by ``benchmarks.league.earlier`` in a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

GRID = {
    "n_components": [5, 10, 20],
    "hidden_layer_sizes": [(64,), (128, 128)],
    "beta": [0.5, 1.0],
}


def fit(train: np.ndarray, test: np.ndarray, k: int, seed: int, max_iter: Any) -> dict[str, float]:
    """Fit an InteLVAE; return the held-out score, the seconds, and the numbers of epochs."""
    from sklearn_intelvae import InteLVAE

    start = time.perf_counter()
    vae = InteLVAE(k, random_state=seed, max_iter=max_iter).fit(train)
    seconds = time.perf_counter() - start
    return {"log_p": float(vae.score(test)), "seconds": seconds, "epochs": vae.n_iter_}


def search(train: np.ndarray, seed: int) -> dict[str, float]:
    """Search 12 settings in two folds."""
    from sklearn.model_selection import GridSearchCV

    from sklearn_intelvae import InteLVAE

    start = time.perf_counter()
    GridSearchCV(InteLVAE(random_state=seed), GRID, cv=2, refit=False).fit(train)
    return {"seconds": time.perf_counter() - start}


def main(given: str, written: str) -> None:
    """Read arrays and settings, and write what was found."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    fit(*np.random.default_rng(0).normal(size=(2, 40, 5)), k=2, seed=0, max_iter=1)  # imports
    data = np.load(given)
    settings = json.loads(str(data["settings"]))
    if settings.pop("search", False):
        found = search(data["train"], **settings)
    else:
        found = fit(data["train"], data["test"], **settings)
    Path(written).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
