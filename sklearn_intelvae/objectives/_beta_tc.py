"""The beta-TC-VAE."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae._part import call
from sklearn_intelvae.models import VAE, Forward
from sklearn_intelvae.objectives._base import Batch, Terms
from sklearn_intelvae.objectives._elbo import VariationalObjective


class BetaTC(VariationalObjective):
    r"""The evidence lower bound, with a further weight on the total correlation of y.

    .. math:: -\log p(x \mid z) + \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + (\beta - 1)\, \mathrm{TC}(y), \qquad
              \mathrm{TC}(y) = \mathrm{KL}\Big(q(y) \,\Big\Vert\, \prod_j q(y_j)\Big)

    with q(y) the mean of q(y | x) over the rows. The weight makes the components independent of
    each other without reducing the information in each. In training q(y) is estimated from the rows
    of the batch; since the row that y was drawn from is among them, this overestimates the total
    correlation.

    Parameters
    ----------
    beta : float, default=6.0
        Weight of the total correlation; with 1 the objective is the evidence lower bound.

    References
    ----------
    Chen, Li, Grosse and Duvenaud, "Isolating Sources of Disentanglement in Variational
    Autoencoders", NeurIPS 2018.

    Examples
    --------
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.datasets import make_entangled_factors
    >>> from sklearn_intelvae.objectives import BetaTC
    >>> X = make_entangled_factors(500, random_state=0).X
    >>> vae = InteLVAE(4, objective=BetaTC(beta=4), max_iter=3, random_state=0).fit(X)
    >>> "total_correlation" in vae.history_[-1]
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "beta": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, beta: float = 6.0) -> None:
        super().__init__()
        self.beta = beta

    def cost(self, model: VAE, batch: Batch, run: Forward, terms: Terms) -> Tensor:
        """Return KL + (beta - 1) * total correlation of each row."""
        joint, per_component = call(run.q.mixture_log_prob, run.y, batch.weight)
        terms["total_correlation"] = joint - per_component.sum(-1)
        cost = torch.add(terms["kl"], terms["total_correlation"], alpha=self.beta - 1)
        return batch.progress * cost
