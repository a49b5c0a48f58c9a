"""Measure the rows of a benchmark once, keep them with their provenance, and write its tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pandas as pd
import torch

from benchmarks._provenance import COLUMNS, ROOT, Origin, current_origin
from benchmarks._rows import Row, as_text, find, read_rows, store, to_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS = ROOT / "benchmarks" / "results"
OTHER = "†"
"""Marks rows of other code, versions or machines than the present ones."""

Redo = Literal["none", "missing", "stale", "all"]
T = TypeVar("T")

_N_PRINTED = 10
_REDO: dict[str, tuple[Redo, str]] = {
    "--fresh": ("all", "measure all rows anew"),
    "--stale": ("stale", "measure rows of other code anew"),
    "--table": ("none", "measure nothing, write the tables"),
}
_LEGEND = {
    OTHER: "measured with other code, versions, processor or threads than those in use when this "
    "table was written; `--stale` measures these rows anew.",
    "?": "the commit added the row to the repository; the code that measured it is that of the "
    "commit or earlier.",
    "+": "the code had changes that were not committed; the digits tell their states apart.",
}


def command_line(
    description: str | None,
    scales: Iterable[str],
    argv: Sequence[str] | None = None,
    threads: int = 1,
    **flags: str,
) -> tuple[argparse.Namespace, Results]:
    """Read the command line and set torch's number of threads; return options and results.

    One thread is faster than two for small networks. Each further flag comes with its help.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--scale", choices=sorted(scales), default="small", help="sizes; the default is small")
    add("--seeds", type=int, help="number of seeds, the first ones; the default is all")
    add("--threads", type=int, default=threads, help=f"torch threads; the default is {threads}")
    redo = parser.add_mutually_exclusive_group()
    for flag, (what, text) in _REDO.items():
        redo.add_argument(flag, dest="redo", action="store_const", const=what, help=text)
    for flag, text in flags.items():
        add(f"--{flag}", action="store_true", help=text)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    folder = RESULTS / "quick" if options.scale == "quick" else RESULTS
    return options, Results(folder, options.redo or "missing", n_seeds=options.seeds)


class MissingRowsError(Exception):
    """Rows that are needed for a table have not been measured."""


def some(scale: str, items: Sequence[T], n: int = 1) -> Sequence[T]:
    """Return the first n items at the scale "quick", and all of them at the others."""
    return items[:n] if scale == "quick" else items


class Results:
    """The rows and tables of a folder, and which rows are measured anew.

    Parameters
    ----------
    folder : Path
        Rows are kept in its CSV files, tables and pictures are written beside them.
    redo : {"none", "missing", "stale", "all"}, default="missing"
        Rows to measure: none; those that the files do not hold; also those of other code, versions,
        processor or threads; all of them.
    origin : Origin, default=None
        What new rows are measured with. None reads it from this process.
    n_seeds : int or None, default=None
        Of the cases, leave out those of further seeds. None keeps all.
    """

    def __init__(
        self,
        folder: Path,
        redo: Redo = "missing",
        origin: Origin | None = None,
        n_seeds: int | None = None,
    ) -> None:
        self.folder = folder
        self.redo = redo
        self.n_seeds = n_seeds
        self.origin = current_origin() if origin is None else origin

    def rows(
        self,
        name: str,
        cases: Iterable[dict[str, Any]],
        run: Callable[..., dict[str, Any]],
    ) -> pd.DataFrame:
        """Return the rows of the cases, in their order, after measuring those that are to be.

        A row holds its case, what ``run(**case)`` returns, the seconds that this took, and the
        origin. It is written to ``name.csv`` as soon as it is measured, so that an interrupted run
        loses one row at most. In the column ``commit`` of the result, rows of another origin are
        marked.

        Raises
        ------
        MissingRowsError
            If a row is missing and nothing is to be measured.
        """
        path = self.folder / f"{name}.csv"
        cases = self._of_first_seeds(list(cases))
        if self.redo == "none":
            self._check_complete(path, cases)
        for number, case in enumerate(cases, 1):
            if not self._is_done(find(case, read_rows(path))):
                row = self._measured(case, run)
                store(path, case, row)
                print(f"[{number}/{len(cases)}] {_line(row)}", flush=True)
        measured = read_rows(path)
        return self._marked([row for case in cases if (row := find(case, measured))], name)

    def _of_first_seeds(self, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seeds = list(dict.fromkeys(case["seed"] for case in cases if "seed" in case))
        kept = seeds[: self.n_seeds]
        return [case for case in cases if "seed" not in case or case["seed"] in kept]

    def _is_done(self, row: Row | None) -> bool:
        if row is None or self.redo == "all":
            return False
        return self.redo != "stale" or not self._is_stale(row)

    def _check_complete(self, path: Path, cases: list[dict[str, Any]]) -> None:
        rows = read_rows(path)
        n_missing = sum(find(case, rows) is None for case in cases)
        if n_missing:
            raise MissingRowsError(f"{n_missing} of {len(cases)} rows are missing in {path.name}")

    def _is_stale(self, row: Row) -> bool:
        return tuple(row.get(name, "") for name in Origin._fields) != self.origin

    def _measured(self, case: dict[str, Any], run: Callable[..., dict[str, Any]]) -> Row:
        start = time.perf_counter()
        values = run(**case)
        seconds = round(time.perf_counter() - start, 1)
        provenance = {"seconds": seconds, **self.origin._asdict(), "date": date.today()}
        return as_text(case | values | provenance)

    def _marked(self, rows: list[Row], name: str) -> pd.DataFrame:
        """Return the rows with marked commits, and print how many rows are of another origin."""
        marked = [dict.fromkeys(COLUMNS, "") | row for row in rows]
        stale = [row for row in marked if self._is_stale(row)]
        for row in stale:
            row["commit"] = f"{row['commit'] or 'unknown'} {OTHER}"
        if stale:
            print(f"{name}: {len(stale)} of {len(rows)} rows are of other code; see --stale.")
        return to_frame(marked)

    def write(
        self,
        name: str,
        title: str,
        tables: Sequence[pd.DataFrame],
        rows: Sequence[pd.DataFrame],
        note: str = "",
    ) -> None:
        """Print the tables and write them to ``name.md``, with the provenance of their rows."""
        parts = [f"# {title}", *map(_markdown, tables), note]
        parts += [provenance(pd.concat(rows))]
        text = "\n\n".join(filter(None, parts))
        print("\n" + text)
        path = self.folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf8")

    def picture(self, name: str, draw: Callable[[], Figure], dpi: int = 120) -> None:
        """Draw ``name.png`` if it is missing or all is redone; its metadata name the commit."""
        path = self.folder / f"{name}.png"
        if self.redo == "all" or (self.redo != "none" and not path.exists()):
            path.parent.mkdir(parents=True, exist_ok=True)
            draw().savefig(path, dpi=dpi, metadata={"Comment": f"commit {self.origin.commit}"})


def provenance(rows: pd.DataFrame) -> str:
    """Return a table of the origins of rows whose commits are marked, with the key of the marks."""
    origins = rows.fillna({name: "unknown" for name in COLUMNS if name != "seconds"})
    grouped = origins.groupby(list(Origin._fields), sort=False)
    table = grouped.agg(
        rows=("commit", "size"),
        seconds=("seconds", partial(pd.Series.sum, min_count=1)),
        first=("date", "min"),
        last=("date", "max"),
    ).reset_index()
    table["seconds"] = table["seconds"].round()
    counts = table[["commit", "rows", "seconds", "first", "last", *Origin._fields[1:]]]
    marks = "".join(table["commit"])
    key = [f"- {mark}: {text}" for mark, text in _LEGEND.items() if mark in marks]
    seconds = rows["seconds"].sum(min_count=1)
    total = f"{len(rows)} rows, measured in {seconds:.0f} seconds:".replace("nan", "unknown")
    return "\n\n".join(filter(None, [total, _markdown(counts), "\n".join(key)]))


def commits(rows: pd.DataFrame, by: list[str]) -> pd.Series:
    """Return the commits of each group of rows, in the order of the groups."""
    grouped = rows.groupby(by, sort=False)["commit"]
    return grouped.agg(lambda column: ", ".join(column.unique()))


def mean_and_spread(
    rows: pd.DataFrame, by: list[str], digits: int = 3, error: bool = False
) -> pd.DataFrame:
    """Return a table of 'mean ± standard deviation' over seeds, empty where there is no value.

    With ``error`` the spread is the standard error of the mean, which one seed alone has not. The
    commits of the rows, if they have any, are the last column.
    """
    numbers = rows.select_dtypes("number").columns
    values = [c for c in numbers if c not in [*by, "seed"]]
    values.sort(key="seconds".__eq__)
    grouped = rows.groupby(by, sort=False)[values]
    mean, spread = grouped.mean(), grouped.sem() if error else grouped.std(ddof=0)
    text = mean.map(f"{{:.{digits}f}}".format).where(mean.notna(), "")
    frame = text + spread.map(f" ± {{:.{digits}f}}".format).where(spread.notna(), "")
    if "commit" in rows:
        frame["commit"] = commits(rows, by)
    return frame.reset_index()


def each_row(rows: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """Return a table of the rows as they are, of whose provenance it keeps seconds and commit."""
    return rows.drop(columns=[c for c in COLUMNS[2:] if c in rows]).round(digits)


def seeds_of(rows: pd.DataFrame) -> str:
    """Return the number of seeds of the rows, for a note."""
    n = rows["seed"].nunique()
    return f"{n} seed" if n == 1 else f"{n} seeds"


def in_order(rows: pd.DataFrame, column: str, values: Iterable[Any]) -> pd.DataFrame:
    """Return the rows in the order of these values of a column, else in the order that they had."""
    place = {value: i for i, value in enumerate(values)}
    return rows.sort_values(column, key=lambda cells: cells.map(place), kind="stable")


def _markdown(table: pd.DataFrame) -> str:
    """Return the table in Markdown; texts stay texts, also commits that look like numbers."""
    texts = [i for i, c in enumerate(table) if not pd.api.types.is_numeric_dtype(table[c])]
    table = table.replace(r"\|", r"\\|", regex=True).astype(object)
    table = table.where(table.notna(), None)
    return table.to_markdown(index=False, disable_numparse=texts, missingval="")


def _line(row: Row) -> str:
    """Return the first values of a row, and its seconds."""
    values = [name for name in row if name not in COLUMNS][:_N_PRINTED]
    return "  ".join(f"{name}={_short(row[name])}" for name in [*values, "seconds"])


def _short(cell: str) -> str:
    try:
        return f"{float(cell):.3f}" if "." in cell else cell
    except ValueError:
        return cell
