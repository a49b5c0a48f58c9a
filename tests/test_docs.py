"""Every python block of the README and the guides runs, and the reference lists every module.

What the built pages of the reference hold is checked in test_built_docs.py.
"""

import pkgutil
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import sklearn_intelvae

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *GUIDES]
WITHOUT_CODE = {"api.md", "architecture.md", "development.md", "user_guide.md"}
LARGEST_PICTURE = 100_000
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page):
    """Compile the blocks of a page, with the page's line numbers."""
    text = page.read_text(encoding="utf8")
    for match in BLOCK.finditer(text):
        source = "\n" * text.count("\n", 0, match.start(1)) + match[1]
        yield compile(source, str(page), "exec", dont_inherit=True)


def test_the_guide_is_there():
    assert {p.stem for p in PAGES} >= {
        "README",
        "index",
        "user_guide",
        "development",
        "quickstart",
        "architecture",
        "extending",
        "reproducibility",
        "api",
        "holes",
        "clusters",
        "sparse",
        "hierarchy",
        "own",
        "samples",
        "introspection",
        "axes",
    }


@pytest.fixture(autouse=True)
def headless():
    """Draw without a screen, and close what was opened."""
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = list(blocks(page))
    assert bool(found) != (page.name in WITHOUT_CODE)
    namespace = {"__name__": page.stem}
    for code in found:
        exec(code, namespace)
    if page in GUIDES:
        drawn = list(tmp_path.iterdir())
        assert drawn == [tmp_path / f"{page.stem}.png"]
        assert drawn[0].stat().st_size < LARGEST_PICTURE


@pytest.mark.parametrize("page", GUIDES, ids=lambda p: p.name)
def test_a_guide_shows_its_picture(page):
    picture = DOCS / "images" / "guides" / f"{page.stem}.png"
    assert f"](../images/guides/{picture.name})" in page.read_text(encoding="utf8")
    assert picture.stat().st_size < LARGEST_PICTURE


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_fences_say_what_they_hold(page):
    fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf8"), re.MULTILINE)
    assert not fences[1::2] or set(fences[1::2]) == {""}
    assert set(fences[::2]) <= {"python", "text", "{eval-rst}", "{toctree}"}


def test_the_reference_lists_every_public_module():
    listed = re.findall(r"^   (\w+)$", (DOCS / "api.md").read_text(encoding="utf8"), re.MULTILINE)
    modules = {module.name for module in pkgutil.iter_modules(sklearn_intelvae.__path__)}
    assert sorted(listed) == sorted(name for name in modules if not name.startswith("_"))
