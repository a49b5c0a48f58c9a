"""What the pages of the API reference list, read from the package so that no list is kept by hand.

A room is a public module of the package. Its page lists the names in its `__all__`; the page of a
class lists the methods and properties that the package defines and, for an estimator, also those
that it has from scikit-learn. A type in a docstring links to the class that it names.
"""

import collections
import functools
import importlib
import inspect
import pkgutil

from sklearn.base import BaseEstimator
from torch import nn

import sklearn_intelvae

PACKAGE = sklearn_intelvae.__name__
# Words in types that numpydoc would link, each time, to the pages of Python or NumPy.
PLAIN = (
    "None bool boolean True False list tuple str string dict float int callable iterable sequence "
    "contextmanager namedtuple generator array array-like array_like scalar np.inf np.nan numpy"
)
ELSEWHERE = [
    "matplotlib.axes.Axes",
    "numpy.ndarray",
    "numpy.random.RandomState",
    "pandas.DataFrame",
    "sklearn.exceptions.NotFittedError",
    "sklearn.utils.Bunch",
    "torch.Generator",
    "torch.Tensor",
    "torch.nn.Module",
]


def rooms():
    """Return the full names of the public modules."""
    found = pkgutil.iter_modules(sklearn_intelvae.__path__)
    return [f"{PACKAGE}.{module.name}" for module in found if not module.name.startswith("_")]


def public_names(room):
    """Return the room's `__all__`; of a room without one, what it defines."""
    module = importlib.import_module(room)
    if hasattr(module, "__all__"):
        return list(module.__all__)
    things = {n: v for n, v in vars(module).items() if inspect.isclass(v) or inspect.isfunction(v)}
    return [n for n, v in things.items() if v.__module__ == room and not n.startswith("_")]


def address(room, name):
    """Return the full name under which a name is documented: that of the shortest import."""
    thing = getattr(importlib.import_module(room), name)
    at_the_top = name in sklearn_intelvae.__all__ and getattr(sklearn_intelvae, name) is thing
    return f"{PACKAGE}.{name}" if at_the_top else f"{room}.{name}"


def kind(thing):
    """Return the heading under which a room's page lists something."""
    if inspect.isclass(thing):
        return "Exceptions" if issubclass(thing, BaseException) else "Classes"
    return "Functions" if callable(thing) else "Data"


def names_of_rooms():
    """Return the tables of each room's page: a heading, the module to import from, the names."""
    found = {}
    for room in rooms():
        module = importlib.import_module(room)
        tables = {}
        for name in sorted(public_names(room), key=str.lower):
            home = address(room, name).rpartition(".")[0]
            tables.setdefault((kind(getattr(module, name)), home), []).append(name)
        found[room] = [(heading, home, names) for (heading, home), names in sorted(tables.items())]
    return found


def classes():
    """Return every public class by the full name under which it is documented."""
    found = {}
    for room in rooms():
        module = importlib.import_module(room)
        for name in public_names(room):
            thing = getattr(module, name)
            if inspect.isclass(thing):
                found[address(room, name)] = thing
    return found


def is_estimator(cls):
    """Tell whether a class is used as scikit-learn's estimators are; a part of a model is not."""
    return issubclass(cls, BaseEstimator) and not issubclass(cls, nn.Module)


def members(cls):
    """Return the public methods and properties that the page of a class lists."""
    listed = []
    for name in sorted(n for n in dir(cls) if not n.startswith("_")):
        owner = next((c for c in cls.__mro__ if name in vars(c)), cls)
        home = owner.__module__.partition(".")[0]
        static = inspect.getattr_static(cls, name)
        shown = isinstance(static, (property, functools.cached_property)) or (
            callable(getattr(cls, name, None)) and not inspect.isclass(static)
        )
        if shown and (home == PACKAGE or (home == "sklearn" and is_estimator(cls))):
            listed.append(name)
    return listed


def members_of_classes():
    """Return the members of every public class by the class's full name."""
    return {name: members(cls) for name, cls in classes().items()}


def types():
    """Return the words that become links where a docstring gives a type."""
    full = {name: name for name in [*classes(), *ELSEWHERE]}
    times = collections.Counter(name.rpartition(".")[2] for name in full)
    short = {name.rpartition(".")[2]: name for name in full}
    links = {
        **{word: name for word, name in short.items() if times[word] == 1},
        **full,
    }
    plain = {word: word for word in PLAIN.split()}
    return plain | {word: f":class:`{word} <{name}>`" for word, name in links.items()}
