"""The beta-TC-VAE."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae.model import Model, Pass
from sklearn_intelvae.objectives._base import Batch
from sklearn_intelvae.objectives._elbo import Bound


class BetaTC(Bound):
    r"""The evidence lower bound, with a further weight on the total correlation of y.

    .. math:: -\log p(x \mid z) + \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + (\beta - 1)\, \mathrm{TC}(y), \qquad
              \mathrm{TC}(y) = \mathrm{KL}\Big(q(y) \,\Big\Vert\, \prod_j q(y_j)\Big)

    with q(y) the mean of q(y | x) over the rows. So components are made independent of each other
    without making each say less. In training, the rows of a batch stand for all rows; since the one
    that y was drawn from is among them, that overestimates the total correlation.

    Parameters
    ----------
    beta : float, default=6.0
        Weight of the total correlation, of which 1 is in the bound itself.

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

    def cost(self, model: Model, batch: Batch, run: Pass, terms: dict[str, Tensor]) -> Tensor:
        """Return the KL and what correlation costs beyond it."""
        joint, of_components = run.q.mixture_log_prob(run.y, batch.weight)
        terms["total_correlation"] = joint - of_components.sum(-1)
        cost = torch.add(terms["kl"], terms["total_correlation"], alpha=self.beta - 1)
        return batch.warmup * cost
