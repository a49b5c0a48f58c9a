"""Settings of the documentation; `make docs` builds it into docs/_build/html."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import inventories
import reference

from sklearn_intelvae import __version__

project = "sklearn_intelvae"
author = "the authors of sklearn_intelvae"
copyright = author
release = version = __version__

extensions = [
    "inventories",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "literal"
smartquotes = False  # the quotes in a docstring are code

# Every reference must have a target, in these pages or in those of another project.
nitpicky = True
intersphinx_mapping = inventories.MAPPING

autodoc_typehints = "none"
autosummary_generate = True
autosummary_context = {
    "names_of": reference.names_of_rooms(),
    "members_of": reference.members_of_classes(),
}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = True
numpydoc_xref_aliases = reference.types()
numpydoc_xref_ignore = "all"  # of the words in a type, only the aliases become links

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

toc_object_entries_show_parents = "hide"
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "logo": {"text": project},
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_title = f"{project} {release}"
html_sidebars = {"index": []}
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_copy_source = False


def name_the_project(app, what, name, thing, options, lines):
    """Say of a version in a docstring from scikit-learn that it is one of scikit-learn."""
    if (getattr(thing, "__module__", None) or "").startswith("sklearn."):
        note = re.compile(r"\.\. version(?:added|changed):: (\S+)")
        lines[:] = [note.sub(r"Since scikit-learn \1.", line) for line in lines]


def setup(app):
    """Register the function above; Sphinx calls this."""
    app.connect("autodoc-process-docstring", name_the_project)
