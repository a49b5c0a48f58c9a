"""What a fitted estimator does with its model: encode, decode, score."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_intelvae._random import noise_of_rows
from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._chunks import ChunksMixin
from sklearn_intelvae.estimators._codes import n_columns, to_codes, to_latent
from sklearn_intelvae.objectives import importance_weighted_bound


def _has_regions(estimator: Any) -> bool:
    fitted = getattr(estimator, "module_", None)
    return hasattr(fitted.mapping if fitted else estimator._mapping_part(), "regions")


def _has_modes(estimator: Any) -> bool:
    fitted = getattr(estimator, "module_", None)
    prior = fitted.prior if fitted else estimator._prior_part()
    return getattr(prior, "has_modes", False) and not _has_regions(estimator)


def _has_regions_or_modes(estimator: Any) -> bool:
    return _has_regions(estimator) or _has_modes(estimator)


class RepresentationMixin(ChunksMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Methods that read ``module_`` and never change it.

    ``transform`` is defined in the class that inherits TransformerMixin, since ``set_output`` only
    wraps it there.
    """

    def encode(self, X):
        """Return the posterior of the intermediary latent.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        mean, variance : ndarray of shape (n_samples, n_components)
            Of q(y | X), before the mapping; of a posterior with covariances the variances alone.
        """
        X = self._validated(X)
        codes = self._in_chunks(lambda x: torch.cat(self._moments(x), dim=1), X)
        mean, variance = np.split(codes, 2, axis=1)
        return mean, variance

    def _moments(self, x):
        q = self.module_.encode(x)
        return q.mean, q.variance

    def transform(self, X):
        """Return the representation g(mean of q(y | X)), or what else ``codes`` asks for.

        With ``codes="intermediary"`` the mean of q(y | X) itself, with ``codes="both"`` first the
        representation and then, in further columns, that mean. Deterministic, and up to rounding
        the same for a row whatever rows come with it. For a nonlinear g, g(mean of q(y | X)) is
        not the mean of z.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_codes), float32
            The representation has ``n_components`` columns unless the mapping changes the size;
            the mean of q(y | X) has ``n_components``.
        """
        X = self._validated(X)
        return self._in_chunks(lambda x: to_codes(self.module_, x, self.codes), X)

    @property
    def _n_features_out(self):
        return n_columns(self.module_, self.codes)

    def inverse_transform(self, X):
        """Return the mean of p(X | z).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_codes)
            Codes as ``transform`` returns them. With ``codes="intermediary"`` z is the mapping of
            them; with ``codes="both"`` the columns of z decide, and the others are not looked at.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), float32
        """
        check_is_fitted(self)
        Z = _inputs.validated_codes(X, self._n_features_out, type(self).__name__)
        return self._in_chunks(self._decoded_codes, Z)

    def _decoded_codes(self, table):
        return self.module_.decoded_mean(to_latent(self.module_, table, self.codes))

    def reconstruct(self, X):
        """Return ``inverse_transform(transform(X))``, which is the same for all ``codes``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features), float32
        """
        X = self._validated(X)
        return self._in_chunks(lambda x: self.module_.decoded_mean(self.module_.represent(x)), X)

    @available_if(_has_regions_or_modes)
    def predict(self, X):
        """Return the part of the latent that each row is encoded in.

        For a mapping that divides its domain, such as
        :class:`~sklearn_intelvae.mappings.Clusters`, this is one of its regions; otherwise, for a
        prior that is a mixture, the mode with the largest probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        X = self._validated(X)
        if _has_regions(self):
            return self._in_chunks(self._region, X)
        return self._in_chunks(lambda x: self._responsibilities(x).argmax(-1), X)

    def _region(self, x):
        return self.module_.mapping.regions(self.module_.encode(x).mean)

    @available_if(_has_modes)
    def predict_proba(self, X):
        """Return the probability of each mode of the prior, given the mean of q(y | X).

        Only for priors that are mixtures, and mappings that do not divide their domain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        responsibilities : ndarray of shape (n_samples, n_modes), float32
            Rows sum to one.
        """
        return self._in_chunks(self._responsibilities, self._validated(X))

    def _responsibilities(self, x):
        return self.module_.p_y().responsibilities(self.module_.encode(x).mean)

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
        _inputs.check_count("n_particles", n_particles)
        _inputs.check_support(self.module_.likelihood, X)

        def bound(x: Tensor) -> Tensor:
            noise = noise_of_rows(x.numpy(force=True), n_particles, self._n_intermediary)
            return importance_weighted_bound(self.module_, x, torch.from_numpy(noise).to(x.device))

        return self._in_chunks(bound, X, n_particles * self._n_intermediary)

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
