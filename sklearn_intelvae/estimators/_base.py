"""What every estimator with an intermediary latent does."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_intelvae._random import draw_seed, generator_from, noise_of_rows
from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._callbacks import CallbackSupportMixin
from sklearn_intelvae.estimators._fitting import fitted_attributes
from sklearn_intelvae.estimators._persistence import PersistenceMixin
from sklearn_intelvae.networks import ACTIVATIONS
from sklearn_intelvae.objectives import importance_weighted_bound

_CHUNK_NUMBERS = 2**21
_CHUNK_ROWS = (256, 4096)


def _has_regions(estimator: Any) -> bool:
    return hasattr(estimator._mapping_part(), "regions")


class BaseInteLVAE(
    PersistenceMixin,
    ClassNamePrefixFeaturesOutMixin,
    CallbackSupportMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Fit, transform, sample and score; subclasses hold the parameters and name the mapping."""

    _parameter_constraints: dict[str, list[Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "prior": [str, callable],
        "likelihood": [str, callable],
        "objective": [str, callable],
        "beta": [Interval(Real, 0, None, closed="left")],
        "kl_warmup": [Interval(Real, 0, 1, closed="both")],
        "encoder": [str, callable],
        "decoder": [str, callable],
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "image_shape": ["array-like", None],
        "learning_rate": [StrOptions({"constant", "cosine"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
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
    def __init__(
        self,
        n_components,
        *,
        prior,
        likelihood,
        objective,
        beta,
        kl_warmup,
        encoder,
        decoder,
        hidden_layer_sizes,
        activation,
        image_shape,
        learning_rate,
        learning_rate_init,
        batch_size,
        max_iter,
        early_stopping,
        validation_fraction,
        n_iter_no_change,
        tol,
        warm_start,
        callbacks,
        net_params,
        device,
        random_state,
        verbose,
    ):
        self.n_components = n_components
        self.prior = prior
        self.likelihood = likelihood
        self.objective = objective
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.encoder = encoder
        self.decoder = decoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.image_shape = image_shape
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.net_params = net_params
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @abstractmethod
    def _mapping_part(self) -> Any:
        """Return the mapping that the parameters describe."""

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
        return self._train(X, sample_weight, X_val, resume=resume)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, sample_weight=None):
        """Go on training for one epoch, or start.

        The optimizer goes on where it left off, at the constant rate ``learning_rate_init``. The
        warm-up of the KL term counts the epochs of all calls.

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
        return self._train(X, sample_weight, None, resume=resume, one_epoch=True)

    def _train(self, X, sample_weight, X_val, *, resume, one_epoch=False):
        before = dict(vars(self))
        try:
            X = _inputs.validated(self, X, reset=not resume, min_samples=2)
            weight = _inputs.validated_weight(sample_weight, X)
            X_val = None if X_val is None else _inputs.validated(self, X_val)
            attributes = fitted_attributes(self, X, weight, X_val, resume, one_epoch)
        except BaseException:
            for name in ("n_features_in_", "feature_names_in_"):
                vars(self).pop(name, None)
                if name in before:
                    setattr(self, name, before[name])
            raise
        vars(self).update(attributes)
        return self

    def encode(self, X):
        """Return the posterior of the intermediary latent.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        mean, variance : ndarray of shape (n_samples, n_components)
            Of q(y | X), the diagonal Gaussian before the mapping.
        """
        X = self._validated(X)
        codes = self._in_chunks(lambda x: torch.cat(self._moments(x), dim=1), X)
        mean, variance = np.split(codes, 2, axis=1)
        return mean, variance

    def _moments(self, x):
        q = self.module_.encode(x)
        return q.mean, q.variance

    def transform(self, X):
        """Return the representation g(mean of q(y | X)).

        Deterministic, and the same for a row whatever rows come with it. For a nonlinear g this is
        not the mean of z.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_latent), float32
            ``n_latent`` is ``n_components`` unless the mapping changes the size.
        """
        return self._in_chunks(self._represent, self._validated(X))

    def _represent(self, x):
        return self.module_.represent(x)

    def inverse_transform(self, Z):
        """Return the mean of p(X | z).

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_latent)
            Codes as ``transform`` returns them.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
        """
        check_is_fitted(self)
        Z = _inputs.validated_codes(Z, self._n_features_out, type(self).__name__)
        return self._in_chunks(lambda z: self.module_.decode(z).mean, Z)

    def reconstruct(self, X):
        """Return ``inverse_transform(transform(X))``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features), float32
        """
        return self._in_chunks(
            lambda x: self.module_.decode(self._represent(x)).mean, self._validated(X)
        )

    @available_if(_has_regions)
    def predict(self, X):
        """Return the region of the mapping's domain that each row is encoded in.

        Only for mappings that divide their domain, such as
        :class:`~sklearn_intelvae.mappings.Clusters`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        regions = lambda x: self.module_.mapping.regions(self.module_.encode(x).mean)  # noqa: E731
        return self._in_chunks(regions, self._validated(X))

    def sample(self, n_samples=1, *, random_state=None, noise=False):
        """Generate rows: y from the prior, z = g(y), X from p(X | z).

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            None stands for the estimator's own ``random_state``: if that is an integer, each call
            returns the same rows.
        noise : bool, default=False
            Whether X is a draw from p(X | z), with the noise of the likelihood, rather than its
            mean. Only with it are the rows draws from the density that ``score_samples`` bounds.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer of at least 1, got {n_samples!r}.")
        seed = draw_seed(self.random_state if random_state is None else random_state)
        generator = generator_from(seed, self._device())

        def generate(y: Tensor) -> Tensor:
            p = self.module_.decode(self.module_.mapping(y))
            return p.sample(generator) if noise else p.mean

        with torch.inference_mode():
            y = self.module_.prior.sample(int(n_samples), generator)
        return self._in_chunks(generate, y.numpy(force=True))

    def score_samples(self, X, *, n_particles=32):
        """Return a lower bound on log p(x) of each row, in nats.

        The importance-weighted bound, with all constants of the stated likelihood, and without
        ``beta``, warm-up or penalties, so that models of the same X can be compared whatever they
        were trained with; not across likelihoods of different kind, nor across scalings of X.
        Deterministic: the noise is a fixed function of the row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        n_particles : int, default=32
            Number of particles, K. The bound rises towards log p(x) with K; time is
            proportional to it.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,), float32
        """
        X = self._validated(X)
        _inputs.check_support(self.module_.likelihood, X)

        def bound(x: Tensor) -> Tensor:
            noise = noise_of_rows(x.numpy(force=True), n_particles, self._n_intermediary)
            return importance_weighted_bound(self.module_, x, torch.from_numpy(noise).to(x.device))

        return self._in_chunks(bound, X)

    def score(self, X, y=None):
        """Return the mean of ``score_samples(X)``: nats per row, higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored

        Returns
        -------
        score : float
        """
        return float(self.score_samples(X).mean(dtype=np.float64))

    def _validated(self, X):
        check_is_fitted(self)
        return _inputs.validated(self, X)

    def _in_chunks(self, function: Callable[[Tensor], Tensor], X: np.ndarray) -> np.ndarray:
        """Apply ``function`` to some thousand rows at a time, without gradients."""
        size = int(np.clip(_CHUNK_NUMBERS // X.shape[1], *_CHUNK_ROWS))
        device = self._device()
        with torch.inference_mode():
            chunks = [function(x.to(device)) for x in torch.from_numpy(X).split(size)]
            return (chunks[0] if len(chunks) == 1 else torch.cat(chunks)).numpy(force=True)

    def _device(self) -> torch.device:
        return next(self.module_.parameters()).device

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
