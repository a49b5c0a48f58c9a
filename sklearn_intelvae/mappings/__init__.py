"""Mappings g(y) = z: where the inductive bias lives."""

from sklearn_intelvae.mappings._base import Mapping
from sklearn_intelvae.mappings._clusters import Clusters
from sklearn_intelvae.mappings._function import Function
from sklearn_intelvae.mappings._identity import Identity
from sklearn_intelvae.mappings._selector import DimensionSelector
from sklearn_intelvae.mappings._sphere import Sphere

__all__ = ["Clusters", "DimensionSelector", "Function", "Identity", "Mapping", "Sphere"]
