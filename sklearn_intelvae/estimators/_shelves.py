"""Names for parts: what a string given to an estimator stands for."""

from __future__ import annotations

from typing import Any

from torch import nn

from sklearn_intelvae import likelihoods, mappings, networks, objectives, posteriors, priors
from sklearn_intelvae._part import Part

SHELVES: dict[str, dict[str, type[Part]]] = {
    "mapping": {
        "identity": mappings.Identity,
        "sphere": mappings.Sphere,
        "clusters": mappings.Clusters,
        "sparse": mappings.DimensionSelector,
        "glue": mappings.Glue,
        "hierarchy": mappings.Hierarchy,
        "flow": mappings.Flow,
    },
    "prior": {
        "normal": priors.Normal,
        "mixture": priors.Mixture,
        "vamp": priors.Vamp,
        "vamp-mixture": priors.VampMixture,
        "spike-and-slab": priors.SpikeAndSlab,
    },
    "likelihood": {
        "gaussian": likelihoods.Gaussian,
        "bernoulli": likelihoods.Bernoulli,
        "laplace": likelihoods.Laplace,
    },
    "objective": {"elbo": objectives.ELBO, "soft-intro": objectives.SoftIntro},
    "encoder": {"mlp": networks.MLP, "conv": networks.ConvEncoder},
    "decoder": {"mlp": networks.MLP, "conv": networks.ConvDecoder},
}

_SHELVED = [cls for shelf in SHELVES.values() for cls in shelf.values()]
_UNNAMED: list[type[Part]] = [
    posteriors.DiagonalGaussian,
    mappings.Compose,
    mappings.Function,
    mappings.Linear,
    mappings.OnComponents,
    mappings.StraightThrough,
]
PART_CLASSES: dict[str, type[Part]] = {cls.__name__: cls for cls in (*_UNNAMED, *_SHELVED)}


def resolve(parameter: str, value: Any, **settings: Any) -> Any:
    """Return the part that ``value``, given as ``parameter`` of an estimator, stands for.

    A string is looked up on the parameter's shelf and made with ``settings``; a module, or a
    class of modules, is returned as it is; a function is a mapping.

    Raises
    ------
    ValueError
        If the string is on no shelf.
    TypeError
        If ``value`` is something else.
    """
    shelf = SHELVES[parameter]
    if isinstance(value, str):
        if value not in shelf:
            raise ValueError(
                f"{parameter}={value!r} is not known. Choose one of {sorted(shelf)}, or pass an "
                "object: any torch.nn.Module with the right methods."
            )
        return shelf[value](**settings)
    if isinstance(value, nn.Module) or (isinstance(value, type) and issubclass(value, nn.Module)):
        return value
    if parameter == "mapping" and callable(value):
        return mappings.Function(value)
    raise TypeError(
        f"{parameter} must be one of {sorted(shelf)} or a torch.nn.Module, got {value!r}."
    )
