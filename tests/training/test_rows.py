"""Batches: every row once, never one row alone, with the fields of the batch."""

import pytest
import torch

from sklearn_intelvae.training._rows import Batches, Rows


def rows(n):
    return Rows({"x": torch.arange(n).float()[:, None].expand(n, 2)}, torch.arange(n))


@pytest.mark.parametrize("n", [2, 3, 31, 32, 33, 34, 63, 64, 65, 100])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_have_every_row_once_and_never_one_alone(n, shuffle, generator):
    batches = Batches(rows(n), 32, generator if shuffle else None)
    seen = [batch["x"][:, 0] for batch in batches]
    assert len(seen) == len(batches)
    assert min(map(len, seen)) > 1
    assert max(map(len, seen)) <= 33
    assert torch.equal(torch.cat(seen).sort().values, torch.arange(n).float())
    if not shuffle:
        assert torch.equal(torch.cat(seen), torch.arange(n).float())
    elif n > 3:
        assert not torch.equal(torch.cat(seen), torch.cat([b["x"][:, 0] for b in batches]))


def test_batches_are_copies_of_rows_with_their_fields():
    tensors = {"x": torch.rand(10, 2), "weight": torch.arange(10).float()}
    (batch,) = Batches(Rows(tensors, torch.tensor([7, 3, 5])), 4)
    assert batch.keys() == {"x", "weight"}
    assert torch.equal(batch["x"], tensors["x"][[7, 3, 5]])
    assert batch["weight"].tolist() == [7, 3, 5]
    batch["x"].zero_()
    assert tensors["x"].any()


def test_batches_of_a_series_have_the_row_before_each():
    X = torch.rand(10, 2)
    (batch,) = Batches(Rows({"x": X}, torch.tensor([7, 3]), is_series=True), 4)
    assert torch.equal(batch["x"], X[[7, 3]])
    assert torch.equal(batch["previous"], X[[6, 2]])


def test_given_rows_before_each_row_are_a_field_as_any_other():
    X = torch.rand(10, 2)
    (batch,) = Batches(Rows({"x": X, "previous": X + 1}, torch.tensor([7, 3])), 4)
    assert torch.equal(batch["previous"], batch["x"] + 1)


def test_a_subset_selects_positions_of_the_index():
    some = rows(10).subset(torch.tensor([8, 2])).subset(torch.tensor([1]))
    assert len(some) == 1
    assert some.index.tolist() == [2]
