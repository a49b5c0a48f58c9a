"""The mapping that selects few dimensions for each row."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from sklearn_intelvae._part import Mapping
from sklearn_intelvae.networks import MLP

_OPEN, _SHARPNESS = 3.0, 16.0
_REACH, _RETURN = 4.0, 3.0
_MEASURED, _MEMORY = 0.05, 0.9
_SAVED_AT_LEAST = 0.1
_SHARE_OF_WORK = 0.27
_CORRECTION = 0.1
_CLOSED = 1e-6


class DimensionSelector(Mapping):
    r"""Multiply y by gates that a small network computes from y: a sparse representation.

    .. math:: g(y) = y \odot D(y), \qquad
              D(y) = f + (1 - f)\, \sigma\big(16\, w \odot \mathrm{MLP}(u) + 3 (1 - w)\big)

    with :math:`u = y / \sqrt{1 + (y / 4)^2}` and a weight w of each component that is 1 up to
    :math:`|y_j| = 4` and falls to 0 at 7.

    The gates alone do not make z sparse. A penalty does: it is low if each row uses few dimensions
    and different rows use different ones. With H the entropy, over a batch of M rows whose use of
    the dimensions is normalized to shares :math:`s_i = u_i / \lVert u_i \rVert_1`,
    :math:`u_i = |z_i|` or :math:`D(y_i)`,

    .. math:: \gamma P, \qquad P = \frac1M \sum_i H(s_i) - H\big( \frac1M \sum_i s_i \big),

    which lies between :math:`-\gamma \log \min(M, d)` and 0. The cost is one small network per
    row. Use it when a row has few attributes out of many.

    Parameters
    ----------
    gamma : float or "auto", default="auto"
        Weight of the penalty, in nats per row, as the reconstruction term; 0 for no penalty. "auto"
        means a weight that training finds: ``max_cost`` and ``sparsity`` say how large it may
        become.
    max_cost : float, default=0.05
        With ``gamma="auto"``, what sparsity may cost: the loss of log-likelihood compared to a VAE
        without this mapping, in nats per row and column of X. It is an estimate.
    sparsity : float, default=0.53
        With ``gamma="auto"``, the Hoyer score of the representation, from 0 to 1, above which gamma
        is decreased, even if it could cost more.
    hidden_layer_sizes : sequence of int, default=(256,)
        Widths of the hidden layers of the network; the paper has (10, 10).
    floor : float, default=0.0
        Smallest gate f, from 0 to below 1. A floor above zero limits the sparsity that can be
        reached.
    regularize : {"abs", "gates"}, default="abs"
        The argument u of the penalty: the magnitudes of z = g(y), as in the authors' code, or the
        gates D(y), as in the paper. The first acts on the representation itself.

    Attributes
    ----------
    weight : Tensor
        The gamma in use: that of the last training step.

    Raises
    ------
    ValueError
        By ``build``, if a parameter is outside its range.

    Notes
    -----
    The gates start open and constant, so that training starts from a plain VAE, and the penalty
    grows during the warm-up. A penalty at full weight from the start closes components before the
    decoder has learned to use them. The factor 16 lets gates open and close in few steps. After
    training, a sigmoid below 1e-6 counts as zero, so that codes hold exact zeros if ``floor`` is 0.

    A row unlike all training rows may have a component far from zero. The bounded u keeps it from
    closing the gates of the others, and w leaves its own gate open, as at the start: a closed one
    would lose most of what distinguishes the row. The unit of y is that of the prior N(0, I).

    What a weight costs: at the minimum of loss + gamma P, an increase of gamma by d gamma raises
    the loss without penalty by -gamma dP. So the loss that gamma causes is between 0 and
    gamma (P_0 - P), where P_0 is the penalty of a plain VAE. On tables of 100 to 10,000 rows it was
    mostly below 0.3 times that, often far below, so that "auto" solves
    0.27 gamma (P_0 - P) = ``max_cost`` times the number of columns while P decreases, with P_0
    measured during the first 5 % of the warm-up.

    References
    ----------
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, section 6.3 and
    equation 7, printed there with the opposite sign and with the gates normalized after their
    mean is taken; the authors' code normalizes each row, as here.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import DimensionSelector
    >>> g = DimensionSelector(gamma=3.0)
    >>> g.build(5)
    >>> y = torch.ones(4, 5)
    >>> terms = g.loss_terms(x=y, mean=y, y=y, z=g(y))
    >>> bool(g(y).abs().max() < 1), bool(terms["penalty"].abs() < 1e-4)
    (True, True)
    """

    has_free_scale = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "gamma": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "max_cost": [Interval(Real, 0, None, closed="left")],
        "sparsity": [Interval(Real, 0, 1, closed="both")],
        "floor": [Interval(Real, 0, 1, closed="left")],
        "regularize": [StrOptions({"abs", "gates"})],
    }

    weight: Tensor
    sharpness: Tensor
    reach: Tensor
    _plain: Tensor
    _recent: Tensor
    _reduction: Tensor

    def __init__(
        self,
        gamma: float | str = "auto",
        max_cost: float = 0.05,
        sparsity: float = 0.53,
        hidden_layer_sizes: Sequence[int] = (256,),
        floor: float = 0.0,
        regularize: str = "abs",
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.max_cost = max_cost
        self.sparsity = sparsity
        self.hidden_layer_sizes = hidden_layer_sizes
        self.floor = floor
        self.regularize = regularize
        self.progress = 1.0

    def build(self, n_components: int) -> None:
        """Create the network of the gates."""
        super().build(n_components)
        self.network = MLP(self.hidden_layer_sizes)
        self.network.build(n_components, n_components)
        last = self.network.layers[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.constant_(last.bias, _OPEN / _SHARPNESS)  # type: ignore[arg-type]
        self.register_buffer("sharpness", torch.tensor(_SHARPNESS))
        self.register_buffer("reach", torch.tensor(_REACH))
        for name in ("weight", "_plain", "_recent", "_reduction"):
            self.register_buffer(name, torch.zeros(()))

    def gates(self, y: Tensor) -> Tensor:
        """Return the gates D(y).

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            Intermediary latents.

        Returns
        -------
        gates : Tensor of shape (n, n_components)
            Between ``floor`` and 1.
        """
        bounded = y * (1 + (y / self.reach).square()).rsqrt()
        near = ((self.reach + _RETURN - y.abs()) / _RETURN).clamp(0, 1)
        logit = near * (self.sharpness * self.network(bounded)) + (1 - near) * _OPEN
        opening = logit.sigmoid()
        if not self.training:  # in training, a gradient lets a closed gate open again
            opening = opening.masked_fill(opening <= _CLOSED, 0.0)
        return self.floor + (1 - self.floor) * opening

    def forward(self, y: Tensor) -> Tensor:
        """Return the gated y."""
        return y * self.gates(y)

    def set_progress(self, fraction: float) -> None:
        """Set the fraction of the warm-up that has passed."""
        self.progress = fraction

    def loss_terms(self, x: Tensor, mean: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return the penalty: gamma times (mean entropy - entropy of the mean), in nats."""
        use = self.gates(y) if self.regularize == "gates" else z.abs()
        shares = use / (use.sum(dim=1, keepdim=True) + 1e-8)
        penalty = _entropy(shares).mean() - _entropy(shares.mean(dim=0))
        if not isinstance(self.gamma, str):
            gamma = self.gamma * self.progress if self.training else self.gamma
            return {"penalty": gamma * penalty}
        if self.training:
            self._adapt(penalty.detach(), mean, n_columns=x.shape[1])
        return {"penalty": self.weight * penalty}

    @torch.no_grad()
    def _adapt(self, penalty: Tensor, mean: Tensor, n_columns: int) -> None:
        """Choose gamma by what the penalty has cost so far, and by how sparse z is."""
        if self.progress <= _MEASURED or self._plain == 0:
            self._plain.copy_(_updated(self._plain, penalty))
            self._recent.copy_(self._plain)
            return
        self._recent.copy_(_updated(self._recent, penalty))
        excess = _hoyer(mean * self.gates(mean)) - self.sparsity
        self._reduction.sub_(_CORRECTION * excess).clamp_(max=0)
        saved = (self._plain - self._recent).clamp(min=_SAVED_AT_LEAST)
        weight = self.max_cost * n_columns / (_SHARE_OF_WORK * saved) * self._reduction.exp()
        share = (self.progress - _MEASURED) / (1 - _MEASURED)
        self.weight.copy_(share * weight)


def _updated(average: Tensor, value: Tensor) -> Tensor:
    """Return the exponential moving average after one more batch; before the first it is 0."""
    return torch.where(average == 0, value, torch.lerp(value, average, _MEMORY))


def _hoyer(z: Tensor) -> Tensor:
    """Return the mean Hoyer sparsity of rows whose columns are divided by their deviations."""
    d = z.shape[1]
    if d == 1:
        return z.new_zeros(())
    z = z / (z.std(dim=0, correction=0) + 1e-8)
    ratio = z.abs().sum(dim=1) / (z.norm(dim=1) + 1e-8)
    return ((d**0.5 - ratio) / (d**0.5 - 1)).mean()


def _entropy(shares: Tensor) -> Tensor:
    """Return the entropy of rows that sum to one."""
    return torch.special.entr(shares + 1e-8).sum(dim=-1)
