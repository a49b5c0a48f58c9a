"""An initial partition of the training rows into clusters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics.pairwise import euclidean_distances

from sklearn_intelvae._threads import one_thread

_CENTERS_PER_CLUSTER, _ROWS_PER_CENTER = 10, 10
_MAX_ROWS = 10_000
_TINY, _TINY_OF_EQUAL = 0.04, 0.4
"""A group has few rows if its share of all is below the first, and below the second of those of
clusters of equal size."""


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
    """Partition rows by k-means with many centers, merged until K groups are left.

    Plain k-means favors clusters of equal size and shape. Merged centers follow clusters of any
    size and shape, if those are merged that have rows in between. That two centers are linked by
    the rows to which they are nearest is due to Martinetz and Schulten (1994).

    Returns
    -------
    InitialClusters or None
        None for a single cluster, or if X has too few distinct rows.
    """
    rng = np.random.RandomState(seed)
    rows = X if len(X) <= _MAX_ROWS else X[rng.permutation(len(X))[:_MAX_ROWS]]
    rows = rows.astype(np.float64)  # in float32 one distant row would make the others equal
    n_distinct = len(np.unique(rows, axis=0))
    n_centers = max(2 * n_clusters, n_distinct // _ROWS_PER_CENTER)
    n_centers = min(_CENTERS_PER_CLUSTER * n_clusters, n_centers, n_distinct // 2)
    if n_clusters < 2 or n_centers < n_clusters:
        return None
    # With several threads the order of the additions, and so the last bits, would vary.
    with one_thread():
        kmeans = KMeans(n_centers, n_init=1, random_state=rng.randint(2**31)).fit(rows)
        used, label, counts = np.unique(kmeans.labels_, return_inverse=True, return_counts=True)
        centers = kmeans.cluster_centers_[used]
        if len(centers) < n_clusters or not np.isfinite(centers).all():
            return None
        links = _links(euclidean_distances(rows, centers))
    cluster = _merged(links, counts, centers, n_clusters)
    cluster = _numbered_by_neighborhood(cluster, centers, counts)
    shares = np.bincount(cluster, counts, n_clusters) / len(rows)
    return InitialClusters(centers, cluster, shares, _relative_spread(rows, cluster[label]))


def _links(distance: np.ndarray) -> np.ndarray:
    """Return how many rows lie between two centers, for each pair.

    A row counts for its two nearest centers, by the ratio of its squared distances from them: 1 if
    it lies in the middle, 0 at a center. Distances are of shape (n, n_centers).
    """
    order = np.argsort(distance, axis=1, kind="stable")[:, :2]
    first, second = np.take_along_axis(distance, order, axis=1).T
    ratio = np.divide(first, second, out=np.zeros_like(first), where=second > 0)
    links = np.zeros((distance.shape[1],) * 2)
    np.add.at(links, tuple(order.T), np.square(ratio))
    return links + links.T


def _merged(
    links: np.ndarray, counts: np.ndarray, centers: np.ndarray, n_clusters: int
) -> np.ndarray:
    """Return the group of each center after merging until so many are left.

    While a group has few rows, the smallest is merged with the group to which it is linked most: a
    few rows far from all others are no cluster. Then the two groups that are linked most. Links are
    divided by the numbers of rows of both groups (average linkage); without links, the distance of
    the means decides.
    """
    group, sizes, sums = np.arange(len(counts)), counts.astype(float), centers * counts[:, None]
    tiny = min(_TINY, _TINY_OF_EQUAL / n_clusters) * counts.sum()
    for _ in range(len(counts) - n_clusters):
        some = np.arange(len(sizes)) if sizes.min() >= tiny else np.array([sizes.argmin()])
        near = links[some] / np.outer(sizes[some], sizes)
        if not near.any():
            means = sums / sizes[:, None]
            near = -cdist(means[some], means)
        near[np.arange(len(some)), some] = -np.inf
        row, other = np.unravel_index(near.argmax(), near.shape)
        kept, gone = sorted((some[row], other))
        for values in (links, links.T, sizes, sums):
            values[kept] += values[gone]
        links[kept, kept] = 0
        links = np.delete(np.delete(links, gone, axis=0), gone, axis=1)
        sizes, sums = np.delete(sizes, gone), np.delete(sums, gone, axis=0)
        group[group == gone] = kept
        group[group > gone] -= 1
    return group


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
