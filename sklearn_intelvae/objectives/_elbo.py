"""The evidence lower bound, and the base class of its variants."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae._checks import check_cost
from sklearn_intelvae._part import call, copied, is_ours
from sklearn_intelvae.exceptions import not_given
from sklearn_intelvae.models import VAE, Forward
from sklearn_intelvae.objectives._base import (
    Batch,
    Objective,
    Terms,
    joined,
    observe_and_terms_of_mapping,
)


class VariationalObjective(Objective):
    """Base class of objectives with the loss -log p(x | z) + cost of y, at one draw of y per row.

    A subclass gives ``cost``, which also defines how the cost grows during the warm-up. The terms
    of the mapping are added.

    Examples
    --------
    Free bits: each component has some nats at no cost.

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.objectives import VariationalObjective
    >>> class FreeBits(VariationalObjective):
    ...     def __init__(self, floor=0.5):
    ...         super().__init__()
    ...         self.floor = floor
    ...
    ...     def cost(self, model, batch, run, terms):
    ...         per_component = model.prior_distribution().kl_per_component(run.q)
    ...         return batch.progress * per_component.mean(dim=0).clamp(min=self.floor).sum()
    >>> X = load_digits().data[:200] / 16
    >>> InteLVAE(4, objective=FreeBits(), max_iter=3, random_state=0).fit(X).n_iter_
    3
    """

    def cost(self, model: VAE, batch: Batch, run: Forward, terms: Terms) -> Tensor:
        """Return the cost of y at the current warm-up.

        Parameters
        ----------
        model : VAE
            The model in training.
        batch : Batch
            The rows of the step.
        run : Forward
            The forward pass of the batch: q(y | x), y, z and p(x | z).
        terms : dict of Tensor
            Has "reconstruction" and "kl"; add further terms to record.

        Returns
        -------
        cost : Tensor of shape (n,) or ()
            In nats, per row or for the batch.
        """
        raise not_given(self, "cost")

    def loss(self, player: str, model: VAE, batch: Batch) -> tuple[Tensor, Terms]:
        """Return -log p(x | z) + cost + terms of the mapping of each row, and the terms."""
        run = model(batch.x, batch.generator)
        terms = {
            "reconstruction": -call(run.p.log_prob, batch.x),
            "kl": call(model.prior_distribution().kl, run.q, run.y),
        }
        shown, recorded = (run, terms) if is_ours(self) else (copied(run), copied(terms))
        cost = self.cost(model, batch, shown, recorded)
        if not is_ours(self):
            check_cost(self, cost, len(batch.x))
        loss = terms["reconstruction"] + cost
        extra = observe_and_terms_of_mapping(model, batch, run)
        return sum(extra.values(), loss), joined(recorded | terms, extra)


class ELBO(VariationalObjective):
    r"""The evidence lower bound, with a weight on the KL term.

    Minimizes, for one draw y of q(y | x) and z = g(y),

    .. math:: -\log p(x \mid z) + \beta\, \mathrm{KL}(q(y \mid x) \,\Vert\, p(y))
              + \mathrm{penalty}_g(y, z).

    The penalty is that of the mapping, if it has one; in training its guidance is added as well
    (see :class:`~sklearn_intelvae.mappings.Mapping`). With beta = 1 and no penalty this is the
    bound of InteL-VAE, and of a plain VAE if g is the identity.

    The reconstruction term is a sum over features, the KL term a sum over components. With a
    Gaussian likelihood of scale s, the representation depends on :math:`\eta = \beta s^2`, in
    squared units of X: directions of smaller variance are not encoded.

    Parameters
    ----------
    beta : float or callable, default=1.0
        Final weight of the KL term, towards which it grows linearly in the warm-up; above 1 the
        objective is that of the beta-VAE. A function is a schedule: it receives the fraction of
        the warm-up that has passed, from 0 to 1, and returns the weight.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
    Higgins et al., "beta-VAE", ICLR 2017.
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, equation 2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.objectives import ELBO
    >>> X = load_digits().data[:200] / 16
    >>> vae = InteLVAE(5, objective=ELBO(beta=4), max_iter=3, random_state=0).fit(X)
    >>> sorted(set(vae.history_[-1]) & {"reconstruction", "kl"})
    ['kl', 'reconstruction']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "beta": [Interval(Real, 0, None, closed="left"), callable],
    }

    def __init__(self, beta: float | Callable[[float], float] = 1.0) -> None:
        super().__init__()
        self.beta = beta

    @property
    def needs_warmup(self) -> bool:  # type: ignore[override]
        """Whether beta is a schedule."""
        return callable(self.beta)

    def cost(self, model: VAE, batch: Batch, run: Forward, terms: Terms) -> Tensor:
        """Return the weighted KL divergence of each row."""
        progress = batch.progress
        if not callable(self.beta):
            return self.beta * progress * terms["kl"]
        returned = self.beta(progress)
        try:
            weight = float(returned)
        except (TypeError, ValueError) as error:
            raise TypeError(f"beta({progress}) must return a number, got {returned!r}.") from error
        return weight * terms["kl"]
