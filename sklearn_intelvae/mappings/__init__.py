"""Mappings g(y) = z, which give the representation z its structure.

Estimators take a mapping as an object, or by its name:

- ``"identity"``: :class:`Identity`, a plain VAE.
- ``"sphere"``: :class:`Sphere`, a circle or a sphere, for angles and phases.
- ``"clusters"``: :class:`Clusters`, separated sectors, for groups.
- ``"sparse"``: :class:`DimensionSelector`, few large components for each row.
- ``"glue"``: :class:`Glue`, a chain of loops, for a closed curve that crosses itself.
- ``"hierarchy"``: :class:`Hierarchy`, levels that are each conditioned on the previous one.
- ``"flow"``: :class:`Flow`, the whole space, with a density that is learned.
- ``"ica"``: :class:`ICA`, y rotated to independent components.

:class:`Linear` is a fixed matrix, :class:`Function` any function or plain module, and
:class:`StraightThrough` any function with the gradient of another one. :class:`Compose` applies one
mapping after another, :class:`OnComponents` applies one to some components of y.
"""

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
