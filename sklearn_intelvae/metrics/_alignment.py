"""Codes matched, one by one, with other columns."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata
from sklearn.utils import check_array, check_consistent_length

from sklearn_intelvae.metrics._factors import standardised


def mean_correlation(Z, W, *, method="pearson"):
    r"""Mean correlation coefficient (MCC) of components and factors that are matched best.

    Each factor is given a component of its own, such that the mean of the absolute correlations is
    largest.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes.
    W : array-like of shape (n_samples, n_factors)
        The factors that X was made from.
    method : {"pearson", "spearman"}, default="pearson"
        "spearman" correlates ranks, and so asks for any monotone relation instead of a linear one.

    Returns
    -------
    correlation : float
        Between 0 and 1; .71 for a perfect code that is turned by 45 degrees. Factors without a
        component, if there are more of them, count as 0.

    Raises
    ------
    ValueError
        If Z and W do not fit or hold values that are not finite.

    References
    ----------
    .. [1] A. Hyvarinen, H. Morioka. "Unsupervised Feature Extraction by Time-Contrastive Learning
           and Nonlinear ICA." Neural Information Processing Systems, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import mean_correlation
    >>> W = np.random.default_rng(0).normal(size=(500, 3))
    >>> round(mean_correlation(-2 * W[:, [1, 2, 0]], W), 3)
    1.0
    """
    Z = check_array(Z, dtype=np.float64, ensure_min_samples=2, input_name="Z")
    W = check_array(W, dtype=np.float64, ensure_min_samples=2, input_name="W")
    check_consistent_length(Z, W)
    if method not in ("pearson", "spearman"):
        raise ValueError(f"method must be 'pearson' or 'spearman', got {method!r}.")
    if method == "spearman":
        Z, W = rankdata(standardised(Z), axis=0), rankdata(standardised(W), axis=0)
    return _matched(Z, W, W.shape[1])


def pca_alignment(Z, X):
    r"""Tell how far the components of a code are principal components of X.

    The mean absolute correlation of components and principal component scores, each matched with
    another such that the mean is largest. Components that do not vary are left out.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes of X.
    X : array-like of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    alignment : float
        Between 0 and 1. Near 1: the axes of the code are those of the variance of X, and mean
        what these mean. A beta-VAE of nearly linear data comes out so.

    Raises
    ------
    ValueError
        If Z and X do not fit or hold values that are not finite.

    References
    ----------
    .. [1] M. Rolinek, D. Zietlow, G. Martius. "Variational Autoencoders Pursue PCA Directions (by
           Accident)." Conference on Computer Vision and Pattern Recognition, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_intelvae.metrics import pca_alignment
    >>> X = np.random.default_rng(0).normal(size=(500, 6)) * [5, 4, 3, 2, 1, 1]
    >>> round(pca_alignment(PCA(3).fit_transform(X), X), 3)
    1.0
    """
    Z = check_array(Z, dtype=np.float64, ensure_min_samples=2, input_name="Z")
    X = check_array(X, dtype=np.float64, ensure_min_samples=2, input_name="X")
    check_consistent_length(Z, X)
    alive = standardised(Z).any(axis=0)
    if not alive.any():
        return 0.0
    U, S, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    scores = (U * S)[:, 1e-10 * S[:1] < S]
    return _matched(Z[:, alive], scores, min(alive.sum(), scores.shape[1]))


def _matched(A, B, n):
    """Return the sum of the largest one-to-one correlations of columns, over n."""
    correlation = np.abs(standardised(A).T @ standardised(B)) / len(A)
    pairs = linear_sum_assignment(correlation, maximize=True)
    return float(np.clip(correlation[pairs].sum() / n, 0, 1))
