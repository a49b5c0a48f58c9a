"""How well factors are predicted from codes, and from which of their components."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC
from sklearn.utils import check_random_state

from sklearn_intelvae.metrics._factors import checked_codes, standardised

_TREES = {"n_estimators": 50, "min_samples_leaf": 3, "max_features": 1.0}


class DCI(NamedTuple):
    """What :func:`dci_scores` returns."""

    disentanglement: float
    completeness: float
    informativeness: float


def dci_scores(
    Z,
    W,
    *,
    predictor="forest",
    test_size=1 / 3,
    discrete_factors="auto",
    random_state=None,
):
    r"""Disentanglement, completeness and informativeness of a code.

    For each of L factors a model is fitted that predicts it from all K components; :math:`R_{ij}`
    is the importance that it gives to component i for factor j. With :math:`H_b` the entropy to
    base b of what is normalised to sum one, and :math:`\bar R = \sum_{ij} R_{ij}`,

    .. math::

        D = \sum_i \frac{\sum_j R_{ij}}{\bar R} \big(1 - H_L(R_{i \cdot})\big), \qquad
        C = \sum_j \frac{\sum_i R_{ij}}{\bar R} \big(1 - H_K(R_{\cdot j})\big).

    D is 1 if each component serves one factor, C if each factor needs one component. I is how well
    the models predict rows that they were not fitted to: the mean of accuracies, and of
    coefficients of determination, not below 0, for factors that are not discrete.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes.
    W : array-like of shape (n_samples, n_factors)
        The factors that X was made from.
    predictor : {"forest", "boosting"} or (classifier, regressor), default="forest"
        "forest" takes extremely randomised trees; "boosting" scikit-learn's gradient boosting, as
        most publications do, which takes some thirty times as long. Estimators of your own need
        ``feature_importances_`` after their fit.
    test_size : float, default=1/3
        Share of the rows that I is measured on.
    discrete_factors : "auto", bool or array-like of bool of shape (n_factors,), default="auto"
        Which factors are classes. "auto": those of whole numbers, unless these are more than 50 and
        more than one for every ten rows, as counts and rounded measurements are.
    random_state : int, RandomState instance or None, default=None
        Decides the split and the trees.

    Returns
    -------
    scores : named tuple of float
        ``disentanglement``, ``completeness`` and ``informativeness``, between 0 and 1. Turned by
        45 degrees, a perfect code still has a D of about .5.

    Raises
    ------
    ValueError
        If Z and W do not fit, hold values that are not finite, or a factor does not vary.

    References
    ----------
    .. [1] C. Eastwood, C. K. I. Williams. "A Framework for the Quantitative Evaluation of
           Disentangled Representations." International Conference on Learning Representations,
           2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import dci_scores
    >>> W = np.random.default_rng(0).integers(4, size=(600, 3))
    >>> scores = dci_scores(W, W, random_state=0)
    >>> min(scores) > 0.95
    True
    """
    Z, factors = checked_codes(Z, W, discrete_factors)
    generator = check_random_state(random_state)
    importances, scores = [], []
    for factor in factors:
        model = _predictor(predictor, factor.discrete, generator)
        target = factor.classes if factor.discrete else factor.values
        Z_train, Z_test, w_train, w_test = _split(Z, target, test_size, generator)
        _check_classes(factor, w_train)
        model.fit(Z_train, w_train)
        if not hasattr(model, "feature_importances_"):
            raise ValueError(
                f"{type(model).__name__} has no feature_importances_ after its fit, which "
                "disentanglement is computed from; take one that has, such as a forest."
            )
        importances.append(np.abs(model.feature_importances_))
        scores.append(max(0.0, model.score(Z_test, w_test)))
    R = np.stack(importances, axis=1)
    return DCI(_concentration(R), _concentration(R.T), float(np.mean(scores)))


def _predictor(predictor, discrete, generator):
    """Return an unfitted classifier or regressor."""
    if isinstance(predictor, str):
        pairs = {
            "forest": (ExtraTreesClassifier(**_TREES), ExtraTreesRegressor(**_TREES)),
            "boosting": (GradientBoostingClassifier(), GradientBoostingRegressor()),
        }
        if predictor not in pairs:
            raise ValueError(
                f"predictor must be 'forest', 'boosting' or a classifier and a regressor, got "
                f"{predictor!r}."
            )
        predictor = pairs[predictor]
    try:
        classifier, regressor = predictor
        model = clone(classifier if discrete else regressor)
    except TypeError as error:
        raise ValueError(
            "predictor must be 'forest', 'boosting' or a pair of estimators, a classifier and a "
            f"regressor; got {predictor!r}."
        ) from error
    if "random_state" in model.get_params():
        model.set_params(random_state=generator.randint(2**31))
    return model


def _concentration(R):
    """Return one minus the entropy of the rows, each weighted by its share of everything."""
    mass = R.sum(axis=1)
    if not mass.sum():
        return 0.0
    if R.shape[1] == 1:
        return 1.0
    used = mass > 0
    spread = entropy(R[used], axis=1, base=R.shape[1])
    return float(np.clip(np.sum(mass[used] / mass.sum() * (1 - spread)), 0, 1))


def sap_score(Z, W, *, test_size=1 / 3, discrete_factors="auto", random_state=None):
    r"""Return the separated attribute predictability (SAP): of each factor by one component.

    With :math:`S_{ij}` how well component i alone predicts factor j, the mean over factors of
    :math:`S_{(1) j} - S_{(2) j}`, the two components that predict it best. Of a discrete factor S
    is the accuracy of a linear support vector classifier on other rows, of another the squared
    correlation.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes.
    W : array-like of shape (n_samples, n_factors)
        The factors that X was made from.
    test_size : float, default=1/3
        Share of the rows that accuracies are measured on.
    discrete_factors : "auto", bool or array-like of bool of shape (n_factors,), default="auto"
        Which factors are classes. "auto": those of whole numbers, unless these are more than 50 and
        more than one for every ten rows, as counts and rounded measurements are.
    random_state : int, RandomState instance or None, default=None
        Decides the split.

    Returns
    -------
    score : float
        Between 0 and 1, for a perfect code of continuous factors. A linear classifier of one
        component finds few of many ordered classes, and the second best component guesses some, so
        that a perfect code has about .1 to .3 for factors with eight values and .5 for two.

    Raises
    ------
    ValueError
        If Z and W do not fit, a factor does not vary, or its values are too rare.

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
    Z, factors = checked_codes(Z, W, discrete_factors)
    _check_share(test_size)
    generator = check_random_state(random_state)
    gaps = []
    for factor in factors:
        if factor.discrete:
            scores = _accuracies(Z, factor, test_size, generator)
        else:
            scores = np.mean(Z * _unit(factor.values)[:, None], axis=0) ** 2
        best, second = np.sort(np.append(scores, 0.0))[[-1, -2]]
        gaps.append(best - second)
    return float(np.mean(gaps))


def _accuracies(Z, factor, test_size, generator):
    """Return how well each component alone tells the classes."""
    Z_train, Z_test, w_train, w_test = _split(Z, factor.classes, test_size, generator)
    _check_classes(factor, w_train)
    model = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
    return [
        model.fit(Z_train[:, i : i + 1], w_train).score(Z_test[:, i : i + 1], w_test)
        for i in range(Z.shape[1])
    ]


def _unit(values):
    return standardised(values[:, None])[:, 0]


def _check_classes(factor, w_train):
    if factor.discrete and np.ptp(w_train) == 0:
        raise ValueError(
            f"of column {factor.column} of W only one value is among the rows to learn from: its "
            "others are too rare. Leave it out, pass more rows, or another random_state."
        )


def _check_share(test_size):
    if not isinstance(test_size, Real) or not 0 < test_size < 1:
        raise ValueError(f"test_size is a share between 0 and 1, got {test_size!r}.")


def explicitness_score(
    Z, W, *, n_bins=20, test_size=1 / 3, discrete_factors="auto", random_state=None
):
    """Return the explicitness: how well linear models of the code tell a factor's values.

    The mean, over factors and over their values, of the area under the ROC curve of a logistic
    regression that tells rows of this value from the others, on rows that it was not fitted to.
    Factors that are not discrete are cut into equally wide bins.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes.
    W : array-like of shape (n_samples, n_factors)
        The factors that X was made from.
    n_bins : int, default=20
        Number of bins.
    test_size : float, default=1/3
        Share of the rows that the area is measured on.
    discrete_factors : "auto", bool or array-like of bool of shape (n_factors,), default="auto"
        Which factors are classes. "auto": those of whole numbers, unless these are more than 50 and
        more than one for every ten rows, as counts and rounded measurements are.
    random_state : int, RandomState instance or None, default=None
        Decides the split.

    Returns
    -------
    score : float
        About .5 for a code that knows nothing, 1 for a perfect one of factors with two values. Of
        more values in an order, those in the middle are no half-line, and the score is lower.

    Raises
    ------
    ValueError
        If Z and W do not fit, a factor does not vary, or there are too few rows of its values.

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
    Z, factors = checked_codes(Z, W, discrete_factors, n_bins)
    generator = check_random_state(random_state)
    areas = []
    for factor in factors:
        Z_train, Z_test, w_train, w_test = _split(Z, factor.classes, test_size, generator)
        for value in np.unique(w_train):
            if 0 < np.mean(w_test == value) < 1 and np.mean(w_train == value) < 1:
                model = LogisticRegression().fit(Z_train, w_train == value)
                areas.append(roc_auc_score(w_test == value, model.decision_function(Z_test)))
    if not areas:
        raise ValueError("there are too few rows of each value to learn from and to test on.")
    return float(np.mean(areas))


def _split(Z, target, test_size, generator):
    """Return Z and target of the rows to fit to, and of the others."""
    _check_share(test_size)
    return train_test_split(Z, target, test_size=test_size, random_state=generator)
