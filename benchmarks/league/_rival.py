"""A rival that needs an environment of its own: fit it, encode rows, or draw new ones.

Run by ``benchmarks.league._own_environment`` in that environment.
"""

from __future__ import annotations

import pickle
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np


def fit_umap(X: np.ndarray, k: int, seed: int) -> Any:
    """Return a fitted UMAP with its default neighborhood."""
    import umap

    return umap.UMAP(n_components=k, random_state=seed).fit(X)


def fit_tvae(X: np.ndarray, k: int, seed: int) -> Any:
    """Return a fitted TVAE with its default settings."""
    import pandas as pd
    from ctgan import TVAE

    model = TVAE(embedding_dim=k, enable_gpu=False)
    model.set_random_state(seed)
    model.fit(pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])]))
    return model


FITS = {"UMAP": fit_umap, "TVAE": fit_tvae}


def main(task: str, folder: str) -> None:
    """Read ``given.npz`` in a folder, and write ``found.npz`` or the fitted model."""
    warnings.simplefilter("ignore")
    here = Path(folder)
    given = np.load(here / "given.npz")
    if task == "fit":
        start = time.perf_counter()
        model = FITS[str(given["method"])](given["X"], int(given["k"]), int(given["seed"]))
        seconds = time.perf_counter() - start
        (here / "model.pickle").write_bytes(pickle.dumps(model))
        np.savez(here / "found.npz", seconds=seconds)
        return
    model = pickle.loads((here / "model.pickle").read_bytes())
    if task == "transform":
        found = model.transform(given["X"])
    else:
        model.set_random_state(int(given["seed"]))
        found = model.sample(int(given["n"])).to_numpy()
    np.savez(here / "found.npz", found=found)


if __name__ == "__main__":
    main(*sys.argv[1:])
