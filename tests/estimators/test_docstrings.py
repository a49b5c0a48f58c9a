"""Docstrings and constructors: complete, true, and the same for what several estimators share."""

import ast
import inspect
import re
import textwrap

import pytest
from sklearn.utils._param_validation import StrOptions

from tests.estimators.shelf import SMALL, public_estimators

ESTIMATORS = sorted(public_estimators(), key=lambda cls: cls.__name__)
LATER = {"density_", "feature_names_in_"}
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)


def entries(estimator, section):
    """Return the type and the description of each name in a section of the docstring."""
    text = inspect.getdoc(estimator).split(f"{section}\n{'-' * len(section)}\n")[1]
    text = re.split(r"\n[A-Z][\w ]+\n-+\n", text)[0]
    _, *parts = re.split(r"^(\w[\w, ]*) : (.*)$", text, flags=re.MULTILINE)
    found = {}
    for names, kind, description in zip(*(parts[i::3] for i in range(3)), strict=True):
        found |= dict.fromkeys(names.split(", "), (kind, " ".join(description.split())))
    return found


def parameters(estimator):
    return inspect.signature(estimator).parameters


@every_estimator
def test_parameters(estimator):
    assert list(entries(estimator, "Parameters")) == list(parameters(estimator))
    assert sorted(parameters(estimator)) == sorted(estimator().get_params(deep=False))


@every_estimator
def test_attributes(estimator, X):
    fitted = estimator(**SMALL).fit(X)
    public = {name for name in vars(fitted) if name.endswith("_") and name[0] != "_"}
    documented = set(entries(estimator, "Attributes"))
    assert public <= documented
    assert all(hasattr(fitted, name) for name in documented - LATER)


@every_estimator
def test_every_entry_has_a_description(estimator):
    for section in ("Parameters", "Attributes"):
        assert all(description for _, description in entries(estimator, section).values())


@every_estimator
def test_defaults_are_those_of_the_constructor(estimator):
    for name, (kind, _) in entries(estimator, "Parameters").items():
        default = ast.literal_eval(kind.rpartition("default=")[2])
        assert default == parameters(estimator)[name].default


@every_estimator
def test_options_are_those_that_are_accepted(estimator):
    for name, (kind, description) in entries(estimator, "Parameters").items():
        constraints = estimator._parameter_constraints.get(name, [])
        accepted = {o for c in constraints if isinstance(c, StrOptions) for o in c.options}
        kind = kind.rpartition("default=")[0]
        if kind.startswith("str, "):
            continue  # the names are those that a room lists, see tests/mappings/test_shelf.py
        text = description if accepted and '"' not in kind else kind
        assert set(re.findall(r'"([^"]+)"', text)) == accepted


DIFFERENT = {
    "n_components": "of y, of y and z, or of a representation without a prior",
    "mapping": "SoftIntroVAE says which player trains it",
    "encoder": "PCL has no decoder",
    "hidden_layer_sizes": "PCL has no decoder",
    "module_": "PCL has another model",
    "linear_path": "PCL starts at another linear model",
    "learning_rate": "only some models start at a linear model",
    "learning_rate_init": "only some models start at a linear model",
    "batch_size": "only some models start at a linear model",
    "max_iter": "only some models start at a linear model",
}
"""Names whose descriptions differ between estimators, and why."""


def normalized(entry):
    """Return type and description without defaults and numbers, which may differ."""
    kind, description = entry
    return re.sub(r", default=.*", "", kind), re.sub(r"\d+", "#", description)


def shared():
    """Return the different descriptions of each name that several estimators document."""
    described = {}
    for estimator in ESTIMATORS:
        for section in ("Parameters", "Attributes"):
            for name, entry in entries(estimator, section).items():
                described.setdefault(name, []).append(normalized(entry))
    return {name: set(found) for name, found in described.items() if len(found) > 1}


def test_what_several_estimators_share_has_one_description():
    assert {name for name, found in shared().items() if len(found) > 1} == set(DIFFERENT)
    assert len(shared()) > 35


@every_estimator
def test_the_constructor_assigns_each_parameter_under_its_own_name(estimator):
    """And does nothing else, so that editors and ``clone`` find every attribute."""
    source = textwrap.dedent(inspect.getsource(vars(estimator)["__init__"]))
    (function,) = ast.parse(source).body
    assigned = [ast.unparse(statement) for statement in function.body]
    assert assigned == [f"self.{name} = {name}" for name in parameters(estimator)]
