"""scikit-learn's checks, and those that it runs on itself, on every estimator and mapping."""

import warnings

import pytest
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_intelvae import mappings
from sklearn_intelvae.estimators._parameters import REGISTRY, resolve
from tests.estimators.shelf import ESTIMATORS, REPRESENTATIVES, cases, marks_of, public_estimators

FURTHER = [
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_inplace_ensure_writeable",
    "check_get_feature_names_out_error",
    "check_n_features_in_after_fitting",
    "check_estimators_partial_fit_n_features",
    "check_fit_check_is_fitted",
]
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "minibatches and noise are drawn by row, so that a row of weight two is not two rows"
    )
}
SET_ONE_COMPONENT = [
    "check_dont_overwrite_parameters",
    "check_fit2d_1feature",
    "check_fit2d_predict1d",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
]


def expected_failures(estimator):
    """The checks that an estimator need not pass, and why."""
    if getattr(estimator, "mapping", None) not in ("glue", "hierarchy"):
        return EXPECTED_FAILURES
    reason = "the check sets n_components=1, which the mapping refuses"
    return EXPECTED_FAILURES | dict.fromkeys(SET_ONE_COMPONENT, reason)


def test_every_public_estimator_and_every_mapping_is_checked():
    estimators = [clone(e) for e in ESTIMATORS.values()]
    assert {type(e) for e in estimators} == public_estimators()
    checked = {
        type(resolve("mapping", e.mapping)).__name__ for e in estimators if hasattr(e, "mapping")
    }
    assert set(mappings.__all__) - {"Mapping"} <= checked
    for parameter in ("mapping", "posterior", "objective"):
        named = {getattr(e, parameter, None) for e in estimators}
        assert set(REGISTRY[parameter]) <= {name for name in named if isinstance(name, str)}


def test_every_public_estimator_is_checked_in_the_fast_tests_too():
    assert set(ESTIMATORS) >= REPRESENTATIVES
    assert {type(ESTIMATORS[name]) for name in REPRESENTATIVES} == public_estimators()


@pytest.mark.parametrize("estimator", sorted(public_estimators(), key=lambda cls: cls.__name__))
def test_a_name_means_the_same_part_in_every_estimator(estimator):
    for parameter, parts in REGISTRY.items():
        for name, part in parts.items():
            if parameter in estimator._get_param_names():
                shape = (1, 8, 8) if name == "conv" else None
                spec = estimator(**{parameter: name}, image_shape=shape)._spec()
                found = spec.objective if parameter == "objective" else spec.parts
                assert type(getattr(found, parameter, found)) is part


def checks():
    """Every check of every estimator, under the estimator's name on the shelf."""
    for name, estimator in ESTIMATORS.items():
        allowed = expected_failures(estimator)
        for case in estimator_checks_generator(estimator, expected_failed_checks=allowed):
            check = case[1]
            reason = allowed.get(check.func.__name__)
            marks = [*marks_of(name), *([pytest.mark.xfail(reason=reason)] if reason else [])]
            settings = [f"{key}={value}" for key, value in check.keywords.items()]
            id = "-".join([name, check.func.__name__, *settings])
            yield pytest.param(*case, id=id, marks=marks)


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check(estimator)


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize("name", FURTHER)
@pytest.mark.parametrize("estimator", cases(ESTIMATORS))
def test_checks_that_scikit_learn_runs_on_itself(estimator, name):
    check = getattr(estimator_checks, name)
    check(type(estimator).__name__, clone(estimator))
