"""Check the docstrings of the public names with numpydoc: sections, parameters, returns, examples.

Run ``python docs/validate_docstrings.py``; it prints every error and exits with 1 if there is one.
"""

import dataclasses
import functools
import importlib
import inspect
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import reference
from numpydoc.validate import validate

from sklearn_intelvae.training import train

IGNORED = {
    "ES01": "one sentence is enough where there is nothing to add",
    "SA01": "the page of each room lists what is related",
    "RT02": "returned values have names, as in scikit-learn's docstrings",
}
"""Codes that are never reported, and why."""

RECORD = {
    "PR01": "the parameters of a record are its fields, which are under Attributes",
    "EX01": "the function that returns the record has an example",
}
PROTOCOL = {"PR01": "a protocol is not called"}
OVERRIDES = dict.fromkeys(
    ("PR01", "RT01", "YD01"), "the base class that declares a method says what it takes and returns"
)
OF_PARTS = {"EX01": "the training calls the methods of parts; their class has an example"}
OF_TRAINING = {"EX01": "estimators call it, with a spec that they make of their parameters"}


def names():
    """Yield the full name of every public class, function and method, and the codes to ignore."""
    for room in reference.rooms():
        module = importlib.import_module(room)
        for name in reference.public_names(room):
            thing = getattr(module, name)
            if callable(thing):
                yield reference.address(room, name), codes_of(thing)
    for address, cls in reference.classes().items():
        for name in reference.members(cls):
            if is_documented_here(cls, name):
                yield f"{address}.{name}", codes_of_method(cls, name)


def codes_of(thing):
    """Return the codes that do not apply to a class or a function."""
    record = hasattr(thing, "_fields") or dataclasses.is_dataclass(thing)
    if record and "Attributes\n" in thing.__doc__:
        return RECORD
    if getattr(thing, "_is_protocol", False):
        return PROTOCOL
    return OF_TRAINING if thing is train else {}


def is_documented_here(cls, name):
    """Tell whether a member has a docstring in this class, or in one without a page."""
    owner = next(c for c in cls.__mro__ if name in vars(c))
    public = owner in reference.classes().values()
    ours = owner.__module__.startswith(reference.PACKAGE)
    return ours and not name.endswith("_request") and (owner is cls or not public)


def codes_of_method(cls, name):
    """Return the codes that do not apply to a member of a class."""
    codes = {} if reference.is_estimator(cls) else dict(OF_PARTS)
    if isinstance(inspect.getattr_static(cls, name), (property, functools.cached_property)):
        codes |= OF_PARTS
    declared = [c for c in cls.__mro__ if name in vars(c)]
    return codes | OVERRIDES if len(declared) > 1 and not reference.is_estimator(cls) else codes


def errors():
    """Yield each error as one line."""
    for name, others in names():
        for code, message in validate(name)["errors"]:
            if code not in IGNORED and code not in others:
                yield f"{name}: {code} {message}"


if __name__ == "__main__":
    found = sorted(set(errors()))
    for error in found:
        print(error)
    print(f"{len(found)} errors in {len(dict(names()))} docstrings")
    sys.exit(bool(found))
