"""Mappings g(y) = z: where the inductive bias lives."""

from sklearn_intelvae._part import Mapping
from sklearn_intelvae.mappings._clusters import Clusters
from sklearn_intelvae.mappings._compose import Compose
from sklearn_intelvae.mappings._flow import Flow
from sklearn_intelvae.mappings._function import Function
from sklearn_intelvae.mappings._glue import Glue
from sklearn_intelvae.mappings._hierarchy import Hierarchy
from sklearn_intelvae.mappings._ica import ICA
from sklearn_intelvae.mappings._identity import Identity
from sklearn_intelvae.mappings._linear import Linear
from sklearn_intelvae.mappings._on_components import OnComponents
from sklearn_intelvae.mappings._selector import DimensionSelector
from sklearn_intelvae.mappings._sphere import Sphere
from sklearn_intelvae.mappings._straight_through import StraightThrough

__all__ = [
    "ICA",
    "Clusters",
    "Compose",
    "DimensionSelector",
    "Flow",
    "Function",
    "Glue",
    "Hierarchy",
    "Identity",
    "Linear",
    "Mapping",
    "OnComponents",
    "Sphere",
    "StraightThrough",
]
