"""The evidence lower bound."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_intelvae.model import Model
from sklearn_intelvae.objectives._base import (
    Batch,
    Objective,
    notify_mapping,
    terms_of_mapping,
)


class ELBO(Objective):
    r"""The evidence lower bound, with a weight on the KL term.

    Minimises, for one draw y of q(y | x) and z = g(y),

    .. math:: -\log p(x \mid z) + \beta\, \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \mathrm{penalty}_g(y, z).

    The penalty is the mapping's, if it has one; while training, so is what guides its rows (see
    :class:`~sklearn_intelvae.mappings.Mapping`). With beta = 1 and no penalty this is the bound
    of InteL-VAE, and of a plain VAE when g is the identity.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the KL term; above 1 the objective of the beta-VAE.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
    Higgins et al., "beta-VAE", ICLR 2017.
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, equation 2.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def loss(self, player: str, model: Model, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the negative bound of each row."""
        run = model(batch.x, batch.generator)
        notify_mapping(model, batch, run.y)
        terms = {"reconstruction": -run.p.log_prob(batch.x), "kl": model.kl(run.q, run.y)}
        loss = torch.add(terms["reconstruction"], terms["kl"], alpha=self.beta * batch.warmup)
        extra = terms_of_mapping(model, batch, run)
        return sum(extra.values(), loss), terms | extra
