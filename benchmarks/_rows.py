"""Tables of rows in CSV files, kept as text so that reading and writing changes no figure."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._provenance import COLUMNS

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

Row = dict[str, str]
"""Cells by name of their column; an empty cell is a missing value."""

_NUMBER = re.compile(r"-?(\d+(\.\d*)?(e[-+]?\d+)?|inf)")
"""Numbers as Python prints them, but not names such as "infinity"."""


def as_text(values: Mapping[str, Any]) -> Row:
    """Return the cells of a row; floats keep all of their digits."""
    return {name: _cell(value) for name, value in values.items()}


def _cell(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    missing = value is None or (isinstance(value, float) and value != value)
    return "" if missing else str(value)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file, none if there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf8", newline="") as file:
        return [{name: cell or "" for name, cell in row.items()} for row in csv.DictReader(file)]


def find(case: Mapping[str, Any], rows: Iterable[Row]) -> Row | None:
    """Return the first row that holds the values of the case, or None.

    Numbers are equal if their values are: a case with 1 finds a row with 1.0.
    """
    wanted = as_text(case)
    for row in rows:
        if all(name in row and _equal(row[name], cell) for name, cell in wanted.items()):
            return row
    return None


def _equal(a: str, b: str) -> bool:
    number = _number(a)
    return a == b or (number is not None and number == _number(b))


def store(path: Path, case: Mapping[str, Any], row: Row) -> None:
    """Replace the row of the case, or append one, and leave all other rows as they are.

    The file is read again first, so that rows of other processes are kept, and is replaced in one
    step, so that an interruption leaves either the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        rows = read_rows(path)
        former = find(case, rows)
        if former is None:
            rows.append(row)
        else:
            rows[rows.index(former)] = row
        write_rows(path, _without_empty_columns(rows, but=row))


def _without_empty_columns(rows: list[Row], but: Row) -> list[Row]:
    """Leave out columns that no row has a value of any more, except those of one row."""
    filled = set(but).union(name for row in rows for name, cell in row.items() if cell)
    return [{name: cell for name, cell in row.items() if name in filled} for row in rows]


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write the rows in one step, with the provenance in the last columns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(_csv(rows), encoding="utf8", newline="")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _csv(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _columns(rows: list[Row]) -> list[str]:
    """Return the columns of all rows as they first appear, but the provenance last."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return sorted(columns, key=lambda name: COLUMNS.index(name) if name in COLUMNS else -1)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from changing the files of a folder, where the system can do that."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def to_frame(rows: list[Row]) -> pd.DataFrame:
    """Return the rows with numbers as numbers; commits of digits alone stay text."""
    cells = {name: [row.get(name, "") for row in rows] for name in _columns(rows)}
    text = COLUMNS[1:]
    return pd.DataFrame(
        {name: _texts(c) if name in text else _values(c) for name, c in cells.items()}
    )


def _texts(cells: list[str]) -> pd.Series:
    return pd.Series([cell or None for cell in cells], dtype="str")


def _values(cells: list[str]) -> pd.Series:
    """Return truth values, whole numbers or floats if all cells are such, else texts."""
    if all(cell in ("True", "False") for cell in cells):
        return pd.Series([cell == "True" for cell in cells])
    if all(cell.lstrip("-").isdecimal() for cell in cells):
        return pd.Series([int(cell) for cell in cells])
    if all(not cell or _number(cell) is not None for cell in cells):
        return pd.Series([float(cell or "nan") for cell in cells])
    return _texts(cells)


def _number(cell: str) -> float | None:
    return float(cell) if _NUMBER.fullmatch(cell) else None
