"""Numbers that say how good a table of codes is; arrays in, numbers or tables out."""

from sklearn_intelvae.metrics._few_labels import few_label_curve
from sklearn_intelvae.metrics._sparsity import hoyer_sparsity
from sklearn_intelvae.metrics._units import active_units

__all__ = ["active_units", "few_label_curve", "hoyer_sparsity"]
