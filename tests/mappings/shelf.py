"""Every mapping of the package, with settings: the list that the tests of all rooms use."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from sklearn_intelvae.mappings import (
    ICA,
    Clusters,
    Compose,
    DimensionSelector,
    Flow,
    Function,
    Glue,
    Hierarchy,
    Identity,
    Linear,
    Mapping,
    OnComponents,
    Sphere,
    StraightThrough,
)


class Ring(nn.Module):
    """A mapping of the user: a plain module."""

    def forward(self, y):
        return y / (y.norm(dim=1, keepdim=True) + 1e-6)


class Case(NamedTuple):
    """What the tests need to know about a mapping."""

    examples: list[Mapping]
    """Mappings of y of ``n_components``, on which the laws are tested."""
    n_components: int = 4
    small: dict[str, Any] | None = None
    """Parameters of an InteLVAE with this mapping; None if its name in REGISTRY is enough."""
    grids: tuple[tuple[Mapping, dict[str, list[Any]]], ...] = ()
    """A mapping of y of two components, and values of each of its settings."""


MAPPINGS = {
    "Identity": Case([Identity()]),
    "ICA": Case([ICA()]),
    "Function": Case(
        [Function(torch.tanh)],
        small={"mapping": Function(torch.tanh)},
        grids=((Function(torch.tanh), {"function": [torch.tanh, torch.sin]}),),
    ),
    "Sphere": Case(
        [Sphere()],
        small={"mapping": Sphere()},
        grids=((Sphere(), {"eps": [1e-7, 1e-3]}),),
    ),
    "Clusters": Case(
        [*(Clusters(k) for k in (2, 3, 4, 5, 10)), Clusters((2, 3)), Clusters((3, 2))],
        small={"mapping": Clusters(2, power=0.5)},
        grids=((Clusters(), {"n_clusters": [2, 4]}),),
    ),
    "DimensionSelector": Case(
        [DimensionSelector(2.0), DimensionSelector(2.0, floor=0.2, regularize="abs")],
        small={"mapping": DimensionSelector(3.0)},
        grids=((DimensionSelector(), {"gamma": [0.0, 3.0]}),),
    ),
    "Glue": Case(
        [Glue(h) for h in (1, 2, 3, 4, 5)],
        n_components=2,
        grids=((Glue(), {"n_holes": [1, 3]}),),
    ),
    "Hierarchy": Case(
        [
            Hierarchy(),
            Hierarchy([1, 1, 2], (8,), "identity"),
            Hierarchy(splits=3, activation="tanh"),
        ],
        grids=((Hierarchy(), {"splits": [1, (1, 1)]}),),
    ),
    "Linear": Case(
        [Linear(np.eye(4)), Linear([[1.0, 2.0, 0.0, 0.0]]), Linear(np.ones((6, 4)) / 2)],
        small={"mapping": Linear([[1.0], [0.5]]), "n_components": 1},
        grids=(
            (
                Linear(np.eye(2)),
                {"matrix": [np.eye(2), [[1.0, 0.0], [0.5, 0.5], [1.0, 1.0]]]},
            ),
        ),
    ),
    "Flow": Case(
        [Flow(), Flow(n_layers=1, hidden_layer_sizes=()), Flow(3, max_log_scale=0.5)],
        grids=((Flow(), {"n_layers": [1, 2]}),),
    ),
    "StraightThrough": Case(
        [
            StraightThrough(torch.sign),
            StraightThrough(torch.round, surrogate=torch.tanh),
            StraightThrough(Sphere(), surrogate=Flow()),
        ],
        small={"mapping": StraightThrough(Sphere(), Flow())},
        grids=(
            (StraightThrough(Sphere()), {"function": [torch.sign, torch.round]}),
            (StraightThrough(torch.sign), {"surrogate": [None, Flow(), torch.tanh]}),
        ),
    ),
    "Compose": Case(
        [
            Compose(Function(torch.tanh), Identity()),
            Compose(Sphere(), Clusters(3)),
            Compose(DimensionSelector(), Linear(np.ones((2, 4)))),
            Compose(Clusters(2), DimensionSelector()),
            Compose(Flow(), Compose(Hierarchy(), Sphere())),
        ],
        small={"mapping": Compose(Clusters(2), DimensionSelector())},
        grids=(
            (
                Compose(Sphere(), Clusters()),
                {"second__n_clusters": [2, 3], "first": [Sphere(), Ring()]},
            ),
        ),
    ),
    "OnComponents": Case(
        [
            OnComponents(Sphere(), (3, 1)),
            OnComponents(Clusters(5), (0, 1)),
            OnComponents(DimensionSelector(), (2, 0, 1)),
            OnComponents(OnComponents(Glue(), (0, 2)), range(4)),
        ],
        small={"mapping": OnComponents(Clusters(2), (0,))},
        grids=(
            (
                OnComponents(Clusters(), (0, 1)),
                {"mapping__power": [0.2, 0.5], "components": [(0,), [1]]},
            ),
        ),
    ),
}
