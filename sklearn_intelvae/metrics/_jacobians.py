"""Jacobians of decoders."""

from numbers import Real

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

_ROWS_AT_A_TIME = 256


def decoder_jacobian(estimator, Z, *, step=None):
    """Return the derivatives of ``inverse_transform`` at some codes.

    Parameters
    ----------
    estimator : object or callable
        A fitted estimator of this package, whose decoder is differentiated. Of any other with
        ``inverse_transform``, such as ``PCA``, and of a function, such as one that renders images
        of factors, differences are taken.
    Z : array-like of shape (n_samples, n_codes)
        Codes, as ``transform`` returns them, or what the function takes.
    step : float, default=None
        How far from Z to go for the differences, in both directions, if another distance than a
        tiny one is meant: that of the noise of a posterior shows what a VAE sees of a function.
        With it, differences are taken of an estimator of this package too.

    Returns
    -------
    J : ndarray of shape (n_samples, n_features, n_codes), float64
        The change of each feature per unit of each code. Where a mapping has a surrogate gradient,
        as :class:`~sklearn_intelvae.mappings.StraightThrough`, it is that of the surrogate.

    Raises
    ------
    ValueError
        If Z holds values that are not finite, or `step` is not positive.
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_intelvae.metrics import decoder_jacobian
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
    if step is None and hasattr(estimator, "_decoded_codes"):
        if Z.shape[1] != estimator._n_features_out:
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but the codes of this {type(estimator).__name__} "
                f"have {estimator._n_features_out}: pass codes as transform returns them."
            )
        return _by_autograd(estimator, Z)
    return _by_differences(estimator.inverse_transform, Z, step)


def _by_autograd(estimator, Z):
    """Return the derivatives of the decoder along each code, of many rows at once.

    The gradient with respect to z of u times the decoder is linear in u, and its derivative by u
    along one code is the column wanted: of all rows at once, since these do not depend on another.
    """
    codes = torch.from_numpy(Z.astype(np.float32)).to(estimator._device())
    parts = []
    with torch.inference_mode(False), torch.enable_grad():
        for z in codes.split(_ROWS_AT_A_TIME):
            z = z.clone().requires_grad_()
            decoded = estimator._decoded_codes(z) + 0 * z.sum()  # a constant has no graph
            u = torch.zeros_like(decoded, requires_grad=True)
            (pulled,) = torch.autograd.grad(decoded, z, u, create_graph=True)
            pulled = pulled + 0 * u.sum()
            columns = [torch.autograd.grad(g.sum(), u, retain_graph=True)[0] for g in pulled.T]
            parts.append(torch.stack(columns, dim=-1).double().numpy(force=True))
    return np.concatenate(parts)


def _by_differences(decode, Z, step):
    spread = Z.std(axis=0)
    usual = 1e-4 * np.where(spread > 0, spread, 1.0)
    steps = usual if step is None else [step] * Z.shape[1]
    columns = []
    for i, h in enumerate(steps):
        shift = h * (np.arange(Z.shape[1]) == i)
        ahead, behind = (np.asarray(decode(z), dtype=np.float64) for z in (Z + shift, Z - shift))
        columns.append((ahead - behind) / (2 * h))
    return np.stack(columns, axis=-1)
