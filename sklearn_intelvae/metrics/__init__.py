"""Numbers that say how good codes and generated rows are; arrays in, numbers or tables out."""

from sklearn_intelvae.metrics._features import ClassifierFeatures
from sklearn_intelvae.metrics._few_labels import few_label_curve
from sklearn_intelvae.metrics._frechet import frechet_distance
from sklearn_intelvae.metrics._histograms import energy_distance, gnelbo, histogram_divergences
from sklearn_intelvae.metrics._sparsity import hoyer_sparsity
from sklearn_intelvae.metrics._units import active_units

__all__ = [
    "ClassifierFeatures",
    "active_units",
    "energy_distance",
    "few_label_curve",
    "frechet_distance",
    "gnelbo",
    "histogram_divergences",
    "hoyer_sparsity",
]
