"""The fit that all estimators share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._fitting import fitted_attributes
from sklearn_intelvae.estimators._kind import Kind


class TrainingMixin:
    """``fit`` and ``partial_fit`` of a model whose objective the shared training step minimises."""

    _parameter_constraints: dict[str, list[Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
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

    _kind: Kind

    _auto_steps = _inputs.Steps(per_row=3, most=8000, open_ended=1000)
    """Of training, where ``max_iter`` is "auto"."""

    _warmup = 0.0
    """Share of the training for which the model is warmed up."""

    def _objective_part(self) -> Any:
        """Return the objective that the parameters describe."""
        raise NotImplementedError

    def _attributes_of_rows(self, X: np.ndarray) -> dict[str, Any]:
        """Return what a fitted estimator says of each row of X, which is validated."""
        return {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, sample_weight=None, X_val=None, X_prev=None):
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
            Rows to validate on after each epoch, in place of a part of X. Where training looks at
            pairs, they are a series, as X then must be.
        X_prev : array-like of shape (n_samples, n_features), default=None
            For each row of X the one before it, where training looks at pairs of rows. None takes
            X as a series in its order, whose first row is only looked back at.

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
        return self._train(X, y, sample_weight, X_val, X_prev, resume=resume)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, sample_weight=None, X_prev=None):
        """Go on training for one epoch, or start.

        The optimizer goes on where it left off, at the rate ``learning_rate_init``. The warm-up
        counts the steps of all calls, and takes its share of those that ``max_iter`` stands for.
        Weights are averaged within the call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
        X_prev : array-like of shape (n_samples, n_features), default=None
            As in ``fit``.

        Returns
        -------
        self : object
        """
        resume = self.__sklearn_is_fitted__()
        return self._train(X, y, sample_weight, None, X_prev, resume=resume, one_epoch=True)

    def _train(self, X, y, sample_weight, X_val, X_prev, *, resume, one_epoch=False):
        before = dict(vars(self))
        vars(self).pop("density_", None)
        try:
            data = _inputs.validated_data(self, X, sample_weight, X_val, X_prev, reset=not resume)
            attributes = fitted_attributes(self, data, y, resume, one_epoch)
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
