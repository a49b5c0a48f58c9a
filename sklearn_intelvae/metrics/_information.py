"""Scores that compare the mutual information of single components and single factors."""

import numpy as np
from sklearn.metrics import mutual_info_score

from sklearn_intelvae.metrics._validation import bin_values, check_codes_and_factors


def mutual_info_gap(Z, W, *, n_bins=20, discrete_factors="auto"):
    r"""Return the mutual information gap (MIG) of codes.

    MIG is the gap in mutual information between the two components that are most informative about
    a factor. With :math:`I_{ij}` the mutual information of component i and factor j, :math:`H_j`
    the entropy of the factor, and (1), (2) the two components with the largest :math:`I_{ij}`, it
    is the mean over factors of

    .. math:: \frac{1}{H_j} \big( I_{(1) j} - I_{(2) j} \big).

    Components and continuous factors are divided into bins of equal width.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, in any unit.
    W : array-like of shape (n_samples, n_factors)
        Ground-truth factors of the same rows.
    n_bins : int, default=20
        Number of bins of a component and of a continuous factor, at least 2.
    discrete_factors : "auto", bool or array-like of shape (n_factors,), default="auto"
        Whether each factor is discrete. "auto" treats a factor as discrete if its values are
        integers and at most max(50, n_samples // 10) of them are distinct; integers with more
        values, such as counts and rounded measurements, are continuous.

    Returns
    -------
    gap : float
        Between 0 and 1. A perfect code of continuous factors scores about 0.75 to 0.9, because the
        bins of a factor and of its component do not coincide. A perfect code of discrete factors
        with more values than bins also scores below 1.

    Raises
    ------
    ValueError
        If `Z` and `W` have different lengths or contain values that are not finite, a factor is
        constant, or a parameter is invalid.

    See Also
    --------
    dci_scores : Scores that also measure information which several components carry jointly.

    References
    ----------
    .. [1] R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud. "Isolating Sources of Disentanglement in
           Variational Autoencoders." Neural Information Processing Systems, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import mutual_info_gap
    >>> W = np.random.default_rng(0).integers(8, size=(2000, 3))
    >>> mutual_info_gap(W, W) > 0.9
    True
    >>> rotated = np.c_[W[:, 0] + W[:, 1], W[:, 0] - W[:, 1], W[:, 2]]
    >>> mutual_info_gap(rotated, W) < 0.4
    True
    """
    information, entropy = _mutual_information(Z, W, n_bins, discrete_factors)
    ranked = np.sort(np.vstack([np.zeros_like(entropy), information]), axis=0)
    return float(np.mean((ranked[-1] - ranked[-2]) / entropy))


def modularity_score(Z, W, *, n_bins=20, discrete_factors="auto"):
    r"""Return the modularity: the degree to which each component depends on one factor only.

    With :math:`I_{ij}` the mutual information of component i and factor j, as in
    :func:`mutual_info_gap`, L factors and :math:`m_i = \max_j I_{ij}`, it is the mean over
    components of

    .. math:: 1 - \frac{\sum_j I_{ij}^2 - m_i^2}{(L - 1)\, m_i^2}.

    A component that is independent of all factors contributes 0.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, in any unit.
    W : array-like of shape (n_samples, n_factors)
        Ground-truth factors of the same rows, at least two.
    n_bins : int, default=20
        Number of bins of a component and of a continuous factor, at least 2.
    discrete_factors : "auto", bool or array-like of shape (n_factors,), default="auto"
        Whether each factor is discrete. "auto" treats a factor as discrete if its values are
        integers and at most max(50, n_samples // 10) of them are distinct; integers with more
        values, such as counts and rounded measurements, are continuous.

    Returns
    -------
    score : float
        Between 0 and 1. The estimated mutual information of independent variables is positive in a
        finite sample, so that components without information do not score 0; with few rows they may
        score 0.5 or more.

    Raises
    ------
    ValueError
        If `Z` and `W` have different lengths or contain values that are not finite, a factor is
        constant, `W` has a single column, or a parameter is invalid.

    References
    ----------
    .. [1] K. Ridgeway, M. C. Mozer. "Learning Deep Disentangled Embeddings with the F-Statistic
           Loss." Neural Information Processing Systems, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import modularity_score
    >>> W = np.random.default_rng(0).integers(8, size=(2000, 3))
    >>> modularity_score(W[:, [2, 0, 0]], W) > 0.99
    True
    """
    information, entropy = _mutual_information(Z, W, n_bins, discrete_factors)
    if len(entropy) < 2:
        raise ValueError("W has one column; modularity requires at least two factors.")
    squared = information**2
    largest = squared.max(axis=1)
    others = squared.sum(axis=1) - largest
    informative = largest > 1e-24
    ratio = np.divide(others, largest, out=np.zeros_like(largest), where=informative)
    scores = np.clip(1 - ratio / (len(entropy) - 1), 0, 1)
    return float(np.mean(np.where(informative, scores, 0.0)))


def _mutual_information(Z, W, n_bins, discrete_factors):
    """Return the mutual information, (n_components, n_factors), and the entropies, in nats."""
    Z, factors = check_codes_and_factors(Z, W, discrete_factors, n_bins)
    codes = [bin_values(column, n_bins) for column in Z.T]
    information = [[mutual_info_score(f.classes, code) for f in factors] for code in codes]
    entropy = [mutual_info_score(f.classes, f.classes) for f in factors]
    return np.maximum(np.array(information), 0), np.array(entropy)
