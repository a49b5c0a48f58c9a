"""Separated attribute predictability (SAP)."""

import numpy as np
from sklearn.svm import LinearSVC
from sklearn.utils import check_random_state

from sklearn_intelvae.metrics._split import check_test_size, check_training_classes, split_rows
from sklearn_intelvae.metrics._validation import check_codes_and_factors, standardize


def sap_score(Z, W, *, test_size=1 / 3, discrete_factors="auto", random_state=None):
    r"""Return the separated attribute predictability (SAP) of codes.

    With :math:`S_{ij}` the score of predicting factor j from component i alone, and (1), (2) the
    two components with the highest scores for factor j, SAP is the mean over factors of

    .. math:: S_{(1) j} - S_{(2) j}.

    For a discrete factor, :math:`S_{ij}` is the test accuracy of a linear support vector
    classifier; for a continuous factor it is the squared correlation.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, in any unit.
    W : array-like of shape (n_samples, n_factors)
        Ground-truth factors of the same rows.
    test_size : float, default=1/3
        Fraction of the rows used as test rows, between 0 and 1.
    discrete_factors : "auto", bool or array-like of shape (n_factors,), default="auto"
        Whether each factor is discrete. "auto" treats a factor as discrete if its values are
        integers and at most max(50, n_samples // 10) of them are distinct; integers with more
        values, such as counts and rounded measurements, are continuous.
    random_state : int, RandomState instance or None, default=None
        Determines the split.

    Returns
    -------
    score : float
        Between 0 and 1; near 1 for a perfect code of continuous factors. A perfect code of discrete
        factors has about 0.5 for two values and 0.1 to 0.3 for eight: a linear classifier on one
        component separates few of many ordered classes, and the second-best component predicts
        some rows by chance.

    Raises
    ------
    ValueError
        If `Z` and `W` have different lengths or contain values that are not finite, a factor is
        constant, the training rows contain a single class of a factor, or a parameter is invalid.

    References
    ----------
    .. [1] A. Kumar, P. Sattigeri, A. Balakrishnan. "Variational Inference of Disentangled Latent
           Concepts from Unlabeled Observations." International Conference on Learning
           Representations, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import sap_score
    >>> W = np.random.default_rng(0).normal(size=(600, 3))
    >>> sap_score(W, W) > 0.9
    True
    """
    Z, factors = check_codes_and_factors(Z, W, discrete_factors)
    check_test_size(test_size)
    generator = check_random_state(random_state)
    gaps = []
    for factor in factors:
        if factor.discrete:
            scores = _accuracies(Z, factor, test_size, generator)
        else:
            scores = _squared_correlations(Z, factor)
        best, second = np.sort(np.append(scores, 0.0))[[-1, -2]]
        gaps.append(best - second)
    return float(np.mean(gaps))


def _accuracies(Z, factor, test_size, generator):
    """Return the test accuracy of a linear classifier on each component alone."""
    Z_train, Z_test, w_train, w_test = split_rows(Z, factor.classes, test_size, generator)
    check_training_classes(factor, w_train)
    model = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
    return [
        model.fit(Z_train[:, i : i + 1], w_train).score(Z_test[:, i : i + 1], w_test)
        for i in range(Z.shape[1])
    ]


def _squared_correlations(Z, factor):
    return np.mean(Z * standardize(factor.values[:, None]), axis=0) ** 2
