"""Features that a small classifier learns, and its verdict on rows that it has not seen."""

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
    r"""Learn features by telling classes apart: the last hidden layer of a small network.

    .. math::

        h_0 = x, \qquad h_l = \max(0, W_l h_{l-1} + b_l), \qquad
        p(\cdot \mid x) = \mathrm{softmax}(W h_L + b)

    ``transform`` returns :math:`h_L` and ``predict_proba`` the probabilities. Fitted to labelled
    real rows, it serves to judge generated ones in two ways:

    - the distance of the two samples in these features, by
      :func:`~sklearn_intelvae.metrics.frechet_distance`, without the weights of a foreign
      network and for any kind of data;
    - the share of rows that belong to no class clearly, for instance those whose largest
      probability is below 0.8.

    Such figures are comparable only if they come from the same fitted features. Hold generated
    rows against real ones that were kept from ``fit``: the network treats the rows that it was
    fitted to unlike all others.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(256, 64)
        Sizes of the hidden layers, at least one; the last is the number of features.
    max_iter : int, default=50
        Number of epochs of Adam, at most: training ends earlier when the loss no longer falls.
        Fifty epochs of 60,000 rows of 784 columns take about a minute on one core.
    random_state : int, RandomState instance or None, default=None
        Decides the initial weights and the order of the rows. Pass an int for the same features
        at every fit.

    Attributes
    ----------
    classifier_ : :class:`~sklearn.neural_network.MLPClassifier`
        The fitted network.
    classes_ : ndarray of shape (n_classes,)
        The class labels, in the order of ``predict_proba``'s columns.
    n_iter_ : int
        Number of epochs run.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in ``fit``, if they are strings.

    Notes
    -----
    The rows are used as they come. Scale them first, for instance to [0, 1]: a network learns
    slowly or not at all from columns of very different sizes. Where the table given to ``fit`` and
    the table in question are float32, all is computed and returned in float32, else in float64.

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
            Rows, scaled.
        y : array-like of shape (n_samples,)
            Class labels.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data cannot be used.
        """
        sizes = _check_sizes(self.hidden_layer_sizes)
        X, y = validate_data(self, X, y, dtype=_DTYPES)
        classifier = MLPClassifier(sizes, max_iter=self.max_iter, random_state=self.random_state)
        with warnings.catch_warnings():
            # Features are wanted after a fixed effort, converged or not.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.classifier_ = classifier.fit(X, y)
        self.classes_, self.n_iter_ = classifier.classes_, classifier.n_iter_
        return self

    def transform(self, X):
        """Return the activations of the last hidden layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        features : ndarray of shape (n_samples, hidden_layer_sizes[-1])
            At least 0.
        """
        h = self._validated(X)
        hidden = zip(self.classifier_.coefs_[:-1], self.classifier_.intercepts_[:-1], strict=True)
        for weights, bias in hidden:
            h = np.maximum(h @ weights + bias, 0)
        return h

    def predict(self, X):
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        X = self._validated(X)
        return self.classifier_.predict(X)

    def predict_proba(self, X):
        """Return the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        X = self._validated(X)
        return self.classifier_.predict_proba(X)

    @property
    def _n_features_out(self):
        return self.classifier_.coefs_[-1].shape[0]

    def _validated(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=_DTYPES, reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_sizes(sizes):
    array = np.asarray(sizes)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu" or array.min() < 1:
        raise ValueError(
            "hidden_layer_sizes must be a sequence of at least one positive int, such as "
            f"(256, 64), got {sizes!r}."
        )
    return tuple(array.tolist())
