"""The default fit beside that of commit 0f01f7a, which started at random weights.

Run ``python -m benchmarks.league.earlier``; it resumes where it stopped. The earlier package is
extracted from git. For each table and seed both versions fit the same standardized rows, one after
the other and then once more, each in a process of its own with one thread; the shorter time of the
two counts. Then the present version fits anew with an
eighth and with a quarter of the steps of the earlier one. The first row is a search of 12 settings
in two folds of the digits.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._earlier import extracted, run_with
from benchmarks._provenance import ROOT
from benchmarks._report import command_line, some
from benchmarks._tables import TABLES
from benchmarks.league import _default_fit
from benchmarks.league.tables import IMAGES, SMALL_TABLES, n_components, standardized
from sklearn_intelvae import InteLVAE

SCALES = ("quick", "small")
SEEDS = range(5)
_EARLIER_BATCHES = 16
_BATCH_RANGE = 32, 256


def case(old: Path, table: str, seed: int) -> dict[str, float]:
    """Compare the default fits to one table, or the searches."""
    rows = standardized("digits" if table == "search" else table, seed)
    if table == "search":
        before, now = _alternating(old, rows, seed=seed, search=True)
        return {"seconds_old": before["seconds"], "seconds_new": now["seconds"]}
    k = n_components(table, rows.train.shape[1])
    settings = {"k": k, "seed": seed}
    before, now = _alternating(old, rows, max_iter="auto", **settings)
    n = len(rows.train)
    steps = before["epochs"] * math.ceil(n / _earlier_batch_size(n))
    row = {
        "log_p_old": before["log_p"],
        "log_p_new": now["log_p"],
        "seconds_old": before["seconds"],
        "seconds_new": now["seconds"],
        "steps_old": steps,
        "steps_new": now["epochs"] * _batches(n),
    }
    for name, share in (("eighth", 8), ("quarter", 4)):
        epochs = max(1, steps // share // _batches(n))
        row[f"log_p_{name}"] = _run(ROOT, rows, max_iter=epochs, **settings)["log_p"]
    return row


def _alternating(old: Path, rows: Any, **settings: Any) -> tuple[dict[str, float], ...]:
    """Return what both versions found, with the shorter of two times of each."""
    before, now, *again = (_run(package, rows, **settings) for package in (old, ROOT, old, ROOT))
    for first, second in zip((before, now), again, strict=True):
        first["seconds"] = min(first["seconds"], second["seconds"])
    return before, now


def _run(package: Path, rows: Any, **settings: Any) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder) / "given.npz", Path(folder) / "found.json"
        np.savez(given, train=rows.train, test=rows.test, settings=json.dumps(settings))
        run_with(package, _default_fit.__file__, str(given), str(written))
        return json.loads(written.read_text())


def _earlier_batch_size(n_rows: int) -> int:
    return int(np.clip(2 ** round(math.log2(n_rows / _EARLIER_BATCHES)), *_BATCH_RANGE))


def _batches(n_rows: int) -> int:
    """Return the number of steps in an epoch of the present default."""
    _, recipe = InteLVAE()._recipes
    return math.ceil(n_rows / min(recipe.batch_size(n_rows), n_rows))


def by_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the means over seeds, with the ratios of seconds."""
    means = rows.groupby("table", sort=False).mean(numeric_only=True)
    means["seconds_ratio"] = means["seconds_new"] / means["seconds_old"]
    names = ("log_p_old", "log_p_new", "log_p_quarter", "log_p_eighth", "steps_old", "steps_new")
    return means[[*names, "seconds_old", "seconds_new", "seconds_ratio"]].round(3).reset_index()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often the present default is ahead, and the median ratio of seconds."""
    fits = table[table["table"] != "search"]
    reached = {
        f"tables where {what} reaches the earlier log p": (fits[name] >= fits["log_p_old"]).sum()
        for what, name in (
            ("the default", "log_p_new"),
            ("a quarter of its steps", "log_p_quarter"),
            ("an eighth of its steps", "log_p_eighth"),
        )
    }
    values = {"tables": len(fits)} | reached
    values["median ratio of seconds"] = round(fits["seconds_ratio"].median(), 3)
    return pd.DataFrame({"figure": list(values), "value": list(values.values())})


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows that are missing, and write the tables."""
    options, results = command_line(__doc__, SCALES, argv)
    quick = options.scale == "quick"
    tables = SMALL_TABLES[:2] if quick else (*(t for t in TABLES if t not in IMAGES), *IMAGES)
    cases = [] if quick else [{"table": "search", "seed": 0}]
    cases += [{"table": t, "seed": s} for s in some(options.scale, SEEDS) for t in tables]
    name = f"league/earlier_{options.scale}"
    with extracted() as old:
        rows = results.rows(name, cases, partial(case, old))
    table = by_table(rows)
    results.write(
        name,
        "The default fit beside that of 0f01f7a",
        [summary(table), table],
        [rows],
        note=(
            "log_p: nats per held-out row of standardized columns. log_p_quarter, log_p_eighth: "
            "of fits with a quarter and an eighth of the steps of the earlier default."
        ),
    )


if __name__ == "__main__":
    main()
