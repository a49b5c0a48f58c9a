"""Largest difference between fits with one seed: in a row, after other draws, in parallel."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _report import write
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "estimators"))
from shelf import ESTIMATORS

X = (load_digits().data / 16).astype(np.float32)[:600]


def codes(estimator: BaseEstimator) -> np.ndarray:
    """Fit anew and return the codes."""
    return clone(estimator).fit(X).transform(X)


def generators() -> tuple:
    """Return the state of the three global generators."""
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002


def differences(estimator: BaseEstimator) -> dict[str, float]:
    """Return the largest absolute difference from the first fit, for each way to repeat it."""
    before = generators()
    first = codes(estimator)
    fitted = clone(estimator).fit(X)
    if hasattr(fitted, "sample"):
        fitted.sample(10, noise=True)
    fitted.score(X)
    moved = before != generators()
    repeats = {"in a row": [codes(estimator)]}
    torch.rand(7)
    repeats["after torch.rand"] = [codes(estimator)]
    for backend in ("loky", "threading"):
        repeats[backend] = Parallel(2, backend=backend)(delayed(codes)(estimator) for _ in range(4))
    found = {name: max(np.abs(first - z).max() for z in zs) for name, zs in repeats.items()}
    return found | {"global generators moved": float(moved)}


def main() -> None:
    rows = {name: differences(estimator) for name, estimator in ESTIMATORS.items()}
    write(
        "determinism",
        "Largest difference between fits with one seed",
        pd.DataFrame(rows).T,
        note="Zero means equal bit for bit. Workers of loky run one thread each.",
    )


if __name__ == "__main__":
    main()
