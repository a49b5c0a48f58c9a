"""Limits on the variances of a learned mixture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_intelvae._part import Part

_SHARPNESS = 10.0


class AdaptiveVarianceClip(Part):
    r"""Limit log-variances, smoothly, to the range that they had at a given time.

    With :math:`l_{kj}` the log-variance of mode k in dimension j, :math:`[a_j, b_j]` the range that
    these had over k when :meth:`hold` was called, and :math:`\zeta_j(u) =
    \log(1 + e^{\tau_j u}) / \tau_j`, :math:`\tau_j = 10 / (b_j - a_j)`,

    .. math:: \tilde l_{kj} = l_{kj} - \zeta_j(l_{kj} - b_j) + \zeta_j(a_j - l_{kj}).

    In the Soft-IntroVAE game the variances of a mixture can grow: in long fits to two densities the
    largest grew by a factor of five to six and then leveled off. The limits are those of the range
    before the game. Values inside the range change by less than 7 % of its width. If all modes have
    the same variance, as a single mode has, it is fixed. Before ``hold`` nothing is clipped.

    References
    ----------
    Athanasiadis, Lindsten and Felsberg, "Prior Learning in Introspective VAEs", TMLR 2025.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.priors import AdaptiveVarianceClip
    >>> clip = AdaptiveVarianceClip()
    >>> clip.build(n_components=1)
    >>> clip.hold(torch.tensor([[-3.0], [-1.0]]))
    >>> clip(torch.tensor([[-30.0], [-3.0], [-2.0], [30.0]])).round(decimals=2)
    tensor([[-3.0000],
            [-2.8600],
            [-2.0000],
            [-1.0000]])
    """

    holds = False
    low: Tensor
    high: Tensor

    def build(self, n_components: int) -> None:
        """Create the limits of each dimension.

        Parameters
        ----------
        n_components : int
            Number of columns of y.
        """
        self._validate()
        self.register_buffer("low", torch.zeros(n_components))
        self.register_buffer("high", torch.zeros(n_components))

    @torch.no_grad()
    def hold(self, log_variance: Tensor) -> None:
        """Set the limits to the range of the given log variances.

        Parameters
        ----------
        log_variance : Tensor of shape (K, n_components)
            Log variances of K modes.
        """
        self.low.copy_(log_variance.amin(0))
        self.high.copy_(log_variance.amax(0))
        self.holds = True

    def forward(self, log_variance: Tensor) -> Tensor:
        """Return the log-variances, (K, n_components), within the limits if these are set."""
        if not self.holds:
            return log_variance
        tau = _SHARPNESS / (self.high - self.low + 1e-8)
        above = F.softplus(tau * (log_variance - self.high)) / tau
        below = F.softplus(tau * (self.low - log_variance)) / tau
        return log_variance - above + below

    def get_extra_state(self) -> Tensor:
        """Return whether limits are set, which is saved with the weights."""
        return torch.tensor(self.holds)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore whether limits are set."""
        self.holds = bool(state)
