"""The DIP-VAE."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sklearn_intelvae.models import VAE, Forward
from sklearn_intelvae.objectives._base import Batch, Terms, weighted_mean
from sklearn_intelvae.objectives._elbo import VariationalObjective


class DIP(VariationalObjective):
    r"""The evidence lower bound, with a penalty on the covariance of y.

    .. math:: -\log p(x \mid z) + \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \lambda_{od} \sum_{i \ne j} C_{ij}^2 + \lambda_d \sum_i (C_{ii} - 1)^2

    where C is the covariance, over a batch, of the means of q(y | x), or of y.

    Parameters
    ----------
    lambda_od : float, default=10.0
        Weight of the off-diagonal elements.
    lambda_d : float or None, default=None
        Weight of the diagonal elements' distance from 1. None means 10 ``lambda_od`` with
        ``covariance_of="means"`` and ``lambda_od`` with ``"samples"``, as in the paper.
    covariance_of : {"means", "samples"}, default="means"
        Whether C is the covariance of the means (DIP-VAE-I), or of y itself, with the mean
        posterior covariance added (DIP-VAE-II).

    References
    ----------
    Kumar, Sattigeri and Balakrishnan, "Variational Inference of Disentangled Latent Concepts from
    Unlabeled Observations", ICLR 2018.

    Examples
    --------
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.datasets import make_entangled_factors
    >>> from sklearn_intelvae.objectives import DIP
    >>> X = make_entangled_factors(500, random_state=0).X
    >>> vae = InteLVAE(4, objective=DIP(covariance_of="samples"), max_iter=3, random_state=0).fit(X)
    >>> "covariance_penalty" in vae.history_[-1]
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "lambda_od": [Interval(Real, 0, None, closed="left")],
        "lambda_d": [Interval(Real, 0, None, closed="left"), None],
        "covariance_of": [StrOptions({"means", "samples"})],
    }

    def __init__(
        self,
        lambda_od: float = 10.0,
        lambda_d: float | None = None,
        covariance_of: Literal["means", "samples"] = "means",
    ) -> None:
        super().__init__()
        self.lambda_od = lambda_od
        self.lambda_d = lambda_d
        self.covariance_of = covariance_of

    def cost(self, model: VAE, batch: Batch, run: Forward, terms: Terms) -> Tensor:
        """Return the KL of each row, and the penalty on the covariance."""
        C = _covariance(run.q.mean, batch.weight)
        if self.covariance_of == "samples":
            C = C + weighted_mean(run.q.covariance, batch.weight)
        variances = C.diagonal()
        covariances = C - torch.diag(variances)
        factor = 10.0 if self.covariance_of == "means" else 1.0
        lambda_d = factor * self.lambda_od if self.lambda_d is None else self.lambda_d
        penalty = self.lambda_od * covariances.square().sum()
        penalty = penalty + lambda_d * (variances - 1).square().sum()
        terms["covariance_penalty"] = penalty
        return batch.progress * (terms["kl"] + penalty)


def _covariance(means: Tensor, weight: Tensor | None) -> Tensor:
    centered = means - weighted_mean(means, weight)
    return weighted_mean(centered[:, :, None] * centered[:, None], weight)
