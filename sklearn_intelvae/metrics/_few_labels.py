"""Accuracy of a classifier on codes as a function of the number of labels."""

from numbers import Integral

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets


def few_label_curve(
    Z_train,
    y_train,
    Z_test,
    y_test,
    n_labels=(20, 50, 100, 500),
    probe="linear",
    n_repeats=10,
    random_state=None,
):
    """Return the accuracy of a classifier on codes as a function of the number of labels.

    For each number of labels, `n_repeats` subsets of the training codes are drawn. A new clone of
    the probe is fitted to each subset, and its accuracy on all test codes is recorded. The subsets
    are stratified by `y_train` and contain at least one row of each class if they are large enough.
    Within a repetition, larger subsets contain the smaller ones.

    The subsets depend on `y_train` and `random_state` only. Two representations of the same rows
    that are evaluated with the same integer `random_state` are therefore compared on the same
    labels.

    Parameters
    ----------
    Z_train : array-like of shape (n_train, n_components)
        Codes that the labeled subsets are drawn from.
    y_train : array-like of shape (n_train,)
        Class labels of `Z_train`.
    Z_test : array-like of shape (n_test, n_components)
        Codes that the accuracy is measured on.
    y_test : array-like of shape (n_test,)
        Class labels of `Z_test`.
    n_labels : int or sequence of int, default=(20, 50, 100, 500)
        Numbers of labels to evaluate, each between 2 and n_train.
    probe : {"linear", "forest"} or classifier instance, default="linear"
        Classifier. "linear" is a logistic regression on standardized codes; "forest" is the random
        forest of [1]_, with 50 trees of depth 4. An instance is cloned for each fit and not
        modified; its parameters named ``random_state`` that are None are set from `random_state`.
    n_repeats : int, default=10
        Number of subsets for each number of labels, at least 1.
    random_state : int, RandomState instance or None, default=None
        Determines the subsets and the randomness of the probe. Pass an int to compare
        representations.

    Returns
    -------
    curve : pandas.DataFrame
        One row for each number of labels, with the columns ``n_labels``, ``mean`` and ``std`` (of
        the accuracy over the subsets) and ``n_repeats``.

    Raises
    ------
    ValueError
        If `n_labels`, `probe` or `n_repeats` is invalid, the arrays have different lengths or
        different numbers of components, or `y_train` contains a single class.

    References
    ----------
    .. [1] N. Miao, E. Mathieu, N. Siddharth, Y. W. Teh, T. Rainforth. "On Incorporating Inductive
           Biases into VAEs." International Conference on Learning Representations, 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae.metrics import few_label_curve
    >>> X, y = load_digits(return_X_y=True)
    >>> curve = few_label_curve(X[:1000], y[:1000], X[1000:], y[1000:],
    ...                         n_labels=(20, 200), n_repeats=3, random_state=0)
    >>> list(curve.columns)
    ['n_labels', 'mean', 'std', 'n_repeats']
    >>> bool(curve["mean"][1] > curve["mean"][0])
    True
    """
    Z_train, y_train = _check_codes(Z_train, y_train, "train")
    Z_test, y_test = _check_codes(Z_test, y_test, "test")
    _check_match(Z_train, Z_test, y_train)
    sizes = _check_n_labels(n_labels, len(y_train))
    _check_n_repeats(n_repeats)
    probe = _check_probe(probe)
    draws = _draw_orders(y_train, n_repeats, check_random_state(random_state))

    def accuracy(rows, seed):
        fitted = _clone_with_seed(probe, seed).fit(Z_train[rows], y_train[rows])
        return accuracy_score(y_test, fitted.predict(Z_test.copy()))

    return _make_table(
        sizes, [[accuracy(order[:size], seed) for order, seed in draws] for size in sizes]
    )


def _draw_orders(y, n_repeats, rng):
    """Return an order of the rows and a seed for each repetition, independent of the codes."""
    return [(_stratified_order(y, rng), rng.randint(2**31 - 1)) for _ in range(n_repeats)]


def _stratified_order(y, rng):
    """Return an order of the rows whose prefixes are all stratified.

    One row of each class comes first; the others follow in proportion to the class sizes.
    """
    shuffled = rng.permutation(len(y))
    position = np.empty(len(y))
    for label in np.unique(y):
        rows = shuffled[y[shuffled] == label]
        position[rows] = (np.arange(len(rows)) + rng.uniform()) / len(rows)
        position[rows[0]] -= 1
    return np.argsort(position, kind="stable")


def _clone_with_seed(probe, seed):
    """Clone the probe and set every ``random_state`` that is None."""
    probe = clone(probe)
    unseeded = [
        name
        for name, value in probe.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    ]
    return probe.set_params(**dict.fromkeys(unseeded, seed))


def _make_table(sizes, scores):
    # Imported here because no other metric requires pandas.
    import pandas as pd

    return pd.DataFrame(
        {
            "n_labels": sizes,
            "mean": np.mean(scores, axis=1),
            "std": np.std(scores, axis=1),
            "n_repeats": len(scores[0]),
        }
    )


def _check_probe(probe):
    if isinstance(probe, str) and probe == "linear":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    if isinstance(probe, str) and probe == "forest":
        return RandomForestClassifier(max_depth=4, n_estimators=50)
    if isinstance(probe, (str, type)) or not is_classifier(probe):
        raise ValueError(
            f"probe must be 'linear', 'forest' or an instance of a classifier, got {probe!r}."
        )
    return probe


def _check_codes(Z, y, part):
    Z = check_array(Z, dtype=np.float64, input_name=f"Z_{part}")
    y = column_or_1d(y)
    check_consistent_length(Z, y)
    check_classification_targets(y)
    return Z, y


def _check_match(Z_train, Z_test, y_train):
    if Z_train.shape[1] != Z_test.shape[1]:
        raise ValueError(
            f"Z_train has {Z_train.shape[1]} components and Z_test has {Z_test.shape[1]}; compute "
            "both with the same representation."
        )
    if len(np.unique(y_train)) < 2:
        raise ValueError("y_train contains a single class; the probe requires at least two.")


def _check_n_labels(n_labels, n_train):
    sizes = np.atleast_1d(n_labels)
    if sizes.ndim != 1 or sizes.size == 0 or sizes.dtype.kind not in "iu":
        raise ValueError(f"n_labels must be an int or a sequence of ints, got {n_labels!r}.")
    if sizes.min() < 2 or sizes.max() > n_train:
        raise ValueError(
            f"n_labels must lie between 2 and the number of training codes, {n_train}; got "
            f"{n_labels!r}. Remove the values outside this range or pass more training codes."
        )
    return sizes


def _check_n_repeats(n_repeats):
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be an int of at least 1, got {n_repeats!r}.")
