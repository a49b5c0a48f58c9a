"""The estimators: tables in, tables out; the only room where strings have meaning."""

from sklearn_intelvae.estimators._clustered import ClusteredInteLVAE
from sklearn_intelvae.estimators._intelvae import InteLVAE
from sklearn_intelvae.estimators._pcl import PCL
from sklearn_intelvae.estimators._soft_intro import SoftIntroVAE
from sklearn_intelvae.estimators._sparse import SparseInteLVAE

__all__ = ["PCL", "ClusteredInteLVAE", "InteLVAE", "SoftIntroVAE", "SparseInteLVAE"]
