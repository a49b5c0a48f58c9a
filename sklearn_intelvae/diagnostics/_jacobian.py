"""The Jacobian of a decoder."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_intelvae._random import own_torch_state
from sklearn_intelvae.estimators._fitted import device_of, mean_of_codes, n_output_columns
from sklearn_intelvae.estimators._vae import BaseVAE
from sklearn_intelvae.models import VAE

_ROWS_AT_A_TIME = 256
_RELATIVE_STEP = 1e-4


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
        means a ten-thousandth of the standard deviation of Z. The noise of a posterior as step
        averages a function over the scale that a VAE resolves. With a step, differences are used
        for an estimator of this package too.

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
        n_codes = n_output_columns(estimator.module_, estimator.output)
        if Z.shape[1] != n_codes:
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but the codes of this {type(estimator).__name__} "
                f"have {n_codes}: pass codes as transform returns them."
            )
        return jacobian_of_model(estimator.module_, Z, estimator.output)
    return _by_differences(estimator.inverse_transform, Z, step)


def jacobian_of_model(model: VAE, Z: np.ndarray, output: str) -> np.ndarray:
    """Return the derivatives of the mean of p(x | z) at codes of the given kind.

    The gradient of u^T f(z) with respect to z is linear in u, and its derivative with respect to u
    along one code is a column of the Jacobian: of all rows at once, since rows are independent.
    """
    with np.errstate(under="ignore"):
        codes = torch.from_numpy(Z.astype(np.float32)).to(device_of(model))
    parts = []
    with own_torch_state():
        for z in codes.split(_ROWS_AT_A_TIME):
            z = z.clone().requires_grad_()
            decoded = mean_of_codes(model, z, output) + 0 * z.sum()  # also for constant decoders
            parts.append(_columns(decoded, z).double().numpy(force=True))
    return np.concatenate(parts)


def _columns(decoded: Tensor, z: Tensor) -> Tensor:
    """Return the derivatives of ``decoded`` with respect to ``z``, row by row."""
    u = torch.zeros_like(decoded, requires_grad=True)
    (pulled,) = torch.autograd.grad(decoded, z, u, create_graph=True)
    pulled = pulled + 0 * u.sum()
    columns = [torch.autograd.grad(g.sum(), u, retain_graph=True)[0] for g in pulled.T]
    return torch.stack(columns, dim=-1)


def _by_differences(decode: Callable[[Any], Any], Z: np.ndarray, step: float | None) -> np.ndarray:
    spread = Z.std(axis=0)
    usual = _RELATIVE_STEP * np.where(spread > 0, spread, 1.0)
    steps = usual if step is None else [step] * Z.shape[1]
    columns = []
    for i, h in enumerate(steps):
        shift = h * (np.arange(Z.shape[1]) == i)
        ahead, behind = (np.array(decode(z), dtype=np.float64) for z in (Z + shift, Z - shift))
        columns.append((ahead - behind) / (2 * h))
    return np.stack(columns, axis=-1)
