"""Sums over features, arranged such that a scale that all features share costs nothing."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def elementwise(loss: Callable[..., Tensor], parameters: Tensor, x: Tensor) -> Tensor:
    """Apply one of torch's fused losses without reduction; x broadcasts over particles."""
    return loss(parameters, x.expand_as(parameters), reduction="none")


def total(per_feature: Tensor, n_features: int) -> Tensor:
    """Sum a quantity over features; a scalar is one number for all of them."""
    return per_feature * n_features if per_feature.ndim == 0 else per_feature.sum(-1)


def factors(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return two factors of the sum over features of weight * values."""
    if weight.ndim == 0:
        return values.sum(-1), weight
    return (values @ weight if weight.ndim == 1 else (values * weight).sum(-1)), weight.new_ones(())
