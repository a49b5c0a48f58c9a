"""The DIP-VAE."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sklearn_intelvae.model import Model, Pass
from sklearn_intelvae.objectives._base import Batch, mean_of_rows
from sklearn_intelvae.objectives._elbo import Bound


class DIP(Bound):
    r"""The evidence lower bound, with a penalty on covariances of y.

    .. math:: -\log p(x \mid z) + \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \lambda_{od} \sum_{i \ne j} C_{ij}^2 + \lambda_d \sum_i (C_{ii} - 1)^2

    where C is the covariance, over a batch, of the means of q(y | x), or of y.

    Parameters
    ----------
    lambda_od : float, default=10.0
        Weight of the covariances.
    lambda_d : float or None, default=None
        Weight of the variances' distance from 1. None takes ten times ``lambda_od`` with
        ``of="means"`` and as much with ``of="samples"``, as the paper does.
    of : {"means", "samples"}, default="means"
        What C is the covariance of: the means (DIP-VAE-I), or y itself, for which the mean
        posterior covariance is added (DIP-VAE-II).

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
    >>> vae = InteLVAE(4, objective=DIP(of="samples"), max_iter=3, random_state=0).fit(X)
    >>> "covariance_penalty" in vae.history_[-1]
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "lambda_od": [Interval(Real, 0, None, closed="left")],
        "lambda_d": [Interval(Real, 0, None, closed="left"), None],
        "of": [StrOptions({"means", "samples"})],
    }

    def __init__(
        self,
        lambda_od: float = 10.0,
        lambda_d: float | None = None,
        of: Literal["means", "samples"] = "means",
    ) -> None:
        super().__init__()
        self.lambda_od = lambda_od
        self.lambda_d = lambda_d
        self.of = of

    def cost(self, model: Model, batch: Batch, run: Pass, terms: dict[str, Tensor]) -> Tensor:
        """Return the KL and what covariances cost."""
        C = _covariance(run.q.mean, batch.weight)
        if self.of == "samples":
            C = C + mean_of_rows(run.q.covariance, batch.weight)
        variances = C.diagonal()
        covariances = C - torch.diag(variances)
        factor = 10.0 if self.of == "means" else 1.0
        lambda_d = factor * self.lambda_od if self.lambda_d is None else self.lambda_d
        penalty = self.lambda_od * covariances.square().sum()
        penalty = penalty + lambda_d * (variances - 1).square().sum()
        terms["covariance_penalty"] = penalty
        return batch.warmup * (terms["kl"] + penalty)


def _covariance(means: Tensor, weight: Tensor | None) -> Tensor:
    centred = means - mean_of_rows(means, weight)
    return mean_of_rows(centred[:, :, None] * centred[:, None], weight)
