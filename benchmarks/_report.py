"""What the benchmarks share: rows that survive an interruption, and tables."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import sklearn
import skorch
import torch

import sklearn_intelvae

RESULTS = Path(__file__).parent / "results"


def resumed(
    name: str, cases: Iterable[dict[str, Any]], run: Callable[..., dict[str, Any]]
) -> pd.DataFrame:
    """Run each case that ``results/name.csv`` does not hold yet; return all rows.

    A row is written as soon as it is known, with the seconds that it took.
    """
    path = RESULTS / f"{name}.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    cases = list(cases)
    for number, case in enumerate(cases, 1):
        if any(all(str(row.get(k)) == str(v) for k, v in case.items()) for row in rows):
            continue
        start = time.perf_counter()
        row = case | run(**case)
        rows.append(row | {"seconds": round(time.perf_counter() - start, 1)})
        RESULTS.mkdir(exist_ok=True)
        pd.DataFrame(rows).to_csv(path, index=False)
        print(f"[{number}/{len(cases)}] " + "  ".join(f"{k}={_short(v)}" for k, v in row.items()))
    return pd.DataFrame(rows)


def mean_and_spread(rows: pd.DataFrame, by: list[str], digits: int = 3) -> pd.DataFrame:
    """Return a table of 'mean ± standard deviation' over seeds."""
    values = [c for c in rows.columns if c not in [*by, "seed"]]
    grouped = rows.groupby(by, sort=False)[values]
    mean, spread = grouped.mean(), grouped.std(ddof=0)
    cells = {c: mean[c].map(f"{{:.{digits}f}}".format) for c in values}
    table = {c: cells[c] + " ± " + spread[c].map(f"{{:.{digits}f}}".format) for c in values}
    return pd.DataFrame(table).reset_index()


def write(name: str, title: str, *tables: pd.DataFrame, note: str = "") -> None:
    """Print the tables and write them, with the hardware, to ``results/name.md``."""
    printed = [table.to_markdown(index=not table.index.equals(range_of(table))) for table in tables]
    text = "\n\n".join([f"# {title}", *printed, note, hardware()])
    print("\n" + text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text + "\n", encoding="utf8")


def range_of(table: pd.DataFrame) -> pd.RangeIndex:
    """Return the index of a table whose rows have no names."""
    return pd.RangeIndex(len(table))


def hardware() -> str:
    """Return what the figures were measured on."""
    return (
        f"{platform.machine()} {platform.system()}, {torch.get_num_threads()} torch threads, "
        f"Python {platform.python_version()}, sklearn_intelvae {sklearn_intelvae.__version__}, "
        f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"skorch {skorch.__version__}."
    )


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
