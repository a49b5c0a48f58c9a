"""The mixture of Gaussians that is fitted to the codes by EM."""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn import config_context
from sklearn.mixture import GaussianMixture
from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae._part import Encode, Prior
from sklearn_intelvae._threads import one_thread
from sklearn_intelvae.distributions import FullGaussianMixture
from sklearn_intelvae.distributions._gaussian import HALF_LOG_2PI

_GROWTH, _MANY_MODES = 1.5, 4
"""Candidates have 1.5 times as many modes as the one before: 2, 3, 5, 8, ... Of few modes two
candidates may fail before the search ends, of many only one."""
_HELD_OUT, _FEW_ROWS = 0.25, 20
_MIN_ROWS_OF_A_MODE = 5
_REGULARIZATION = 1e-3
_MAX_ITER, _MAX_ITER_OF_CANDIDATES = 50, 10


class Modes(NamedTuple):
    """A mixture from which EM starts: weights (K,), means (K, d) and precisions (K, d, d)."""

    weights: np.ndarray
    means: np.ndarray
    precisions: np.ndarray


class FittedMixture(Prior):
    r"""A mixture of Gaussians with full covariances, fitted to the codes by EM.

    .. math:: p(y) = \sum_{k=1}^{K} w_k\, \mathcal N(y;\, m_k, \Sigma_k)

    Real rows come in groups. A VAE whose prior is N(0, I) has to close the gaps between the codes
    of different groups, and what it cannot close is sampled by the prior although no row is there.
    This prior follows the codes instead. Before the first step, after half of a fit and at its
    end it is fitted to draws from q(y | X) of the training rows, which raises the bound. It has
    no parameters that gradients train. The number of modes grows as long as the density of held-out
    codes does, at first from N(0, I), so that few rows leave the prior as it is.

    Parameters
    ----------
    max_modes : int, default=20
        Largest number of modes, K.

    Raises
    ------
    ValueError
        By ``build``, if ``max_modes`` is not a positive integer.

    Notes
    -----
    Until it is fitted, it is N(0, I): in fits of fewer than 40 steps, and in ``partial_fit``. It
    is fitted to at most 10,000 rows. Held-out codes are few, so that the number of modes can exceed
    that of groups: for 12 tables as in the example, it was 2 for ten and 3 for two. The
    variances of a mode have 0.001 added, in the unit of y. If EM fails, for codes that are far too
    large, the prior stays as it is. A density costs a product of matrices, and memory for n K d
    numbers.

    References
    ----------
    Tomczak and Welling, "VAE with a VampPrior", AISTATS 2018, section 2: the optimal prior is the
    average of all q(y | X).
    Ghosh, Sajjadi, Vergari, Black and Schölkopf, "From Variational to Deterministic Autoencoders",
    ICLR 2020: a mixture that is fitted to codes after the training.

    Examples
    --------
    Two groups of rows are two modes:

    >>> import numpy as np
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.priors import FittedMixture
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(600, 4)) + np.repeat([[-4], [4]], 300, axis=0)
    >>> vae = InteLVAE(2, prior=FittedMixture(), random_state=1).fit(X)
    >>> vae.module_.prior_distribution().n_modes
    2
    >>> bool((vae.predict(X[:300]) == vae.predict(X[:1])).mean() > 0.99)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_modes": [Interval(Integral, 1, None, closed="left")],
    }

    has_modes = True
    means: Tensor
    factors: Tensor
    logits: Tensor
    may_grow: Tensor

    def __init__(self, max_modes: int = 20) -> None:
        super().__init__()
        self.max_modes = max_modes

    def build(self, n_components: int, n_features: int) -> None:
        """Start at N(0, I) for y of ``n_components``."""
        super().build(n_components, n_features)
        self.register_buffer("means", torch.zeros(1, n_components))
        self.register_buffer("factors", torch.eye(n_components)[None])
        self.register_buffer("logits", torch.zeros(1))
        self.register_buffer("may_grow", torch.tensor(True))
        self._density: FullGaussianMixture | None = None

    def density(self, encode: Encode) -> FullGaussianMixture:
        """Return the mixture; one mode is N(0, I), since a fit has two or more."""
        if self._density is None or self._density.mean is not self.means:
            is_standard = len(self.logits) == 1
            self._density = FullGaussianMixture(self.means, self.factors, self.logits, is_standard)
        return self._density

    def fit_codes(self, y: Tensor) -> None:
        """Fit the mixture to draws from q(y | X), with more modes if they help.

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            One draw for each row.
        """
        rows = y.float().numpy(force=True)
        with (
            suppress(ValueError),  # of codes for which float32 is not enough
            one_thread(),
            config_context(array_api_dispatch=False),
            np.errstate(all="ignore"),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            modes = self._modes()
            if self.may_grow:
                grown = self._grown(rows, modes)
                self.may_grow.fill_(len(grown.weights) > len(modes.weights))
                modes = grown
            if 1 < len(modes.weights) <= len(rows):
                self._set(_fitted(rows, len(modes.weights), modes, _MAX_ITER))

    def _modes(self) -> Modes:
        """Return the mixture as it is."""
        weights = self.logits.double().softmax(0).numpy(force=True)
        factors = self.factors.double().numpy(force=True)
        means = self.means.double().numpy(force=True)
        return Modes(weights / weights.sum(), means, factors @ factors.transpose(0, 2, 1))

    def _grown(self, rows: np.ndarray, modes: Modes) -> Modes:
        """Return a mixture of more modes if held-out rows have a higher density, else ``modes``.

        Each candidate is fitted to three quarters of the rows, and compared on the others.
        """
        if len(rows) < _FEW_ROWS:
            return modes
        order = np.random.default_rng(0).permutation(len(rows))
        held_out, fit_to = np.split(rows[order], [int(_HELD_OUT * len(rows))])
        n_modes, n_failures = len(modes.weights), 0
        if n_modes == 1:  # N(0, I)
            highest = -0.5 * np.square(held_out).sum(axis=1) - rows.shape[1] * HALF_LOG_2PI
        else:
            highest = _fitted(fit_to, n_modes, modes).score_samples(held_out)
        while n_failures < (1 if n_modes >= _MANY_MODES else 2):
            n_modes = math.ceil(_GROWTH * n_modes)
            if n_modes > min(self.max_modes, len(fit_to) // _MIN_ROWS_OF_A_MODE):
                break
            mixture = _fitted(fit_to, n_modes)
            log_p = mixture.score_samples(held_out)
            gain = log_p - highest
            if gain.mean() > gain.std() / math.sqrt(len(gain)):
                modes = Modes(mixture.weights_, mixture.means_, mixture.precisions_)
                highest, n_failures = log_p, 0
            else:
                n_failures += 1
        return modes

    def _set(self, mixture: GaussianMixture) -> None:
        device = self.logits.device
        self.means, self.factors, self.logits = (
            torch.from_numpy(value).to(device, torch.float32)
            for value in (mixture.means_, mixture.precisions_cholesky_, np.log(mixture.weights_))
        )

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Restore a mixture of any number of modes."""
        logits, d = state.get(f"{prefix}logits"), self.n_components
        if isinstance(logits, Tensor) and logits.ndim == 1:
            k = len(logits)
            self.means = self.means.new_empty(k, d)
            self.factors = self.factors.new_empty(k, d, d)
            self.logits = self.logits.new_empty(k)
        super()._load_from_state_dict(state, prefix, *arguments)


def _fitted(
    rows: np.ndarray,
    n_modes: int,
    start: Modes | None = None,
    max_iter: int = _MAX_ITER_OF_CANDIDATES,
) -> GaussianMixture:
    """Return a mixture fitted by EM, from k-means or from other modes."""
    weights, means, precisions = start or (None, None, None)
    return GaussianMixture(
        n_modes,
        reg_covar=_REGULARIZATION,
        max_iter=max_iter,
        random_state=0,
        weights_init=weights,
        means_init=means,
        precisions_init=precisions,
    ).fit(rows)
