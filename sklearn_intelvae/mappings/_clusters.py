"""The mapping that drives the latent plane apart into clusters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae.mappings._base import Mapping
from sklearn_intelvae.mappings._grouping import grouping
from sklearn_intelvae.mappings._sectors import Sectors

_LASTING_GUIDANCE = 0.1
_PACE = 5.0


class Clusters(Mapping):
    r"""Cut the plane of the first two components into K sectors and push them apart.

    A point in sector k, at distance d from the sector's nearer border, moves along the sector's
    bisector :math:`r_k`:

    .. math:: g(y) = y + c\, d^{p}\, r_k, \qquad r_k = (\cos \theta_k, \sin \theta_k).

    With p well below 1 the step away from the border is steep, so that hardly any mass of the
    prior is left between the clusters. Every sector maps into itself, the borders stay where they
    are, g is continuous and invertible; further components pass unchanged. With two clusters only
    the first component moves, and one component is enough. Use it when the data fall into groups.

    Parameters
    ----------
    n_clusters : int or sequence of int, default=2
        Number of sectors, K. Several numbers cut several planes: (2, 5) cuts the plane of the
        first two components in 2, that of the next two in 5, and makes 10 clusters.
    shift : float, default=5.0
        Size of the step, c.
    power : float, default=0.2
        Exponent p of the distance, between 0 and 1. A larger one, such as 0.5, parts the clusters
        less sharply.
    learn_proportions : bool, default=False
        Whether the sectors' shares of the prior, which are the clusters' shares of what is
        generated, follow the shares of the rows that are encoded in them. Otherwise they are equal.
    guidance : float, default=20.0
        Weight, in nats per row, of a pull towards a first guess at the groups, while the KL term
        is warmed up; a tenth of it remains. 0 for no guess.
    balance : float, default=20.0
        Weight, in nats per row, of what keeps sectors from running empty: a further pull on the
        rows of a group that has lost more than half of its first guess, or, without guidance, a
        penalty on sectors with less than a fifth of an equal share.

    Attributes
    ----------
    proportions : Tensor of shape (K,)
        The clusters' shares of the prior.

    Notes
    -----
    A row that starts on the wrong side of a border hardly ever crosses it, since reconstruction
    gets worse before it gets better: without guidance runs end with a sector unused or two groups
    in one. The first guess is made from X by k-means, with ten times too many centres that Ward's
    method joins until K are left. Guided rows take their places before the borders rise, and are
    then free to move. The gradient of the reconstruction moves learned borders far too slowly;
    here they move at each step towards the shares of the batch, as in the M-step of a mixture
    model. Guidance costs the distances to 10 K centres at each training step.

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
    >>> g.build(2)
    >>> y = torch.tensor([[-1.0, 0.5], [1.0, 0.5]])
    >>> g(y)
    tensor([[-6.0000,  0.5000],
            [ 6.0000,  0.5000]])
    >>> g.regions(y)
    tensor([1, 0])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "shift": [Interval(Real, 0, None, closed="left")],
        "power": [Interval(Real, 0, 1, closed="neither")],
        "learn_proportions": ["boolean"],
        "guidance": [Interval(Real, 0, None, closed="left")],
        "balance": [Interval(Real, 0, None, closed="left")],
    }

    centres: Tensor | None
    guesses: Tensor
    progress: Tensor
    step: Tensor

    def __init__(
        self,
        n_clusters: int | Sequence[int] = 2,
        shift: float = 5.0,
        power: float = 0.2,
        learn_proportions: bool = False,
        guidance: float = 20.0,
        balance: float = 20.0,
    ) -> None:
        super().__init__()
        self.n_clusters = n_clusters
        self.shift = shift
        self.power = power
        self.learn_proportions = learn_proportions
        self.guidance = guidance
        self.balance = balance
        self.warmth = 1.0

    def build(self, n_components: int) -> None:
        """Cut the planes, and refuse settings that the formula does not cover."""
        super().build(n_components)
        sizes = self._sizes()
        if not all(isinstance(size, Integral) and size >= 1 for size in sizes) or not sizes:
            raise ValueError(
                f"n_clusters must be a positive integer, or several, got {self.n_clusters!r}."
            )
        needed = 2 * len(sizes) - (sizes[-1] <= 2)
        if n_components < needed:
            raise ValueError(
                f"mapping={self!r} needs n_components of at least {needed}, got {n_components}: "
                "each number of clusters cuts a plane of two components, the last a line of one "
                "if it is 2."
            )
        self.cuts = nn.ModuleList(Sectors(int(size)) for size in sizes)
        self.register_buffer("centres", None)
        self.register_buffer("guesses", None)
        self.register_buffer("progress", torch.ones(()))
        self.register_buffer("step", torch.full((), 0.01))

    def initialise(self, X: Tensor, generator: torch.Generator) -> None:
        """Guess the groups of the training rows."""
        if not self.guidance:
            return
        seed = int(torch.randint(2**31, (), generator=generator))
        sizes = self._sizes()
        groups = grouping(X.numpy(force=True), math.prod(sizes), seed)
        if groups is None:
            return
        self.centres = torch.from_numpy(groups.centres)
        self.guesses = torch.from_numpy(np.stack(np.unravel_index(groups.group, sizes)))
        for number, cut in enumerate(self._cuts()):
            others = tuple(i for i in range(len(sizes)) if i != number)
            shares = torch.from_numpy(groups.shares.reshape(sizes).sum(axis=others))
            cut.guess(shares)
            if self.learn_proportions:
                cut.shares.copy_(shares)

    @property
    def proportions(self) -> Tensor:
        """Return the clusters' shares of the prior, (K,)."""
        shares = torch.ones(1)
        for cut in self._cuts():
            shares = torch.outer(shares.to(cut.shares), cut.shares).flatten()
        return shares

    def forward(self, y: Tensor) -> Tensor:
        """Return the shifted points."""
        shift = self.shift * self.warmth if self.training else self.shift
        planes = [cut(plane, shift, self.power) for cut, plane in self._planes(y)]
        return torch.cat([*planes, y[:, 2 * len(planes) :]], dim=1)

    def regions(self, y: Tensor) -> Tensor:
        """Return the cluster, 0 to K - 1, of each row."""
        region = torch.zeros(len(y), dtype=torch.long, device=y.device)
        for cut, plane in self._planes(y):
            region = region * cut.n_parts + cut.regions(plane)
        return region

    def warm_up(self, fraction: float) -> None:
        """Raise the step: in the first quarter with guidance, in the second half without.

        Rows without guidance first gather around the origin and sort themselves while the borders
        are still low. Learned borders follow what the last batch has shown.
        """
        progress = self.progress.item()
        if fraction > progress:
            self.step.fill_(fraction - progress)
        self.progress.fill_(fraction)
        early = self.centres is not None
        self.warmth = min(1.0, 4 * fraction) if early else max(0.0, 2 * fraction - 1)
        if self.learn_proportions and self.warmth > 0:
            for cut in self._cuts():
                cut.follow(min(1.0, _PACE * self.step.item()))

    def notice(self, y: Tensor, weight: Tensor | None) -> None:
        """Keep count of the rows of each sector."""
        for cut, plane in self._planes(y):
            cut.notice(plane, weight)

    def guide(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the pull of each row towards its guessed group, in nats."""
        pull = y.new_zeros(len(y))
        if self.centres is None:
            return pull
        fading = self.guidance * (1 - self.progress).clamp(min=_LASTING_GUIDANCE)
        guesses = self.guesses[:, torch.cdist(x, self.centres).argmin(dim=1)]
        for (cut, plane), guess in zip(self._planes(y), guesses, strict=True):
            weight = fading + self.balance * cut.lack()[guess]
            pull = pull + weight * cut.surprise(plane, guess)
        return pull

    def penalty(self, y: Tensor, z: Tensor) -> Tensor:
        """Return the weighted lack of rows in each sector, where no guidance fills them."""
        lack = y.new_zeros(())
        if self.centres is None:
            for cut, plane in self._planes(y):
                lack = lack + cut.soft_lack(plane)
        return self.balance * lack

    def _sizes(self) -> tuple[int, ...]:
        several = isinstance(self.n_clusters, Iterable)
        return tuple(self.n_clusters) if several else (self.n_clusters,)  # type: ignore

    def _cuts(self) -> list[Sectors]:
        return list(self.cuts)  # type: ignore[arg-type]

    def _planes(self, y: Tensor) -> list[tuple[Sectors, Tensor]]:
        """Return each cut with its components."""
        return [(cut, y[:, 2 * i : 2 * i + 2]) for i, cut in enumerate(self._cuts())]

    def _load_from_state_dict(self, state_dict, prefix, *args):  # type: ignore[no-untyped-def]
        """Make room for the centres, whose number only the training data know."""
        for name in ("centres", "guesses"):
            value = state_dict.get(prefix + name)
            setattr(self, name, None if value is None else torch.empty_like(value))
        super()._load_from_state_dict(state_dict, prefix, *args)
