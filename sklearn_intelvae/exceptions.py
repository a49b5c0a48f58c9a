"""Errors that carry more than a message."""

from __future__ import annotations

from typing import Any

__all__ = ["DivergenceError"]


class DivergenceError(ArithmeticError):
    """The loss, or a weight, stopped being finite during training.

    Attributes
    ----------
    epoch : int
        The epoch, counted from 1, in which it happened.
    estimator : estimator or None
        A fitted estimator that holds the last finite weights, when the error comes from an
        estimator's ``fit``; the estimator whose ``fit`` failed is left as it was.
    """

    def __init__(self, message: str, epoch: int, estimator: Any = None) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.estimator = estimator

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.epoch, self.estimator)
