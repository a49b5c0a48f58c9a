"""Diagnostics of a fitted estimator."""

from sklearn_intelvae.diagnostics._jacobian import decoder_jacobian
from sklearn_intelvae.diagnostics._report import DisentanglementReport, disentanglement_report
from sklearn_intelvae.diagnostics._traversals import plot_traversals

__all__ = [
    "DisentanglementReport",
    "decoder_jacobian",
    "disentanglement_report",
    "plot_traversals",
]
