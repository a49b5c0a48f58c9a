"""What all estimators share: fit, partial_fit, files, and the application of the model to rows."""

from __future__ import annotations

import copy
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_intelvae._random import (
    OwnRandomness,
    Stream,
    draw_seed,
    generator_from,
    own_torch_state,
    seed_of,
)
from sklearn_intelvae.estimators._files import (
    load_estimator,
    save_estimator,
    state_with_arrays,
    state_with_modules,
)
from sklearn_intelvae.estimators._fitted import (
    apply,
    divergence_message,
    fitted_attributes,
    warn,
    warn_after,
    warn_before,
)
from sklearn_intelvae.estimators._parameters import description, fit_spec, refuse_another_model
from sklearn_intelvae.estimators._standardization import Standardization, standardization_of
from sklearn_intelvae.estimators._validation import (
    check_finite,
    validated,
    validated_table,
    validated_weight,
)
from sklearn_intelvae.exceptions import DivergenceError
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.training import FitData, FitResult, FitSpec, Recipe, train
from sklearn_intelvae.training._rows import weights_in_training
from sklearn_intelvae.training._skorch import Attributes, SklearnCallbacks

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Replaces scikit-learn's mixin in versions before 1.9, which have no callbacks."""


_CHANGED_BEFORE_TRAINING = (
    "n_features_in_",
    "feature_names_in_",
    "density_",
    "_location",
    "_unit",
)
"""Attributes that a fit changes before it can fail."""


class BaseModel(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base class of the estimators; a subclass gives parameters, parts and objective."""

    _recipes: tuple[Recipe, Recipe]
    """What parameters of the training leave open, for random weights and for a linear model."""

    _collapse_advice = ""
    """Remedies if no component of y carries information about X."""

    @abstractmethod
    def _parts(self) -> Any:
        """Return the unbuilt parts that the parameters describe."""

    @abstractmethod
    def _objective(self) -> Objective:
        """Return the objective that the parameters describe."""

    def _all_params(self) -> dict[str, Any]:
        """Return the parameters, also those that the constructor of a subclass does not take."""
        names = {*self._parameter_constraints, *self._get_param_names()}
        return {name: getattr(self, name) for name in sorted(names)}

    def _spec(self) -> FitSpec:
        """Read the parameters, once for each fit."""
        seed = draw_seed(self.random_state)
        with OwnRandomness(generator_from(seed_of(seed, Stream.CLASSES))):
            return fit_spec(
                self._all_params(),
                parts=self._parts(),
                objective=self._objective(),
                seed=seed,
                recipes=self._recipes,
            )

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, sample_weight=None, X_val=None, X_prev=None):
        """Fit the model to X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss; only ratios matter. A row of weight 0 has no effect.
        X_val : array-like of shape (n_validation_samples, n_features), default=None
            Rows to validate on after each epoch, in place of a part of X. If the objective uses
            pairs, they are a series, and X must be one too.
        X_prev : array-like of shape (n_samples, n_features), default=None
            The row before each row of X, for objectives of pairs. None means that X is a series in
            its order; its first row is then used only as predecessor of the second.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data cannot be used; the estimator is unchanged then.
        TypeError
            If a part does not have the methods that it needs.
        DivergenceError
            If the loss stops being finite. The error's ``estimator`` attribute is a fitted copy
            with the last finite weights.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_intelvae import InteLVAE
        >>> X = np.random.default_rng(0).normal(size=(200, 4))
        >>> vae = InteLVAE(2, early_stopping=True, max_iter=5, random_state=0)
        >>> vae.fit(X, sample_weight=np.ones(200)).n_iter_
        5
        """
        resume = self.warm_start and self.__sklearn_is_fitted__()
        return self._train(X, y, sample_weight, X_val, X_prev, resume=resume)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, sample_weight=None, X_prev=None):
        """Continue the training for one epoch, or start it.

        The optimizer continues where it stopped, with the rate ``learning_rate_init``. The warm-up
        counts the steps of all calls, and lasts for its fraction of the steps that ``max_iter``
        implies. Weights are relative to the mean weight of the call.

        The first call determines what ``fit`` determines from all rows: the mean and the unit of
        each column, and the linear model at which training starts. It needs two rows, and should
        have at least twice as many as X has columns: with ten columns, a model whose first call had
        5 rows was 4 nats worse after 30 calls of 100 rows, and one with 20 rows half a nat.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, at least two.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss, as in ``fit``.
        X_prev : array-like of shape (n_samples, n_features), default=None
            The row before each row of X, as in ``fit``.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data cannot be used, or the parameters describe another model
            than the fitted one; the estimator is unchanged then.
        DivergenceError
            If the loss stops being finite, as in ``fit``.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_intelvae import InteLVAE
        >>> X = np.random.default_rng(0).normal(size=(200, 4))
        >>> vae = InteLVAE(2, random_state=0)
        >>> for rows in np.split(X, 4):
        ...     vae = vae.partial_fit(rows)
        >>> vae.n_iter_
        4
        """
        resume = self.__sklearn_is_fitted__()
        return self._train(X, y, sample_weight, None, X_prev, resume=resume, one_epoch=True)

    @own_torch_state()
    def _train(self, X, y, sample_weight, X_val, X_prev, *, resume, one_epoch=False):
        before = dict(vars(self))
        vars(self).pop("density_", None)
        try:
            table = self._validated_data(X, sample_weight, X_val, X_prev, reset=not resume)
            spec = self._spec_for(resume)
            data = self._standardized(table, spec, resume, one_epoch)
            if not resume:
                warn_before(spec.objective, data.weighted_rows, type(self).__name__)
            attributes_of = self._attributes_of(data)
            result = train(
                spec,
                data,
                previous=self._previous_result() if resume else None,
                one_epoch=one_epoch,
                callbacks=self._callbacks(table, y, one_epoch, attributes_of),
            )
            attributes = attributes_of(result)
        except DivergenceError as error:
            explained = self._explained(error, attributes_of)
            self._restore(before)
            raise explained from error
        except BaseException:
            self._restore(before)
            raise
        self._set(attributes)
        warn_after(attributes, type(self).__name__, self._collapse_advice)
        return self

    def _spec_for(self, resume: bool) -> FitSpec:
        """Return the spec, checked against the fitted model."""
        spec = self._spec()
        if resume:
            refuse_another_model(description(self._all_params()), self._description)
        return spec

    def _standardized(
        self, table: FitData, spec: FitSpec, resume: bool, one_epoch: bool
    ) -> FitData:
        """Return the tables as the model sees them; the training rows decide if it is new."""
        if not resume:
            kind = spec.parts.standardization
            new = standardization_of(
                table.train["x"], weights_in_training(table, spec, one_epoch), kind
            )
            self._location, self._unit = new.location, new.unit
            self._warn_of_rounding(table)
        apply = self._standardization.apply_in_chunks

        def standardized(tables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {k: v if k == "weight" else apply(v) for k, v in tables.items()}

        return FitData(standardized(table.train), table.valid and standardized(table.valid))

    def _warn_of_rounding(self, table: FitData) -> None:
        """Warn if rows that are returned in float32 cannot hold the differences between those of X.

        The model itself sees the differences.
        """
        columns = self._standardization.columns_rounded_by_undo(table.weighted_rows)
        if columns and hasattr(self, "inverse_transform"):
            names = getattr(self, "feature_names_in_", None)
            shown = [j if names is None else str(names[j]) for j in columns[:5]]
            warn(
                f"{type(self).__name__}: in the columns {shown} the differences between values are "
                "too small, relative to the values, for float32. The model sees them, but decoded "
                "and generated rows are float32, in which they are lost. Subtract an offset from "
                "these columns if you need such rows.",
                UserWarning,
            )

    def _callbacks(
        self, data: FitData, y: Any, one_epoch: bool, attributes_of: Attributes
    ) -> SklearnCallbacks:
        """Return scikit-learn's callbacks, which partial_fit does not notify."""
        context = getattr(self, "_init_callback_context", None)
        if one_epoch or context is None:
            return SklearnCallbacks()
        X = data.weighted_rows
        if y is not None and len(X) < len(data.train["x"]):
            y = _safe_indexing(y, data.train["weight"] > 0)
        if "_skl_callbacks" in vars(self):  # which may change them in place
            X, y = X.copy(), copy.deepcopy(y)
        return SklearnCallbacks(
            lambda n: context(max_subtasks=n),
            {"estimator": self, "X": X, "y": X if y is None else y},
            attributes_of,
        )

    def _restore(self, before: dict[str, Any]) -> None:
        """Undo what a failed fit has changed."""
        for name in _CHANGED_BEFORE_TRAINING:
            vars(self).pop(name, None)
            if name in before:
                setattr(self, name, before[name])

    def _previous_result(self) -> FitResult:
        return FitResult(
            parts=self._parts_at_fit,
            model=self.module_,
            objective=self.objective_,
            history=self.history_,
            state=self._training_state,
            index=np.arange(0),
        )

    def _attributes_of(self, data: FitData) -> Attributes:
        """Return a function from a result to fitted attributes, with the parameters of now."""
        described = description(self._all_params())
        return lambda result: self._fitted_attributes(result, data) | {"_description": described}

    def _fitted_attributes(self, result: FitResult, data: FitData) -> dict[str, Any]:
        """Return what makes this estimator a fitted one."""
        return fitted_attributes(result, data, self._unit_of_codes)

    @property
    def _unit_of_codes(self) -> float:
        """The unit of X if all columns have the same, otherwise that of the model."""
        unit = self._unit
        return float(unit[0]) if (unit == unit[0]).all() else 1.0

    @property
    def _standardization(self) -> Standardization:
        """From the unit of X to that of the model, and back."""
        return Standardization(self._location, self._unit)

    def _set(self, attributes: dict[str, Any]) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)

    def _explained(self, error: DivergenceError, attributes_of: Attributes) -> DivergenceError:
        """Return the error with advice and a fitted estimator with the last finite weights."""
        survivor = object.__new__(type(self))
        survivor._set(vars(self))
        survivor._set(attributes_of(error.result))
        epoch = survivor.n_iter_ + 1
        message = divergence_message(type(self).__name__, epoch, self.learning_rate_init)
        return DivergenceError(message, epoch, survivor)

    def _validated_data(self, X, sample_weight, X_val, X_prev, *, reset) -> FitData:
        """Check the arrays that a fit is given."""
        X = validated(self, X, reset=reset, min_samples=2)
        table = {"x": X}
        weight = validated_weight(sample_weight, X)
        rows = slice(None) if weight is None else weight > 0
        check_finite(X[rows], type(self).__name__)
        if weight is not None:
            table["weight"] = weight
        if X_prev is not None:
            table["previous"] = validated_table(self, X_prev, "X_prev", rows)
            check_consistent_length(X, table["previous"])
        if X_val is None:
            return FitData(table)
        if X_prev is not None:
            raise ValueError(
                "X_val cannot be combined with X_prev, since its rows have no rows before them: "
                "omit it, or set early_stopping=True, which sets pairs aside."
            )
        return FitData(table, {"x": validated_table(self, X_val, "X_val")})

    def _validated(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return validated(self, X)

    def _apply(self, function: Callable, X: np.ndarray, width: int = 1) -> np.ndarray:
        """Apply a function of standardized rows, some thousand of them at a time."""
        return apply(function, X, self.module_, type(self).__name__, width, self._standardization)

    def _decode(self, function: Callable, codes: np.ndarray) -> np.ndarray:
        """Apply a function from codes to standardized rows, and return rows in the unit of X."""
        rows = apply(function, codes, self.module_, type(self).__name__)
        return self._standardization.undo(rows)

    def save(self, path):
        """Write the fitted estimator to one file, as safetensors with a JSON header.

        The file holds parameters, fitted attributes, weights, the optimizer's state, the versions
        of the libraries, and a checksum. Objects of your own classes, such as a mapping or
        callbacks, are not written; pass them to ``load``. A ``density_`` is written if it is a
        GaussianMixture; any other is omitted, with a warning.

        Parameters
        ----------
        path : str or path-like
            An existing file is replaced in one step, after everything is written.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from sklearn_intelvae import InteLVAE
        >>> X = np.random.default_rng(0).normal(size=(200, 4))
        >>> vae = InteLVAE(2, max_iter=3, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     vae.save(os.path.join(folder, "vae.safetensors"))
        ...     again = InteLVAE.load(os.path.join(folder, "vae.safetensors"))
        >>> np.array_equal(again.transform(X), vae.transform(X))
        True
        """
        check_is_fitted(self)
        save_estimator(self, path)

    @classmethod
    def load(cls, path, **objects):
        """Return the fitted estimator that ``save`` wrote.

        Nothing in the file is executed, and no class is imported because the file names it.

        Parameters
        ----------
        path : str or path-like
            The file.
        **objects
            Parameters that were objects of your own classes when the estimator was fitted or saved,
            as they were passed to the constructor, for instance ``mapping=Ring()``. Parameters of
            the training, such as ``skorch_callbacks`` or ``device``, can be replaced here too.

        Returns
        -------
        estimator : an instance of this class
            The fitted estimator.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, was written by a newer version, holds another class, needs an
            object that was not passed, or holds another value for a parameter that was passed.
        TypeError
            If an object is passed for a parameter that the class does not have.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> import torch
        >>> from sklearn_intelvae import InteLVAE
        >>> X = np.random.default_rng(0).normal(size=(200, 4))
        >>> vae = InteLVAE(2, mapping=torch.tanh, max_iter=3, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     vae.save(os.path.join(folder, "vae.safetensors"))
        ...     again = InteLVAE.load(os.path.join(folder, "vae.safetensors"), mapping=torch.tanh)
        >>> np.array_equal(again.transform(X), vae.transform(X))
        True
        """
        with OwnRandomness(generator_from(0)):
            return load_estimator(cls, path, objects)

    def __getstate__(self):
        """Return the state, with arrays in place of torch's modules."""
        return state_with_arrays(super().__getstate__())

    def __setstate__(self, state):
        """Rebuild the modules from the parts and the arrays."""
        super().__setstate__(state_with_modules(state))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
