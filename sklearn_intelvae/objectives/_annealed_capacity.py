"""The VAE with a growing capacity."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae.models import VAE, Forward
from sklearn_intelvae.objectives._base import Batch, Terms, weighted_mean
from sklearn_intelvae.objectives._elbo import VariationalObjective


class AnnealedCapacity(VariationalObjective):
    r"""The reconstruction, and a KL term that follows a capacity growing during the warm-up.

    .. math:: -\log p(x \mid z) + \gamma\, \big| \overline{\mathrm{KL}} - C_t \big|

    with the mean KL of a batch and :math:`C_t` growing from 0 to ``capacity`` over the warm-up. So
    y first represents what improves the reconstruction most, and more as the capacity grows.

    Parameters
    ----------
    capacity : float, default=25.0
        Final capacity C, in nats per row.
    gamma : float, default=100.0
        Weight of the difference; 1000 in the paper, for images of thousands of pixels.

    References
    ----------
    Burgess et al., "Understanding disentangling in beta-VAE", 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.objectives import AnnealedCapacity
    >>> X = load_digits().data[:200] / 16
    >>> objective = AnnealedCapacity(capacity=8)
    >>> InteLVAE(5, objective=objective, max_iter=3, random_state=0).fit(X).n_iter_
    3
    """

    needs_warmup = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "capacity": [Interval(Real, 0, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, capacity: float = 25.0, gamma: float = 100.0) -> None:
        super().__init__()
        self.capacity = capacity
        self.gamma = gamma

    def cost(self, model: VAE, batch: Batch, run: Forward, terms: Terms) -> Tensor:
        """Return the weighted distance of the mean KL from the current capacity, shape ()."""
        kl = weighted_mean(terms["kl"], batch.weight)
        return self.gamma * (kl - self.capacity * batch.progress).abs()
