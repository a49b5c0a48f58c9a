"""Docstrings say what there is: every parameter, every fitted attribute, nothing else."""

import inspect
import re

import pytest
from shelf import SMALL
from sklearn.base import BaseEstimator

import sklearn_intelvae

PUBLIC = [getattr(sklearn_intelvae, name) for name in sklearn_intelvae.__all__]
ESTIMATORS = [e for e in PUBLIC if inspect.isclass(e) and issubclass(e, BaseEstimator)]
LATER = {"density_", "feature_names_in_"}


def entries(estimator, section):
    """Return the names that a section of the docstring explains, in order."""
    text = inspect.getdoc(estimator).split(f"{section}\n{'-' * len(section)}\n")[1]
    text = re.split(r"\n[A-Z][\w ]+\n-+\n", text)[0]
    lines = re.findall(r"^(\w[\w, ]*) :", text, re.MULTILINE)
    return [name for line in lines for name in line.split(", ")]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parameters(estimator):
    assert sorted(entries(estimator, "Parameters")) == sorted(estimator().get_params(deep=False))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_attributes(estimator, X):
    fitted = estimator(**SMALL).fit(X)
    public = {name for name in vars(fitted) if name.endswith("_") and name[0] != "_"}
    documented = set(entries(estimator, "Attributes"))
    assert public <= documented
    assert all(hasattr(fitted, name) for name in documented - LATER)
