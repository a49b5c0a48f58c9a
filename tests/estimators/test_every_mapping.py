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
    Hierarchy,
    Linear,
    OnComponents,
    Sphere,
    StraightThrough,
)
from tests.estimators.shelf import SMALL, Ring
from tests.mappings.shelf import MAPPINGS

GRIDS = [grid for case in MAPPINGS.values() for grid in case.grids]


def test_every_mapping_with_settings_has_a_grid():
    for name, case in MAPPINGS.items():
        assert bool(case.grids) == bool(getattr(mappings, name)._get_param_names()), name


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
