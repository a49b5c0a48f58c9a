"""An initial partition of the training rows into clusters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import cut_tree, leaves_list, linkage
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

_CENTERS_PER_CLUSTER = 10
_MAX_ROWS = 10_000


class InitialClusters(NamedTuple):
    """Centers, each assigned to a cluster."""

    centers: np.ndarray
    """(n_centers, n_features)"""
    cluster: np.ndarray
    """The cluster of each center, 0 to n_clusters - 1; neighboring clusters have neighboring
    numbers."""
    shares: np.ndarray
    """The share of the rows in each cluster, (n_clusters,)."""


def initial_clusters(X: np.ndarray, n_clusters: int, seed: int) -> InitialClusters | None:
    """Partition rows by k-means with many centers, merged by Ward's method until K are left.

    Plain k-means favors clusters of equal size and shape. Merged centers follow clusters of any
    size and shape: a separate tenth of the rows is found.

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
    centers, counts = kmeans.cluster_centers_, np.bincount(kmeans.labels_, minlength=n_centers)
    centers, counts = centers[counts > 0], counts[counts > 0]
    if len(centers) < n_clusters or not np.isfinite(centers).all():
        return None
    cluster = _cut(linkage(centers, "ward"), n_clusters)
    cluster = _numbered_by_neighborhood(cluster, centers, counts)
    return InitialClusters(centers, cluster, np.bincount(cluster, counts, n_clusters) / len(rows))


def _cut(tree: np.ndarray, n_clusters: int) -> np.ndarray:
    """Return the cluster of each leaf, numbered along the tree; exactly that many even for ties."""
    cluster = cut_tree(tree, n_clusters).ravel()
    _, first = np.unique(cluster[leaves_list(tree)], return_index=True)
    return np.argsort(np.argsort(first))[cluster]


def _numbered_by_neighborhood(
    cluster: np.ndarray, centers: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Renumber the clusters such that neighbors in space have neighboring numbers."""
    members = np.eye(cluster.max() + 1)[cluster] * counts[:, None]
    means = (members / members.sum(axis=0)).T @ centers
    order = leaves_list(linkage(means, "ward", optimal_ordering=True))
    return np.argsort(order)[cluster]
