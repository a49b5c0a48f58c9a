"""Every mapping in an estimator: its settings in a grid, and nested mappings in a file."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from sklearn_intelvae import InteLVAE, mappings
from sklearn_intelvae.mappings import (
    Clusters,
    Compose,
    DimensionSelector,
    Flow,
    Function,
    Glue,
    Hierarchy,
    Linear,
    OnComponents,
    Sphere,
    StraightThrough,
)
from tests.estimators.shelf import SMALL, Ring

GRIDS = [
    (Sphere(), {"eps": [1e-7, 1e-3]}),
    (Clusters(), {"n_clusters": [2, 4]}),
    (DimensionSelector(), {"gamma": [0.0, 3.0]}),
    (Function(torch.tanh), {"function": [torch.tanh, torch.sin]}),
    (Glue(), {"n_holes": [1, 3]}),
    (Hierarchy(), {"splits": [1, (1, 1)]}),
    (Linear(np.eye(2)), {"matrix": [np.eye(2), [[1.0, 0.0], [0.5, 0.5], [1.0, 1.0]]]}),
    (Flow(), {"n_layers": [1, 2]}),
    (StraightThrough(Sphere()), {"function": [torch.sign, torch.round]}),
    (StraightThrough(torch.sign), {"surrogate": [None, Flow(), torch.tanh]}),
    (Compose(Sphere(), Clusters()), {"second__n_clusters": [2, 3], "first": [Sphere(), Ring()]}),
    (OnComponents(Clusters(), (0, 1)), {"mapping__power": [0.2, 0.5], "components": [(0,), [1]]}),
]


def test_every_mapping_with_settings_has_a_grid():
    names = {type(mapping).__name__ for mapping, _ in GRIDS}
    assert names == set(mappings.__all__) - {"Mapping", "Identity", "ICA"}


@pytest.mark.parametrize(("mapping", "grid"), GRIDS)
def test_a_grid_reaches_the_settings_of_every_mapping(mapping, grid, X):
    before = repr(mapping)
    named = {f"mapping__{name}": values for name, values in grid.items()}
    vae = InteLVAE(mapping=mapping, **SMALL)
    search = GridSearchCV(vae, named, cv=2, error_score="raise").fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    fitted = search.best_estimator_.module_.mapping
    for name in grid:
        best = search.best_params_[f"mapping__{name}"]
        assert repr(fitted.get_params()[name]) == repr(best)
    assert repr(mapping) == before


WITH_OBJECTS = [
    StraightThrough(torch.sign),
    StraightThrough(Sphere(), surrogate=torch.tanh),
    Compose(Sphere(), Function(torch.tanh)),
    Compose(Ring(), Clusters(2)),
    OnComponents(Ring(), (1,)),
    OnComponents(Compose(Sphere(), Function(torch.tanh)), (0, 1)),
]


@pytest.mark.parametrize("mapping", WITH_OBJECTS)
def test_a_mapping_that_holds_functions_or_plain_modules_is_passed_to_load(mapping, X, tmp_path):
    path = tmp_path / "model"
    vae = InteLVAE(mapping=mapping, **SMALL).fit(X)
    vae.save(path)
    name = type(mapping).__name__
    with pytest.raises(ValueError, match=rf"mapping set to an object of class {name}, which a"):
        InteLVAE.load(path)
    again = InteLVAE.load(path, mapping=mapping)
    assert np.array_equal(again.transform(X), vae.transform(X))
    assert again.score(X) == vae.score(X)
    assert np.array_equal(again.partial_fit(X).transform(X), vae.partial_fit(X).transform(X))
    assert again.mapping is mapping


@pytest.mark.parametrize(
    "mapping",
    [
        Compose(OnComponents(Clusters(2), (1,)), Compose(Flow(), Linear(np.eye(2, 2)))),
        OnComponents(Hierarchy([1, 1]), np.array([1, 0])),
        StraightThrough(Sphere(), surrogate=DimensionSelector()),
    ],
)
def test_a_file_holds_nested_mappings_of_the_package(mapping, X, tmp_path):
    vae = InteLVAE(mapping=mapping, **SMALL).fit(X)
    vae.save(tmp_path / "model")
    again = InteLVAE.load(tmp_path / "model")
    assert repr(again) == repr(vae)
    assert np.array_equal(again.partial_fit(X).transform(X), vae.partial_fit(X).transform(X))
