"""From tables to rows on the device: those to train on, and those to validate on."""

from __future__ import annotations

import math

import numpy as np
import torch

from sklearn_intelvae._random import Stream, generator_from, seed_of
from sklearn_intelvae.training._batches import Rows
from sklearn_intelvae.training._spec import FitData, FitSpec


def split_rows(data: FitData, spec: FitSpec, one_epoch: bool) -> tuple[Rows, Rows | None]:
    """Return the rows to train on and those to validate on, on the device.

    Raises
    ------
    ValueError
        If pairs are given to an objective of single rows, or too few rows are left.
    """
    uses_pairs = spec.objective.uses_pairs
    if "previous" in data.train and not uses_pairs:
        raise ValueError(
            f"X_prev has no effect on {type(spec.objective).__name__}, which uses single rows: "
            "omit it, or use an objective of pairs, such as SlowVAE."
        )
    rows = _to_device(data.train, uses_pairs, spec.device)
    if data.valid is not None:
        return rows, _to_device(data.valid, uses_pairs, spec.device)
    if not spec.early_stopping or one_epoch:
        return rows, None
    # Of a series the last rows are set aside: single rows would resemble their neighbors.
    seed = seed_of(spec.seed, Stream.VALIDATION_SPLIT)
    generator = None if rows.is_series else generator_from(seed)
    train, valid = _split_positions(len(rows), spec.validation_fraction, generator)
    return rows.subset(train), rows.subset(valid)


def _split_positions(
    n_samples: int, fraction: float, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions to train and to validate on: the last ones without a generator."""
    n_valid = math.ceil(fraction * n_samples)
    if n_samples - n_valid < 2:
        raise ValueError(
            f"early_stopping=True sets aside {n_valid} of {n_samples} rows "
            f"(validation_fraction={fraction}) and leaves too few to train on; pass more rows, a "
            "smaller validation_fraction, or X_val."
        )
    if generator is None:
        return torch.arange(n_samples - n_valid), torch.arange(n_samples - n_valid, n_samples)
    order = torch.randperm(n_samples, generator=generator, device=generator.device)
    return order[n_valid:], order[:n_valid]


def _to_device(table: dict[str, np.ndarray], uses_pairs: bool, device: torch.device) -> Rows:
    """Return rows on the device; the first row of a series has no row before it, and is left out.

    Raises
    ------
    ValueError
        If a series is too short, or has no weight.
    """
    tensors = {name: torch.from_numpy(array).to(device) for name, array in table.items()}
    index = torch.arange(len(tensors["x"]), device=device)
    if not uses_pairs or "previous" in tensors:
        return Rows(tensors, index)
    if len(index) < 3:
        raise ValueError(
            f"a series of {len(index)} rows is too short for pairs: pass at least 3 rows in their "
            "order, or the row before each as X_prev."
        )
    if "weight" in tensors and not tensors["weight"][1:].any():
        raise ValueError(
            "sample_weight is zero for each row that has one before it: no row is left to fit on."
        )
    return Rows(tensors, index[1:], is_series=True)
