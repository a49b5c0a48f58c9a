"""Checks of the arrays that users pass."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import _check_sample_weight, validate_data


def validated(estimator: Any, X: Any, *, reset: bool = False, min_samples: int = 1) -> np.ndarray:
    """Return X as a C-ordered, writeable float32 array with the features of ``estimator``.

    :func:`check_finite` checks its values.
    """
    with np.errstate(over="ignore"):
        X = validate_data(
            estimator,
            as_numpy(X),
            dtype=np.float32,
            order="C",
            reset=reset,
            ensure_min_samples=min_samples,
            ensure_all_finite=False,
        )
    return X if X.flags.writeable else X.copy()


def check_finite(X: np.ndarray | torch.Tensor, estimator_name: str, input_name: str = "X") -> None:
    """Raise scikit-learn's ValueError if a value is not finite.

    If the sum is finite, all values are; torch computes it several times faster than
    scikit-learn's own check, which matters for a fast ``transform``.
    """
    X = torch.as_tensor(X)
    if not X.sum().isfinite():
        with np.errstate(invalid="ignore"):
            assert_all_finite(
                X.numpy(force=True), estimator_name=estimator_name, input_name=input_name
            )


def validated_table(estimator: Any, table: Any, name: str) -> np.ndarray:
    """Return a table of the same features as X, and name it in errors."""
    try:
        table = validated(estimator, table)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    check_finite(table, type(estimator).__name__, name)
    return table


def validated_codes(Z: Any, n_columns: int, name: str) -> np.ndarray:
    """Return codes as a float32 array with ``n_columns`` columns."""
    Z = check_array(as_numpy(Z), dtype=np.float32, order="C")
    if Z.shape[1] != n_columns:
        raise ValueError(
            f"Z has {Z.shape[1]} columns, but the codes of this {name} have {n_columns}: pass "
            "codes as transform returns them."
        )
    return Z if Z.flags.writeable else Z.copy()


def validated_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return weights with mean 1, or None if all are equal."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float32, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("sample_weight is zero for all rows: no row is left to fit on.")
    weight = weight.astype(np.float64)
    return None if np.ptp(weight) == 0 else (weight / weight.mean()).astype(np.float32)


def as_numpy(X: Any) -> Any:
    """Return tensors as arrays, which scikit-learn can check, and any other value unchanged."""
    return X.numpy(force=True) if isinstance(X, torch.Tensor) else X


def check_count(name: str, value: Any) -> None:
    """Raise ValueError if ``value`` is not a positive integer."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
