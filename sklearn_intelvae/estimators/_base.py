"""What every estimator with an intermediary latent does."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from numbers import Real
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_intelvae.estimators._callbacks import CallbackSupportMixin
from sklearn_intelvae.estimators._codes import CODES
from sklearn_intelvae.estimators._generation import GenerationMixin
from sklearn_intelvae.estimators._persistence import PersistenceMixin
from sklearn_intelvae.estimators._representation import RepresentationMixin
from sklearn_intelvae.estimators._sentence import Sentence
from sklearn_intelvae.estimators._shelves import resolve
from sklearn_intelvae.estimators._training import TrainingMixin
from sklearn_intelvae.networks import ACTIVATIONS
from sklearn_intelvae.objectives import ELBO
from sklearn_intelvae.posteriors import DiagonalGaussian


class BaseInteLVAE(
    TrainingMixin,
    RepresentationMixin,
    GenerationMixin,
    PersistenceMixin,
    CallbackSupportMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """A subclass names the parameters, and what mapping and objective these describe."""

    _kind = Sentence()

    _parameter_constraints: dict[str, list[Any]] = {
        "prior": [str, callable],
        "likelihood": [str, callable],
        "encoder": [str, callable],
        "decoder": [str, callable],
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "image_shape": ["array-like", None],
        "codes": [StrOptions(set(CODES))],
        **TrainingMixin._parameter_constraints,
    }

    @abstractmethod
    def __init__(self, **params):
        vars(self).update(params)

    @abstractmethod
    def _mapping_part(self) -> Any:
        """Return the mapping that the parameters describe."""

    def _posterior_part(self) -> Any:
        """Return the posterior that the parameters describe."""
        return DiagonalGaussian()

    def _prior_part(self) -> Any:
        """Return the prior that the parameters describe."""
        return resolve("prior", self.prior)

    _against_collapse: str
    """What to change if nothing of X reaches the latent."""


class OnTheBoundMixin:
    """The parameters of what is trained on the evidence lower bound, or on what you like."""

    _parameter_constraints: dict[str, list[Any]] = {
        "objective": [str, callable],
        "beta": ELBO._parameter_constraints["beta"],
        "kl_warmup": [Interval(Real, 0, 1, closed="both")],
    }

    _against_collapse = (
        "a longer kl_warmup, a smaller beta, or likelihood=Gaussian(scale=...) with a scale well "
        "below the spread of the features"
    )

    @property
    def _warmup(self):
        return self.kl_warmup

    def _objective_part(self):
        if callable(self.beta) and not self.kl_warmup:
            raise ValueError("a schedule of beta runs over the warm-up: set kl_warmup above 0.")
        if isinstance(self.objective, str) and self.objective == "elbo":
            return ELBO(beta=self.beta)
        if self.beta != 1:
            raise ValueError(
                f"beta={self.beta} has no effect beside objective={self.objective!r}; set the "
                "weight on the objective and leave beta at 1."
            )
        return resolve("objective", self.objective)
