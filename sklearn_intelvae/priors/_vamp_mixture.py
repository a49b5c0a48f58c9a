"""The mixture of Gaussians that the posteriors of training rows grow into."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.priors._base import Prior
from sklearn_intelvae.priors._gaussians import Gaussians
from sklearn_intelvae.priors._vamp import in_random_order
from sklearn_intelvae.priors._variance_clip import AdaptiveVarianceClip

_NEW, _VAMP, _LEAVING, _FREE, _HELD = range(5)


class VampMixture(Prior):
    r"""A mixture of diagonal Gaussians that starts as a VampPrior and is then let go.

    .. math:: p(y) = \sum_{k=1}^{K} w_k\, q(y \mid u_k) \quad \longrightarrow \quad
              p(y) = \sum_{k=1}^{K} w_k\, \mathcal N\big(y;\, m_k, \operatorname{diag}(s_k^2)\big)

    A mixture whose means are drawn at random rarely finds the places where codes are. This one
    begins at the posteriors of K training rows :math:`u_k`, which are themselves trained, and
    follows the encoder with them. When the share ``release`` of the warm-up is over, it takes their
    means and scales as its own, and the weights as they are, and no longer depends on the encoder.
    At the share ``hold`` the variances are clipped to the range that they then have or, if the
    mixture is not to be learned, everything stays as it then is.

    Parameters
    ----------
    n_modes : int, default=10
        Number of Gaussians, K.
    learn : bool, default=True
        Whether the mixture is trained after ``hold`` too; False leaves it as it then is.
    learn_weights : bool, default=True
        Whether the weights are trained; else all are equal.
    clip_variance : bool, default=True
        Whether :class:`AdaptiveVarianceClip` limits the variances that are learned after ``hold``.
    release : float, default=0.4
        Share of the warm-up, between 0 and 1, for which the mixture is a VampPrior. At 0 it starts
        where an encoder that has learned nothing puts the rows.
    hold : float or None, default=None
        Share of the warm-up, between 0 and 1, at which the mixture has found its place. None waits
        for its end or, in a game, until the game begins.

    Raises
    ------
    ValueError
        By ``build``, if a parameter is out of its range; before the training, if the mixture would
        be held or the game begin before its release, or there is no warm-up to learn in.

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
    >>> from sklearn_intelvae.priors import VampMixture
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> vae = InteLVAE(2, prior=VampMixture(n_modes=5), max_iter=5, random_state=0).fit(X)
    >>> vae.module_.p_y().mean.shape
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
    _held_from = 1.0
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
        """Make room for the pseudo-inputs and for the mixture that they become."""
        super().build(n_components, n_features)
        if self.hold is not None:
            self._refuse_a_late_release(self.hold, "hold")
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
    def initialise(self, X: Tensor, generator: torch.Generator) -> None:
        """Start the pseudo-inputs at rows of X."""
        self.pseudo_inputs.copy_(in_random_order(X, self.n_modes, generator))

    def expect_game(self, begin: float) -> None:
        """Be told the share of the warm-up at which a game begins, if the objective is one."""
        self._refuse_a_late_release(begin, "the game begins at")
        self._held_from = begin

    def warm_up(self, share: float) -> None:
        """Be told, at each training step, how much of the warm-up is over."""
        if self.phase == _NEW:
            self._refuse_to_learn_nothing(share)
            self.phase = _VAMP
        if share >= self.release:
            self.phase = max(self.phase, _LEAVING)
        hold = self._held_from if self.hold is None else self.hold
        if self.phase == _FREE and share >= hold:
            if self.clip_variance and self.learn:
                self.limits.hold(self.log_variances)
            self.phase = _HELD

    def given(self, encode: Callable[[Tensor], Normal]) -> Gaussians:
        """Return p(y) as it now is."""
        if self.phase in (_NEW, _VAMP, _LEAVING):
            q = encode(self.pseudo_inputs).marginals()
            if self.phase != _LEAVING:
                return Gaussians(q.mean, q.log_scale, self.logits)
            self._let_go(q)
        density = Gaussians(self.means, 0.5 * self.limits(self.log_variances), self.logits)
        return density.detached() if self.phase == _HELD and not self.learn else density

    @torch.no_grad()
    def _let_go(self, q: Normal) -> None:
        self.means.copy_(q.mean)
        self.log_variances.copy_(2 * q.log_scale)
        self.phase = _FREE

    def _refuse_a_late_release(self, share: float, what: str) -> None:
        if self.release > share:
            raise ValueError(
                f"release={self.release} of VampMixture is later than {what} {share:.3g}, both "
                "shares of the warm-up: lower release."
            )

    def _refuse_to_learn_nothing(self, share: float) -> None:
        if share >= self.release > 0:
            raise ValueError(
                f"{share:.0%} of the warm-up are over before the first step, so that VampMixture "
                "would leave an encoder that has learned nothing. Set the estimator's kl_warmup or "
                "vae_warmup to a positive share, or release=0 if that is wanted."
            )

    def get_extra_state(self) -> Tensor:
        """Return the phase, which belongs to the weights."""
        return torch.tensor(self.phase)

    def set_extra_state(self, state: Tensor) -> None:
        """Go back to a phase."""
        self.phase = int(state)
