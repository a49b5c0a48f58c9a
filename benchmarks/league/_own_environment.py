"""Rivals whose requirements do not go with ours, in a virtual environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import get_data_home

from benchmarks.league import _rival

PACKAGES = {
    "UMAP": ("umap-learn==0.5.12",),
    "TVAE": ("ctgan==0.12.1", "torch==2.13.0"),
}


def python_of(method: str) -> Path:
    """Return the interpreter of the environment of a method, which is made if it is missing."""
    home = Path(get_data_home()) / "sklearn_intelvae" / f"environment_{method.lower()}"
    python = home / "bin" / "python"
    ready = home / "-".join(PACKAGES[method]).replace("=", "_")
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES[method]]
        subprocess.run(install, check=True)
        ready.touch()
    return python


class Rival(BaseEstimator):
    """A method that is fitted, and used, by another interpreter.

    Attributes
    ----------
    seconds_ : float
        Of the fit alone, without the start of the interpreter.
    """

    def __init__(self, method: str, n_components: int, random_state: int) -> None:
        self.method = method
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: np.ndarray) -> Rival:
        """Fit the method, and keep it as a file."""
        self._folder = tempfile.TemporaryDirectory()
        settings = {"method": self.method, "k": self.n_components, "seed": self.random_state}
        self.seconds_ = float(self._run("fit", X=X, **settings)["seconds"])
        return self

    def _run(self, task: str, **given: Any) -> Any:
        folder = Path(self._folder.name)
        np.savez(folder / "given.npz", **given)
        command = [str(python_of(self.method)), _rival.__file__, task, str(folder)]
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        subprocess.run(command, check=True, env=os.environ | one_thread, stderr=subprocess.DEVNULL)
        return np.load(folder / "found.npz")


class Encoder(Rival):
    """A rival with codes."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the codes of rows."""
        return self._run("transform", X=X)["found"]


class Generator(Rival):
    """A rival that generates rows."""

    def sample(self, n: int, random_state: int) -> np.ndarray:
        """Return rows."""
        return self._run("sample", n=n, seed=random_state)["found"]
