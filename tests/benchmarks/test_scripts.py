"""Every benchmark can be imported without side effects, and is among those that run together."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import benchmarks
from benchmarks import run_all
from benchmarks._report import MissingRowsError
from benchmarks.mutations import MUTATIONS, mutated

ROOT = Path(benchmarks.__file__).parents[1]
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(benchmarks.__path__, prefix="benchmarks.")
)
SCRIPTS = [name for name in MODULES if not name.rpartition(".")[2].startswith("_")]
TOOLS = {
    "benchmarks.mutations",
    "benchmarks.run_all",
    "benchmarks.model_files",
    "benchmarks.structure",
}
PACKAGES = {
    "benchmarks.intelvae",
    "benchmarks.soft_intro",
    "benchmarks.disentanglement",
    "benchmarks.league",
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_imported(name):
    module = importlib.import_module(name)
    assert module.__doc__
    if name in set(SCRIPTS) - TOOLS - PACKAGES:
        assert callable(module.main)


def test_imports_have_no_side_effects():
    code = f"""
import importlib, sys
import matplotlib, numpy, torch

def state():
    generators = torch.get_rng_state().tolist(), str(numpy.random.get_state())
    return matplotlib.get_backend(), list(sys.path), torch.get_num_threads(), generators

before = state()
for name in {MODULES!r}:
    importlib.import_module(name)
assert state() == before
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr


def test_no_script_changes_the_path():
    files = (ROOT / "benchmarks").rglob("*.py")
    assert not [f for f in files if "sys.path" in f.read_text(encoding="utf8")]


def test_all_scripts_run_together():
    together = {f"benchmarks.{script.split()[0]}" for script in run_all.SCRIPTS}
    assert together == set(SCRIPTS) - TOOLS - PACKAGES


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.what)
def test_a_mutation_can_be_applied(mutation):
    assert compile(mutated(mutation), mutation.file, "exec")


def test_the_readme_names_every_script():
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf8")
    for script in run_all.SCRIPTS + run_all.INCEPTION:
        assert f"`{script}`" in text


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [(None, "done", 0), (MissingRowsError("3 of 4"), "3 of 4", 0), (ValueError("x"), "FAILED", 1)],
    ids=str,
)
def test_outcomes_of_running_together(monkeypatch, capsys, error, expected, code):
    seen = []

    class Script:
        @staticmethod
        def main(argv):
            seen.append(argv)
            if error:
                raise error

    monkeypatch.setattr(importlib, "import_module", lambda name: Script)
    monkeypatch.setattr(run_all, "SCRIPTS", ("digits", "soft_intro.mappings --owner"))
    assert run_all.main(["--scale", "quick"]) == code
    assert seen == [["--scale", "quick"], ["--scale", "quick", "--owner"]]
    assert f"soft_intro.mappings --owner: {expected}" in capsys.readouterr().out


@pytest.mark.parametrize("scale", ["quick", "small"])
def test_a_cheap_script_runs_and_writes_its_table(tmp_path, monkeypatch, scale):
    from benchmarks import _report
    from benchmarks.disentanglement import rolinek

    threads = torch.get_num_threads()
    monkeypatch.setattr(_report, "RESULTS", tmp_path)
    monkeypatch.setattr(rolinek, "SCALES", {scale: (200, 4)})
    monkeypatch.setattr(rolinek, "SEEDS", range(1))
    rolinek.main(["--scale", scale, "--threads", str(threads)])
    folder = tmp_path / "quick" if scale == "quick" else tmp_path
    text = (folder / "disentanglement" / f"rolinek_{scale}.md").read_text(encoding="utf8")
    assert "full covariance" in text
