"""The mixture of Gaussians that is fitted to the codes by EM."""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from numbers import Integral
from typing import Any, ClassVar

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

Start = dict[str, Any]

_GROWTH = 1.5
_MANY_MODES = 4
_PARTS, _FEW_ROWS = 4, 20
_REGULARIZATION = 1e-3
_MIN_ROWS_OF_A_MODE = 5
_MAX_ITER, _TRIAL_ITER = 50, 10


class FittedMixture(Prior):
    r"""A mixture of Gaussians with full covariances, fitted to the codes by EM.

    .. math:: p(y) = \sum_{k=1}^{K} w_k\, \mathcal N(y;\, m_k, \Sigma_k)

    Real rows come in groups. A VAE whose prior is N(0, I) has to close the gaps between the codes
    of different groups, and what it cannot close is sampled by the prior although no row is there.
    This prior follows the codes instead. Before the first step, after each quarter of a fit and at
    its end it is fitted to draws from q(y | X) of the training rows, which raises the bound. It has
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
    Until it is fitted, it is N(0, I): in fits of fewer than 100 steps, and in ``partial_fit``. It
    is fitted to at most 10,000 rows. The variances of a mode have 0.001 added, in the unit of y. If
    EM fails, for codes that are far too large, the prior stays as it is. A density costs a product
    of matrices, and memory for n K d numbers.

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
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 4)) + np.repeat([[-4], [4]], 300, axis=0)
    >>> vae = InteLVAE(2, prior=FittedMixture(), random_state=0).fit(X)
    >>> vae.module_.prior_distribution().n_modes
    2
    >>> bool((vae.predict(X[:300]) == vae.predict(X[:1])).mean() > 0.99)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_modes": [Interval(Integral, 1, None, closed="left")],
    }

    has_modes = True
    has_axes = False
    is_fitted = False
    may_grow = True
    means: Tensor
    factors: Tensor
    logits: Tensor

    def __init__(self, max_modes: int = 20) -> None:
        super().__init__()
        self.max_modes = max_modes

    def build(self, n_components: int, n_features: int) -> None:
        """Start at N(0, I) for y of ``n_components``."""
        super().build(n_components, n_features)
        self.register_buffer("means", torch.zeros(1, n_components))
        self.register_buffer("factors", torch.eye(n_components)[None])
        self.register_buffer("logits", torch.zeros(1))

    def density(self, encode: Encode) -> FullGaussianMixture:
        """Return the mixture."""
        return FullGaussianMixture(
            self.means, self.factors, self.logits, is_standard=not self.is_fitted
        )

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
            start = self._present()
            if self.may_grow:
                grown = self._grown(rows, start)
                self.may_grow, start = grown is not start, grown
            if start is not None and len(rows) >= len(start["weights_init"]):
                self._set(_fitted(rows, len(start["weights_init"]), start, _MAX_ITER))

    def _present(self) -> Start | None:
        """Return the mixture as it is, or None for N(0, I)."""
        if not self.is_fitted:
            return None
        weights = self.logits.double().softmax(0).numpy(force=True)
        factors = self.factors.double().numpy(force=True)
        return {
            "weights_init": weights / weights.sum(),
            "means_init": self.means.double().numpy(force=True),
            "precisions_init": factors @ factors.transpose(0, 2, 1),
        }

    def _grown(self, rows: np.ndarray, start: Start | None) -> Start | None:
        """Return a mixture of more modes if held-out rows have a higher density, else ``start``.

        Each candidate is fitted to three quarters of the rows, and compared on the others.
        """
        if len(rows) < _FEW_ROWS:
            return start
        order = np.random.default_rng(0).permutation(len(rows))
        held_out, fit_to = np.split(rows[order], [len(rows) // _PARTS])
        if start is None:
            highest = -0.5 * np.square(held_out).sum(axis=1) - rows.shape[1] * HALF_LOG_2PI
        else:
            highest = _fitted(fit_to, len(self.logits), start).score_samples(held_out)
        n_modes, n_failures = len(self.logits), 0
        while n_failures < (1 if n_modes >= _MANY_MODES else 2):
            n_modes = math.ceil(_GROWTH * n_modes)
            if n_modes > min(self.max_modes, len(fit_to) // _MIN_ROWS_OF_A_MODE):
                break
            mixture = _fitted(fit_to, n_modes)
            log_p = mixture.score_samples(held_out)
            gain = log_p - highest
            if gain.mean() > gain.std() / math.sqrt(len(gain)):
                highest, n_failures = log_p, 0
                start = {
                    "weights_init": mixture.weights_,
                    "means_init": mixture.means_,
                    "precisions_init": mixture.precisions_,
                }
            else:
                n_failures += 1
        return start

    def _set(self, mixture: GaussianMixture) -> None:
        device = self.logits.device
        self.means, self.factors, self.logits = (
            torch.from_numpy(value).to(device, torch.float32)
            for value in (mixture.means_, mixture.precisions_cholesky_, np.log(mixture.weights_))
        )
        self.is_fitted = True

    def get_extra_state(self) -> Tensor:
        """Return the two flags, which are saved with the weights."""
        return torch.tensor([self.is_fitted, self.may_grow])

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the two flags."""
        self.is_fitted, self.may_grow = map(bool, state)

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
    rows: np.ndarray, n_modes: int, start: Start | None = None, max_iter: int = _TRIAL_ITER
) -> GaussianMixture:
    return GaussianMixture(
        n_modes,
        reg_covar=_REGULARIZATION,
        max_iter=max_iter,
        random_state=0,
        **({} if start is None else start),
    ).fit(rows)
