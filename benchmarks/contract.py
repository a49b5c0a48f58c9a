"""Count scikit-learn's checks that pass, for every estimator and mapping of the tests' shelf."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pandas as pd
import torch
from _report import write
from sklearn.base import clone
from sklearn.utils import estimator_checks

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "estimators"))
from shelf import ESTIMATORS
from test_contract import EXPECTED_FAILURES, FURTHER


def count(estimator: object) -> dict[str, int]:
    """Return how many checks passed, were skipped, failed as expected, and failed."""
    statuses = [
        result["status"]
        for result in estimator_checks.check_estimator(
            clone(estimator), expected_failed_checks=EXPECTED_FAILURES, on_fail=None, on_skip=None
        )
    ]
    further = {"passed": 0, "failed": 0}
    for name in FURTHER:
        try:
            getattr(estimator_checks, name)(type(estimator).__name__, clone(estimator))
            further["passed"] += 1
        except Exception as error:
            print(name, error)
            further["failed"] += 1
    return {
        "passed": statuses.count("passed"),
        "skipped": statuses.count("skipped"),
        "failed as declared": statuses.count("xfail"),
        "failed": statuses.count("failed"),
        "further passed": further["passed"],
        "further failed": further["failed"],
    }


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = {name: count(estimator) for name, estimator in ESTIMATORS.items()}
    reason = next(iter(EXPECTED_FAILURES.items()))
    write(
        "contract",
        "scikit-learn's own checks",
        pd.DataFrame(rows).T,
        note=f"Declared: {reason[0]}: {reason[1]}. Further: {len(FURTHER)} checks that "
        "scikit-learn runs on its own estimators but not in check_estimator.",
    )


if __name__ == "__main__":
    main()
