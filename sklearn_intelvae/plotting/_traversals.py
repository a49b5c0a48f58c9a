"""Latent traversals: codes that vary along one component."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sklearn_intelvae.plotting._images import plot_images


def latent_traversals(Z, n_steps=9, *, quantile=0.02, start=None):
    """Return codes that vary along one component at a time.

    The component takes equally spaced values between two of its quantiles; the other components
    are fixed.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, from which the quantiles are computed.
    n_steps : int, default=9
        Number of codes along each component, at least 2.
    quantile : float, default=0.02
        Fraction of the codes below the first and above the last value, at least 0 and below 0.5.
    start : array-like of shape (n_components,), default=None
        Values of the fixed components; None uses the medians.

    Returns
    -------
    codes : ndarray of shape (n_components, n_steps, n_components)
        Codes; ``codes[j]`` varies along component j. Reshape them to (-1, n_components) for
        ``inverse_transform``.

    Raises
    ------
    ValueError
        If `Z` contains values that are not finite, `n_steps` or `quantile` is outside its range, or
        the length of `start` is not the number of components.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.plotting import latent_traversals
    >>> Z = np.random.default_rng(0).uniform(size=(1000, 2))
    >>> latent_traversals(Z, n_steps=3, quantile=0)[0].round(1)
    array([[0. , 0.5],
           [0.5, 0.5],
           [1. , 0.5]])
    """
    Z = check_array(Z, dtype=np.float64, input_name="Z")
    if not isinstance(n_steps, Integral) or n_steps < 2:
        raise ValueError(f"n_steps must be an int of at least 2, got {n_steps!r}.")
    if not isinstance(quantile, Real) or not 0 <= quantile < 0.5:
        raise ValueError(f"quantile must be at least 0 and below 0.5, got {quantile!r}.")
    start = np.median(Z, axis=0) if start is None else np.asarray(start, dtype=np.float64)
    if start.shape != Z.shape[1:]:
        raise ValueError(
            f"start must have {Z.shape[1]} values, one for each component; got the shape "
            f"{start.shape}."
        )
    ends = np.quantile(Z, [quantile, 1 - quantile], axis=0)
    codes = np.tile(start, (Z.shape[1], n_steps, 1))
    for j in range(Z.shape[1]):
        codes[j, :, j] = np.linspace(*ends[:, j], n_steps)
    return codes


def plot_traversals(estimator, X, image_shape, n_steps=9, *, start=None, ax=None):
    """Draw what an estimator decodes along each component of its codes, one component in a row.

    Parameters
    ----------
    estimator : object
        Fitted, with ``transform`` and ``inverse_transform``.
    X : array-like of shape (n_samples, n_features)
        Images, whose codes say how far components range.
    image_shape : tuple of int
        ``(height, width)``, ``(1, height, width)`` for grey or ``(3, height, width)`` for RGB.
    n_steps : int, default=9
        Images in a row.
    start : array-like of shape (n_features,), default=None
        The image to start from; None takes the median code.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure is made if None.

    Returns
    -------
    ax : matplotlib.axes.Axes
        The Axes drawn on.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_intelvae.plotting import plot_traversals
    >>> X = load_digits().data / 16
    >>> ax = plot_traversals(PCA(3).fit(X), X, image_shape=(8, 8), n_steps=5)
    >>> ax.images[0].get_array().shape  # three rows of five images, a pixel apart
    (26, 44, 3)
    """
    check_is_fitted(estimator)
    if start is not None:
        start = np.asarray(estimator.transform(np.atleast_2d(start)))[0]
    codes = latent_traversals(estimator.transform(X), n_steps, start=start)
    decoded = estimator.inverse_transform(codes.reshape(-1, codes.shape[-1]))
    return plot_images(decoded, image_shape, n_columns=n_steps, ax=ax)
