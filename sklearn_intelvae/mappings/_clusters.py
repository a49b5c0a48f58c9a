"""The mapping that separates the latent plane into clusters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae._moments import effective_rows
from sklearn_intelvae._part import Mapping
from sklearn_intelvae.mappings._initial_clusters import InitialClusters, initial_clusters
from sklearn_intelvae.mappings._sectors import Sectors

_FINAL_GUIDANCE = 0.1
_SMALLEST_CLUSTER = 0.06
"""As a share of the rows."""
_SMALLEST_SPREAD = 0.3
"""Of a column within clusters, as a fraction of its standard deviation."""
_SHARES_SPEED = 5.0
"""The shares of the prior move by this many times the progress of the warm-up in a step."""


class Clusters(Mapping):
    r"""Divide the plane of the first two components into K sectors and push them apart.

    A point in sector k, at distance d from the nearer border of the sector, moves along the
    bisector :math:`r_k`:

    .. math:: g(y) = y + c\, d^{p}\, r_k, \qquad r_k = (\cos \theta_k, \sin \theta_k).

    With p well below 1 the step away from the border is steep, so that hardly any mass of the
    prior is left between the clusters. Every sector maps into itself, the borders do not move,
    g is continuous and invertible; further components pass unchanged. With two clusters only
    the first component moves, and one component is enough. Use it when the data fall into groups.

    Parameters
    ----------
    n_clusters : int or sequence of int, default=2
        Number of sectors, K. Several numbers divide several planes: (2, 5) divides the plane of
        the first two components in 2, that of the next two in 5, and makes 10 clusters.
    shift : float, default=5.0
        Size of the step, c, in the unit of y.
    power : float, default=0.2
        Exponent p of the distance, between 0 and 1. A larger one, such as 0.5, separates the
        clusters less sharply.
    learn_proportions : bool, default=False
        Whether the sectors' shares of the prior, which are the clusters' shares of the generated
        rows, follow the shares of the training rows that are encoded in them. Otherwise they are
        equal.
    guidance_weight : float, default=20.0
        Weight, in nats per row, of a term that pulls each row towards its initial cluster while
        the KL term is warmed up; a tenth of it remains afterwards. 0 for no initial clusters.
    balance_weight : float, default=20.0
        Weight, in nats per row, of a term that keeps sectors from losing all rows: a further pull
        on the rows of an initial cluster that has lost more than half of its rows or, without
        initial clusters, a penalty on sectors with less than a fifth of an equal share.

    Attributes
    ----------
    proportions : Tensor of shape (K,)
        The clusters' shares of the prior.

    Raises
    ------
    ValueError
        By ``build``, if ``n_clusters`` does not consist of positive integers or needs more
        components than there are.

    Notes
    -----
    A row that starts on the wrong side of a border hardly ever crosses it, since the reconstruction
    becomes worse before it becomes better: without guidance fits end with a sector unused or two
    groups in one. The initial clusters are found in X by k-means with up to ten times too many
    centers. Those with the most rows between them are merged until K are left; then once more, with
    each column divided by its spread within these clusters. A group with less than 4 % of the rows,
    or 40 % / K for more than ten clusters, may not be found. Rows are guided into their sectors
    before the borders rise, and can then move freely. The gradient of the reconstruction moves
    learned borders far too slowly; here they move at each step towards the shares of the batch, as
    in the M-step of a mixture model. Guidance costs the distances to up to 10 K centers at each
    training step.

    The slope of :math:`d^p` is unbounded at a border. Gradients use the slope at a distance of
    :math:`10^{-3}` for anything nearer; values are exact.

    References
    ----------
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, equation 6; here the
    sectors are rotated by half a sector, so that two clusters separate the first component.
    Martinetz and Schulten, "Topology Representing Networks", Neural Networks 1994: centers are
    linked by the rows between them.
    Art, Gnanadesikan and Kettenring, "Data-Based Metrics for Cluster Analysis", Utilitas
    Mathematica 1982: the metric within clusters.

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
        "guidance_weight": [Interval(Real, 0, None, closed="left")],
        "balance_weight": [Interval(Real, 0, None, closed="left")],
    }

    has_regions = True
    has_free_scale = True
    column_weights: Tensor
    centers: Tensor | None
    cluster_of_center: Tensor
    progress: Tensor
    step: Tensor

    def __init__(
        self,
        n_clusters: int | Sequence[int] = 2,
        shift: float = 5.0,
        power: float = 0.2,
        learn_proportions: bool = False,
        guidance_weight: float = 20.0,
        balance_weight: float = 20.0,
    ) -> None:
        super().__init__()
        self.n_clusters = n_clusters
        self.shift = shift
        self.power = power
        self.learn_proportions = learn_proportions
        self.guidance_weight = guidance_weight
        self.balance_weight = balance_weight
        self.shift_fraction = 1.0

    def build(self, n_components: int) -> None:
        """Create the sectors of each plane."""
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
                "each number of clusters divides a plane of two components, the last one a line of "
                "one component if it is 2."
            )
        self.cuts = nn.ModuleList(Sectors(int(size)) for size in sizes)
        self.register_buffer("column_weights", None)
        self.register_buffer("centers", None)
        self.register_buffer("cluster_of_center", None)
        self.register_buffer("progress", torch.ones(()))
        self.register_buffer("step", torch.full((), 0.01))

    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Find the initial clusters of the training rows."""
        if not self.guidance_weight:
            return
        seed = int(torch.randint(2**31, (), generator=generator))
        sizes = self._sizes()
        self.column_weights = _weights_of_columns(X)
        initial = self._clusters_of(X, seed)
        if initial is not None:  # once more, in units of the spread within these clusters
            spread = torch.from_numpy(initial.spread).float().clamp(min=_SMALLEST_SPREAD)
            self.column_weights = self.column_weights / spread
            initial = self._clusters_of(X, seed)
        if initial is None:
            return
        self.centers = torch.from_numpy(initial.centers.astype(np.float32))
        parts = np.stack(np.unravel_index(initial.cluster, sizes))
        self.cluster_of_center = torch.from_numpy(parts)
        for number, cut in enumerate(self._cuts()):
            others = tuple(i for i in range(len(sizes)) if i != number)
            shares = torch.from_numpy(initial.shares.reshape(sizes).sum(axis=others))
            cut.set_target(shares)
            if self.learn_proportions:
                cut.shares.copy_(shares)

    def _clusters_of(self, X: Tensor, seed: int) -> InitialClusters | None:
        """Return clusters of the rows, whose columns are weighted."""
        rows = (X * self.column_weights).numpy(force=True)
        return initial_clusters(rows, math.prod(self._sizes()), seed)

    @property
    def proportions(self) -> Tensor:
        """The clusters' shares of the prior, (K,)."""
        shares = torch.ones(1)
        for cut in self._cuts():
            shares = torch.outer(shares.to(cut.shares), cut.shares).flatten()
        return shares

    def forward(self, y: Tensor) -> Tensor:
        """Return the shifted points, of the shape of y."""
        shift = self.shift * self.shift_fraction if self.training else self.shift
        planes = [cut(plane, shift, self.power) for cut, plane in self._planes(y)]
        return torch.cat([*planes, y[:, 2 * len(planes) :]], dim=1)

    def regions(self, y: Tensor) -> Tensor:
        """Return the cluster, 0 to K - 1, of each row."""
        region = torch.zeros(len(y), dtype=torch.long, device=y.device)
        for cut, plane in self._planes(y):
            region = region * cut.n_parts + cut.regions(plane)
        return region

    def set_progress(self, fraction: float) -> None:
        """Raise the shift: in the first quarter with guidance, in the second half without.

        Rows without guidance first gather around the origin and choose a sector while the borders
        are still low. Learned shares are updated from the running shares of the rows.
        """
        progress = self.progress.item()
        if fraction > progress:
            self.step.fill_(fraction - progress)
        self.progress.fill_(fraction)
        guided = self.centers is not None
        self.shift_fraction = min(1.0, 4 * fraction) if guided else max(0.0, 2 * fraction - 1)
        if self.learn_proportions and self.shift_fraction > 0:
            for cut in self._cuts():
                cut.update_shares(min(1.0, _SHARES_SPEED * self.step.item()))

    def observe(self, mean: Tensor, y: Tensor, weight: Tensor | None) -> None:
        """Update the running shares of the rows in each sector."""
        for cut, plane in self._planes(y):
            cut.observe(plane, weight)

    def loss_terms(self, x: Tensor, mean: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return the penalty on sectors without rows, and in training the guidance of each row."""
        terms = {"penalty": self._penalty(y)}
        return terms | {"guidance": self._guidance(x, mean)} if self.training else terms

    def _guidance(self, x: Tensor, mean: Tensor) -> Tensor:
        """Return the pull of each row towards its initial cluster, in nats, shape (n,)."""
        pull = mean.new_zeros(len(mean))
        if self.centers is None:
            return pull
        fading = self.guidance_weight * (1 - self.progress).clamp(min=_FINAL_GUIDANCE)
        nearest = torch.cdist(x * self.column_weights, self.centers).argmin(dim=1)
        targets = self.cluster_of_center[:, nearest]
        for (cut, plane), target in zip(self._planes(mean), targets, strict=True):
            weight = fading + self.balance_weight * cut.deficit()[target]
            pull = pull + weight * cut.classification_loss(plane, target)
        return pull

    def _penalty(self, y: Tensor) -> Tensor:
        """Return the weighted deficits of the sectors, if no guidance fills them, shape ()."""
        deficit = y.new_zeros(())
        if self.centers is None:
            for cut, plane in self._planes(y):
                deficit = deficit + cut.deficit_loss(plane)
        return self.balance_weight * deficit

    def _sizes(self) -> tuple[int, ...]:
        several = isinstance(self.n_clusters, Iterable)
        return tuple(self.n_clusters) if several else (self.n_clusters,)  # type: ignore

    def _cuts(self) -> list[Sectors]:
        return list(self.cuts)  # type: ignore[arg-type]

    def _planes(self, y: Tensor) -> list[tuple[Sectors, Tensor]]:
        """Return each division with its components."""
        return [(cut, y[:, 2 * i : 2 * i + 2]) for i, cut in enumerate(self._cuts())]

    def _load_from_state_dict(self, state_dict, prefix, *args):  # type: ignore[no-untyped-def]
        """Allocate the centers, whose number depends on the training rows."""
        if state_dict.get(prefix + "centers") is not None:  # files of format 1 have no weights
            ones = torch.ones(state_dict[prefix + "centers"].shape[1])
            state_dict.setdefault(prefix + "column_weights", ones)
        for name in ("column_weights", "centers", "cluster_of_center"):
            value = state_dict.get(prefix + name)
            setattr(self, name, None if value is None else torch.empty_like(value))
        super()._load_from_state_dict(state_dict, prefix, *args)


def _weights_of_columns(X: Tensor) -> Tensor:
    """Return factors below 1 for columns whose variance few rows determine, shape (n_features,).

    In units of its standard deviation, a column that is constant but for a few rows is very large
    in these rows, and they would become a cluster. If the share of the rows that determine the
    variance is below that of the smallest cluster, the variance is multiplied by their ratio.
    """
    share = effective_rows(X) / len(X)
    return (share / _SMALLEST_CLUSTER).clamp(max=1.0).sqrt().float()
