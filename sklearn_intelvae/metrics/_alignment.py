"""Correlations of codes with factors or principal components, after matching the columns."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata
from sklearn.utils import check_array, check_consistent_length

from sklearn_intelvae.metrics._validation import standardize


def mean_correlation(Z, W, *, method="pearson"):
    r"""Return the mean correlation coefficient (MCC) of components and factors.

    Each factor is matched with one component, and no component with two factors, such that the mean
    of the absolute correlations is maximal. That mean is the score.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, in any unit.
    W : array-like of shape (n_samples, n_factors)
        Ground-truth factors of the same rows.
    method : {"pearson", "spearman"}, default="pearson"
        Correlation coefficient. "pearson" measures linear relations; "spearman", the correlation of
        ranks, measures monotone relations.

    Returns
    -------
    correlation : float
        Between 0 and 1; 0.71 for a perfect code that is rotated by 45 degrees. If there are more
        factors than components, the unmatched factors contribute 0.

    Raises
    ------
    ValueError
        If `Z` and `W` have different lengths or contain values that are not finite, or `method` is
        unknown.

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
        Z, W = rankdata(standardize(Z), axis=0), rankdata(standardize(W), axis=0)
    return _matched_correlation(Z, W, W.shape[1])


def pca_alignment(Z, X):
    r"""Return the mean correlation of components with the principal components of X.

    Components and principal component scores are matched one to one such that the mean of their
    absolute correlations is maximal. That mean is the alignment. Components that do not vary are
    ignored.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes of the rows of `X`, in any unit.
    X : array-like of shape (n_samples, n_features)
        Data.

    Returns
    -------
    alignment : float
        Between 0 and 1. Near 1, the latent axes are the principal directions of `X`, as for a
        beta-VAE of nearly linear data. It is 0 if no component varies.

    Raises
    ------
    ValueError
        If `Z` and `X` have different lengths or contain values that are not finite.

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
    varying = standardize(Z).any(axis=0)
    if not varying.any():
        return 0.0
    U, S, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    scores = (U * S)[:, 1e-10 * S[:1] < S]
    return _matched_correlation(Z[:, varying], scores, min(varying.sum(), scores.shape[1]))


def _matched_correlation(A, B, n):
    """Return the sum of the absolute correlations of the best matching of columns, over n."""
    correlation = np.abs(standardize(A).T @ standardize(B)) / len(A)
    pairs = linear_sum_assignment(correlation, maximize=True)
    return float(np.clip(correlation[pairs].sum() / n, 0, 1))
