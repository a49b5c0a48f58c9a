"""What every estimator with an intermediary latent does."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._callbacks import CallbackSupportMixin
from sklearn_intelvae.estimators._codes import CODES
from sklearn_intelvae.estimators._fitting import fitted_attributes
from sklearn_intelvae.estimators._generation import GenerationMixin
from sklearn_intelvae.estimators._persistence import PersistenceMixin
from sklearn_intelvae.estimators._representation import RepresentationMixin
from sklearn_intelvae.estimators._shelves import resolve
from sklearn_intelvae.networks import ACTIVATIONS


class BaseInteLVAE(
    RepresentationMixin,
    GenerationMixin,
    PersistenceMixin,
    CallbackSupportMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """The fit; a subclass names the parameters, and what mapping and objective these describe."""

    _parameter_constraints: dict[str, list[Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "prior": [str, callable],
        "likelihood": [str, callable],
        "encoder": [str, callable],
        "decoder": [str, callable],
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "image_shape": ["array-like", None],
        "codes": [StrOptions(set(CODES))],
        "learning_rate": [StrOptions({"constant", "cosine"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "net_params": [dict, None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def __init__(self, **params):
        vars(self).update(params)

    @abstractmethod
    def _mapping_part(self) -> Any:
        """Return the mapping that the parameters describe."""

    def _prior_part(self) -> Any:
        """Return the prior that the parameters describe."""
        return resolve("prior", self.prior)

    @abstractmethod
    def _objective_part(self) -> Any:
        """Return the objective that the parameters describe."""

    _auto_steps = _inputs.Steps(per_row=3, most=8000, open_ended=1000)
    """Of training, where ``max_iter`` is "auto"."""

    _against_collapse: str
    """What to change if nothing of X reaches the latent."""

    @property
    @abstractmethod
    def _warmup(self) -> float:
        """Share of the training for which the model is warmed up."""

    def _attributes_of_rows(self, X: np.ndarray) -> dict[str, Any]:
        """Return what a fitted estimator says of each row of X, which is validated."""
        return {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, sample_weight=None, X_val=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, at least two rows.
        y : Ignored
            Present for scikit-learn's sake.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss; only ratios matter.
        X_val : array-like of shape (n_validation_samples, n_features), default=None
            Rows to validate on after each epoch, in place of a part of X.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data cannot be used; nothing is fitted then.
        DivergenceError
            If the loss stops being finite. The error's ``estimator`` attribute holds a fitted
            copy with the last finite weights.
        """
        resume = self.warm_start and self.__sklearn_is_fitted__()
        return self._train(X, y, sample_weight, X_val, resume=resume)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, sample_weight=None):
        """Go on training for one epoch, or start.

        The optimizer goes on where it left off, at the rate ``learning_rate_init``. The warm-up
        counts the steps of all calls, and takes its share of those that ``max_iter`` stands for.
        Weights are averaged within the call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object
        """
        resume = self.__sklearn_is_fitted__()
        return self._train(X, y, sample_weight, None, resume=resume, one_epoch=True)

    def _train(self, X, y, sample_weight, X_val, *, resume, one_epoch=False):
        before = dict(vars(self))
        vars(self).pop("density_", None)
        try:
            X = _inputs.validated(self, X, reset=not resume, min_samples=2)
            _inputs.refuse_nonfinite(torch.from_numpy(X), self)
            weight = _inputs.validated_weight(sample_weight, X)
            if X_val is not None:
                X_val = _inputs.validated(self, X_val)
                _inputs.refuse_nonfinite(torch.from_numpy(X_val), self, "X_val")
            attributes = fitted_attributes(self, X, weight, X_val, y, resume, one_epoch)
        except BaseException:
            for name in ("n_features_in_", "feature_names_in_", "density_"):
                vars(self).pop(name, None)
                if name in before:
                    setattr(self, name, before[name])
            raise
        vars(self).update(attributes)
        return self

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class OnTheBoundMixin:
    """The parameters of what is trained on the evidence lower bound, or on what you like."""

    _parameter_constraints: dict[str, list[Any]] = {
        "objective": [str, callable],
        "beta": [Interval(Real, 0, None, closed="left")],
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
        named = isinstance(self.objective, str)
        if named and self.objective != "soft-intro":
            return resolve("objective", self.objective, beta=self.beta)
        if self.beta != 1:
            raise ValueError(
                f"beta={self.beta} has no effect beside objective={self.objective!r}; set the "
                "weight on the objective and leave beta at 1."
            )
        return resolve("objective", self.objective)
