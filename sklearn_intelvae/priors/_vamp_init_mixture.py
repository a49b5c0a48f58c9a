"""The mixture of Gaussians that is initialized from a VampPrior."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae._part import Encode, Prior
from sklearn_intelvae.distributions import GaussianMixture
from sklearn_intelvae.priors._pseudo_inputs import rows_in_random_order
from sklearn_intelvae.priors._variance_clip import AdaptiveVarianceClip

_NEW, _VAMP, _LEAVING, _FREE, _HELD = range(5)
"""The phases. No phase lasts at ``_LEAVING``; the number is kept for model files."""


class VampInitMixture(Prior):
    r"""A mixture of diagonal Gaussians, initialized from a VampPrior, then trained freely.

    .. math:: p(y) = \sum_{k=1}^{K} w_k\, q(y \mid u_k) \quad \longrightarrow \quad
              p(y) = \sum_{k=1}^{K} w_k\, \mathcal N\big(y;\, m_k, \operatorname{diag}(s_k^2)\big)

    A mixture whose means are drawn at random rarely covers the places where codes are. This one
    starts at the posteriors of K training rows :math:`u_k`, which are themselves trained, and
    depends on the encoder through them. When the fraction ``release`` of the warm-up has passed,
    their current means and scales become free parameters, as the weights are from the start, and
    the prior no longer depends on the encoder. At the fraction ``hold`` the variances are limited
    to their range at that time or, with ``learn=False``, the mixture becomes fixed.

    Parameters
    ----------
    n_modes : int, default=10
        Number of Gaussians, K.
    learn : bool, default=True
        Whether the mixture is trained after ``hold`` too; with False it is fixed from then on.
    learn_weights : bool, default=True
        Whether the weights are trained; otherwise all are equal.
    clip_variance : bool, default=True
        Whether :class:`AdaptiveVarianceClip` limits the variances that are learned after ``hold``.
    release : float, default=0.4
        Fraction of the warm-up, between 0 and 1, during which the mixture is a VampPrior. With 0
        it starts at the codes of an untrained encoder.
    hold : float or None, default=None
        Fraction of the warm-up, between 0 and 1, at which the variances are limited or the mixture
        becomes fixed. None means its end, and in :class:`~sklearn_intelvae.SoftIntroVAE` the start
        of the game.

    Raises
    ------
    ValueError
        By ``build``, if a parameter is outside its range, or ``release`` is later than ``hold``; at
        the first training step, if the warm-up has already passed ``release``.

    Notes
    -----
    The KL term has no closed form and is estimated at the sampled y. Until the release each
    training step encodes K more rows.

    References
    ----------
    Athanasiadis, Lindsten and Felsberg, "Prior Learning in Introspective VAEs", TMLR 2025.
    Tomczak and Welling, "VAE with a VampPrior", AISTATS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.priors import VampInitMixture
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> vae = InteLVAE(2, prior=VampInitMixture(n_modes=5), max_iter=5, random_state=0).fit(X)
    >>> vae.module_.prior_distribution().mean.shape
    torch.Size([5, 2])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_modes": [Interval(Integral, 1, None, closed="left")],
        "learn": ["boolean"],
        "learn_weights": ["boolean"],
        "clip_variance": ["boolean"],
        "release": [Interval(Real, 0, 1, closed="both")],
        "hold": [Interval(Real, 0, 1, closed="both"), None],
    }

    has_modes = True
    phase = _NEW
    logits: Tensor
    pseudo_inputs: Tensor

    def __init__(
        self,
        n_modes: int = 10,
        learn: bool = True,
        learn_weights: bool = True,
        clip_variance: bool = True,
        release: float = 0.4,
        hold: float | None = None,
    ) -> None:
        super().__init__()
        self.n_modes = n_modes
        self.learn = learn
        self.learn_weights = learn_weights
        self.clip_variance = clip_variance
        self.release = release
        self.hold = hold

    def build(self, n_components: int, n_features: int) -> None:
        """Create the pseudo-inputs and the parameters of the mixture."""
        super().build(n_components, n_features)
        self._hold_at = 1.0 if self.hold is None else self.hold
        if self.release > self._hold_at:
            raise ValueError(
                f"release={self.release} of VampInitMixture is later than hold={self._hold_at:.3g} "
                "(default: the end of the warm-up, in a game its start). Both are fractions of the "
                "warm-up: lower release."
            )
        self.pseudo_inputs = nn.Parameter(torch.zeros(self.n_modes, n_features))
        self.means = nn.Parameter(torch.zeros(self.n_modes, n_components))
        self.log_variances = nn.Parameter(torch.zeros(self.n_modes, n_components))
        logits = torch.zeros(self.n_modes)
        if self.learn_weights:
            self.logits = nn.Parameter(logits)
        else:
            self.register_buffer("logits", logits)
        self.limits = AdaptiveVarianceClip()
        self.limits.build(n_components)

    @torch.no_grad()
    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Start the pseudo-inputs at rows of X."""
        self.pseudo_inputs.copy_(rows_in_random_order(X, self.n_modes, generator))

    def set_progress(self, fraction: float) -> None:
        """Update the phase from the fraction of the warm-up that has passed."""
        if self.phase == _NEW:
            self._refuse_untrained_release(fraction)
            self.phase = _VAMP
        if self.phase == _FREE and fraction >= self._hold_at:
            if self.clip_variance and self.learn:
                self.limits.hold(self.log_variances)
            self.phase = _HELD
        if fraction >= self.release:
            self.phase = max(self.phase, _LEAVING)

    @torch.no_grad()
    def follow(self, encode: Encode) -> None:
        """At the release, copy means and variances from the posteriors of the pseudo-inputs."""
        if self.phase == _LEAVING:
            q = encode(self.pseudo_inputs).marginals()
            self.means.copy_(q.mean)
            self.log_variances.copy_(2 * q.log_scale)
            self.phase = _FREE

    def density(self, encode: Encode) -> GaussianMixture:
        """Return the mixture in its current phase."""
        if self.phase in (_NEW, _VAMP, _LEAVING):
            q = encode(self.pseudo_inputs).marginals()
            return GaussianMixture(q.mean, q.log_scale, self.logits)
        log_scale = 0.5 * self.limits(self.log_variances)
        density = GaussianMixture(self.means, log_scale, self.logits)
        return density.detached() if self.phase == _HELD and not self.learn else density

    def _refuse_untrained_release(self, fraction: float) -> None:
        if fraction >= self.release > 0:
            raise ValueError(
                f"{fraction:.0%} of the warm-up have passed before the first step, so that "
                "VampInitMixture would be released from an untrained encoder. Set the estimator's "
                "kl_warmup or game_start to a positive fraction, or release=0 if that is intended."
            )

    def get_extra_state(self) -> Tensor:
        """Return the phase, which is saved with the weights."""
        return torch.tensor(self.phase)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the phase."""
        self.phase = int(state)
