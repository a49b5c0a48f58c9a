"""The models that clusters in the mapping are compared with: clusters in the prior, and none."""

from __future__ import annotations

import math

from sklearn_intelvae.mappings import Clusters
from sklearn_intelvae.priors import Mixture, Vamp

MODELS = ("VAE", "fixed mixture", "learned mixture", "VampPrior", "InteLVAE")
PAPER_NAMES = ("VAE", "MoG-VAE", "GM-VAE", "Vamp-VAE", "InteL-VAE")


def rivals(means: list[list[float]], n_clusters: int) -> dict[str, dict[str, object]]:
    """Return the estimator's parameters for each model.

    The fixed mixture has these means and the paper's log-variance of 1. The learned mixture and
    the mapping have ``n_clusters`` modes or clusters. The paper's GM-VAE has a second latent
    variable for the cluster; the learned mixture is the closest model without one.
    """
    fixed = Mixture(n_modes=len(means), learn=False, means=means, scale=math.exp(0.5))
    return {
        "VAE": {"prior": "normal"},
        "fixed mixture": {"prior": fixed},
        "learned mixture": {"prior": Mixture(n_modes=n_clusters)},
        "VampPrior": {"prior": Vamp(n_modes=500)},
        "InteLVAE": {"mapping": Clusters(n_clusters)},
    }
