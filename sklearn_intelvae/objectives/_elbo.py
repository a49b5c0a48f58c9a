"""The evidence lower bound, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae.model import Model, Pass
from sklearn_intelvae.objectives._base import (
    Batch,
    Objective,
    notify_mapping,
    terms_of_mapping,
)

Terms = dict[str, Tensor]


class Bound(Objective):
    """Base class of objectives whose loss is the reconstruction of one draw of y plus a cost of y.

    A subclass gives ``cost``, which also says how the cost grows with the warm-up.
    """

    def cost(self, model: Model, batch: Batch, run: Pass, terms: Terms) -> Tensor:
        """Return what y costs each row as yet, shape (n,) or (), in nats.

        ``terms`` holds the KL, and takes what else is worth recording.
        """
        raise NotImplementedError

    def loss(self, player: str, model: Model, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the errors of each row, what its y costs, and what the mapping adds."""
        run = model(batch.x, batch.generator)
        notify_mapping(model, batch, run.y)
        terms = {"reconstruction": -run.p.log_prob(batch.x), "kl": model.kl(run.q, run.y)}
        loss = terms["reconstruction"] + self.cost(model, batch, run, terms)
        extra = terms_of_mapping(model, batch, run)
        return sum(extra.values(), loss), terms | extra


class ELBO(Bound):
    r"""The evidence lower bound, with a weight on the KL term.

    Minimises, for one draw y of q(y | x) and z = g(y),

    .. math:: -\log p(x \mid z) + \beta\, \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \mathrm{penalty}_g(y, z).

    The penalty is the mapping's, if it has one; while training, so is what guides its rows (see
    :class:`~sklearn_intelvae.mappings.Mapping`). With beta = 1 and no penalty this is the bound
    of InteL-VAE, and of a plain VAE when g is the identity.

    Errors and KL are sums, over features and over components. With a Gaussian likelihood of scale s
    what decides the representation is :math:`\eta = \beta s^2`, in the squared units of X: of
    directions whose variance is smaller, nothing is encoded.

    Parameters
    ----------
    beta : float or callable, default=1.0
        Weight of the KL term in the end, towards which it grows in the warm-up; above 1 the
        objective of the beta-VAE. A function is a schedule: it takes the share of the warm-up that
        is over, from 0 to 1, and returns the weight at that time.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
    Higgins et al., "beta-VAE", ICLR 2017.
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, equation 2.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "beta": [Interval(Real, 0, None, closed="left"), callable],
    }

    def __init__(self, beta: float | Callable[[float], float] = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def cost(self, model: Model, batch: Batch, run: Pass, terms: Terms) -> Tensor:
        """Return the weighted KL."""
        warmup = batch.warmup
        return (self.beta(warmup) if callable(self.beta) else self.beta * warmup) * terms["kl"]
