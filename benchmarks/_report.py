"""What the benchmarks share: rows that survive an interruption, and tables."""

from __future__ import annotations

import argparse
import os
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

_N_PRINTED = 10


def scale_and_flags(
    description: str | None, scales: Iterable[str], **flags: str
) -> argparse.Namespace:
    """Read the command line, and use one thread, which is faster than two for small networks.

    Each further flag comes with its help.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--scale", choices=sorted(scales), default="small")
    for flag, text in flags.items():
        parser.add_argument(f"--{flag}", action="store_true", help=text)
    torch.set_num_threads(1)
    return parser.parse_args()


def resumed(
    name: str, cases: Iterable[dict[str, Any]], run: Callable[..., dict[str, Any]]
) -> pd.DataFrame:
    """Run each case that ``results/name.csv`` does not hold yet; return the cases' rows in order.

    A row is written as soon as it is known, with the seconds that it took.
    """
    path = RESULTS / f"{name}.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    cases = list(cases)
    for number, case in enumerate(cases, 1):
        if _row_of(case, rows):
            continue
        start = time.perf_counter()
        row = case | run(**case)
        rows.append(row | {"seconds": round(time.perf_counter() - start, 1)})
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(path, index=False)
        print(f"[{number}/{len(cases)}] {_line(rows[-1])}", flush=True)
    return pd.DataFrame([_row_of(case, rows) for case in cases])


def _row_of(case: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the row that holds the case's values, if there is one."""
    wanted = {name: str(value) for name, value in case.items()}
    for row in rows:
        if all(str(row.get(name)) == value for name, value in wanted.items()):
            return row
    return None


def mean_and_spread(
    rows: pd.DataFrame, by: list[str], digits: int = 3, error: bool = False
) -> pd.DataFrame:
    """Return a table of 'mean ± standard deviation' over seeds, empty where there is no value.

    With ``error`` the spread is the standard error of the mean.
    """
    numbers = rows.select_dtypes("number").columns
    values = [c for c in numbers if c not in [*by, "seed"]]
    values.sort(key="seconds".__eq__)
    grouped = rows.groupby(by, sort=False)[values]
    mean, spread = grouped.mean(), grouped.sem() if error else grouped.std(ddof=0)
    cells = {c: mean[c].map(f"{{:.{digits}f}}".format) for c in values}
    table = {c: cells[c] + " ± " + spread[c].map(f"{{:.{digits}f}}".format) for c in values}
    return pd.DataFrame(table).where(mean.notna(), "").reset_index()


def write(name: str, title: str, *tables: pd.DataFrame, note: str = "") -> None:
    """Print the tables and write them to ``results/name.md``, with their time and the hardware.

    The time is that of all rows of ``results/name*.csv``.
    """
    printed = [
        table.replace(r"\|", r"\\|", regex=True).to_markdown(
            index=not table.index.equals(range_of(table))
        )
        for table in tables
    ]
    text = "\n\n".join(filter(None, [f"# {title}", *printed, note, time_taken(name), hardware()]))
    print("\n" + text)
    path = RESULTS / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf8")


def range_of(table: pd.DataFrame) -> pd.RangeIndex:
    """Return the index of a table whose rows have no names."""
    return pd.RangeIndex(len(table))


def time_taken(name: str) -> str:
    """Return how long the rows of ``results/name*.csv`` took, nothing if there are none."""
    tables = [pd.read_csv(path) for path in sorted(RESULTS.glob(f"{name}*.csv"))]
    if not tables:
        return ""
    rows = pd.concat(tables)
    return f"All {len(rows)} rows took {rows['seconds'].sum():.0f} seconds together."


def hardware() -> str:
    """Return what the figures were measured on."""
    gpu = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    return (
        f"{platform.machine()} {platform.system()}, {os.cpu_count()} processor cores, {gpu}"
        f"{torch.get_num_threads()} torch threads, "
        f"Python {platform.python_version()}, sklearn_intelvae {sklearn_intelvae.__version__}, "
        f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"skorch {skorch.__version__}."
    )


def _line(row: dict[str, Any]) -> str:
    """Return the first values of a row, and the seconds, which come last."""
    first = dict(list(row.items())[:_N_PRINTED]) | {"seconds": row["seconds"]}
    return "  ".join(f"{name}={_short(value)}" for name, value in first.items())


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
