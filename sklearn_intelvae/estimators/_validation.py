"""Checks of the arrays that users pass."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import _check_sample_weight, validate_data


def validated(
    estimator: Any, X: Any, *, reset: bool = False, min_samples: int = 1, name: str = "X"
) -> np.ndarray:
    """Return X as a C-ordered, writeable array of floats with the features of ``estimator``.

    :func:`check_finite` checks its values.
    """
    with np.errstate(over="ignore", under="ignore"):
        X = validate_data(
            estimator,
            as_numpy(X, name),
            dtype=[np.float64, np.float32],
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


def validated_table(estimator: Any, table: Any, name: str, rows: Any = slice(None)) -> np.ndarray:
    """Return a table of the same features as X, and name it in errors; ``rows`` must be finite."""
    try:
        table = validated(estimator, table, name=name)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if not isinstance(rows, np.ndarray) or len(rows) == len(table):
        check_finite(table[rows], type(estimator).__name__, name)
    return table


def validated_codes(Z: Any, n_columns: int, name: str) -> np.ndarray:
    """Return codes as a float32 array with ``n_columns`` columns."""
    with np.errstate(over="ignore", under="ignore"):
        Z = check_array(as_numpy(Z, "Z"), dtype=np.float32, order="C", input_name="Z")
    if Z.shape[1] != n_columns:
        raise ValueError(
            f"Z has {Z.shape[1]} columns, but the codes of this {name} have {n_columns}: pass "
            "codes as transform returns them."
        )
    return Z if Z.flags.writeable else Z.copy()


def validated_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return non-negative weights, not all zero, in float32.

    They are divided by a power of two, which changes no ratio, so that the largest fits.
    """
    if sample_weight is None:
        return None
    weight = _check_sample_weight(
        as_numpy(sample_weight, "sample_weight"), X, dtype=np.float64, ensure_non_negative=True
    )
    if not weight.any():
        raise ValueError("sample_weight is zero for all rows: no row is left to fit on.")
    _, exponent = np.frexp(weight.max())
    with np.errstate(under="ignore"):
        return np.ldexp(weight, -exponent).astype(np.float32)


def as_numpy(X: Any, name: str = "X") -> Any:
    """Return tensors as arrays, which scikit-learn can check, and any other value unchanged.

    Raises
    ------
    TypeError
        If NumPy has no such arrays.
    """
    if not isinstance(X, torch.Tensor):
        return X
    if X.dtype == torch.bfloat16:
        X = X.float()
    if X.layout != torch.strided or X.is_quantized or X.device.type == "meta":
        kind = "quantized" if X.is_quantized else X.layout if X.layout != torch.strided else "meta"
        raise TypeError(
            f"{name} is a tensor of a kind that NumPy does not have ({kind}). Pass a dense tensor "
            f"of numbers, such as {name}.dequantize() or {name}.to_dense()."
        )
    return X.numpy(force=True)


def check_count(name: str, value: Any) -> int:
    """Return ``value`` as an int, or raise ValueError if it is not a positive integer."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
    return int(value)
