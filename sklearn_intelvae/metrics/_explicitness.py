"""Explicitness of codes."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_random_state

from sklearn_intelvae.metrics._split import split_rows
from sklearn_intelvae.metrics._validation import check_codes_and_factors


def explicitness_score(
    Z, W, *, n_bins=20, test_size=1 / 3, discrete_factors="auto", random_state=None
):
    """Return the explicitness: how well linear models predict the factors from all components.

    For each value of each factor, a logistic regression on the codes separates the rows with this
    value from all others. The score is the mean, over values and factors, of the areas under the
    ROC curves on the test rows. Continuous factors are divided into bins of equal width.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, in any unit.
    W : array-like of shape (n_samples, n_factors)
        Ground-truth factors of the same rows.
    n_bins : int, default=20
        Number of bins of a continuous factor, at least 2.
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
        Between 0 and 1: about 0.5 for a code that is independent of the factors, 1 for a perfect
        code of binary factors. It is lower for a factor with more than two ordered values, because
        no half-space contains an intermediate value alone.

    Raises
    ------
    ValueError
        If `Z` and `W` have different lengths or contain values that are not finite, a factor is
        constant, there are too few rows of each factor value, or a parameter is invalid.

    References
    ----------
    .. [1] K. Ridgeway, M. C. Mozer. "Learning Deep Disentangled Embeddings with the F-Statistic
           Loss." Neural Information Processing Systems, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import explicitness_score
    >>> W = np.random.default_rng(0).integers(2, size=(600, 3))
    >>> explicitness_score(W, W, random_state=0)
    1.0
    """
    Z, factors = check_codes_and_factors(Z, W, discrete_factors, n_bins)
    generator = check_random_state(random_state)
    areas = []
    for factor in factors:
        Z_train, Z_test, w_train, w_test = split_rows(Z, factor.classes, test_size, generator)
        for value in np.unique(w_train):
            if 0 < np.mean(w_test == value) < 1 and np.mean(w_train == value) < 1:
                model = LogisticRegression().fit(Z_train, w_train == value)
                areas.append(roc_auc_score(w_test == value, model.decision_function(Z_test)))
    if not areas:
        raise ValueError(
            "There are too few rows of each factor value to train and to test a classifier; pass "
            "more rows."
        )
    return float(np.mean(areas))
