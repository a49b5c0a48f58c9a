"""Metrics of representations and of generated samples; arrays in, numbers or tables out."""

from sklearn_intelvae.metrics._active_units import active_units, polarization_gap
from sklearn_intelvae.metrics._alignment import mean_correlation, pca_alignment
from sklearn_intelvae.metrics._beta_vae import beta_vae_score
from sklearn_intelvae.metrics._dci import DCI, dci_scores
from sklearn_intelvae.metrics._divergences import energy_distance, histogram_divergences
from sklearn_intelvae.metrics._explicitness import explicitness_score
from sklearn_intelvae.metrics._factor_vae import factor_vae_score
from sklearn_intelvae.metrics._features import ClassifierFeatures
from sklearn_intelvae.metrics._few_labels import few_label_curve
from sklearn_intelvae.metrics._frechet import frechet_distance
from sklearn_intelvae.metrics._gnelbo import gnelbo
from sklearn_intelvae.metrics._information import modularity_score, mutual_info_gap
from sklearn_intelvae.metrics._linear_vae import LinearVAE, expected_linear_vae
from sklearn_intelvae.metrics._orthogonality import distance_to_orthogonality, orthogonality_gap
from sklearn_intelvae.metrics._sap import sap_score
from sklearn_intelvae.metrics._sparsity import hoyer_sparsity

__all__ = [
    "DCI",
    "ClassifierFeatures",
    "LinearVAE",
    "active_units",
    "beta_vae_score",
    "dci_scores",
    "distance_to_orthogonality",
    "energy_distance",
    "expected_linear_vae",
    "explicitness_score",
    "factor_vae_score",
    "few_label_curve",
    "frechet_distance",
    "gnelbo",
    "histogram_divergences",
    "hoyer_sparsity",
    "mean_correlation",
    "modularity_score",
    "mutual_info_gap",
    "orthogonality_gap",
    "pca_alignment",
    "polarization_gap",
    "sap_score",
]
