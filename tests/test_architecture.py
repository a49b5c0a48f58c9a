"""The floors of the building: who may import whom, and what importing must not do."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_intelvae

ROOT = Path(sklearn_intelvae.__file__).parent
FLOORS = {
    "_random": 0,
    "_part": 0,
    "_version": 0,
    "exceptions": 0,
    "distributions": 0,
    "networks": 0,
    "posteriors": 1,
    "mappings": 1,
    "likelihoods": 1,
    "priors": 1,
    "model": 2,
    "contrast": 2,
    "objectives": 3,
    "training": 4,
    "estimators": 5,
}
BESIDE = {"metrics", "datasets", "plotting"}
ONLY = {"skorch": "training", "matplotlib": "plotting", "safetensors": "estimators"}
FILES = sorted(ROOT.rglob("*.py"))


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_has_a_floor():
    assert {room(f) for f in FILES} == FLOORS.keys() | BESIDE | {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    for name in imports(path):
        parts = name.split(".")
        here = room(path)
        if parts[0] in ONLY and here != "__init__":
            versions = path.name == "_persistence.py" and parts[0] == "skorch"
            assert here == ONLY[parts[0]] or versions, f"{here} imports {parts[0]}"
        if parts[0] != "sklearn_intelvae" or here == "__init__":
            continue
        there = parts[1]
        if here in BESIDE:
            assert there == here, f"{here} stands alone but imports {there}"
        elif here == there == "mappings" and path.name != "__init__.py":
            mapping = f"class {parts[-1]}(Mapping)" in (ROOT / here / f"{parts[2]}.py").read_text()
            assert not mapping, "mappings never import one another"
        elif there != here:
            assert there in FLOORS, f"{here} imports {there}"
            assert FLOORS[there] <= FLOORS[here], f"{here} imports upward, from {there}"
            assert FLOORS[there] < FLOORS[here] or FLOORS[here] == 0, f"{here} imports {there}"


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.name == "__init__.py"], ids=lambda p: p.parent.name
)
def test_inits_only_name(path):
    for node in ast.parse(path.read_text(encoding="utf8")).body[1:]:
        assert isinstance(node, ast.ImportFrom | ast.Assign), f"{path} does more than name"


def test_importing_changes_nothing():
    code = """
import random, sys, warnings
import numpy as np, sklearn, torch, skorch
torch_state, numpy_state, state = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
settings = sklearn.get_config(), torch.get_default_dtype(), torch.get_num_threads(), np.geterr()
filters = list(warnings.filters)
import sklearn_intelvae
assert torch.equal(torch_state, torch.get_rng_state())
assert (numpy_state == np.random.get_state()[1]).all() and state == random.getstate()
assert settings == (
    sklearn.get_config(), torch.get_default_dtype(), torch.get_num_threads(), np.geterr()
)
assert filters == list(warnings.filters)
assert "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
