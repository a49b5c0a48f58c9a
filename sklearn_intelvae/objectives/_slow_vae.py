"""The SlowVAE, for pairs of consecutive rows."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae.models import VAE, Forward
from sklearn_intelvae.objectives._base import Batch, Terms
from sklearn_intelvae.objectives._elbo import VariationalObjective


class SlowVAE(VariationalObjective):
    r"""The bound for pairs of consecutive rows whose factors change rarely, in large steps.

    With x' the row before x, the mean over both of

    .. math:: -\log p(x \mid z) + \tfrac{\beta}{2} \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \gamma\, \Big( \mathrm{CE}\big(q(y \mid x), \ell(y \mid x') \big)
              - \tfrac{1}{2} \mathrm{H}(q(y \mid x)) \Big), \qquad
              \ell(y \mid x') = \prod_j \mathrm{Laplace}\big(y_j; \mu_j(x'), 1 / \lambda \big),

    with the cross-entropy CE and the entropy H, where x and x' are exchanged for the other half;
    the weights are those of the paper. The cost of y grows during the warm-up. A step along one
    component is more likely than a step of the same length along several: this determines the axes,
    also where the variances do not.

    The row before each row is the one before it in X, or that of ``fit(X, X_prev=...)``.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the KL from the prior.
    gamma : float, default=10.0
        Weight of the step from the previous row.
    rate : float, default=6.0
        :math:`\lambda`, the inverse of the mean absolute step of a component, in the unit of 1 / y.

    References
    ----------
    Klindt et al., "Towards Nonlinear Disentanglement in Natural Data with Temporal Sparse Coding",
    ICLR 2021.

    Examples
    --------
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.datasets import make_mini_sprites
    >>> from sklearn_intelvae.objectives import SlowVAE
    >>> X, W, X_prev, W_prev = make_mini_sprites(500, paired=True, random_state=0)
    >>> vae = InteLVAE(2, objective=SlowVAE(), max_iter=3, random_state=0)
    >>> vae.fit(X, X_prev=X_prev).transform(X).shape
    (500, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "beta": [Interval(Real, 0, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "rate": [Interval(Real, 0, None, closed="neither")],
    }

    uses_pairs = True

    def __init__(self, beta: float = 1.0, gamma: float = 10.0, rate: float = 6.0) -> None:
        super().__init__()
        self.beta = beta
        self.gamma = gamma
        self.rate = rate

    def loss(self, player: str, model: VAE, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the mean of the two losses of each pair, and the means of the terms."""
        assert batch.previous is not None  # uses_pairs
        weight = None if batch.weight is None else batch.weight.repeat(2)
        x = torch.cat([batch.x, batch.previous])
        loss, terms = super().loss(player, model, replace(batch, x=x, weight=weight))
        terms = {name: _mean_of_pairs(term) for name, term in terms.items()}
        return _mean_of_pairs(loss), terms

    def cost(self, model: VAE, batch: Batch, run: Forward, terms: Terms) -> Tensor:
        """Return the KL from the prior, and that from the other row of the pair."""
        q = run.q
        other = q.mean.roll(len(q.mean) // 2, dims=0)
        terms["kl_step"] = q.kl_from_laplace(other, 1 / self.rate).sum(-1)
        of_step = terms["kl_step"] + 0.5 * q.entropy_per_component().sum(-1)
        return batch.progress * torch.add(0.5 * self.beta * terms["kl"], of_step, alpha=self.gamma)


def _mean_of_pairs(values: Tensor) -> Tensor:
    return values.reshape(2, -1).mean(0) if values.ndim else values
