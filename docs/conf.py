"""Settings for the pages; `make docs` builds them into docs/_build/html."""

from sklearn_intelvae import __version__

project = "sklearn_intelvae"
author = "the authors of sklearn_intelvae"
release = version = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

autodoc_typehints = "none"
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "nature"
html_title = f"sklearn_intelvae {release}"
html_show_sourcelink = False
html_copy_source = False
