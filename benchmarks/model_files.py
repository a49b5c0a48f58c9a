"""Compare models that an earlier commit saved, and their further training, bit for bit.

Run ``python -m benchmarks.model_files``. The earlier commit, 0f01f7a, is extracted from git into a
temporary folder. Both versions load the files in ``tests/estimators/files`` in processes of their
own, and continue to train them. The exit status is 1 if a number differs.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
FILES = ROOT / "tests" / "estimators" / "files"


def numbers_of_file(path: Path) -> dict[str, Any]:
    """Load a model, continue its training, and return codes and scores before and after."""
    from safetensors import safe_open

    import sklearn_intelvae

    with safe_open(path, "np") as file:
        cls = getattr(sklearn_intelvae, json.loads(file.metadata()["content"])["class"])
    estimator, X = cls.load(path), np.load(FILES / "expected.npz")["X"]
    found = {"codes": estimator.transform(X), "score": estimator.score(X)}
    estimator.partial_fit(X)
    return found | {"codes after partial_fit": estimator.transform(X)}


def dump(path: Path) -> None:
    """Pickle the numbers of each file that needs no class of the user."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    files = [f for f in sorted(FILES.glob("*.safetensors")) if not f.stem.startswith("own_")]
    path.write_bytes(pickle.dumps({f.stem: numbers_of_file(f) for f in files}))


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    """Yield the names of what is not equal bit for bit."""
    for name in ours.keys() | theirs.keys():
        a, b = np.asarray(ours.get(name)), np.asarray(theirs.get(name))
        if not np.array_equal(a, b):
            yield name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dump:  # perhaps with the package and the benchmarks of the earlier commit
        dump(options.dump)
        return
    from benchmarks._earlier import COMMIT, extracted, run_with

    found = []
    with extracted() as old, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.pickle"
        for package in (old, ROOT):
            run_with(package, __file__, "--dump", str(path))
            found.append(pickle.loads(path.read_bytes()))
    theirs, ours = found
    other = {name: sorted(differences(found, theirs[name])) for name, found in ours.items()}
    for name, different in other.items():
        if different:
            print(f"{name}: {', '.join(different)}")
    equal = sum(not different for different in other.values())
    print(f"{equal} of {len(ours)} models are equal bit for bit to those of {COMMIT}")
    sys.exit(equal < len(ours))


if __name__ == "__main__":
    main()
