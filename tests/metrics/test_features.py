import pickle
import warnings

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_intelvae.metrics import ClassifierFeatures, frechet_distance

INTERNAL_CHECKS = [
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_param_validation",
    "check_get_feature_names_out_error",
    "check_n_features_in_after_fitting",
]


@parametrize_with_checks([ClassifierFeatures(), ClassifierFeatures((32, 8), max_iter=200)])
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check(estimator)


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize("name", INTERNAL_CHECKS)
def test_internal_checks_of_scikit_learn(name):
    getattr(estimator_checks, name)("ClassifierFeatures", ClassifierFeatures((8,), max_iter=2))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return X[:1200], y[:1200], X[1200:], y[1200:]


@pytest.fixture(scope="module")
def fitted(digits):
    return ClassifierFeatures((64, 16), random_state=0).fit(*digits[:2])


def test_it_classifies_digits(digits, fitted):
    assert fitted.score(*digits[2:]) > 0.88
    assert fitted.n_iter_ == 50


def test_the_output_layer_on_the_features_gives_the_probabilities(digits, fitted):
    features = fitted.transform(digits[2])
    assert features.shape == (597, 16)
    assert features.min() >= 0
    network = fitted.classifier_
    scores = features @ network.coefs_[-1] + network.intercepts_[-1]
    np.testing.assert_allclose(
        softmax(scores, axis=1), fitted.predict_proba(digits[2]), rtol=1e-4, atol=1e-6
    )


def test_predictions_are_those_of_the_classifier(digits, fitted):
    probabilities = fitted.predict_proba(digits[2])
    np.testing.assert_array_equal(probabilities, fitted.classifier_.predict_proba(digits[2]))
    best = fitted.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(fitted.predict(digits[2]), best)


def test_two_classes_and_strings_are_accepted(digits):
    X, y = digits[0][digits[1] < 2], digits[1][digits[1] < 2]
    names = np.array(["zero", "one"])[y]
    features = ClassifierFeatures((8,), random_state=0).fit(X, names)
    assert features.classes_.tolist() == ["one", "zero"]
    assert features.predict_proba(X).shape == (len(X), 2)
    assert features.score(X, names) > 0.98


def test_mixtures_of_classes_are_uncertain(digits, fitted):
    X, y = digits[2:]
    uncertain = [
        np.mean(fitted.predict_proba(rows).max(axis=1) < 0.8)
        for rows in (X, (X[y == 0][:40] + X[y == 1][:40]) / 2)
    ]
    assert uncertain[1] > 2 * uncertain[0]


def test_the_distance_of_the_features_increases_with_damage(digits, fitted):
    real, held_out = digits[0][:597], digits[2]
    noise = np.random.default_rng(0).standard_normal(held_out.shape)
    tables = [held_out, held_out + 0.2 * noise, held_out + 0.6 * noise, held_out[:, ::-1]]
    reference = fitted.transform(real)
    same, little, much, mirrored = (
        frechet_distance(reference, fitted.transform(rows)) for rows in tables
    )
    assert same < little < much
    assert same < mirrored


def test_a_seed_is_reproducible_and_the_global_generator_is_unchanged(digits):
    before = np.random.get_state()[1].copy()
    first, second, other = (
        ClassifierFeatures((8,), max_iter=3, random_state=seed)
        .fit(*digits[:2])
        .transform(digits[2])
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_is_preserved(digits, dtype):
    X = digits[0].astype(dtype)
    features = ClassifierFeatures((8,), max_iter=2, random_state=0).fit(X, digits[1])
    assert {w.dtype for w in features.classifier_.coefs_} == {np.dtype(dtype)}
    assert features.transform(X).dtype == dtype
    assert features.predict_proba(X).dtype == dtype


def test_only_the_convergence_warning_is_suppressed(digits):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ClassifierFeatures((8,), max_iter=1).fit(digits[0], digits[1][:, None])
    assert {w.category.__name__ for w in caught} == {"DataConversionWarning"}


def test_a_pickled_copy_is_equal_and_a_clone_is_not_fitted(digits, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(digits[2]), fitted.transform(digits[2]))
    with pytest.raises(NotFittedError):
        clone(fitted).transform(digits[2])


def test_output_columns_are_named_after_the_class(fitted):
    assert fitted.get_feature_names_out()[[0, -1]].tolist() == [
        "classifierfeatures0",
        "classifierfeatures15",
    ]


@pytest.mark.parametrize("sizes", [(), (0,), (8.0,), [(8, 8)], ("8",)])
def test_bad_sizes_are_refused(digits, sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be a sequence of at least one"):
        ClassifierFeatures(sizes).fit(*digits[:2])


def test_labels_must_be_classes(digits):
    with pytest.raises(ValueError, match="Unknown label type"):
        ClassifierFeatures((8,)).fit(digits[0], digits[0][:, 5] + 0.5)
