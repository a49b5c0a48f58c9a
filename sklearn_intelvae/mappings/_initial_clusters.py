"""An initial partition of the training rows into clusters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

_CENTERS_PER_CLUSTER = 10
_MAX_ROWS = 10_000
_MERGED_POINTS = 1000
"""Ward's method merges about this many points: each center, repeated in proportion to its rows."""


class InitialClusters(NamedTuple):
    """Centers, each assigned to a cluster."""

    centers: np.ndarray
    """(n_centers, n_features)"""
    cluster: np.ndarray
    """The cluster of each center, 0 to n_clusters - 1; neighboring clusters have neighboring
    numbers."""
    shares: np.ndarray
    """The share of the rows in each cluster, (n_clusters,)."""
    spread: np.ndarray
    """The standard deviation of each column within clusters, as a fraction of that of all rows,
    (n_features,)."""


def initial_clusters(X: np.ndarray, n_clusters: int, seed: int) -> InitialClusters | None:
    """Partition rows by k-means with many centers, merged by Ward's method until K are left.

    Plain k-means favors clusters of equal size and shape. Merged centers follow clusters of any
    size and shape: a separate tenth of the rows is found. A center counts by its rows: with equal
    weights the centers in the tails of a cluster outweigh its middle, and a column without clusters
    was divided instead of one with two.

    Returns
    -------
    InitialClusters or None
        None for a single cluster, or if X has too few distinct rows.
    """
    rng = np.random.RandomState(seed)
    rows = X if len(X) <= _MAX_ROWS else X[rng.permutation(len(X))[:_MAX_ROWS]]
    rows = rows.astype(np.float64)  # in float32 one distant row would make the others equal
    n_centers = min(_CENTERS_PER_CLUSTER * n_clusters, len(np.unique(rows, axis=0)) // 2)
    if n_clusters < 2 or n_centers < n_clusters:
        return None
    # With several threads the order of the additions, and so the last bits, would vary.
    with threadpool_limits(1, user_api="openmp"):
        kmeans = KMeans(n_centers, n_init=1, random_state=rng.randint(2**31)).fit(rows)
    used, label, counts = np.unique(kmeans.labels_, return_inverse=True, return_counts=True)
    centers = kmeans.cluster_centers_[used]
    if len(centers) < n_clusters or not np.isfinite(centers).all():
        return None
    times = np.maximum(1, np.rint(_MERGED_POINTS * counts / len(rows))).astype(int)
    tree = linkage(np.repeat(centers, times, axis=0), "ward")
    cluster = _cut(tree, n_clusters)[np.cumsum(times) - 1]
    cluster = _numbered_by_neighborhood(cluster, centers, counts)
    shares = np.bincount(cluster, counts, n_clusters) / len(rows)
    return InitialClusters(centers, cluster, shares, _relative_spread(rows, cluster[label]))


def _cut(tree: np.ndarray, n_clusters: int) -> np.ndarray:
    """Return the cluster of each leaf, numbered along the tree; exactly that many even for ties."""
    n_leaves = len(tree) + 1
    merged = tree[: n_leaves - int(n_clusters), :2].astype(int)
    parents = n_leaves + np.arange(len(merged)).repeat(2)
    edges = coo_array((np.ones(merged.size), (merged.ravel(), parents)), (2 * n_leaves - 1,) * 2)
    _, component = connected_components(edges, directed=False)
    _, cluster = np.unique(component[:n_leaves], return_inverse=True)
    _, first = np.unique(cluster[leaves_list(tree)], return_index=True)
    return np.argsort(np.argsort(first))[cluster]


def _relative_spread(rows: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return the standard deviations within clusters, divided by those of all rows."""
    within, total = (rows - _means(rows, cluster)[cluster]).std(axis=0), rows.std(axis=0)
    return np.divide(within, total, out=np.ones_like(total), where=total > 0)


def _means(points: np.ndarray, cluster: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Return the (weighted) mean of the points of each cluster."""
    members = np.eye(cluster.max() + 1)[cluster]
    members = members if weight is None else members * weight[:, None]
    return (members / members.sum(axis=0)).T @ points


def _numbered_by_neighborhood(
    cluster: np.ndarray, centers: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Renumber the clusters such that neighbors in space have neighboring numbers.

    Of the first and the last, the smaller cluster is number 0, whose sector does not turn when
    shares are learned: few rows do not follow a sector that turns.
    """
    means = _means(centers, cluster, counts)
    order = leaves_list(linkage(means, "ward", optimal_ordering=True))
    first, last = (counts[cluster == end].sum() for end in order[[0, -1]])
    order = order[::-1] if last < first else order
    return np.argsort(order)[cluster]
