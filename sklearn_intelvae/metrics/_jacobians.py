"""Jacobians of decoders, and how far their columns are from orthogonal."""

from numbers import Real

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

_ROWS_AT_A_TIME = 256
_RANK = 1e-15


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


def distance_to_orthogonality(J):
    r"""Return how far the axes of Jacobians are from their singular vectors (DtO).

    With :math:`J_i = U_i S_i V_i^T` and P(V) the signed permutation that is nearest to V, the mean
    of :math:`\Vert V_i - P(V_i) \Vert_F`. It is 0 where the columns of each Jacobian are
    orthogonal.

    Parameters
    ----------
    J : array-like of shape (n_samples, n_features, n_components)
        Jacobians of a decoder, with at least as many features as components.

    Returns
    -------
    distance : float
        0 if all are orthogonal; 1.08 for two axes that are turned by 45 degrees. Where singular
        values nearly coincide V is anything: look at :func:`orthogonality_gap` as well.

    Raises
    ------
    ValueError
        If J is no stack of matrices with at least as many rows as columns.

    References
    ----------
    .. [1] M. Rolinek, D. Zietlow, G. Martius. "Variational Autoencoders Pursue PCA Directions (by
           Accident)." Conference on Computer Vision and Pattern Recognition, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import distance_to_orthogonality
    >>> turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    >>> round(distance_to_orthogonality([np.diag([3, 1]), np.diag([3, 1]) @ turn]), 2)
    0.54
    """
    J = _checked(J)
    V = np.linalg.svd(J, full_matrices=False)[2].transpose(0, 2, 1)
    distances = []
    for turn in V:
        rows, columns = linear_sum_assignment(np.abs(turn), maximize=True)
        nearest = np.zeros_like(turn)
        nearest[rows, columns] = np.where(turn[rows, columns] < 0, -1, 1)
        distances.append(np.linalg.norm(turn - nearest))
    return float(np.mean(distances))


def orthogonality_gap(J):
    r"""How much smaller the volume of Jacobians is than that of orthogonal columns as long.

    The mean of

    .. math:: \sum_j \log \Vert J e_j \Vert - \tfrac{1}{2} \log \det J^T J \ge 0

    in nats. It is what a VAE with a diagonal posterior loses, per unit of noise, by axes that are
    not orthogonal: the force that turns them. The contrast of independent mechanisms is the same.

    Parameters
    ----------
    J : array-like of shape (n_samples, n_features, n_components)
        Jacobians of a decoder.

    Returns
    -------
    gap : float
        0 if all columns are orthogonal; infinite if a Jacobian has not full rank.

    Raises
    ------
    ValueError
        If J is no stack of matrices with at least as many rows as columns.

    References
    ----------
    .. [1] M. Rolinek, D. Zietlow, G. Martius. "Variational Autoencoders Pursue PCA Directions (by
           Accident)." Conference on Computer Vision and Pattern Recognition, 2019.
    .. [2] L. Gresele et al. "Independent Mechanism Analysis, a New Concept?" Neural Information
           Processing Systems, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import orthogonality_gap
    >>> turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    >>> round(orthogonality_gap([np.diag([2, 1]) @ turn]), 3)
    0.223
    """
    J = _checked(J)
    lengths = np.linalg.norm(J, axis=1, keepdims=True)
    directions = J / np.where(lengths > 0, lengths, 1)
    singular = np.linalg.svd(directions, compute_uv=False)
    full = singular.min(axis=1) > _RANK * J.shape[2]
    gap = -np.log(np.where(full[:, None], singular, 1)).sum(axis=1)
    return float(np.mean(np.where(full, np.maximum(gap, 0), np.inf)))


def _checked(J):
    J = check_array(J, dtype=np.float64, allow_nd=True, ensure_2d=False, input_name="J")
    if J.ndim != 3 or J.shape[1] < J.shape[2]:
        raise ValueError(
            "J must have the shape (n_samples, n_features, n_components), with no more components "
            f"than features; got {J.shape}. decoder_jacobian makes it."
        )
    return J
