"""Image data sets as tables, from files on this machine or from OpenML."""

from sklearn_intelvae.datasets._fetch import fetch_fashion_mnist, fetch_mnist

__all__ = ["fetch_fashion_mnist", "fetch_mnist"]
