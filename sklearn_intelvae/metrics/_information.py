"""What single components of a code say about single factors, in nats."""

import numpy as np
from sklearn.metrics import mutual_info_score

from sklearn_intelvae.metrics._factors import binned, checked_codes


def mutual_info_gap(Z, W, *, n_bins=20, discrete_factors="auto"):
    r"""Return the mutual information gap (MIG): whether one component alone knows each factor.

    With :math:`I_{ij}` the mutual information of component i and factor j and :math:`H_j` the
    entropy of the factor, the mean over factors of

    .. math:: \frac{1}{H_j} \big( I_{(1) j} - I_{(2) j} \big),

    where (1) and (2) are the two components that say most about factor j. Components, and factors
    that are not discrete, are cut into equally wide bins.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, usually ``transform(X)``.
    W : array-like of shape (n_samples, n_factors)
        The factors that X was made from.
    n_bins : int, default=20
        Number of bins.
    discrete_factors : "auto", bool or array-like of bool of shape (n_factors,), default="auto"
        Which factors are classes. "auto": those of whole numbers, unless these are more than 50 and
        more than one for every ten rows, as counts and rounded measurements are.

    Returns
    -------
    gap : float
        Between 0 and 1. A perfect code of continuous factors has about .75 to .9, since bins of a
        factor and those of its code do not coincide; one of factors with more values than there
        are bins has less than 1, too.

    Raises
    ------
    ValueError
        If Z and W do not fit, hold values that are not finite, or a factor does not vary.

    See Also
    --------
    dci_scores : The same question for codes whose components say something together.

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
    >>> turned = np.c_[W[:, 0] + W[:, 1], W[:, 0] - W[:, 1], W[:, 2]]
    >>> mutual_info_gap(turned, W) < 0.4
    True
    """
    information, entropy = _information(Z, W, n_bins, discrete_factors)
    ranked = np.sort(np.vstack([np.zeros_like(entropy), information]), axis=0)
    return float(np.mean((ranked[-1] - ranked[-2]) / entropy))


def modularity_score(Z, W, *, n_bins=20, discrete_factors="auto"):
    r"""Return the modularity: whether each component knows one factor alone.

    With :math:`I_{ij}` as in :func:`mutual_info_gap`, L factors and
    :math:`m_i = \max_j I_{ij}`, the mean over components of

    .. math:: 1 - \frac{\sum_j I_{ij}^2 - m_i^2}{(L - 1)\, m_i^2},

    where a component that knows nothing counts as 0.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes.
    W : array-like of shape (n_samples, n_factors)
        The factors, at least two.
    n_bins : int, default=20
        Number of bins.
    discrete_factors : "auto", bool or array-like of bool of shape (n_factors,), default="auto"
        Which factors are classes. "auto": those of whole numbers, unless these are more than 50 and
        more than one for every ten rows, as counts and rounded measurements are.

    Returns
    -------
    score : float
        Between 0 and 1. Components that only seem to know something, by the chance of a finite
        sample, do not score 0; with few rows they may score .5 and more.

    Raises
    ------
    ValueError
        If Z and W do not fit, a factor does not vary, or there is only one.

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
    information, entropy = _information(Z, W, n_bins, discrete_factors)
    if len(entropy) < 2:
        raise ValueError("W has one column, and modularity asks for at least two factors.")
    squared = information**2
    most = squared.max(axis=1)
    others = squared.sum(axis=1) - most
    known = most > 1e-24
    share = np.divide(others, most, out=np.zeros_like(most), where=known)
    scores = np.clip(1 - share / (len(entropy) - 1), 0, 1)
    return float(np.mean(np.where(known, scores, 0.0)))


def _information(Z, W, n_bins, discrete_factors):
    """Return the information of components and factors, (n_components, L), and the entropies."""
    Z, factors = checked_codes(Z, W, discrete_factors, n_bins)
    codes = [binned(column, n_bins) for column in Z.T]
    information = [[mutual_info_score(f.classes, code) for f in factors] for code in codes]
    entropy = [mutual_info_score(f.classes, f.classes) for f in factors]
    return np.maximum(np.array(information), 0), np.array(entropy)
