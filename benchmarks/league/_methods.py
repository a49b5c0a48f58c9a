"""The rivals of the league, each as codes, a density, generated rows, or some of these."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import NMF, PCA, FactorAnalysis, FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import FunctionTransformer

from benchmarks.league._own_environment import Encoder, Generator
from sklearn_intelvae import ClusteredInteLVAE, InteLVAE, SoftIntroVAE, SparseInteLVAE

_MIXTURES = (1, 2, 3, 4, 6, 8, 11, 15, 20, 30)
_MIN_ROWS_OF_A_MODE = 5
_MAX_FAILURES = 3
_FLOOR = 0.01
"""Of standard deviations, as fractions of those of the columns: that of our likelihoods."""


class LinearGaussian(BaseEstimator):
    """PCA or factor analysis as a density; its noise has the floor of our likelihoods."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: np.ndarray) -> LinearGaussian:
        """Fit the model, and raise its noise to the floor."""
        self.model.fit(X)
        if isinstance(self.model, FactorAnalysis):
            self.model.noise_variance_ = np.maximum(self.model.noise_variance_, _FLOOR**2)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the codes."""
        return self.model.transform(X)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Return the log-likelihood of each row."""
        return self.model.score_samples(X)

    def sample(self, n: int, random_state: int) -> np.ndarray:
        """Return rows without noise, as ``sample`` of our estimators does."""
        rng = np.random.RandomState(random_state)
        if isinstance(self.model, PCA):
            codes = rng.normal(size=(n, self.model.n_components_))
            return self.model.inverse_transform(codes * np.sqrt(self.model.explained_variance_))
        codes = rng.normal(size=(n, len(self.model.components_)))
        return codes @ self.model.components_ + self.model.mean_


class Mixture(BaseEstimator):
    """A Gaussian mixture whose number of modes has the lowest BIC."""

    def __init__(self, random_state: int) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray) -> Mixture:
        """Fit mixtures of up to 30 modes, and keep the best.

        The search ends after three mixtures in a row that are not better than one before.
        """
        lowest, n_failures = np.inf, 0
        for n_modes in _MIXTURES:
            if n_failures == _MAX_FAILURES or n_modes * _MIN_ROWS_OF_A_MODE > len(X):
                break
            mixture = GaussianMixture(
                n_modes, reg_covar=_FLOOR**2, random_state=self.random_state
            ).fit(X)
            bic = mixture.bic(X)
            if bic < lowest:
                self.mixture_, lowest, n_failures = mixture, bic, 0
            else:
                n_failures += 1
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Return the log-likelihood of each row."""
        return self.mixture_.score_samples(X)

    def sample(self, n: int, random_state: int) -> np.ndarray:
        """Return rows."""
        self.mixture_.random_state = random_state
        return self.mixture_.sample(n)[0]


class NonNegative(BaseEstimator):
    """NMF of the columns after the minimum of each is subtracted."""

    def __init__(self, n_components: int, random_state: int) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: np.ndarray) -> NonNegative:
        """Fit the factorization."""
        self.low_ = X.min(axis=0)
        self.model_ = NMF(self.n_components, random_state=self.random_state, max_iter=500)
        self.model_.fit(X - self.low_)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the codes."""
        return self.model_.transform(np.maximum(X - self.low_, 0))


def _ours(cls: type, k: int, seed: int, **settings: Any) -> Any:
    return cls(n_components=k, random_state=seed, **settings)


METHODS: dict[str, Callable[[int, int], Any]] = {
    "raw columns": lambda k, seed: FunctionTransformer(),
    "PCA": lambda k, seed: LinearGaussian(PCA(k, random_state=seed)),
    "FactorAnalysis": lambda k, seed: LinearGaussian(FactorAnalysis(k, random_state=seed)),
    "FastICA": lambda k, seed: FastICA(k, random_state=seed, max_iter=500),
    "NMF": NonNegative,
    "GaussianMixture": lambda k, seed: Mixture(seed),
    "UMAP": partial(Encoder, "UMAP"),
    "TVAE": partial(Generator, "TVAE"),
    "start alone": partial(_ours, InteLVAE, max_iter=1, learning_rate_init=1e-9),
    "InteLVAE": partial(_ours, InteLVAE),
    "InteLVAE, normal prior": partial(_ours, InteLVAE, prior="normal"),
    "random weights": partial(_ours, InteLVAE, linear_path=False),
    "SparseInteLVAE": partial(_ours, SparseInteLVAE),
    "ClusteredInteLVAE": partial(_ours, ClusteredInteLVAE),
    "SoftIntroVAE": partial(_ours, SoftIntroVAE),
}
"""By name, functions of the number of components and of the seed."""


def fitted(method: str, X: np.ndarray, k: int, seed: int) -> Any:
    """Fit a method."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return METHODS[method](k, seed).fit(X)
