"""Rows of benchmarks: measured once, kept through interruptions, never mixed without a mark."""

import multiprocessing

import numpy as np
import pandas as pd
import pytest

from benchmarks import _report
from benchmarks._provenance import COLUMNS, Origin
from benchmarks._report import (
    MissingRowsError,
    Results,
    each_row,
    in_order,
    mean_and_spread,
    seeds_of,
    some,
)
from benchmarks._rows import find, read_rows, store, write_rows

NOW = Origin("aaaaaaa", "python=3 torch=2", "a processor", "1")
CASES = [{"model": model, "seed": seed} for model in ("VAE", "other") for seed in (0, 1)]


class Run:
    """A benchmark that counts how often each case is measured."""

    def __init__(self, fail_at=None, value=0.5):
        self.seen = []
        self.fail_at = fail_at
        self.value = value

    def __call__(self, **case):
        if len(self.seen) == self.fail_at:
            raise KeyboardInterrupt
        self.seen.append(case)
        return {"score": self.value + case.get("seed", 0)}


def results(folder, redo="missing", **changes):
    return Results(folder, redo, NOW._replace(**changes))


def measure(folder, cases=CASES, redo="missing", run=None, **changes):
    """Return the rows, and the cases that were measured for them."""
    run = run or Run()
    return results(folder, redo, **changes).rows("table", cases, run), run.seen


def test_rows_hold_case_values_and_provenance(tmp_path):
    rows, seen = measure(tmp_path)
    assert seen == CASES
    assert list(rows) == ["model", "seed", "score", *COLUMNS]
    assert rows["score"].tolist() == [0.5, 1.5, 0.5, 1.5]
    assert set(rows[list(Origin._fields)].itertuples(index=False, name=None)) == {tuple(NOW)}
    assert (rows["seconds"] >= 0).all()
    assert rows["date"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()


def test_a_second_run_measures_nothing(tmp_path):
    first, _ = measure(tmp_path)
    again, seen = measure(tmp_path)
    assert seen == []
    pd.testing.assert_frame_equal(first, again)


def test_rows_come_in_the_order_of_the_cases(tmp_path):
    measure(tmp_path)
    rows, seen = measure(tmp_path, CASES[::-1])
    assert seen == []
    assert rows["seed"].tolist() == [1, 0, 1, 0]


def test_new_cases_alone_are_measured(tmp_path):
    measure(tmp_path, CASES[:2])
    rows, seen = measure(tmp_path)
    assert seen == CASES[2:]
    assert len(rows) == 4


def test_the_first_seeds_only(tmp_path):
    run = Run()
    rows = Results(tmp_path, "missing", NOW, n_seeds=1).rows("table", CASES, run)
    assert run.seen == CASES[::2]
    assert seeds_of(rows) == "1 seed"
    assert seeds_of(measure(tmp_path)[0]) == "2 seeds"


def test_an_interruption_loses_no_finished_row(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path, run=Run(fail_at=2))
    assert len(read_rows(tmp_path / "table.csv")) == 2
    _, seen = measure(tmp_path)
    assert seen == CASES[2:]


def test_an_interrupted_write_leaves_the_former_file(tmp_path, monkeypatch):
    measure(tmp_path, CASES[:1])
    before = (tmp_path / "table.csv").read_text()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert (tmp_path / "table.csv").read_text() == before


def test_fresh_measures_all_rows_and_replaces_them_in_place(tmp_path):
    measure(tmp_path)
    rows, seen = measure(tmp_path, redo="all", run=Run(value=7), commit="bbbbbbb")
    assert seen == CASES
    assert rows["score"].tolist() == [7, 8, 7, 8]
    assert rows["commit"].unique().tolist() == ["bbbbbbb"]
    assert len(read_rows(tmp_path / "table.csv")) == 4


def test_fresh_keeps_rows_of_other_cases(tmp_path):
    measure(tmp_path)
    measure(tmp_path, CASES[:1], redo="all", run=Run(value=7))
    assert [row["score"] for row in read_rows(tmp_path / "table.csv")] == ["7", "1.5", "0.5", "1.5"]


@pytest.mark.parametrize(
    "change",
    [
        {"commit": "bbbbbbb"},
        {"commit": "aaaaaaa+12ab"},
        {"versions": "python=3 torch=3"},
        {"processor": "another"},
        {"threads": "2"},
    ],
    ids=str,
)
def test_rows_of_another_origin_are_kept_and_marked_or_measured_anew(tmp_path, change):
    measure(tmp_path, CASES[:2])
    rows, seen = measure(tmp_path, **change)
    assert seen == CASES[2:]
    now = change.get("commit", "aaaaaaa")
    assert rows["commit"].tolist() == ["aaaaaaa †", "aaaaaaa †", now, now]
    rows, seen = measure(tmp_path, redo="stale", **change)
    assert seen == CASES[:2]
    assert rows["commit"].unique().tolist() == [now]


def test_tables_alone_measure_nothing(tmp_path):
    first, _ = measure(tmp_path, CASES[:2])
    rows, seen = measure(tmp_path, CASES[:2], redo="none", commit="bbbbbbb")
    assert seen == []
    assert rows["score"].tolist() == first["score"].tolist()
    with pytest.raises(MissingRowsError, match="2 of 4 rows"):
        measure(tmp_path, redo="none")


def test_marks_are_not_written_to_the_rows(tmp_path):
    measure(tmp_path)
    before = (tmp_path / "table.csv").read_text()
    measure(tmp_path, commit="bbbbbbb")
    assert (tmp_path / "table.csv").read_text() == before


def test_rows_without_provenance_are_rows_of_other_code(tmp_path):
    write_rows(tmp_path / "table.csv", [{"model": "VAE", "seed": "0", "score": "1"}])
    rows, seen = measure(tmp_path, CASES[:1])
    assert seen == []
    assert rows["commit"].tolist() == ["unknown †"]
    text = written(tmp_path, rows, each_row(rows))
    assert "unknown †" in text
    assert "1 rows, measured in unknown seconds" in text
    assert "nan" not in text


@pytest.mark.parametrize(
    "value",
    ["a, b", 'quoted "text"', "|z|, gamma 3", "None", "nan", 0.1, 1, 1.0, True, np.nan, None],
)
def test_a_case_is_found_again_whatever_its_value(tmp_path, value):
    cases = [{"value": value, "seed": 0}, {"value": "another", "seed": 0}]
    measure(tmp_path, cases)
    _, seen = measure(tmp_path, cases)
    assert seen == []
    assert len(read_rows(tmp_path / "table.csv")) == 2


def test_whole_numbers_equal_their_floats(tmp_path):
    measure(tmp_path, [{"weight": 1}])
    assert measure(tmp_path, [{"weight": 1.0}])[1] == []
    assert measure(tmp_path, [{"weight": np.float32(1)}])[1] == []


def test_a_case_with_a_further_value_is_another_case(tmp_path):
    measure(tmp_path, [{"weight": 1}])
    case = {"weight": 1, "seed": 0}
    assert measure(tmp_path, [case])[1] == [case]


def test_figures_survive_being_read_and_written(tmp_path):
    value = 0.1 + 0.2
    measure(tmp_path, CASES[:1], run=Run(value=value))
    rows, _ = measure(tmp_path)  # writes the file again
    assert rows["score"][0] == value
    assert read_rows(tmp_path / "table.csv")[0]["score"] == repr(value)


def test_rows_may_have_values_of_their_own(tmp_path):
    def run(model, seed):
        return {"score": seed} if model == "VAE" else {"further": 2.5}

    rows = results(tmp_path).rows("table", CASES, run)
    assert list(rows) == ["model", "seed", "score", "further", *COLUMNS]
    assert rows["further"].isna().tolist() == [True, True, False, False]


def test_columns_that_no_row_fills_any_more_are_dropped(tmp_path):
    results(tmp_path).rows("table", CASES[:1], lambda **_: {"former": 1})
    results(tmp_path, "all").rows("table", CASES[:1], lambda **_: {"present": 1})
    assert list(read_rows(tmp_path / "table.csv")[0]) == ["model", "seed", "present", *COLUMNS]


def _store(path, model):
    for seed in range(10):
        case = {"model": model, "seed": seed}
        store(path, case, {name: str(value) for name, value in case.items()})


def test_two_processes_do_not_lose_rows_of_each_other(tmp_path):
    context = multiprocessing.get_context("fork")
    path = tmp_path / "table.csv"
    processes = [context.Process(target=_store, args=(path, model)) for model in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    rows = read_rows(path)
    assert len(rows) == 20
    for model in ("a", "b"):
        assert all(find({"model": model, "seed": seed}, rows) for seed in range(10))


def test_a_row_that_another_process_measured_meanwhile_is_not_measured(tmp_path):
    def run(model, seed):
        measure(tmp_path, CASES[1:2])
        return {"score": 0}

    rows = results(tmp_path).rows("table", CASES[:2], run)
    assert rows["score"].tolist() == [0, 1.5]


def written(folder, rows, *tables, **changes):
    results(folder, **changes).write("table", "Title", tables, [rows], note="Note.")
    return (folder / "table.md").read_text(encoding="utf8")


def test_a_table_names_the_origin_of_its_rows(tmp_path):
    rows, _ = measure(tmp_path)
    text = written(tmp_path, rows, mean_and_spread(rows, ["model"]))
    assert text.startswith("# Title\n")
    assert "Note." in text
    assert "4 rows, measured in 0 seconds:" in text
    for value in NOW:
        assert value in text
    assert "†" not in text


def test_a_table_marks_rows_of_other_code_and_counts_them(tmp_path):
    measure(tmp_path, CASES[:2])
    rows, _ = measure(tmp_path, commit="bbbbbbb")
    text = written(tmp_path, rows, mean_and_spread(rows, ["model"]), commit="bbbbbbb")
    table, origins = text.split("rows, measured in")
    assert [("†" in line) for line in table.splitlines() if "± " in line] == [True, False]
    counted = [line.split("|")[1:3] for line in origins.splitlines() if line.startswith("| ")]
    assert [[cell.strip() for cell in cells] for cells in counted[1:]] == [
        ["aaaaaaa †", "2"],
        ["bbbbbbb", "2"],
    ]
    assert "- †: measured with other code" in origins


def test_the_commits_of_a_mean_are_those_of_all_its_rows(tmp_path):
    measure(tmp_path, CASES[:1])
    rows, _ = measure(tmp_path, commit="bbbbbbb")
    means = mean_and_spread(rows, ["model"])
    assert means["commit"].tolist() == ["aaaaaaa †, bbbbbbb", "bbbbbbb"]


def test_provenance_has_no_mean(tmp_path):
    rows, _ = measure(tmp_path, commit="1234567", threads="2")
    means = mean_and_spread(rows, ["model"])
    assert list(means) == ["model", "score", "seconds", "commit"]
    assert means["commit"].tolist() == ["1234567", "1234567"]


def test_means_and_spreads():
    rows = pd.DataFrame({"model": ["a", "a", "b"], "seed": [0, 1, 0], "x": [1.0, 3.0, np.nan]})
    assert mean_and_spread(rows, ["model"], digits=1)["x"].tolist() == ["2.0 ± 1.0", ""]
    assert mean_and_spread(rows, ["model"], digits=1, error=True)["x"].tolist() == ["2.0 ± 1.0", ""]
    single = mean_and_spread(rows[:1], ["model"], digits=1, error=True)
    assert single["x"].tolist() == ["1.0"]


def test_each_row_keeps_seconds_and_commit(tmp_path):
    rows, _ = measure(tmp_path)
    assert list(each_row(rows)) == ["model", "seed", "score", "seconds", "commit"]


def test_in_order_is_stable():
    rows = pd.DataFrame({"model": ["b", "a", "b", "a"], "seed": [0, 0, 1, 1]})
    ordered = in_order(rows, "model", ["a", "b"])
    assert ordered.to_numpy().tolist() == [["a", 0], ["a", 1], ["b", 0], ["b", 1]]


def test_bars_in_names_survive_in_tables(tmp_path):
    rows, _ = measure(tmp_path, [{"model": "|z|", "seed": 0}])
    assert r"\|z\|" in written(tmp_path, rows, each_row(rows))


@pytest.mark.parametrize("commit", ["1234567", "7589e23", "0012345"])
def test_commits_that_look_like_numbers_stay_commits(tmp_path, commit):
    rows, _ = measure(tmp_path, commit=commit)
    text = written(tmp_path, rows, each_row(rows), mean_and_spread(rows, ["model"]), commit=commit)
    assert text.count(commit) == 4 + 2 + 1
    assert "†" not in text


def test_a_picture_is_drawn_if_missing_and_when_all_is_redone(tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure(figsize=(1, 1))
    drawn = []

    def draw():
        drawn.append(1)
        return figure

    for redo in ("none", "missing", "missing", "stale", "all"):
        results(tmp_path, redo).picture("folder/picture", draw)
    assert len(drawn) == 2
    assert b"commit aaaaaaa" in (tmp_path / "folder" / "picture.png").read_bytes()


def test_the_command_line_chooses_what_is_redone_and_where(monkeypatch):
    threads = []
    monkeypatch.setattr("torch.set_num_threads", threads.append)

    def read(*argv):
        return _report.command_line("Text.", ("quick", "small"), argv, flag="a flag")

    options, results = read()
    assert (options.scale, options.flag, results.redo) == ("small", False, "missing")
    assert results.folder == _report.RESULTS
    options, results = read("--scale", "quick", "--fresh", "--flag", "--threads", "2")
    assert (options.scale, options.flag, results.redo) == ("quick", True, "all")
    assert results.folder == _report.RESULTS / "quick"
    assert read("--stale")[1].redo == "stale"
    assert read("--table")[1].redo == "none"
    assert read("--seeds", "2")[1].n_seeds == 2
    assert threads == [1, 2, 1, 1, 1]
    with pytest.raises(SystemExit):
        read("--fresh", "--stale")


def test_some_of_the_items_at_the_quick_scale():
    assert some("quick", range(5)) == range(1)
    assert some("quick", ["a", "b", "c"], 2) == ["a", "b"]
    assert some("small", range(5)) == range(5)
