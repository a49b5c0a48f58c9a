"""The Jacobian of a decoder."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sklearn_intelvae.estimators._vae import BaseVAE, jacobian_of_inverse

_RELATIVE_STEP, _SMALLEST_SPREAD = 1e-4, 0.1


def decoder_jacobian(estimator, Z, *, step=None):
    """Return the derivatives of ``inverse_transform`` at some codes.

    Parameters
    ----------
    estimator : object or callable
        A fitted estimator of this package, whose decoder is differentiated. For any other object
        with ``inverse_transform``, such as ``PCA``, and for a function, such as one that renders
        images of factors, central differences are used.
    Z : array-like of shape (n_samples, n_codes)
        Codes as ``transform`` returns them, or arguments of the function.
    step : float, default=None
        Half the distance of the two codes of a central difference, in the unit of the codes. None
        means a ten-thousandth of the standard deviation of each column of Z, or of a tenth of its
        root mean square if that is larger. The noise of a posterior as step averages a function
        over the scale that a VAE resolves. With a step, differences are used for an estimator of
        this package too.

    Returns
    -------
    J : ndarray of shape (n_samples, n_features, n_codes), float64
        The change of each feature per unit of each code. For a mapping with a surrogate gradient,
        such as :class:`~sklearn_intelvae.mappings.StraightThrough`, that of the surrogate.

    Raises
    ------
    ValueError
        If Z has values that are not finite or another number of columns than the codes, or `step`
        is not positive.
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_intelvae.diagnostics import decoder_jacobian
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> pca = PCA(2).fit(X)
    >>> J = decoder_jacobian(pca, pca.transform(X[:5]))
    >>> bool(np.allclose(J, pca.components_.T))
    True
    """
    Z = check_array(Z, dtype=np.float64, input_name="Z")
    if step is not None and (not isinstance(step, Real) or not 0 < step < np.inf):
        raise ValueError(f"step is a distance and must be positive, got {step!r}.")
    if not hasattr(estimator, "inverse_transform"):
        return _by_differences(estimator, Z, step)
    if hasattr(estimator, "fit"):
        check_is_fitted(estimator)
    if step is None and isinstance(estimator, BaseVAE):
        return jacobian_of_inverse(estimator, Z)
    return _by_differences(estimator.inverse_transform, Z, step)


def _by_differences(decode: Callable[[Any], Any], Z: np.ndarray, step: float | None) -> np.ndarray:
    # A column of few rows may hardly vary; smaller steps would be lost in the rounding of float32.
    size = np.sqrt(np.square(Z).mean(axis=0))
    spread = np.maximum(Z.std(axis=0), _SMALLEST_SPREAD * size)
    usual = _RELATIVE_STEP * np.where(spread > 0, spread, 1.0)
    steps = usual if step is None else [step] * Z.shape[1]
    columns = []
    for i, h in enumerate(steps):
        shift = h * (np.arange(Z.shape[1]) == i)
        ahead, behind = (np.array(decode(z), dtype=np.float64) for z in (Z + shift, Z - shift))
        columns.append((ahead - behind) / (2 * h))
    return np.stack(columns, axis=-1)
