"""What a row was measured with: code, versions, processor, threads."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import torch

import sklearn_intelvae

ROOT = Path(__file__).parents[1]

_PACKAGES = ("torch", "scikit-learn", "skorch", "numpy")
_CODE = ("sklearn_intelvae", "benchmarks")
_PATHSPECS = (":(glob)sklearn_intelvae/**/*.py", ":(glob)benchmarks/**/*.py")


class Origin(NamedTuple):
    """What a row was measured with. Rows with equal origins can be compared, seconds included."""

    commit: str
    versions: str
    processor: str
    threads: str


COLUMNS = ("seconds", *Origin._fields, "date")
"""The columns of a row that say how it was measured, in their order."""


def current_origin() -> Origin:
    """Return the origin of the rows that this process measures."""
    package_root = Path(sklearn_intelvae.__file__).parents[1]
    return Origin(
        code_version(ROOT) if package_root == ROOT else f"{sklearn_intelvae.__version__} installed",
        package_versions(),
        processor(),
        str(torch.get_num_threads()),
    )


@cache
def code_version(root: Path) -> str:
    """Return the last commit that changed the Python files of the package or the benchmarks.

    Commits that change only results or documentation leave it as it is. If the files differ from
    that commit, ``+`` and four digits of a digest of all of them follow. Outside of a git
    repository the version of the package replaces the commit. The value is read once per
    process, as Python imports the files once.
    """
    commit = _git(root, "log", "-1", "--abbrev=7", "--format=%h", "--", *_PATHSPECS)
    if commit and _git(root, "status", "--porcelain", "--", *_PATHSPECS) == "":
        return commit
    return f"{commit or sklearn_intelvae.__version__}+{_digest(root)}"


def _git(root: Path, *arguments: str) -> str | None:
    """Return the output of a git command, or None if it fails."""
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _digest(root: Path) -> str:
    """Return four hexadecimal digits that change when a Python file of the code changes."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in _CODE for path in (root / folder).rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:4]


def package_versions() -> str:
    """Return the versions of Python and of the packages that the figures depend on."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return " ".join(f"{name}={number}" for name, number in versions.items())


def processor() -> str:
    """Return the model of the processor, the number of its cores, and the GPU if there is one."""
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    system = f"{platform.machine()} {platform.system()}"
    return f"{_processor_model()}, {os.cpu_count()} cores, {system}{gpu}"


def _processor_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or "unknown processor")
