"""From parameters to a spec: the only place where a string names a part."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from sklearn_intelvae._checks import public_name
from sklearn_intelvae._part import Part, untrained_copy
from sklearn_intelvae.estimators._validation import check_count
from sklearn_intelvae.likelihoods import Bernoulli, Gaussian, Likelihood
from sklearn_intelvae.likelihoods import Laplace as LaplaceLikelihood
from sklearn_intelvae.mappings import (
    ICA,
    Clusters,
    DimensionSelector,
    Flow,
    Function,
    Glue,
    Hierarchy,
    Identity,
    Mapping,
    Sphere,
)
from sklearn_intelvae.models import VAEParts
from sklearn_intelvae.networks import ACTIVATIONS, MLP, ConvDecoder, ConvEncoder
from sklearn_intelvae.objectives import (
    DIP,
    ELBO,
    AnnealedCapacity,
    Autoencoder,
    BetaTC,
    FactorVAE,
    Objective,
    SlowVAE,
    SoftIntro,
)
from sklearn_intelvae.posteriors import DiagonalGaussian, FullGaussian, Posterior
from sklearn_intelvae.priors import (
    FittedMixture,
    Laplace,
    Mixture,
    Normal,
    Prior,
    SpikeAndSlab,
    Vamp,
    VampInitMixture,
)
from sklearn_intelvae.training import FitSpec, Recipe
from sklearn_intelvae.training._spec import constant_rate, cosine_decay, one_cycle

REGISTRY: dict[str, dict[str, type[Part]]] = {
    "mapping": {
        "identity": Identity,
        "sphere": Sphere,
        "clusters": Clusters,
        "sparse": DimensionSelector,
        "glue": Glue,
        "hierarchy": Hierarchy,
        "flow": Flow,
        "ica": ICA,
    },
    "likelihood": {
        "gaussian": Gaussian,
        "bernoulli": Bernoulli,
        "laplace": LaplaceLikelihood,
    },
    "posterior": {
        "diagonal": DiagonalGaussian,
        "full": FullGaussian,
    },
    "prior": {
        "normal": Normal,
        "laplace": Laplace,
        "mixture": Mixture,
        "fitted-mixture": FittedMixture,
        "vamp": Vamp,
        "vamp-init-mixture": VampInitMixture,
        "spike-and-slab": SpikeAndSlab,
    },
    "objective": {
        "elbo": ELBO,
        "annealed-capacity": AnnealedCapacity,
        "beta-tc": BetaTC,
        "factor": FactorVAE,
        "dip": DIP,
        "slow": SlowVAE,
        "autoencoder": Autoencoder,
        "soft-intro": SoftIntro,
    },
    "encoder": {"mlp": MLP, "conv": ConvEncoder},
    "decoder": {"mlp": MLP, "conv": ConvDecoder},
}
"""The names of parts, by the parameter of an estimator that takes them."""

_BASES: dict[str, type[Part]] = {
    "likelihood": Likelihood,
    "posterior": Posterior,
    "prior": Prior,
    "objective": Objective,
}
"""The base classes that parts must derive from; mappings and networks may be any module."""

_MAPPINGS_FOR_ANY_PRIOR = Identity, DimensionSelector
"""Mappings whose geometry does not refer to N(0, I)."""

OUTPUTS = "representation", "posterior_mean", "both"

SCHEDULES = {"constant": constant_rate, "cosine": cosine_decay, "one-cycle": one_cycle}
"""The schedules of the learning rate by name."""

TRAINING_CONSTRAINTS: dict[str, list[Any]] = {
    "learning_rate": [StrOptions({"auto", *SCHEDULES})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "n_init": [Interval(Integral, 1, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "skorch_callbacks": [list, tuple, None],
    "skorch_params": [dict, None],
    "device": [str],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
"""The parameters of the training, which may change between calls that continue a fit."""

ENCODER_CONSTRAINTS: dict[str, list[Any]] = {
    "n_components": [Interval(Integral, 1, None, closed="left")],
    "encoder": [StrOptions({"auto", *REGISTRY["encoder"]}), callable],
    "hidden_layer_sizes": ["array-like"],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "image_shape": ["array-like", None],
}

VAE_CONSTRAINTS: dict[str, list[Any]] = {
    **ENCODER_CONSTRAINTS,
    "decoder": [StrOptions({"auto", *REGISTRY["decoder"]}), callable],
    "prior": [StrOptions({"auto", *REGISTRY["prior"]}), callable],
    "likelihood": [StrOptions(set(REGISTRY["likelihood"])), callable],
    "linear_path": ["boolean"],
    "whiten": ["boolean"],
    "output": [StrOptions(set(OUTPUTS))],
    **TRAINING_CONSTRAINTS,
}

BOUND_CONSTRAINTS: dict[str, list[Any]] = {
    "objective": [StrOptions(set(REGISTRY["objective"])), callable],
    "beta": ELBO._parameter_constraints["beta"],
    "kl_warmup": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
}
"""The parameters of estimators with any objective."""

_RECIPE = Recipe(steps_per_row=3, max_steps=8000, open_ended_steps=1000, warmup=0.5)
_RECIPE_FROM_LINEAR = Recipe(
    steps_per_row=0.57,
    max_steps=1400,
    limit_per_row=0.28,
    max_limit=5600,
    open_ended_steps=1000,
    batches_per_epoch=8,
    learning_rate_init=5e-3,
    schedule=one_cycle,
    warmup=0.5,
    costs_warm_up=False,
    linear_rate=0.1,
    noise_rates=(0.03, 0.1),
)
_STEPS_OF_GATES: dict[str, Any] = {"steps_per_row": 0.75, "max_steps": 2300}
"""Gates need more steps than networks alone, to close where they cost little."""


def bound_recipes(kl_warmup: float | str, *, has_gates: bool = False) -> tuple[Recipe, Recipe]:
    """Return the recipes of these estimators, from random weights and from a linear model."""
    given = {} if isinstance(kl_warmup, str) else {"warmup": kl_warmup, "costs_warm_up": True}
    from_linear = _RECIPE_FROM_LINEAR._replace(**_STEPS_OF_GATES if has_gates else {})
    return _RECIPE._replace(**given), from_linear._replace(**given)


def fit_spec(
    params: dict[str, Any],
    *,
    parts: Any,
    objective: Objective,
    seed: int,
    recipes: tuple[Recipe, Recipe],
) -> FitSpec:
    """Return the spec of a fit; its parts are copies, which later set_params do not change.

    Parameters
    ----------
    params : dict
        The parameters of the estimator.
    parts, objective, seed
        As in :class:`~sklearn_intelvae.training.FitSpec`.
    recipes : (Recipe, Recipe)
        From random weights, and from a linear model.
    """
    check_count("n_trials of the mapping", parts.n_trials)
    return FitSpec(
        parts=type(parts)(*map(untrained_copy, parts)),
        objective=untrained_copy(objective),
        n_components=int(params["n_components"]),
        recipe=recipes[0],
        recipe_from_linear=recipes[1],
        learning_rate=SCHEDULES.get(params["learning_rate"]),
        learning_rate_init=_number_or_none(params["learning_rate_init"]),
        batch_size=_number_or_none(params["batch_size"]),
        max_iter=_number_or_none(params["max_iter"]),
        n_init=int(params["n_init"]),
        early_stopping=params["early_stopping"],
        validation_fraction=params["validation_fraction"],
        n_iter_no_change=int(params["n_iter_no_change"]),
        tol=params["tol"],
        skorch_callbacks=tuple(params["skorch_callbacks"] or ()),
        skorch_params=dict(params["skorch_params"] or {}),
        device=resolve_device(params["device"]),
        seed=seed,
        verbose=int(params["verbose"]),
    )


def vae_parts(params: dict[str, Any], *, mapping: Mapping, posterior: Posterior) -> VAEParts:
    """Return the parts of a VAE.

    Parameters
    ----------
    params : dict
        The parameters of the estimator: those of networks, likelihood and prior are read.
    mapping, posterior : Part
    """
    return VAEParts(
        encoder=network(params, "encoder"),
        posterior=posterior,
        mapping=mapping,
        decoder=network(params, "decoder"),
        likelihood=resolve("likelihood", params["likelihood"]),
        prior=_prior(params, mapping),
        linear_path=params["linear_path"],
    )


def _prior(params: dict[str, Any], mapping: Mapping) -> Prior:
    """Return the prior; "auto" is fitted to the codes if nothing else says how they should lie."""
    value = params["prior"]
    if not isinstance(value, str) or value != "auto":
        return resolve("prior", value)
    is_free = (
        isinstance(mapping, _MAPPINGS_FOR_ANY_PRIOR)
        and params["linear_path"]
        and is_same(params.get("objective"), "elbo")
        and is_same(params["beta"], 1)
    )
    return FittedMixture() if is_free else Normal()


def bound_objective(objective: Any, beta: Any, kl_warmup: float | str) -> Objective:
    """Return the objective of an estimator that has the parameters ``objective`` and ``beta``."""
    if callable(beta) and not kl_warmup:
        raise ValueError("a schedule of beta needs a warm-up: set kl_warmup above 0.")
    if isinstance(objective, str) and objective == "elbo":
        return ELBO(beta=beta)
    if beta != 1:
        raise ValueError(
            f"beta={beta} has no effect with objective={objective!r}; set the weight on the "
            "objective and leave beta at 1."
        )
    return resolve("objective", objective)


def network(params: dict[str, Any], parameter: str) -> nn.Module:
    """Return the encoder or decoder: by default convolutions for images, otherwise an MLP."""
    value = params[parameter]
    if isinstance(value, str) and value == "auto":
        value = "mlp" if params["image_shape"] is None else "conv"
    settings: dict[str, Any] = {"activation": params["activation"]}
    hidden = layer_sizes("hidden_layer_sizes", params["hidden_layer_sizes"])
    shape = _checked_image_shape(params["image_shape"])
    if isinstance(value, str) and value == "mlp":
        settings["hidden_layer_sizes"] = hidden if parameter == "encoder" else hidden[::-1]
    elif isinstance(value, str) and value == "conv":
        if shape is None:
            raise ValueError(
                f"{parameter}='conv' needs image_shape=(channels, height, width), got None."
            )
        settings["image_shape"] = shape
        settings["n_hidden"] = hidden[-1] if hidden else 128
    return resolve(parameter, value, **settings)


def resolve(parameter: str, value: Any, **settings: Any) -> Any:
    """Return the part that ``value``, given as ``parameter`` of an estimator, describes.

    A string is looked up in the registry and the class called with ``settings``; a class is called
    without arguments. A function or a plain module as mapping is wrapped.

    Raises
    ------
    ValueError
        If the string is unknown.
    TypeError
        If ``value`` cannot be such a part.
    """
    names = REGISTRY[parameter]
    if isinstance(value, str):
        if value not in names:
            raise ValueError(
                f"{parameter}={value!r} is unknown. Choose one of {sorted(names)}, or pass an "
                "object."
            )
        return names[value](**settings)
    if isinstance(value, type) and issubclass(value, nn.Module):
        value = value()
    base = _BASES.get(parameter)
    if isinstance(value, base or nn.Module):
        is_plain = parameter == "mapping" and not isinstance(value, Mapping)
        return Function(value) if is_plain else value
    if parameter == "mapping" and callable(value):
        return Function(value)
    raise TypeError(
        f"{parameter} must be one of {sorted(names)} or an instance of "
        f"{public_name(base) if base else 'torch.nn.Module'}, got {value!r}."
    )


def layer_sizes(parameter: str, value: Any) -> tuple[int, ...]:
    """Return the widths of hidden layers as a tuple of positive integers."""
    sizes = tuple(value)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        raise ValueError(
            f"{parameter} must hold positive integers, got {value!r}; use () for no hidden layer."
        )
    return tuple(map(int, sizes))


def resolve_device(device: str) -> torch.device:
    """Return the device; "auto" is a GPU if torch finds one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here: {error}. Use 'cpu' or 'auto'."
        ) from error
    return torch.device(device)


def description(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that define the model and the objective, as they are now."""
    unrelated = TRAINING_CONSTRAINTS.keys() | {"kl_warmup", "output", "whiten"}
    return {name: described(value) for name, value in params.items() if name not in unrelated}


def described(value: Any) -> Any:
    """Return a part as its class and hyper-parameters, and any other value unchanged."""
    if not isinstance(value, Part):
        return value
    params = value.get_params(deep=False)
    return {"part": type(value).__name__} | {name: described(v) for name, v in params.items()}


def refuse_another_model(now: dict[str, Any], then: dict[str, Any]) -> None:
    """Raise ValueError if two descriptions differ.

    Objects that are not parts are equal only if they are identical.
    """
    changed = [name for name in now if not is_same(now[name], then[name])]
    if changed:
        raise ValueError(
            f"training cannot continue with another {', '.join(changed)} than the fitted model "
            "has: set it back, or fit anew with warm_start=False."
        )


def is_same(a: Any, b: Any) -> bool:
    """Return whether two values are equal; parts are if class and hyper-parameters are."""
    a, b = described(a), described(b)
    if isinstance(a, AbstractMapping) and isinstance(b, AbstractMapping):
        return a.keys() == b.keys() and all(is_same(a[name], b[name]) for name in a)
    if a is b:
        return True
    try:
        return np.shape(a) == np.shape(b) and bool(np.all(np.asarray(a == b)))
    except (TypeError, ValueError):
        return False


def _number_or_none(value: Any) -> Any:
    """Return None for "auto", and an integer as one of Python's."""
    if isinstance(value, str):
        return None
    return int(value) if isinstance(value, Integral) else value


def _checked_image_shape(image_shape: Any) -> tuple[int, int, int] | None:
    """Return the shape of an image as three integers, or None for a table."""
    if image_shape is None:
        return None
    shape = tuple(image_shape)
    if len(shape) != 3 or not all(isinstance(n, Integral) and n > 0 for n in shape):
        raise ValueError(
            "image_shape must be (channels, height, width), three positive integers, got "
            f"{image_shape!r}."
        )
    channels, height, width = map(int, shape)
    return channels, height, width
