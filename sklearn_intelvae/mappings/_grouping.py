"""A first guess at the groups in a table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import cut_tree, leaves_list, linkage
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

_CENTRES_PER_GROUP = 10
_MOST_ROWS = 10_000


class Grouping(NamedTuple):
    """Centres, each of which belongs to a group."""

    centres: np.ndarray
    """(n_centres, n_features)"""
    group: np.ndarray
    """The group of each centre, 0 to n_groups - 1; groups with similar numbers are similar."""
    shares: np.ndarray
    """The share of the rows in each group."""


def grouping(X: np.ndarray, n_groups: int, seed: int) -> Grouping | None:
    """Return groups of rows: many k-means centres, joined by Ward's method until K are left.

    Plain k-means prefers groups of equal size and shape. Joined centres follow groups that are
    neither: a tenth of the rows that lies apart is found.

    Returns
    -------
    Grouping or None
        None for a single group, or if X has too few distinct rows.
    """
    rng = np.random.RandomState(seed)
    rows = X if len(X) <= _MOST_ROWS else X[rng.permutation(len(X))[:_MOST_ROWS]]
    n_centres = min(_CENTRES_PER_GROUP * n_groups, len(np.unique(rows, axis=0)) // 2)
    if n_groups < 2 or n_centres < n_groups:
        return None
    # The order in which threads add up decides the last bits.
    with threadpool_limits(1, user_api="openmp"):
        kmeans = KMeans(n_centres, n_init=1, random_state=rng.randint(2**31)).fit(rows)
    centres, counts = kmeans.cluster_centers_, np.bincount(kmeans.labels_, minlength=n_centres)
    group = _cut(linkage(centres, "ward"), n_groups)
    group = _neighbours_in_order(group, centres, counts)
    return Grouping(centres, group, np.bincount(group, counts, n_groups) / len(rows))


def _cut(tree: np.ndarray, n_groups: int) -> np.ndarray:
    """Return the group of each leaf: exactly that many, ties or not, numbered along the tree."""
    group = cut_tree(tree, n_groups).ravel()
    _, first = np.unique(group[leaves_list(tree)], return_index=True)
    return np.argsort(np.argsort(first))[group]


def _neighbours_in_order(group: np.ndarray, centres: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the groups numbered so that neighbours in number are neighbours in space."""
    members = np.eye(group.max() + 1)[group] * counts[:, None]
    means = (members / members.sum(axis=0)).T @ centres
    order = leaves_list(linkage(means, "ward", optimal_ordering=True))
    return np.argsort(order)[group]
