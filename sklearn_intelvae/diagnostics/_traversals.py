"""Plots of what a fitted estimator decodes."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_intelvae.plotting import latent_traversals, plot_images


def plot_traversals(estimator, X, image_shape, n_steps=9, *, start=None, ax=None):
    """Plot what an estimator decodes along each component of its codes, one component per row.

    Parameters
    ----------
    estimator : object
        Fitted, with ``transform`` and ``inverse_transform``.
    X : array-like of shape (n_samples, n_features)
        Images; the range of a component is that of their codes.
    image_shape : tuple of int
        ``(height, width)``, ``(1, height, width)`` for gray levels or ``(3, height, width)`` for
        RGB.
    n_steps : int, default=9
        Number of images in a row.
    start : array-like of shape (n_features,), default=None
        The image whose code the traversals start from; None means the median code.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None creates a new figure.

    Returns
    -------
    ax : matplotlib.axes.Axes
        The Axes drawn on.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If an argument is outside its range, or the rows do not have the size of the image.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_intelvae.diagnostics import plot_traversals
    >>> X = load_digits().data / 16
    >>> ax = plot_traversals(PCA(3).fit(X), X, image_shape=(8, 8), n_steps=5)
    >>> ax.images[0].get_array().shape  # three rows of five images, a pixel apart
    (26, 44, 3)
    """
    check_is_fitted(estimator)
    if start is not None:
        start = np.asarray(estimator.transform(np.array(np.atleast_2d(start))))[0]
    codes = latent_traversals(estimator.transform(copy.copy(X)), n_steps, start=start)
    decoded = estimator.inverse_transform(codes.reshape(-1, codes.shape[-1]))
    return plot_images(decoded, image_shape, n_columns=n_steps, ax=ax)
