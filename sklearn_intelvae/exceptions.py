"""Exceptions."""

from __future__ import annotations

from typing import Any

__all__ = ["DivergenceError"]


class DivergenceError(ArithmeticError):
    """The loss or a weight stopped being finite during training.

    Parameters
    ----------
    message : str
        The cause and the remedies.
    epoch : int
        The epoch, counted from 1, in which it happened.
    estimator : estimator or None, default=None
        See below.

    Attributes
    ----------
    epoch : int
        The epoch, counted from 1, in which it happened.
    estimator : estimator or None
        A fitted estimator with the last finite weights, if an estimator's ``fit`` raised the error;
        the estimator whose ``fit`` failed is unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae import DivergenceError, InteLVAE
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> vae = InteLVAE(2, learning_rate_init=1e20, max_iter=50, random_state=0)
    >>> try:
    ...     vae.fit(X)
    ... except DivergenceError as error:
    ...     error.estimator.transform(X).shape
    (100, 2)
    """

    result: Any = None

    def __init__(self, message: str, epoch: int, estimator: Any = None) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.estimator = estimator

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.epoch, self.estimator)


def not_given(owner: object, method: str) -> NotImplementedError:
    """Return the error that a base class raises for a method that a subclass has to give."""
    return NotImplementedError(f"{type(owner).__name__} must define {method}.")
