"""Run all benchmarks with the same options, and print which have succeeded.

``python -m benchmarks.run_all --scale quick --fresh`` runs each script with tiny fits, in minutes:
it shows that the scripts run, and its figures mean nothing. Its tables are written to
``benchmarks/results/quick``, which git ignores. ``python -m benchmarks.run_all --table`` writes all
tables from the rows that are kept. The exit status is 1 if a script fails.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Sequence

from benchmarks._report import MissingRowsError

SCRIPTS = (
    "speed",
    "digits",
    "contract",
    "determinism",
    "league.tables",
    "league.earlier",
    "league.start",
    "league.others",
    "league.few_rows",
    "league.images",
    "league.codes",
    "league.recipe",
    "intelvae.holes",
    "intelvae.clusters",
    "intelvae.proportions",
    "intelvae.generation",
    "intelvae.sparsity",
    "intelvae.hierarchy",
    "soft_intro.densities",
    "soft_intro.priors",
    "soft_intro.mappings",
    "soft_intro.mappings --owner",
    "soft_intro.beta_neg",
    "soft_intro.images",
    "soft_intro.speed",
    "disentanglement.linear",
    "disentanglement.tabular",
    "disentanglement.images",
    "disentanglement.rolinek",
    "disentanglement.dsprites",
)
INCEPTION = (
    "intelvae.generation --inception",
    "intelvae.sparsity --inception",
    "soft_intro.images --inception",
)
"""Scripts that download a network; the scale "quick" leaves them out."""


def outcome(script: str, argv: Sequence[str]) -> str:
    """Run one script and return what became of it; print the traceback if it fails."""
    name, *flags = script.split()
    try:
        importlib.import_module(f"benchmarks.{name}").main([*argv, *flags])
    except MissingRowsError as error:
        return str(error)
    except Exception:
        traceback.print_exc()
        return "FAILED"
    return "done"


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    outcomes, lines = [], []
    for script in SCRIPTS if "quick" in argv else SCRIPTS + INCEPTION:
        print(f"\n=== {script}\n", flush=True)
        start = time.perf_counter()
        outcomes.append(outcome(script, argv))
        lines.append(f"{time.perf_counter() - start:7.1f} s  {script}: {outcomes[-1]}")
    print("\n=== Summary\n\n" + "\n".join(lines))
    return int("FAILED" in outcomes)


if __name__ == "__main__":
    sys.exit(main())
