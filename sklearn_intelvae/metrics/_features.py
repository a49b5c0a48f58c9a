"""Features learned by a small classifier, and its class probabilities for new rows."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

_DTYPES = [np.float64, np.float32]


class ClassifierFeatures(
    ClassNamePrefixFeaturesOutMixin, ClassifierMixin, TransformerMixin, BaseEstimator
):
    r"""Classifier whose last hidden layer serves as features for comparing samples.

    .. math::

        h_0 = x, \qquad h_l = \max(0, W_l h_{l-1} + b_l), \qquad
        p(\cdot \mid x) = \mathrm{softmax}(W h_L + b)

    ``transform`` returns :math:`h_L` and ``predict_proba`` the probabilities. A classifier that is
    fitted to labeled real rows evaluates generated rows in two ways:

    - by the :func:`~sklearn_intelvae.metrics.frechet_distance` between real and generated rows in
      these features, which requires no pretrained network and applies to any kind of data;
    - by the fraction of generated rows that are not clearly in one class, for instance rows whose
      largest class probability is below 0.8.

    Results are comparable only if they are computed with the same fitted classifier. Compare
    generated rows with held-out real rows, not with the rows passed to ``fit``, because the
    features of training rows have a different distribution.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(256, 64)
        Sizes of the hidden layers, at least one; the last is the number of features.
    max_iter : int, default=50
        Maximum number of epochs of Adam; training stops earlier if the loss stops decreasing.
        Fifty epochs of 60,000 rows of 784 columns take about a minute on one core.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights and the order of the rows. Pass an int for reproducible
        features.

    Attributes
    ----------
    classifier_ : :class:`~sklearn.neural_network.MLPClassifier`
        Fitted network.
    classes_ : ndarray of shape (n_classes,)
        Class labels, in the order of the columns of ``predict_proba``.
    n_iter_ : int
        Number of completed epochs.
    n_features_in_ : int
        Number of columns of the `X` passed to ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of the `X` passed to ``fit``, if all of them are strings.

    Notes
    -----
    The rows are not scaled. Scale them first, for instance to [0, 1]: a network trains slowly or
    not at all on columns of very different scales. Computations and results are in float32 if both
    the table passed to ``fit`` and the current table are float32, and in float64 otherwise.

    References
    ----------
    .. [1] N. Miao, E. Mathieu, N. Siddharth, Y. W. Teh, T. Rainforth. "On Incorporating Inductive
           Biases into VAEs." International Conference on Learning Representations, 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae.metrics import ClassifierFeatures, frechet_distance
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> features = ClassifierFeatures((64, 16), random_state=0).fit(X, y)
    >>> features.transform(X).shape
    (1797, 16)
    >>> real, fake = features.transform(X[::2]), features.transform(1 - X[1::2])
    >>> frechet_distance(real, fake) > 10 * frechet_distance(real, features.transform(X[1::2]))
    True
    """

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, hidden_layer_sizes=(256, 64), max_iter=50, random_state=None):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train the classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, scaled.
        y : array-like of shape (n_samples,)
            Class labels.

        Returns
        -------
        self : ClassifierFeatures
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is invalid, or `X` or `y` contains values that are not finite, has the
            wrong number of dimensions, or `y` does not contain class labels.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_intelvae.metrics import ClassifierFeatures
        >>> X, y = load_iris(return_X_y=True)
        >>> ClassifierFeatures((8,), max_iter=5, random_state=0).fit(X, y).n_iter_
        5
        """
        sizes = _check_hidden_layer_sizes(self.hidden_layer_sizes)
        X, y = validate_data(self, X, y, dtype=_DTYPES)
        classifier = MLPClassifier(sizes, max_iter=self.max_iter, random_state=self.random_state)
        with warnings.catch_warnings():
            # max_iter limits the effort by design, so that no convergence is expected.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.classifier_ = classifier.fit(X, y)
        self.classes_, self.n_iter_ = classifier.classes_, classifier.n_iter_
        return self

    def transform(self, X):
        """Return the activations of the last hidden layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, scaled like the training rows.

        Returns
        -------
        features : ndarray of shape (n_samples, hidden_layer_sizes[-1])
            Activations, all at least 0.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If `X` contains values that are not finite, or its number of columns differs from that
            of the training rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_intelvae.metrics import ClassifierFeatures
        >>> X, y = load_iris(return_X_y=True)
        >>> ClassifierFeatures((8,), max_iter=5, random_state=0).fit(X, y).transform(X).shape
        (150, 8)
        """
        h = self._validate(X)
        hidden = zip(self.classifier_.coefs_[:-1], self.classifier_.intercepts_[:-1], strict=True)
        for weights, bias in hidden:
            h = np.maximum(h @ weights + bias, 0)
        return h

    def predict(self, X):
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, scaled like the training rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predicted class labels.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If `X` contains values that are not finite, or its number of columns differs from that
            of the training rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_intelvae.metrics import ClassifierFeatures
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = ClassifierFeatures((8,), max_iter=500, random_state=0).fit(X, y)
        >>> classifier.predict(X[[0, -1]])
        array([0, 2])
        """
        X = self._validate(X)
        return self.classifier_.predict(X)

    def predict_proba(self, X):
        """Return the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, scaled like the training rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Class probabilities; the columns are in the order of ``classes_``.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        ValueError
            If `X` contains values that are not finite, or its number of columns differs from that
            of the training rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_intelvae.metrics import ClassifierFeatures
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = ClassifierFeatures((8,), max_iter=500, random_state=0).fit(X, y)
        >>> classifier.predict_proba(X).shape
        (150, 3)
        """
        X = self._validate(X)
        return self.classifier_.predict_proba(X)

    @property
    def _n_features_out(self):
        return self.classifier_.coefs_[-1].shape[0]

    def _validate(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=_DTYPES, reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_hidden_layer_sizes(sizes):
    array = np.asarray(sizes)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu" or array.min() < 1:
        raise ValueError(
            "hidden_layer_sizes must be a sequence of at least one positive int, such as "
            f"(256, 64), got {sizes!r}."
        )
    return tuple(array.tolist())
