"""The mapping that drives the latent plane apart into clusters."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sklearn_intelvae.mappings._base import Mapping

_SHARPNESS = 10.0
_PRESSURE_RATE, _MOST_PRESSURE = 0.05, 1000.0


class Clusters(Mapping):
    r"""Cut the plane of the first two components into K sectors and push them apart.

    A point in sector k, at distance d from the sector's nearer border, moves along the sector's
    bisector :math:`r_k`:

    .. math:: g(y) = y + c\, d^{p}\, r_k, \qquad r_k = (\cos 2\pi k / K, \sin 2\pi k / K).

    With p well below 1 the step away from the border is steep, so that hardly any mass of the
    prior is left between the clusters. Every sector maps into itself, the borders stay where they
    are, g is continuous and invertible; further components pass unchanged. With two clusters only
    the first component moves, and one component is enough. It has no weights and costs a few
    trigonometric functions per row. Use it when the data fall into groups of about equal size.

    Parameters
    ----------
    n_clusters : int, default=2
        Number of sectors, K.
    shift : float, default=5.0
        Size of the step, c.
    power : float, default=0.2
        Exponent p of the distance, between 0 and 1. A larger one, such as 0.5, parts the clusters
        less sharply and is easier to train.
    balance : float, default=20.0
        Weight, in nats per row, of a penalty that asks that every sector be used as much as any
        other: the KL divergence of the sectors' shares of a batch from the uniform distribution,
        the shares taken from soft responsibilities. Without it a row that starts on the wrong
        side of a border hardly ever crosses, and sectors may stay empty. The weight rises, up to
        a thousandfold, while a sector is as good as empty, since what is too little for a wide X
        is plenty for a narrow one. Set it to 0 for groups of very different sizes.

    Notes
    -----
    The step grows from nothing to ``shift`` in the second half of the KL term's warm-up: rows first
    gather around the origin, then sort themselves into sectors while the borders are still low.
    Together with ``balance`` this is what keeps every sector in use; either alone does not.

    The slope of :math:`d^p` is unbounded at a border. Gradients use the slope at a distance of
    :math:`10^{-3}` for anything nearer; values are exact.

    References
    ----------
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, equation 6; here the
    sectors are turned by half a sector, so that two clusters part the first component.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import Clusters
    >>> g = Clusters(n_clusters=2)
    >>> y = torch.tensor([[-1.0, 0.5], [1.0, 0.5]])
    >>> g(y)
    tensor([[-6.0000,  0.5000],
            [ 6.0000,  0.5000]])
    >>> g.regions(y)
    tensor([1, 0])
    """

    pressure: Tensor

    def __init__(
        self,
        n_clusters: int = 2,
        shift: float = 5.0,
        power: float = 0.2,
        balance: float = 20.0,
    ) -> None:
        super().__init__()
        self.n_clusters = n_clusters
        self.shift = shift
        self.power = power
        self.balance = balance
        self.warmth = 1.0
        self.want: Tensor | None = None

    def build(self, n_components: int) -> None:
        """Refuse settings that the formula does not cover."""
        if self.n_clusters < 2:
            raise ValueError(f"n_clusters must be at least 2, got {self.n_clusters}.")
        if not 0 < self.power < 1:
            raise ValueError(f"power must lie between 0 and 1, got {self.power}.")
        if n_components < 2 < self.n_clusters:
            raise ValueError(
                f"mapping={self!r} cuts a plane into sectors and needs n_components of at least "
                f"2, got {n_components}. One component can be cut into two clusters only."
            )
        self.register_buffer("pressure", torch.ones(()))

    def forward(self, y: Tensor) -> Tensor:
        """Return the shifted points."""
        plane, rest = y[:, :2], y[:, 2:]
        angle = self._angle(plane)
        width = 2 * math.pi / self.n_clusters
        bisector = width * (angle / width).round().detach()
        distance = _norm(plane) * (0.5 * width - (angle - bisector).abs()).clamp(min=0).sin()
        shift = self.shift * self.warmth if self.training else self.shift
        step = shift * _steep_power(distance, self.power)
        direction = torch.stack([bisector.cos(), bisector.sin()], dim=1)[:, : plane.shape[1]]
        return torch.cat([plane + step[:, None] * direction, rest], dim=1)

    def warm_up(self, fraction: float) -> None:
        """Take no step for the first half of the warm-up, then a growing one; in training only."""
        self.warmth = max(0.0, 2 * fraction - 1)
        if self.want is not None:
            self.pressure.mul_((_PRESSURE_RATE * self.want).exp()).clamp_(1, _MOST_PRESSURE)

    def regions(self, y: Tensor) -> Tensor:
        """Return the sector, 0 to n_clusters - 1, of each row."""
        sector = (self._angle(y[:, :2]) * self.n_clusters / (2 * math.pi)).round().long()
        return sector % self.n_clusters

    def penalty(self, y: Tensor, z: Tensor) -> Tensor:
        """Return the weighted KL(shares of the sectors || uniform), in nats."""
        centres = torch.arange(self.n_clusters, device=y.device) * (2 * math.pi / self.n_clusters)
        directions = torch.stack([centres.cos(), centres.sin()])[: y.shape[1]]
        shares = (_SHARPNESS * y[:, :2] @ directions).softmax(dim=1).mean(dim=0) + 1e-8
        excess = math.log(self.n_clusters) - torch.special.entr(shares).sum()
        if not self.training:
            return self.balance * excess
        tolerance = 0.5 * math.log1p(1 / (self.n_clusters - 1)) + self.n_clusters / (2 * len(y))
        self.want = excess.detach() - tolerance
        return self.balance * self.pressure * excess

    @staticmethod
    def _angle(plane: Tensor) -> Tensor:
        """Return the angle of each point; on a line, that of its sign."""
        across = plane[:, 1] if plane.shape[1] == 2 else torch.zeros_like(plane[:, 0])
        at_origin = (plane == 0).all(dim=1)
        return torch.atan2(across, plane[:, 0] + at_origin)


def _norm(plane: Tensor, eps: float = 1e-20) -> Tensor:
    """Return the length of each row, with a finite gradient at the origin."""
    return (plane.square().sum(dim=1) + eps).sqrt()


def _steep_power(distance: Tensor, power: float, nearest: float = 1e-3) -> Tensor:
    """Return distance**power, whose slope is taken no nearer to zero than ``nearest``."""
    safe = distance.detach().clamp(min=nearest)
    slope = power * safe ** (power - 1)
    return distance.detach() ** power + slope * (distance - distance.detach())
