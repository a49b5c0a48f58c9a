"""Checks of the arrays that users pass."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import _check_sample_weight, validate_data

_FLOAT32_STEP = 2.0**-24
_CONSTANT = 1e-13
"""A column with a smaller standard deviation, relative to its size, is constant up to rounding."""
_MAX_LOSS = 1e-3
"""Rounding errors above this share of a column's standard deviation are reported."""


def validated(
    estimator: Any, X: Any, *, reset: bool = False, min_samples: int = 1, name: str = "X"
) -> np.ndarray:
    """Return X as a C-ordered, writeable float32 array with the features of ``estimator``.

    :func:`check_finite` checks its values.
    """
    with np.errstate(over="ignore", under="ignore"):
        X = validate_data(
            estimator,
            as_numpy(X, name),
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


def float32_losses(X: Any, X32: np.ndarray, rows: Any, names: Any = None) -> str:
    """Return a sentence about columns whose differences float32 cannot represent, or "".

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The values that the user passed.
    X32 : ndarray of shape (n_samples, n_features), float32
        The same values in float32.
    rows : slice or ndarray of bool
        The rows to consider.
    names : sequence of str or None
        Names of the columns.
    """
    if isinstance(X, np.ndarray) and X.dtype in (np.float16, np.float32):
        return ""
    X32 = X32[rows]
    columns = []
    for j in _suspicious_columns(X32):
        exact = _column(X, j)
        if exact is None:
            continue
        exact = exact[rows]
        size, spread = np.abs(X32[:, j]).max(), exact.std()
        error = np.abs(exact - X32[:, j]).max()
        if spread > _CONSTANT * size and error > _MAX_LOSS * spread:
            columns.append(int(j) if names is None else str(names[j]))
    if not columns:
        return ""
    return (
        f"the differences between values of X in the columns {columns[:5]} are too small, relative "
        "to the values, for float32, in which the model computes: rows that differ become equal. "
        "Subtract an offset first, for instance with StandardScaler."
    )


def _suspicious_columns(X32: np.ndarray) -> np.ndarray:
    """Return the columns whose spread is small relative to their size, estimated in float32."""
    X = torch.from_numpy(X32)
    low, high = X.aminmax(dim=0)
    size, spread = torch.maximum(high.abs(), low.abs()), X.std(0, correction=0)
    return np.flatnonzero(~(2 * _FLOAT32_STEP * size <= _MAX_LOSS * spread).numpy())


def _column(X: Any, j: int) -> np.ndarray | None:
    """Return a column as float64, or None if it was float32 or less already."""
    if hasattr(X, "iloc"):
        X, j = X.iloc[:, [j]], 0
    column = np.asarray(X)[:, j]
    if column.dtype.kind == "f" and column.dtype.itemsize <= 4:
        return None
    return column.astype(np.float64)


def check_count(name: str, value: Any) -> int:
    """Return ``value`` as an int, or raise ValueError if it is not a positive integer."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
    return int(value)
