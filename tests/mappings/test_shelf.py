"""Every mapping of the package is listed in four files; a failing test names the missing ones."""

import importlib
import inspect
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sklearn_intelvae import mappings
from sklearn_intelvae.estimators._parameters import REGISTRY
from sklearn_intelvae.mappings import Mapping
from tests.mappings.shelf import MAPPINGS

ROOT = Path(mappings.__file__).parents[2]
WITHOUT_NAME = {"Compose", "Function", "Linear", "OnComponents", "StraightThrough"}
"""Mappings whose constructor needs an argument, so that they have no name in REGISTRY."""


def written():
    """Return every public mapping that a file of the room defines."""
    files = [module.name for module in pkgutil.iter_modules(mappings.__path__)]
    modules = [importlib.import_module(f"{mappings.__name__}.{name}") for name in files]
    return [
        thing
        for module in modules
        for name, thing in vars(module).items()
        if inspect.isclass(thing)
        and issubclass(thing, Mapping)
        and thing.__module__ == module.__name__
        and not name.startswith("_")
    ]


def places(cls):
    """Return, for each file but its own that a mapping must touch, whether it does."""
    name, named = cls.__name__, REGISTRY["mapping"].values()
    return {
        "sklearn_intelvae/mappings/__init__.py": name in mappings.__all__
        and f":class:`{name}`" in mappings.__doc__,
        "sklearn_intelvae/estimators/_parameters.py": cls in named or name in WITHOUT_NAME,
        "tests/mappings/shelf.py": name in MAPPINGS,
    }


@pytest.mark.parametrize("cls", written(), ids=lambda cls: cls.__name__)
def test_a_mapping_has_its_line_in_each_file(cls):
    missing = [file for file, done in places(cls).items() if not done]
    assert not missing, f"add {cls.__name__} to {' and '.join(missing)}"


def test_the_room_lists_the_mappings_and_their_names():
    assert {cls.__name__ for cls in written()} == set(mappings.__all__) - {"Mapping"}
    assert set(MAPPINGS) == set(mappings.__all__) - {"Mapping"}
    listed = re.findall(r'^- ``"([\w-]+)"``: :class:`(\w+)`', mappings.__doc__, re.MULTILINE)
    assert dict(listed) == {name: c.__name__ for name, c in REGISTRY["mapping"].items()}


def test_a_new_mapping_is_told_its_files():
    class Unlisted(Mapping):
        """In no other file."""

    assert [file for file, done in places(Unlisted).items() if not done] == [
        "sklearn_intelvae/mappings/__init__.py",
        "sklearn_intelvae/estimators/_parameters.py",
        "tests/mappings/shelf.py",
    ]


TILT = '''"""A rotation of the first two components."""

import torch
from torch import Tensor

from sklearn_intelvae._part import Mapping


class Tilt(Mapping):
    """Rotate the first two components by an angle in radians.

    Parameters
    ----------
    angle : float, default=0.5
        The angle.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import Tilt
    >>> Tilt(0.0)(torch.ones(1, 1))
    tensor([[1.]])
    """

    def __init__(self, angle: float = 0.5) -> None:
        super().__init__()
        self.angle = angle

    def forward(self, y: Tensor) -> Tensor:
        """Rotate y, of shape (n, n_components)."""
        if y.shape[1] == 1:
            return y
        turn = torch.tensor(self.angle)
        a, b = y[:, :1], y[:, 1:2]
        first = [turn.cos() * a - turn.sin() * b, turn.sin() * a + turn.cos() * b]
        return torch.cat([*first, y[:, 2:]], dim=1)
'''
EDITS = {
    "sklearn_intelvae/mappings/__init__.py": [
        (
            "from sklearn_intelvae.mappings._straight",
            "from sklearn_intelvae.mappings._tilt import Tilt\n\\g<0>",
        ),
        (r'    "StraightThrough",\n', '\\g<0>    "Tilt",\n'),
        (r'- ``"sphere"``', '- ``"tilt"``: :class:`Tilt`, a rotation\n\\g<0>'),
    ],
    "sklearn_intelvae/estimators/_parameters.py": [
        (r"    Sphere,\n", "\\g<0>    Tilt,\n"),
        (r'        "sphere": Sphere,\n', '\\g<0>        "tilt": Tilt,\n'),
    ],
    "tests/mappings/shelf.py": [
        (r"    StraightThrough,\n", "\\g<0>    Tilt,\n"),
        (
            r"MAPPINGS = \{\n",
            '\\g<0>    "Tilt": Case([Tilt()], grids=((Tilt(), {"angle": [0.0, 1.0]}),)),\n',
        ),
    ],
}


@pytest.mark.slow
def test_nothing_else_needs_to_be_edited(tmp_path):
    """A mapping that is written in four files passes the tests of all rooms."""
    for folder in ("sklearn_intelvae", "tests", "benchmarks", "docs"):
        ignore = shutil.ignore_patterns("__pycache__", "_build", "results", "faults")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "sklearn_intelvae" / "mappings" / "_tilt.py").write_text(TILT)
    for file, edits in EDITS.items():
        text = (tmp_path / file).read_text()
        for pattern, replacement in edits:
            text, n = re.subn(pattern, replacement, text, count=1)
            assert n == 1, pattern
        (tmp_path / file).write_text(text)
    about = "(Tilt or tilt or shelf or docstrings or every_public) and not nothing_else"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", about, "tests", "sklearn_intelvae/mappings"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert run.returncode == 0, run.stdout
