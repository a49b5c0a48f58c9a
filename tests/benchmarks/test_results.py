"""The rows that are part of the repository."""

import re

import pytest

from benchmarks._provenance import COLUMNS, Origin
from benchmarks._report import RESULTS
from benchmarks._rows import _csv, read_rows

FILES = sorted(f for f in RESULTS.rglob("*.csv") if "quick" not in f.parts)
COMMIT = re.compile(r"[0-9a-f]{7,}(\?|\+[0-9a-f]{4})?")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(RESULTS)))
def test_every_row_says_what_it_was_measured_with(path):
    rows = read_rows(path)
    for row in rows:
        assert tuple(row)[-len(COLUMNS) :] == COLUMNS
        assert all(row[name] for name in (*Origin._fields, "date"))
        assert COMMIT.fullmatch(row["commit"])
    assert _csv(rows) == path.read_text(encoding="utf8")
