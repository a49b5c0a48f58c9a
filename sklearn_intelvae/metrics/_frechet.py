"""Fréchet distance between the first two moments of two samples."""

import numpy as np
from sklearn.utils import check_array


def frechet_distance(features_a, features_b):
    r"""Return the squared Fréchet distance of the Gaussians with the moments of two tables.

    With the column means :math:`m` and the covariances :math:`C` (normalized by n - 1) of the two
    tables, the distance is

    .. math::

        \|m_a - m_b\|^2 + \mathrm{tr} \big( C_a + C_b - 2 (C_a C_b)^{1/2} \big),

    the squared 2-Wasserstein distance of the two Gaussians. It is the standard measure of the
    difference between generated and real rows. If the columns are the activations of the Inception
    network on images, it is the Fréchet inception distance (FID); for other data, use the features
    of :class:`~sklearn_intelvae.metrics.ClassifierFeatures`. Distances are comparable only if they
    are computed from the same features.

    Parameters
    ----------
    features_a : array-like of shape (n_samples_a, n_features)
        Features of one sample, for instance of real rows.
    features_b : array-like of shape (n_samples_b, n_features)
        Features of the other sample, for instance of generated rows.

    Returns
    -------
    distance : float
        At least 0, in the squared unit of the features; 0 if the moments are equal.

    Raises
    ------
    ValueError
        If a table has fewer than two rows or contains values that are not finite, or if the tables
        have different numbers of columns.

    Notes
    -----
    The estimate is biased upwards: two samples of one distribution have a positive distance, which
    decreases approximately as 1 / n and is large unless n is well above the number of columns.
    Compare distances of equal numbers of rows only, and report that number.

    The last term is computed as the sum of the singular values of :math:`R_a R_b^T`, where R are
    triangular factors of the centered tables. This avoids squared matrices and matrix square roots,
    so that singular covariances do not reduce the precision. The time grows as
    :math:`n d^2 + d^3`: a few seconds for 2,048 columns on one core.

    References
    ----------
    .. [1] D. C. Dowson, B. V. Landau. "The Fréchet Distance between Multivariate Normal
           Distributions." Journal of Multivariate Analysis 12(3), 1982.
    .. [2] M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter. "GANs Trained by a
           Two Time-Scale Update Rule Converge to a Local Nash Equilibrium." Advances in Neural
           Information Processing Systems 30, 2017.
    .. [3] M. Bińkowski, D. J. Sutherland, M. Arbel, A. Gretton. "Demystifying MMD GANs."
           International Conference on Learning Representations, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import frechet_distance
    >>> a = np.random.default_rng(0).standard_normal((500, 3))
    >>> round(frechet_distance(a, a + [3.0, 0.0, 4.0]), 6)
    25.0
    """
    a, b = _check_table(features_a, "features_a"), _check_table(features_b, "features_b")
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"features_a has {a.shape[1]} columns and features_b has {b.shape[1]}; compute both "
            "with the same features."
        )
    shift = a.mean(axis=0) - b.mean(axis=0)
    root_a, root_b = _triangular_root(a), _triangular_root(b)
    overlap = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    distance = shift @ shift + np.square(root_a).sum() + np.square(root_b).sum() - 2 * overlap
    return max(0.0, float(distance))


def _check_table(features, name):
    return check_array(features, dtype=np.float64, ensure_min_samples=2, input_name=name)


def _triangular_root(features):
    """Return a triangular R such that R.T @ R is the covariance."""
    centered = features - features.mean(axis=0)
    return np.linalg.qr(centered, mode="r") / np.sqrt(len(features) - 1)
