"""Largest difference between fits with one seed: in a row, after other draws, in parallel.

Run ``python -m benchmarks.determinism``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits

from benchmarks._report import command_line, each_row, some
from benchmarks._variants import variants


def codes(estimator: BaseEstimator) -> np.ndarray:
    """Fit a copy and return the codes."""
    X = (load_digits().data / 16).astype(np.float32)[:600]
    return clone(estimator).fit(X).transform(X)


def use_random_state(estimator: BaseEstimator) -> None:
    """Call the methods of a fitted copy that draw random numbers."""
    X = (load_digits().data / 16).astype(np.float32)[:600]
    fitted = clone(estimator).fit(X)
    if hasattr(fitted, "sample"):
        fitted.sample(10, noise=True)
    fitted.score(X)


def generators() -> tuple:
    """Return the state of the three global generators."""
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002


def case(estimator: str) -> dict[str, float]:
    """Return the largest absolute difference from the first fit, for each way to repeat it."""
    model = variants()[estimator]
    before = generators()
    first = codes(model)
    use_random_state(model)
    moved = before != generators()
    repeats = {"in a row": [codes(model)]}
    torch.rand(7)
    repeats["after torch.rand"] = [codes(model)]
    for backend in ("loky", "threading"):
        repeats[backend] = Parallel(2, backend=backend)(delayed(codes)(model) for _ in range(4))
    found = {name: max(np.abs(first - z).max() for z in zs) for name, zs in repeats.items()}
    return found | {"global generators moved": float(moved)}


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, ("quick", "small"), argv)
    names = some(options.scale, list(variants()), 2)
    rows = results.rows("determinism", [{"estimator": name} for name in names], case)
    results.write(
        "determinism",
        "Largest difference between fits with one seed",
        [each_row(rows)],
        [rows],
        note="Zero means equal bit for bit. Each worker of loky runs one thread.",
    )


if __name__ == "__main__":
    main()
