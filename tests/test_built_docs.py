"""The built pages are complete and have no dead references; `make docs` runs this after a build.

The variable BUILT_DOCS names the folder of the pages. Without it these tests are skipped, so that
`make test` needs no build and never reads pages of an older one.
"""

import functools
import importlib
import inspect
import os
import pkgutil
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from sklearn.base import BaseEstimator
from torch import nn

import sklearn_intelvae

BUILT = os.environ.get("BUILT_DOCS", "")
pytestmark = pytest.mark.skipif(not BUILT, reason="no pages to read: run `make docs`")

PACKAGE = "sklearn_intelvae"
ROOMS = [
    f"{PACKAGE}.{module.name}"
    for module in pkgutil.iter_modules(sklearn_intelvae.__path__)
    if not module.name.startswith("_")
]
MARKUP = re.compile(r"(:[a-z:]+:|\{[a-z:-]+\})`[^`\n]+`")


class Page(HTMLParser):
    """What a page has of anchors, links, entries of the reference, and faults."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.ids = set()
        self.links = []
        self.pictures = []
        self.faults = []
        self.entries = {}  # for each object described: its signature, and what follows it
        self.entry = None
        self.part = 0
        self.links_open = 0
        self.feed(path.read_text(encoding="utf8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        classes = (attrs.get("class") or "").split()
        if attrs.get("id"):
            self.ids.add(attrs["id"])
        if tag == "a":
            self.links_open += 1
            self.links.append(attrs.get("href") or "")
        if tag == "img":
            self.pictures.append(attrs["src"])
        if tag == "footer":
            self.entry = None
        if tag == "dt" and "sig-object" in classes and "id" in attrs:
            self.entry, self.part = attrs["id"], 0
            self.entries[self.entry] = ["", ""]
        if "problematic" in classes or "system-message" in classes:
            self.faults.append(f"{classes} in line {self.getpos()[0]}")
        if "xref" in classes and not self.links_open:
            self.faults.append(f"a reference without a target in line {self.getpos()[0]}")

    def handle_endtag(self, tag):
        self.links_open -= tag == "a"
        if tag == "dt":
            self.part = 1

    def handle_data(self, data):
        if self.entry:
            self.entries[self.entry][self.part] += data.replace("#", "").strip()
        if MARKUP.search(data):
            self.faults.append(f"markup in the text: {MARKUP.search(data)[0]}")


@functools.cache
def pages():
    """Read every page."""
    folder = Path(BUILT).resolve()
    return {path: Page(path) for path in sorted(folder.rglob("*.html"))}


@functools.cache
def entries():
    """Return the entries of all pages, and on which page each is."""
    return {name: page for page in pages().values() for name in page.entries}


def public_names(room):
    """Return the room's `__all__`; of a room of one file without one, what it defines."""
    module = importlib.import_module(room)
    if hasattr(module, "__all__"):
        return module.__all__
    things = {n: v for n, v in vars(module).items() if inspect.isclass(v) or inspect.isfunction(v)}
    return [n for n, v in things.items() if v.__module__ == room and not n.startswith("_")]


def methods(cls):
    """Return the public methods of a class by name, inherited ones too."""
    return {
        name: getattr(cls, name)
        for name in dir(cls)
        if not name.startswith("_") and callable(getattr(cls, name, None))
    }


def is_estimator(thing):
    """Tell whether something is a class with the methods of an estimator, and no part of one."""
    return (
        inspect.isclass(thing)
        and issubclass(thing, BaseEstimator)
        and not issubclass(thing, nn.Module)
    )


ESTIMATORS = [n for n in sklearn_intelvae.__all__ if is_estimator(getattr(sklearn_intelvae, n))]


def test_there_are_pages_and_estimators():
    assert len(ESTIMATORS) >= 5
    assert {"index.html", "user_guide.html", "api.html", "development.html"} <= {
        page.name for page in pages()
    }


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_public_method_of_an_estimator_has_an_entry(name):
    described = entries()[f"{PACKAGE}.{name}"].entries
    for method in methods(getattr(sklearn_intelvae, name)):
        signature, text = described.get(f"{PACKAGE}.{name}.{method}", ["", ""])
        assert f"{method}(" in signature, f"{method} has no entry"
        assert text, f"{method} has no description"


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_room_has_an_entry(room):
    assert any(f"module-{room}" in page.ids for page in pages().values())
    missing = [
        name
        for name in public_names(room)
        if not {f"{PACKAGE}.{name}", f"{room}.{name}"} & entries().keys()
    ]
    assert not missing


@pytest.mark.parametrize("room", ROOMS)
def test_a_page_of_a_part_lists_the_methods_of_the_package_and_no_others(room):
    for name in public_names(room):
        thing = getattr(importlib.import_module(room), name)
        full = f"{room}.{name}"
        if not inspect.isclass(thing) or is_estimator(thing) or full not in entries():
            continue
        listed = {entry for entry in entries()[full].entries if entry != full}
        ours = {
            method
            for owner in thing.__mro__
            if owner.__module__.startswith(PACKAGE)
            for method in methods(thing).keys() & vars(owner).keys()
            if not inspect.isclass(vars(owner)[method])
        }
        assert {f"{full}.{method}" for method in ours} <= listed
        theirs = methods(thing).keys() - ours
        assert not {f"{full}.{method}" for method in theirs} & listed


def test_no_page_has_unresolved_references_or_raw_markup():
    faults = [f"{page.path.name}: {fault}" for page in pages().values() for fault in page.faults]
    assert not faults


def test_every_internal_link_leads_somewhere():
    dead = []
    for page in pages().values():
        for link in [*page.links, *page.pictures]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = page.path
            if parts.path:
                target = (page.path.parent / unquote(parts.path)).resolve()
            anchor = unquote(urldefrag(link).fragment)
            known = pages()[target].ids if target in pages() else {""}
            if not target.exists() or (anchor and anchor not in known):
                dead.append(f"{page.path.name}: {link}")
    assert not dead


def test_the_landing_page_has_the_sentence_and_pictures():
    landing = pages()[Path(BUILT).resolve() / "index.html"]
    pictures = {Path(picture).name for picture in landing.pictures}
    assert "sentence.svg" in pictures
    assert len([picture for picture in pictures if picture.endswith(".png")]) >= 4
