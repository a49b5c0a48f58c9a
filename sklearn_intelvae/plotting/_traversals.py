"""Latent traversals: codes that vary along one component."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array


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
