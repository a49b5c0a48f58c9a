"""The SlowVAE: pairs of rows, one of which comes before the other."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae.model import Model, Pass
from sklearn_intelvae.objectives._base import Batch
from sklearn_intelvae.objectives._elbo import Bound, Terms


class SlowVAE(Bound):
    r"""The bound of pairs of rows whose factors change seldom and far, or not at all.

    With x' the row before x, the mean over both of

    .. math:: -\log p(x \mid z) + \tfrac{\beta}{2} \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \gamma\, \Big( \mathrm{CE}\big(q(y \mid x), \ell(y \mid x') \big)
              - \tfrac{1}{2} \mathrm{H}(q(y \mid x)) \Big), \qquad
              \ell(y \mid x') = \prod_j \mathrm{Laplace}\big(y_j; \mu_j(x'), 1 / \lambda \big),

    with the cross-entropy CE and the entropy H, where x and x' change places for the other half:
    the paper's weights, of half a pair. What y costs grows with the warm-up. A step along one
    factor is likelier than the same step divided among two components: that gives axes a meaning
    that variances do not.

    Rows come before one another in the order of X, or as ``fit(X, X_prev=...)`` says.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the KL from the prior.
    gamma : float, default=10.0
        Weight of the step from the row before.
    rate : float, default=6.0
        :math:`\lambda`, in units of one over y: one over the mean length of a step.

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

    of_pairs = True

    def __init__(self, beta: float = 1.0, gamma: float = 10.0, rate: float = 6.0) -> None:
        super().__init__()
        self.beta = beta
        self.gamma = gamma
        self.rate = rate

    def loss(self, player: str, model: Model, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the mean of the two losses of each pair."""
        assert batch.previous is not None  # of_pairs
        weight = None if batch.weight is None else batch.weight.repeat(2)
        x = torch.cat([batch.x, batch.previous])
        loss, terms = super().loss(player, model, batch._replace(x=x, weight=weight))
        terms = {name: _mean_of_pairs(term) for name, term in terms.items()}
        return _mean_of_pairs(loss), terms

    def cost(self, model: Model, batch: Batch, run: Pass, terms: Terms) -> Tensor:
        """Return the KL from the prior, and that from the other row of the pair."""
        q = run.q
        other = q.mean.roll(len(q.mean) // 2, dims=0)
        terms["kl_step"] = q.kl_from_laplace(other, 1 / self.rate).sum(-1)
        of_step = terms["kl_step"] + 0.5 * q.entropy_per_component().sum(-1)
        return batch.warmup * torch.add(0.5 * self.beta * terms["kl"], of_step, alpha=self.gamma)


def _mean_of_pairs(values: Tensor) -> Tensor:
    return values.reshape(2, -1).mean(0) if values.ndim else values
