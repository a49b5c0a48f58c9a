"""The structure of the package: who may import whom, and what importing must not do."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sklearn_intelvae
from sklearn_intelvae._checks import hooks_of
from sklearn_intelvae._part import Part
from sklearn_intelvae.likelihoods import Likelihood
from sklearn_intelvae.mappings import Mapping
from sklearn_intelvae.networks import Network
from sklearn_intelvae.objectives import Objective, VariationalObjective
from sklearn_intelvae.posteriors import Posterior
from sklearn_intelvae.priors import Prior

PACKAGE = "sklearn_intelvae"
ROOT = Path(sklearn_intelvae.__file__).parent
FLOORS = {
    "_checks": 0,
    "_moments": 0,
    "_part": 0,
    "_random": 0,
    "_threads": 0,
    "_version": 0,
    "exceptions": 0,
    "distributions": 0,
    "networks": 0,
    "posteriors": 1,
    "mappings": 1,
    "likelihoods": 1,
    "priors": 1,
    "models": 2,
    "objectives": 3,
    "training": 4,
    "estimators": 5,
    "diagnostics": 6,
}
BESIDE = {"metrics", "datasets", "plotting"}
BESIDE_IMPORTED_BY = {"metrics": {"diagnostics"}, "datasets": set(), "plotting": {"diagnostics"}}
ONLY = {"skorch": "training", "matplotlib": "plotting", "safetensors": "estimators"}
BASES = Part, Mapping, Likelihood, Prior, Posterior, Objective, VariationalObjective, Network
HOOKS = set().union(*map(hooks_of, BASES))
MAX_HOOKS = 32
MAX_BODY = 40
FILES = sorted(ROOT.rglob("*.py"))
MODULES = {".".join([PACKAGE, *f.relative_to(ROOT).with_suffix("").parts]): f for f in FILES}
MODULES = {name.removesuffix(".__init__"): f for name, f in MODULES.items()}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def inside(path):
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf8"))


def imports(path):
    """Yield each imported module, and the name imported from it or None."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from ((node.module, alias.name) for alias in node.names)


def own_imports(path):
    """Yield the modules of this package that a file imports from, and the names."""
    for module, name in imports(path):
        if module.partition(".")[0] == PACKAGE:
            yield module, name


@cache
def names_of(path):
    """Return the names that a file defines at its top level, and for a room its public names."""
    names = set()
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            assigned = {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            names |= assigned
            if "__all__" in assigned and (path.name == "__init__.py" or path.parent == ROOT):
                names |= set(ast.literal_eval(node.value))
    return names


def test_every_room_has_a_floor():
    assert {room(f) for f in FILES} == FLOORS.keys() | BESIDE | {"__init__"}


def is_allowed(here, there):
    """Return whether a file in one room may import from another room."""
    if here in ("__init__", there):
        return True
    if there in BESIDE:
        return here in BESIDE_IMPORTED_BY[there]
    if here in BESIDE:
        return there == "_random"
    return FLOORS[there] < FLOORS[here] or FLOORS[there] == FLOORS[here] == 0


def test_imports_go_down():
    """The rooms beside the floors import only ``_random``, and only diagnostics import them."""
    for path in FILES:
        for module, name in own_imports(path):
            there = f"{module}.{name}".split(".")[1]
            assert is_allowed(room(path), there), f"{inside(path)} imports from {there}"


def test_a_library_is_imported_in_its_room_only():
    found = {
        (library, room(path))
        for path in FILES
        for library in (module.partition(".")[0] for module, _ in imports(path))
        if library in ONLY
    }
    assert found == set(ONLY.items())


@pytest.mark.parametrize(("kind", "base"), [("mappings", "Mapping"), ("priors", "Prior")])
def test_mappings_and_priors_never_import_one_another(kind, base):
    for path in (ROOT / kind).glob("_[a-z]*.py"):
        for module, name in own_imports(path):
            if module.startswith(f"{PACKAGE}.{kind}."):
                source = MODULES[module].read_text(encoding="utf8")
                assert f"class {name}({base})" not in source, f"{inside(path)} imports {name}"


def test_names_are_imported_from_the_file_that_defines_them():
    """A module is never imported as a name: that would be an import of its whole room."""
    for path in FILES:
        for module, name in own_imports(path):
            where = f"{inside(path)} imports {name} from {module}"
            assert name is not None, f"{inside(path)} imports the module {module}"
            assert f"{module}.{name}" not in MODULES, f"{where}, which is a module"
            assert name in names_of(MODULES[module]), where


def test_files_of_a_room_import_from_files_of_the_room():
    for path in FILES:
        if path.name != "__init__.py":
            for module, _ in own_imports(path):
                assert module not in (PACKAGE, f"{PACKAGE}.{room(path)}"), inside(path)


def test_there_are_no_import_cycles():
    """A name that is imported from a room counts as an import of its __init__.py."""
    graph = {path: {MODULES[module] for module, _ in own_imports(path)} for path in FILES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(FILES)


def test_training_does_not_mention_the_estimators():
    for path in (ROOT / "training").glob("*.py"):
        words = set(re.findall(r"\w+", path.read_text(encoding="utf8")))
        assert words.isdisjoint({"estimators", *sklearn_intelvae.__all__} - {"DivergenceError"})


def test_inits_only_name():
    for path in FILES:
        if path.name == "__init__.py":
            for node in tree(path).body[1:]:
                assert isinstance(node, ast.ImportFrom | ast.Assign), inside(path)


def test_the_vocabulary_of_hooks_is_small():
    assert len(HOOKS) <= MAX_HOOKS, sorted(HOOKS)


@pytest.mark.parametrize("base", BASES, ids=lambda cls: cls.__name__)
def test_every_hook_is_documented(base):
    """A method by its docstring, an attribute in that of a class."""
    for name in hooks_of(base):
        value = getattr(base, name, None)
        texts = [value.__doc__] if callable(value) else [cls.__doc__ for cls in base.__mro__]
        assert callable(value) or any(name in (text or "") for text in texts), name
        assert texts[0], f"{base.__name__}.{name} has no docstring"


NAMES_LOOKED_UP = {
    "mappings/_straight_through.py": {None},  # the value of either of its two parameters
    "training/_skorch.py": {"on_epoch_end", "policy", "monitor"},  # skorch's callbacks
    "training/_net.py": {"_orig_mod", None},  # the wrapper of torch.compile; fields of a batch
    "training/_optimizer_state.py": {None},  # a dtype
}
"""What floors 1 to 4 look up by hasattr and getattr; None is a name that a variable holds."""


def names_looked_up(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("hasattr", "getattr"):
            yield node.args[1].value if isinstance(node.args[1], ast.Constant) else None


def test_hooks_are_called_and_never_looked_up_by_name():
    found = {
        inside(path): set(names_looked_up(path))
        for path in FILES
        if 1 <= FLOORS.get(room(path), 0) <= 4
    }
    assert {path: names for path, names in found.items() if names} == NAMES_LOOKED_UP
    assert HOOKS.isdisjoint(set().union(*NAMES_LOOKED_UP.values()))


def test_functions_are_short():
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                n_lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                assert n_lines <= MAX_BODY, f"{inside(path)}: {node.name} has {n_lines} lines"


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
