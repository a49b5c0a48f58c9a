"""scikit-learn's checks, and those that it runs on itself, on every estimator and mapping."""

import warnings

import pytest
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from benchmarks.contract import FURTHER, ONE_COMPONENT, declared_failures
from sklearn_intelvae import mappings
from sklearn_intelvae.estimators._parameters import REGISTRY, resolve
from tests.estimators.shelf import ESTIMATORS, REPRESENTATIVES, cases, marks_of, public_estimators


def test_every_public_estimator_and_every_mapping_is_checked():
    estimators = [clone(e) for e in ESTIMATORS.values()]
    assert {type(e) for e in estimators} == public_estimators()
    checked = {
        type(resolve("mapping", e.mapping)).__name__ for e in estimators if hasattr(e, "mapping")
    }
    assert set(mappings.__all__) - {"Mapping"} <= checked
    for parameter in ("mapping", "prior", "posterior", "objective"):
        named = {getattr(e, parameter, None) for e in estimators}
        assert set(REGISTRY[parameter]) <= {name for name in named if isinstance(name, str)}


def test_only_two_mappings_refuse_one_component():
    refusing = {
        n for n, e in ESTIMATORS.items() if ONE_COMPONENT.keys() <= declared_failures(e).keys()
    }
    assert refusing == {"InteLVAE mapping glue", "InteLVAE mapping hierarchy"}


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
        allowed = declared_failures(estimator)
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
