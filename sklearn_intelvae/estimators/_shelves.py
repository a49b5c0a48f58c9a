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
        "ica": mappings.ICA,
    },
    "likelihood": {
        "gaussian": likelihoods.Gaussian,
        "bernoulli": likelihoods.Bernoulli,
        "laplace": likelihoods.Laplace,
    },
    "posterior": {
        "diagonal": posteriors.DiagonalGaussian,
        "full": posteriors.FullGaussian,
    },
    "prior": {
        "normal": priors.Normal,
        "laplace": priors.Laplace,
        "mixture": priors.Mixture,
        "vamp": priors.Vamp,
        "vamp-mixture": priors.VampMixture,
        "spike-and-slab": priors.SpikeAndSlab,
    },
    "objective": {
        "elbo": objectives.ELBO,
        "annealed-capacity": objectives.AnnealedCapacity,
        "beta-tc": objectives.BetaTC,
        "factor": objectives.FactorVAE,
        "dip": objectives.DIP,
        "slow": objectives.SlowVAE,
        "autoencoder": objectives.Autoencoder,
        "soft-intro": objectives.SoftIntro,
    },
    "encoder": {"mlp": networks.MLP, "conv": networks.ConvEncoder},
    "decoder": {"mlp": networks.MLP, "conv": networks.ConvDecoder},
}

_SHELVED = [cls for shelf in SHELVES.values() for cls in shelf.values()]
_UNNAMED: list[type[Part]] = [
    mappings.Compose,
    mappings.Function,
    mappings.Linear,
    mappings.OnComponents,
    mappings.StraightThrough,
    objectives.PermutationContrast,
]


def _names_of_parts() -> dict[str, type[Part]]:
    """Return each class by its name; one that shares it with an earlier one by its room's too."""
    classes: dict[str, type[Part]] = {}
    for cls in (*_UNNAMED, *_SHELVED):
        room = cls.__module__.split(".")[1]
        taken = classes.get(cls.__name__, cls) is not cls
        classes[f"{room}.{cls.__name__}" if taken else cls.__name__] = cls
    return classes


PART_CLASSES = _names_of_parts()
"""What files call the classes of parts."""

NAMES_OF_PARTS = {cls: name for name, cls in PART_CLASSES.items()}


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
