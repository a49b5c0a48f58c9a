"""Check that the tests in ``tests/laws`` fail if a mechanism of the package is removed.

Run ``python -m benchmarks.mutations``. Each mutation removes one mechanism from a copy of the
package, so that it behaves as 0f01f7a did or as a careless change would make it behave; tests of
its law must fail then. The exit status is 1 if none does.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
COPIED = "sklearn_intelvae", "tests", "benchmarks", "pyproject.toml"
MAX_FAILURES = 3


class Mutation(NamedTuple):
    """Text of one file that is replaced, and the tests that must then fail."""

    law: str
    what: str
    file: str
    old: str
    new: str


MUTATIONS = [
    Mutation(
        "isolation",
        "modules of the user receive the tensors themselves",
        "_part.py",
        "        arguments = tuple(map(copied, arguments))\n",
        "        pass\n",
    ),
    Mutation(
        "isolation",
        "objectives of the user receive the batch itself",
        "training/_net.py",
        "        if is_ours(self.criterion_):\n            return batch\n",
        "        return batch\n",
    ),
    Mutation(
        "zero_weights",
        "rows of weight 0 are trained on",
        "training/_rows.py",
        '        counts &= tensors["weight"] > 0\n',
        "        pass\n",
    ),
    Mutation(
        "zero_weights",
        "rows of weight 0 count in the warnings before a fit",
        "estimators/_base.py",
        "warn_before(spec.objective, data.weighted_rows,",
        'warn_before(spec.objective, data.train["x"],',
    ),
    Mutation(
        "zero_weights",
        "parts start from all rows",
        "training/_fit.py",
        '        if "weight" in self.train.tensors:\n',
        "        return X\n        if False:\n",
    ),
    Mutation(
        "zero_weights",
        "diagnostics are not weighted",
        "estimators/_fitted.py",
        "return x[rows], None if weight is None else weight[rows]",
        "return x[rows], None",
    ),
    Mutation(
        "zero_weights",
        "draws by weight use torch.multinomial",
        "_random.py",
        "    cumulative = weight.double().cumsum(0)\n",
        "    return torch.multinomial(weight, n, replacement=True, generator=generator)\n"
        "    cumulative = weight.double().cumsum(0)\n",
    ),
    Mutation(
        "torch_state",
        "no_grad and inference_mode of the caller apply",
        "_random.py",
        "        stack.enter_context(torch.inference_mode(False))\n"
        "        stack.enter_context(torch.enable_grad())\n",
        "",
    ),
    Mutation(
        "torch_state",
        "autocast of the caller applies",
        "_random.py",
        "            if torch.is_autocast_enabled(device):\n",
        "            if False:\n",
    ),
    Mutation(
        "torch_state",
        "the caller's default dtype and device apply",
        "_random.py",
        "            stack.enter_context(FactoryDefaults())\n",
        "            pass\n",
    ),
    Mutation(
        "torch_state",
        "a forked process computes in several threads",
        "_random.py",
        "        torch.set_num_threads(1)\n",
        "        pass\n",
    ),
    Mutation(
        "callbacks_and_optimizers",
        "callbacks see the optimizer of the first player only",
        "training/_net.py",
        "        (groups, *args), kwargs = self.get_params_for_optimizer(",
        "        own = {id(p) for p in next(iter(self.players_.values()))}\n"
        "        named = [(n, p) for n, p in named if id(p) in own]\n"
        "        (groups, *args), kwargs = self.get_params_for_optimizer(",
    ),
    Mutation(
        "callbacks_and_optimizers",
        "the optimizer's state is not restored",
        "training/_net.py",
        "        restore_optimizer(self.optimizer_,",
        "        0 and restore_optimizer(self.optimizer_,",
    ),
    Mutation(
        "callbacks_and_optimizers",
        "parameters that a callback froze stay frozen",
        "training/_net.py",
        "                parameter.requires_grad_(flag)\n",
        "",
    ),
    Mutation(
        "callbacks_and_optimizers",
        "Ctrl-C ends one fit of a search",
        "training/_net.py",
        " and not self.interrupts_:\n",
        ":\n",
    ),
    Mutation(
        "callbacks_and_optimizers",
        "no callback is refused",
        "training/_skorch.py",
        "        if issubclass(kind, cls):\n",
        "        if False:\n",
    ),
    Mutation(
        "finite_rows",
        "a sum in float32 decides whether values are finite",
        "estimators/_validation.py",
        "            assert_all_finite(\n",
        '            raise ValueError(f"{input_name} contains NaN or infinity")\n'
        "            assert_all_finite(\n",
    ),
    Mutation(
        "model_files",
        "a file lacks the settings of set_output",
        "estimators/_files.py",
        "- _NOT_SAVED)\n",
        '- _NOT_SAVED - {"_sklearn_output_config"})\n',
    ),
    Mutation(
        "model_files",
        "a file lacks the metadata requests",
        "estimators/_files.py",
        "    if not saved:\n        return\n",
        "    return\n",
    ),
    Mutation(
        "model_files",
        "a file is written in place",
        "estimators/_files.py",
        "    partial = path.with_name(",
        "    path.write_bytes(data)\n    return\n    partial = path.with_name(",
    ),
    Mutation(
        "model_files",
        "a symbolic link is replaced by a file",
        "estimators/_files.py",
        "        path = path.resolve()\n",
        "        path = path.absolute()\n",
    ),
    Mutation(
        "model_files",
        "all writers use one partial file",
        "estimators/_files.py",
        'f".{uuid4().hex}.partial"',
        '".partial"',
    ),
    Mutation(
        "part_returns",
        "what a mapping returns is not checked",
        "_checks.py",
        '    name = _name(mapping, "mapping")\n',
        '    return\n    name = _name(mapping, "mapping")\n',
    ),
    Mutation(
        "part_returns",
        "what a prior returns is not checked",
        "_checks.py",
        '    name = _name(prior, "prior")\n',
        '    return\n    name = _name(prior, "prior")\n',
    ),
    Mutation(
        "part_returns",
        "what a posterior returns is not checked",
        "_checks.py",
        '    name = _name(posterior, "posterior")\n',
        '    return\n    name = _name(posterior, "posterior")\n',
    ),
    Mutation(
        "part_returns",
        "what a likelihood returns is not checked",
        "_checks.py",
        '    name = _name(likelihood, "likelihood")\n',
        '    return\n    name = _name(likelihood, "likelihood")\n',
    ),
    Mutation(
        "part_returns",
        "what an objective returns is not checked",
        "_checks.py",
        '    name = f"{type(objective).__name__}.loss"\n',
        "    return returned\n",
    ),
]


def failing_tests(mutation: Mutation, folder: Path) -> list[str]:
    """Apply a mutation to a copy of the repository; return the first tests of its law that fail."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "results")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    path = folder / "sklearn_intelvae" / mutation.file
    path.write_text(mutated(mutation), encoding="utf8")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, f"--maxfail={MAX_FAILURES}", f"tests/laws/test_{mutation.law}.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    return re.findall(r"^(?:FAILED|ERROR) \S*::(\S*)", run.stdout, re.MULTILINE)


def mutated(mutation: Mutation) -> str:
    """Return the text of the file after the mutation.

    Raises
    ------
    ValueError
        If the text that is to be replaced is not in the file exactly once.
    """
    text = (ROOT / "sklearn_intelvae" / mutation.file).read_text(encoding="utf8")
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.file} has {mutation.old!r} {text.count(mutation.old)} times")
    return text.replace(mutation.old, mutation.new)


def main() -> None:
    """Print each mutation and the first tests that fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run only laws whose name holds this text")
    options = parser.parse_args()
    chosen = [m for m in MUTATIONS if options.only in m.law]
    n_noticed = 0
    for mutation in chosen:
        with tempfile.TemporaryDirectory() as folder:
            failed = failing_tests(mutation, Path(folder))
        n_noticed += bool(failed)
        result = f"fails {', '.join(failed)}" if failed else "NO TEST FAILS"
        print(f"{mutation.law}: {mutation.what}: {result}", flush=True)
    print(f"{n_noticed} of {len(chosen)} mutations fail the tests of their law")
    sys.exit(n_noticed < len(chosen))


if __name__ == "__main__":
    main()
