"""Measures of how far the columns of Jacobians are from orthogonal."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.utils import check_array

_RANK_TOLERANCE = 1e-15


def distance_to_orthogonality(J):
    r"""Return the distance to orthogonality (DtO) of Jacobians.

    With the singular value decomposition :math:`J_i = U_i S_i V_i^T` of the Jacobian of sample i
    and P(V) the signed permutation matrix nearest to V, the distance is the mean over samples of

    .. math:: \Vert V_i - P(V_i) \Vert_F.

    It is 0 if the columns of each Jacobian are orthogonal, because each :math:`V_i` is then a
    signed permutation matrix.

    Parameters
    ----------
    J : array-like of shape (n_samples, n_features, n_components)
        Jacobians of a decoder, with at least as many features as components.

    Returns
    -------
    distance : float
        At least 0, without a unit. It is 0 for orthogonal columns and 1.08 for two axes that are
        rotated by 45 degrees. If singular values nearly coincide, V is not determined and the
        distance is arbitrary: report :func:`orthogonality_gap` as well.

    Raises
    ------
    ValueError
        If `J` is not a stack of matrices with at least as many rows as columns, or contains values
        that are not finite.

    References
    ----------
    .. [1] M. Rolinek, D. Zietlow, G. Martius. "Variational Autoencoders Pursue PCA Directions (by
           Accident)." Conference on Computer Vision and Pattern Recognition, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import distance_to_orthogonality
    >>> rotation = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    >>> round(distance_to_orthogonality([np.diag([3, 1]), np.diag([3, 1]) @ rotation]), 2)
    0.54
    """
    J = _check_jacobians(J)
    V = np.linalg.svd(J, full_matrices=False)[2].transpose(0, 2, 1)
    return float(np.mean([_distance_to_signed_permutation(v) for v in V]))


def _distance_to_signed_permutation(V):
    rows, columns = linear_sum_assignment(np.abs(V), maximize=True)
    nearest = np.zeros_like(V)
    nearest[rows, columns] = np.where(V[rows, columns] < 0, -1, 1)
    return np.linalg.norm(V - nearest)


def orthogonality_gap(J):
    r"""Return the log ratio of the product of column norms to the volume of Jacobians.

    The gap is the mean over samples of

    .. math:: \sum_j \log \Vert J e_j \Vert - \tfrac{1}{2} \log \det J^T J \ge 0,

    in nats. By Hadamard's inequality it is 0 if and only if the columns are orthogonal. For small
    noise it is the additional loss per sample of a VAE with a diagonal posterior whose latent axes
    have effects that are not orthogonal; training therefore rotates the axes [1]_. The contrast of
    independent mechanism analysis [2]_ is the same quantity.

    Parameters
    ----------
    J : array-like of shape (n_samples, n_features, n_components)
        Jacobians of a decoder, with at least as many features as components.

    Returns
    -------
    gap : float
        At least 0, in nats. It is 0 if the columns of all Jacobians are orthogonal, and infinite if
        a Jacobian does not have full column rank.

    Raises
    ------
    ValueError
        If `J` is not a stack of matrices with at least as many rows as columns, or contains values
        that are not finite.

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
    >>> rotation = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    >>> round(orthogonality_gap([np.diag([2, 1]) @ rotation]), 3)
    0.223
    """
    J = _check_jacobians(J)
    norms = np.linalg.norm(J, axis=1, keepdims=True)
    directions = J / np.where(norms > 0, norms, 1)
    singular = np.linalg.svd(directions, compute_uv=False)
    full_rank = singular.min(axis=1) > _RANK_TOLERANCE * J.shape[2]
    gap = -np.log(np.where(full_rank[:, None], singular, 1)).sum(axis=1)
    return float(np.mean(np.where(full_rank, np.maximum(gap, 0), np.inf)))


def _check_jacobians(J):
    J = check_array(J, dtype=np.float64, allow_nd=True, ensure_2d=False, input_name="J")
    if J.ndim != 3 or J.shape[1] < J.shape[2]:
        raise ValueError(
            "J must have the shape (n_samples, n_features, n_components), with no more components "
            f"than features; got {J.shape}. Pass the output of decoder_jacobian."
        )
    return J
