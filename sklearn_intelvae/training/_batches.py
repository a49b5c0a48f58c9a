"""Batches as index selections on tensors that stay on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

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
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.index.device

    def subset(self, selected: Tensor) -> Rows:
        """Return the rows at these positions of the index."""
        return replace(self, index=self.index[selected.to(self.device)])

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
