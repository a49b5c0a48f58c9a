"""Inventories of other projects for `sphinx.ext.intersphinx`, written without network.

intersphinx looks a name such as `sklearn.decomposition.PCA` up in the inventory of its project, a
file on the project's site. A build must not depend on these sites, so this extension writes the
inventories when a build begins: the names are those that the installed packages export, and the
address of each follows the scheme of its site. So a reference to a name that does not exist is
still an error. Where a site has no scheme, the pages are listed one by one.

With network, `python -m sphinx -b linkcheck docs docs/_build/linkcheck` asks the sites themselves.
"""

import importlib
import inspect
import zlib
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent / "_build" / "inventories"

SITES = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "pandas": "https://pandas.pydata.org/docs/",
    "matplotlib": "https://matplotlib.org/stable/",
    "sklearn": "https://scikit-learn.org/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
    "skorch": "https://skorch.readthedocs.io/en/stable/",
}
DISTRIBUTIONS = {"sklearn": "scikit-learn"}
MAPPING = {name: (site, str(FOLDER / f"{name}.inv")) for name, site in SITES.items()}

SCIKIT_LEARN = (
    "sklearn sklearn.base sklearn.callback sklearn.cluster sklearn.compose sklearn.covariance "
    "sklearn.datasets sklearn.decomposition sklearn.ensemble sklearn.exceptions sklearn.impute "
    "sklearn.inspection sklearn.linear_model sklearn.manifold sklearn.metrics sklearn.mixture "
    "sklearn.model_selection sklearn.neighbors sklearn.neural_network sklearn.pipeline "
    "sklearn.preprocessing sklearn.random_projection sklearn.svm sklearn.tree sklearn.utils "
    "sklearn.utils.metadata_routing sklearn.utils.validation"
)
# Modules whose exported names have a page each, and the address of that page.
PAGES = {
    "builtins": "library/{page}.html#{name}",
    "numpy": "reference/generated/{name}.html#{name}",
    "numpy.linalg": "reference/generated/{name}.html#{name}",
    "pandas": "reference/api/{name}.html#{name}",
    "scipy.stats": "reference/generated/{name}.html#{name}",
    **dict.fromkeys(SCIKIT_LEARN.split(), "modules/generated/{name}.html#{name}"),
    "torch": "generated/{name}.html",
    "torch.nn": "generated/{name}.html",
    "torch.nn.functional": "generated/{name}.html",
    "torch.optim": "generated/{name}.html",
}
# Names on pages of another scheme: the role and the address of each.
NAMES = {
    "python": {
        "None": "py:data library/constants.html#{name}",
        "collections.abc.Callable": "py:class library/collections.abc.html#{name}",
        "dict": "py:class library/stdtypes.html#{name}",
        "list": "py:class library/stdtypes.html#{name}",
        "os.PathLike": "py:class library/os.html#{name}",
        "pathlib.Path": "py:class library/pathlib.html#{name}",
        "str": "py:class library/stdtypes.html#{name}",
        "tuple": "py:class library/stdtypes.html#{name}",
        "typing.NamedTuple": "py:class library/typing.html#{name}",
    },
    "numpy": {
        "numpy.random.Generator": "py:class reference/random/generator.html#{name}",
        "numpy.random.RandomState": "py:class reference/random/legacy.html#{name}",
    },
    "matplotlib": {
        "matplotlib.axes.Axes": "py:class api/_as_gen/{name}.html#{name}",
        "matplotlib.figure.Figure": "py:class api/_as_gen/{name}.html#{name}",
    },
    "sklearn": {
        "accuracy_score": "std:label modules/model_evaluation.html#accuracy-score",
        "array-like": "std:term glossary.html#term-array-like",
        "df_output_transform": "std:label modules/df_output_transform.html#df-output-transform",
        "meta-estimator": "std:term glossary.html#term-meta-estimator",
        "metadata_routing": "std:label metadata_routing.html#metadata-routing",
        "r2_score": "std:label modules/model_evaluation.html#r2-score",
        "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
            "std:label auto_examples/miscellaneous/plot_set_output.html"
            "#sphx-glr-auto-examples-miscellaneous-plot-set-output-py"
        ),
    },
    "torch": {
        "torch.Tensor": "py:class tensors.html#{name}",
        "torch.device": "py:class tensor_attributes.html#{name}",
        "torch.dtype": "py:class tensor_attributes.html#{name}",
    },
    "skorch": {
        "skorch.NeuralNet": "py:class net.html#skorch.net.NeuralNet",
        "skorch.callbacks.Callback": "py:class callbacks.html#{name}",
        "skorch.callbacks.EarlyStopping": "py:class callbacks.html#{name}",
        "skorch.callbacks.GradientNormClipping": "py:class callbacks.html#{name}",
        "skorch.callbacks.LRScheduler": "py:class callbacks.html#{name}",
    },
}
TITLES = {
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": "Introducing the set_output API"
}


def role_of(thing):
    """Return the role of a class, an exception or a function."""
    if not inspect.isclass(thing):
        return "py:function"
    return "py:exception" if issubclass(thing, BaseException) else "py:class"


def exported(module):
    """Yield the name, the role and the address of each class and function of a module."""
    for short, thing in vars(importlib.import_module(module)).items():
        if callable(thing) and not short.startswith("_"):
            name = short if module == "builtins" else f"{module}.{short}"
            role = role_of(thing)
            page = "exceptions" if role == "py:exception" else "functions"
            yield name, role, PAGES[module].format(name=name, page=page)


def entries(project):
    """Return the role and the address of every name of a project."""
    found = {}
    for module in PAGES:
        if module.partition(".")[0].replace("builtins", "python") == project:
            found |= {name: (role, address) for name, role, address in exported(module)}
    for name, line in NAMES.get(project, {}).items():
        role, address = line.format(name=name).split()
        if role == "py:class":
            module, _, short = name.rpartition(".")
            getattr(importlib.import_module(module or "builtins"), short)
        found[name] = role, address
    return found


def write(project):
    """Write the inventory of a project, in the format of Sphinx's `objects.inv`."""
    number = "3" if project == "python" else version(DISTRIBUTIONS.get(project, project))
    header = (
        f"# Sphinx inventory version 2\n# Project: {project}\n# Version: {number}\n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    lines = [
        f"{name} {role} 1 {address} {TITLES.get(name, '-')}\n"
        for name, (role, address) in sorted(entries(project).items())
    ]
    path = FOLDER / f"{project}.inv"
    path.write_bytes(header.encode() + zlib.compress("".join(lines).encode()))


def write_all(app, config):
    """Write the inventories before intersphinx reads them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for project in SITES:
        write(project)


def setup(app):
    """Register the extension."""
    app.connect("config-inited", write_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
