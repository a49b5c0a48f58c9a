"""Measure the structure of the code: what a reader of a fit meets, and what a writer of a part.

Run ``python -m benchmarks.structure``. Each line has the measured value, the bar, and the value of
0f01f7a. The exit status is 1 if a bar is missed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import sklearn_intelvae
from sklearn_intelvae import InteLVAE
from sklearn_intelvae._checks import hooks_of
from sklearn_intelvae._part import Likelihood, Mapping, Network, Part, Posterior, Prior
from sklearn_intelvae.estimators._base import BaseModel
from sklearn_intelvae.estimators._vae import BaseVAE
from sklearn_intelvae.objectives import Objective, VariationalObjective

PACKAGE = Path(sklearn_intelvae.__file__).parent
ROOT = PACKAGE.parent
BASES = Part, Mapping, Network, Likelihood, Prior, Posterior, Objective, VariationalObjective
LONG = 40


def files_and_depth() -> tuple[set[Path], int]:
    """Return the files that a fit and a transform enter, and the largest number of our frames."""
    entered: set[Path] = set()
    depth = deepest = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal depth, deepest
        if event not in ("call", "return"):
            return
        path = Path(frame.f_code.co_filename)
        if PACKAGE not in path.parents or frame.f_code.co_name == "<module>":
            return
        entered.add(path.relative_to(PACKAGE))
        depth += 1 if event == "call" else -1
        deepest = max(deepest, depth)

    X = np.random.default_rng(0).normal(size=(100, 5))
    vae = InteLVAE(random_state=0)
    sys.setprofile(profile)
    try:
        vae.fit(X).transform(X)
    finally:
        sys.setprofile(None)
    return entered, deepest


def hook_names() -> set[str]:
    """Return the hooks of parts, and the private ones of estimators that subclasses override."""
    names = set().union(*map(hooks_of, BASES))
    subclasses = [cls for base in (BaseModel, BaseVAE) for cls in base.__subclasses__()]
    for cls in subclasses:
        names |= {n for n in vars(cls) if n.startswith("_") and hasattr(BaseModel, n)}
    return {n for n in names if not n.startswith(("__", "_abc", "_sklearn", "_parameter", "_n_"))}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield each file of the package, relative to it, with its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text(encoding="utf8"))


def estimator_attributes_read_outside() -> list[str]:
    """Return where files below the estimators read an attribute of one, or others a private one."""
    found = []
    for path, tree in trees():
        room = path.parts[0]
        if room == "estimators":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                is_private = node.attr.startswith("_") or room != "diagnostics"
                if node.value.id == "estimator" and is_private:
                    found.append(f"{path}:{node.lineno} estimator.{node.attr}")
    return found


def import_graph() -> dict[str, set[str]]:
    """Return what each module imports, where ``from pkg import name`` imports pkg/__init__."""
    graph = {}
    for path, tree in trees():
        module = ".".join(("sklearn_intelvae", *path.with_suffix("").parts))
        imported = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "sklearn_intelvae"
            ):
                imported.add(_module_of(node.module or ""))
        graph[module] = imported
    return graph


def _module_of(name: str) -> str:
    path = ROOT / Path(*name.split("."))
    return f"{name}.__init__" if path.is_dir() else name


def import_cycles() -> list[str]:
    """Return modules that import themselves through others."""
    graph = import_graph()

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        stack = list(graph.get(start, ()))
        while stack:
            module = stack.pop()
            if module not in seen:
                seen.add(module)
                stack += graph.get(module, ())
        return seen

    return sorted(module for module in graph if module in reachable(module))


def long_functions() -> list[str]:
    """Return functions with more than 40 lines of body, constructors of estimators excepted."""
    found = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                n = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if n > LONG:
                    found.append(f"{path}:{node.lineno} {node.name} ({n} lines)")
    return found


def main() -> None:
    files, depth = files_and_depth()
    in_estimators = [path for path in files if path.parts[0] == "estimators"]
    hooks = hook_names()
    extending = (ROOT / "docs" / "extending.md").read_text(encoding="utf8").count("\n")
    outside, cycles, long = (
        estimator_attributes_read_outside(),
        import_cycles(),
        long_functions(),
    )
    rows = [
        ("files entered by fit and transform", len(files), 24, 30),
        ("of them in estimators/", len(in_estimators), 7, 14),
        ("frames deep", depth, 14, 14),
        ("names of hooks", len(hooks), 32, 63),
        ("lines of docs/extending.md", extending, 250, 536),
        ("attributes of an estimator read outside estimators/", len(outside), 0, 37),
        ("modules in import cycles", len(cycles), 0, 24),
        ("functions over 40 lines", len(long), 0, 5),
    ]
    for name, value, bar, before in rows:
        print(f"{name:<52} {value:>4}  bar {bar:>3}  0f01f7a {before:>3}")
    print("files:", *sorted(map(str, files)))
    print("hooks:", *sorted(hooks))
    for name, items in {"outside": outside, "cycles": cycles, "long": long}.items():
        if items:
            print(f"{name}:", *items, sep="\n  ")
    sys.exit(any(value > bar for _, value, bar, _ in rows))


if __name__ == "__main__":
    main()
