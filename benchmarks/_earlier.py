"""The package as it was in commit 0f01f7a, before fits started at the linear model."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._provenance import ROOT

COMMIT = "0f01f7a"


@contextmanager
def extracted() -> Iterator[Path]:
    """Extract the commit from git into a temporary folder, and remove it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", COMMIT], cwd=ROOT, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


def run_with(package: Path, script: str, *arguments: str) -> None:
    """Run a script in one thread with the package that a folder holds."""
    environment = os.environ | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, script, *arguments]
    with tempfile.TemporaryDirectory() as elsewhere:
        subprocess.run(command, check=True, env=environment, cwd=elsewhere)
