"""Batches as index selections on a resident tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Taken(NamedTuple):
    """The rows of a batch."""

    x: Tensor
    weight: Tensor | None
    previous: Tensor | None


@dataclass(frozen=True)
class Rows:
    """Rows of a tensor that stays where it is, with their weights."""

    X: Tensor
    weight: Tensor | None
    index: Tensor
    """Which rows of ``X`` these are."""
    previous: Tensor | None = None
    """For each row of ``X`` the one before it, if pairs are asked for."""
    is_series: bool = False
    """Whether the row before each is the one before it in ``X`` instead."""

    def __len__(self) -> int:
        return len(self.index)

    def take(self, index: Tensor) -> Taken:
        """Return a copy of the rows at ``index`` of ``X``, and what belongs to them."""
        weight = None if self.weight is None else self.weight.index_select(0, index)
        previous = None if self.previous is None else self.previous.index_select(0, index)
        if self.is_series:
            previous = self.X.index_select(0, index - 1)
        return Taken(self.X.index_select(0, index), weight, previous)


class Batches:
    """An iterable of batches, in a new random order at each pass if given a generator.

    A last batch of one row joins the batch before it.
    """

    def __init__(
        self, rows: Rows, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return len(self._sizes())

    def __iter__(self) -> Iterator[Taken]:
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
