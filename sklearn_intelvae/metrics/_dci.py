"""Disentanglement, completeness and informativeness (DCI)."""

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
from sklearn.utils import check_random_state

from sklearn_intelvae.metrics._split import check_training_classes, split_rows
from sklearn_intelvae.metrics._validation import check_codes_and_factors

_FOREST_PARAMETERS = {"n_estimators": 50, "min_samples_leaf": 3, "max_features": 1.0}


class DCI(NamedTuple):
    """Result of :func:`dci_scores`.

    Attributes
    ----------
    disentanglement : float
        Between 0 and 1; 1 if each component is used for one factor.
    completeness : float
        Between 0 and 1; 1 if each factor is predicted from one component.
    informativeness : float
        Between 0 and 1; mean accuracy of the predictions on the test rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import dci_scores
    >>> W = np.random.default_rng(0).integers(4, size=(600, 3))
    >>> dci_scores(W, W, random_state=0).informativeness
    1.0
    """

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
    r"""Return disentanglement, completeness and informativeness of codes.

    For each of the L factors, a predictor is fitted to all K components; :math:`R_{ij}` is the
    absolute feature importance of component i for factor j. With :math:`H_b(v)` the entropy, to
    base b, of the vector v normalized to sum 1, and :math:`\bar R = \sum_{ij} R_{ij}`,

    .. math::

        D = \sum_i \frac{\sum_j R_{ij}}{\bar R} \big(1 - H_L(R_{i \cdot})\big), \qquad
        C = \sum_j \frac{\sum_i R_{ij}}{\bar R} \big(1 - H_K(R_{\cdot j})\big).

    D is 1 if each component is used for one factor, C is 1 if each factor is predicted from one
    component. I is the mean over factors of the score of the predictor on the test rows: the
    accuracy for a discrete factor, the coefficient of determination, clipped below at 0, for a
    continuous one.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, in any unit.
    W : array-like of shape (n_samples, n_factors)
        Ground-truth factors of the same rows.
    predictor : {"forest", "boosting"} or tuple of (classifier, regressor), default="forest"
        Model that predicts a factor: the classifier for discrete factors, the regressor for
        continuous ones. "forest" uses extremely randomized trees. "boosting" uses scikit-learn's
        gradient boosting, as most publications do, and takes about thirty times as long. Other
        estimators must have ``feature_importances_`` after ``fit``.
    test_size : float, default=1/3
        Fraction of the rows used as test rows, between 0 and 1.
    discrete_factors : "auto", bool or array-like of shape (n_factors,), default="auto"
        Whether each factor is discrete. "auto" treats a factor as discrete if its values are
        integers and at most max(50, n_samples // 10) of them are distinct; integers with more
        values, such as counts and rounded measurements, are continuous.
    random_state : int, RandomState instance or None, default=None
        Determines the split and the randomness of the predictors.

    Returns
    -------
    scores : DCI
        Named tuple of the floats ``disentanglement``, ``completeness`` and ``informativeness``,
        each between 0 and 1. A perfect code that is rotated by 45 degrees still has a
        disentanglement of about 0.5.

    Raises
    ------
    ValueError
        If `Z` and `W` have different lengths or contain values that are not finite, a factor is
        constant, the training rows contain a single class of a factor, or a parameter is invalid.

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
    Z, factors = check_codes_and_factors(Z, W, discrete_factors)
    generator = check_random_state(random_state)
    importances, scores = [], []
    for factor in factors:
        model = _make_predictor(predictor, factor.discrete, generator)
        target = factor.classes if factor.discrete else factor.values
        Z_train, Z_test, w_train, w_test = split_rows(Z, target, test_size, generator)
        check_training_classes(factor, w_train)
        model.fit(Z_train, w_train)
        importances.append(_feature_importances(model))
        scores.append(max(0.0, model.score(Z_test, w_test)))
    R = np.stack(importances, axis=1)
    return DCI(_concentration(R), _concentration(R.T), float(np.mean(scores)))


def _make_predictor(predictor, discrete, generator):
    """Return an unfitted classifier for a discrete factor, an unfitted regressor otherwise."""
    if isinstance(predictor, str):
        pairs = {
            "forest": (
                ExtraTreesClassifier(**_FOREST_PARAMETERS),
                ExtraTreesRegressor(**_FOREST_PARAMETERS),
            ),
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


def _feature_importances(model):
    if not hasattr(model, "feature_importances_"):
        raise ValueError(
            f"{type(model).__name__} has no feature_importances_ after fit, which the scores are "
            "computed from. Pass an estimator that has them, such as a forest."
        )
    return np.abs(model.feature_importances_)


def _concentration(R):
    """Return the mean over rows of one minus the entropy, weighted by the row sums."""
    mass = R.sum(axis=1)
    if not mass.sum():
        return 0.0
    if R.shape[1] == 1:
        return 1.0
    used = mass > 0
    spread = entropy(R[used], axis=1, base=R.shape[1])
    return float(np.clip(np.sum(mass[used] / mass.sum() * (1 - spread)), 0, 1))
