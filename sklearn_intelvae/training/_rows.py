"""Rows on the device, divided into those to train and to validate on, and into batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_intelvae._part import copied
from sklearn_intelvae._random import Stream, draws_by_weight, generator_from, seed_of
from sklearn_intelvae.training._spec import FitData, FitSpec

Tensors = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """Rows of named tensors.

    Attributes
    ----------
    tensors : dict of Tensor
        By field of :class:`~sklearn_intelvae.objectives.Batch`: "x", and where present "weight"
        and "previous". All have the same number of rows.
    index : Tensor of int64
        The rows of the tensors that belong to this set.
    is_series : bool
        Whether the row before each row is the previous row of "x".
    """

    tensors: Tensors
    index: Tensor
    is_series: bool = False

    def __len__(self) -> int:
        return len(self.index)

    @property
    def effective_size(self) -> float:
        """The number of rows, or of weighted ones the number of equal weights that tell as much.

        It is the square of the sum of the weights over the sum of their squares.
        """
        if "weight" not in self.tensors:
            return float(len(self))
        weight = self.tensors["weight"][self.index].double()
        return float(weight.sum().square() / weight.square().sum())

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.index.device

    def subset(self, selected: Tensor) -> Rows:
        """Return the rows at these positions of the index."""
        return replace(self, index=self.index[selected.to(self.device)])

    def some(self, most: int, generator: torch.Generator) -> Tensor:
        """Return the index of at most so many rows, evenly spaced, or drawn by their weights."""
        index = self.index[:: -(-len(self) // most)]
        if "weight" not in self.tensors:
            return index
        weight = self.tensors["weight"][self.index]
        return self.index[draws_by_weight(weight, len(index), generator)]

    def take(self, index: Tensor) -> Tensors:
        """Return copies of the rows of all tensors at ``index``, and the rows before them."""
        taken = {name: tensor.index_select(0, index) for name, tensor in self.tensors.items()}
        if self.is_series:
            taken["previous"] = self.tensors["x"].index_select(0, index - 1)
        return taken


class Batches:
    """An iterable of batches; with a generator the rows are in a new random order in each pass.

    A last batch of one row is merged into the batch before it.
    """

    def __init__(
        self, rows: Rows, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return len(self._sizes())

    def __iter__(self) -> Iterator[Tensors]:
        for index in self._order().split(self._sizes()):
            yield self.rows.take(index)

    def _order(self) -> Tensor:
        index = self.rows.index
        if self.generator is None:
            return index
        order = torch.randperm(len(index), generator=self.generator, device=index.device)
        return index[order]

    def _sizes(self) -> list[int]:
        full, rest = divmod(len(self.rows), self.batch_size)
        sizes = [self.batch_size] * full + [rest] * (rest > 0)
        return [*sizes[:-2], self.batch_size + 1] if rest == 1 and full else sizes


def split_rows(data: FitData, spec: FitSpec, one_epoch: bool) -> tuple[Rows, Rows | None]:
    """Return the rows to train on and those to validate on, on the device.

    Rows of weight 0, and pairs with such a row, belong to neither.

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
    tables = data.train, data.valid
    if spec.skorch_callbacks:  # which receive the rows, and may change them in place
        tables = copied(data.train), copied(data.valid)
    rows = _to_device(tables[0], uses_pairs, spec.device)
    if tables[1] is not None:
        return _weighted(rows), _to_device(tables[1], uses_pairs, spec.device)
    if not spec.early_stopping or one_epoch:
        return _weighted(rows), None
    # Of a series the last rows are set aside: single rows would resemble their neighbors.
    seed = seed_of(spec.seed, Stream.VALIDATION_SPLIT)
    generator = None if rows.is_series else generator_from(seed)
    train, valid = _split_positions(len(rows), spec.validation_fraction, generator)
    return _weighted(rows.subset(train)), _weighted(rows.subset(valid))


def weights_in_training(data: FitData, spec: FitSpec, one_epoch: bool) -> np.ndarray:
    """Return the weight of each row, 0 for those that are not trained on, shape (n_samples,)."""
    on_cpu = replace(spec, device=torch.device("cpu"), skorch_callbacks=())
    train, _ = split_rows(data, on_cpu, one_epoch)
    index = train.index.numpy()
    weight = np.zeros(len(data.train["x"]), dtype=np.float32)
    weight[index] = data.train["weight"][index] if "weight" in data.train else 1.0
    return weight


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
    """Return the rows with a weight on the device; the first row of a series has no row before it.

    Raises
    ------
    ValueError
        If a series is too short, or fewer than two rows have a weight.
    """
    tensors = {name: torch.from_numpy(array).to(device) for name, array in table.items()}
    counts = torch.ones(len(tensors["x"]), dtype=torch.bool, device=device)
    if "weight" in tensors:
        counts &= tensors["weight"] > 0
    is_series = uses_pairs and "previous" not in tensors
    if is_series:
        counts[1:] &= counts[:-1].clone()
        counts[:1] = False
    index = counts.nonzero()[:, 0]
    if is_series and len(index) < 2:
        raise ValueError(
            f"a series of {len(counts)} rows has {len(index)} pairs of consecutive rows with a "
            "weight, and at least 2 are needed: pass at least 3 rows in their order, or the row "
            "before each as X_prev."
        )
    if len(index) < 2:
        raise ValueError(
            f"sample_weight is positive for {len(index)} of {len(counts)} rows, and at least 2 are "
            "needed: give more rows a weight."
        )
    return Rows(tensors, index, is_series)


def _weighted(rows: Rows) -> Rows:
    """Return rows whose weights have mean 1, or no weights if all are equal."""
    if "weight" not in rows.tensors:
        return rows
    weight = rows.tensors["weight"].double()
    own = weight[rows.index]
    tensors = {name: tensor for name, tensor in rows.tensors.items() if name != "weight"}
    if own.min() < own.max():
        tensors["weight"] = (weight / own.mean()).float()
    return replace(rows, tensors=tensors)
