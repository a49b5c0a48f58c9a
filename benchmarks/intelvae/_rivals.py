"""The models that clusters in the mapping are compared with: clusters in the prior, and none."""

from __future__ import annotations

import math

from sklearn_intelvae.mappings import Clusters
from sklearn_intelvae.priors import Mixture, Vamp

MODELS = ("VAE", "fixed mixture", "learned mixture", "VampPrior", "InteLVAE")
PAPER_NAMES = ("VAE", "MoG-VAE", "GM-VAE", "Vamp-VAE", "InteL-VAE")


def rivals(means: list[list[float]], n_clusters: int) -> dict[str, dict[str, object]]:
    """Return the parameters that make each model.

    The fixed mixture has these means and the paper's log-variance of 1; the learned one and the
    mapping have ``n_clusters``. GM-VAE, which has a second latent for the cluster, has none here:
    the learned mixture stands nearest to it.
    """
    fixed = Mixture(len(means), learn=False, means=means, scale=math.exp(0.5))
    priors = (None, fixed, Mixture(n_clusters), Vamp(500), None)
    found = {m: {"prior": p} if p else {} for m, p in zip(MODELS, priors, strict=True)}
    return found | {"InteLVAE": {"mapping": Clusters(n_clusters)}}
