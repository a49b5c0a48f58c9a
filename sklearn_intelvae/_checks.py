"""What a part may return: dtype, rows, columns, finite values, gradients.

The checks call a part on a few rows before training begins, so that an error names the part and
the remedy before any work is lost.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_intelvae._part import Network, Part, call, convert_to_float32, is_ours
from sklearn_intelvae._random import OwnRandomness, generator_from, own_torch_state
from sklearn_intelvae.distributions import (
    Density,
    MixtureDensity,
    Normal,
    PosteriorDistribution,
)
from sklearn_intelvae.networks import LinearPath

_N_ROWS = 3
_RECORDED = {"epoch", "dur", "batches", "train_loss", "valid_loss", "valid_loss_best"}
"""Entries of the history that the training itself records."""


def output_width(module: nn.Module, n_inputs: int, role: str = "") -> int:
    """Return the number of columns that ``module`` returns for ``n_inputs`` columns.

    Raises
    ------
    ValueError
        If the module fails on such a matrix, does not return a float32 tensor with one row for
        each row and at least one column, or returns it without a gradient.
    """
    return _checked_output(module, torch.randn(_N_ROWS, n_inputs), role).shape[1]


def check_output(module: nn.Module, n_inputs: int, role: str) -> None:
    """Check the same without a random number."""
    values = torch.linspace(-1, 1, _N_ROWS * n_inputs, dtype=torch.float32)
    _checked_output(module, values.reshape(_N_ROWS, n_inputs), role)


def _checked_output(module: nn.Module, inputs: Tensor, role: str) -> Tensor:
    name, training = _name(module, role), module.training
    trained = None if is_ours(module) else copy.deepcopy(module).train()
    inputs = _leaf(inputs)
    try:
        outputs = _output(module.eval(), inputs, name)
    finally:
        module.train(training)
    if trained is not None:  # a copy, since training mode may change running statistics
        with torch.random.fork_rng(devices=[]):
            width = _output(trained, inputs, f"{name}, in training mode,").shape[1]
        if width != outputs.shape[1]:
            raise ValueError(
                f"{name}, in training mode, returned {width} columns, and {outputs.shape[1]} in "
                "evaluation mode; it must return as many."
            )
    if not _has_gradient(module, inputs, outputs, role):
        raise ValueError(
            f"{name} returned a tensor without a gradient, so that nothing can be learned through "
            "it. Use torch's functions instead of NumPy's, without detach, no_grad or "
            "inference_mode; sklearn_intelvae.mappings.StraightThrough gives a step function a "
            "gradient."
        )
    return outputs.detach()


def _leaf(inputs: Tensor) -> Tensor:
    """Return a copy of the inputs that requires a gradient, whatever the caller's mode is."""
    with own_torch_state():
        return inputs.clone().requires_grad_()


def _output(module: nn.Module, inputs: Tensor, name: str) -> Tensor:
    """Return the output for a matrix of inputs, with its graph; check its dtype and shape."""
    shape = tuple(inputs.shape)
    try:
        with own_torch_state():
            outputs = call(module, inputs)
    except Exception as error:
        raise ValueError(
            f"{name} failed on a batch of shape {shape}: {error}. It must accept a float32 tensor "
            f"of shape (n_samples, {shape[1]}) for any n_samples, and compute with torch."
        ) from error
    _check_matrix(outputs, name, f"for a batch of shape {shape}", _N_ROWS)
    return outputs


def _has_gradient(module: nn.Module, inputs: Tensor, outputs: Tensor, role: str) -> bool:
    """Return whether a gradient reaches the inputs, or of an encoder the weights."""
    if role == "encoder":
        is_frozen = not any(parameter.requires_grad for parameter in module.parameters())
        return is_frozen or outputs.requires_grad
    return _depends_on(outputs, inputs)


def checked_size(part: object, name: str, value: Any) -> int:
    """Return a positive integer that a part has as an attribute, or returns, as an int."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise TypeError(f"{type(part).__name__}.{name} must be a positive integer, got {value!r}.")
    return int(value)


def check_width(module: nn.Module, n_inputs: int, n_outputs: int, role: str) -> None:
    """Check that a network returns ``n_outputs`` columns."""
    width = output_width(module, n_inputs, role)
    if width != n_outputs:
        raise ValueError(
            f"{_name(module, role)} returned {width} columns; after build({n_inputs}, {n_outputs}) "
            f"it must return {n_outputs}."
        )


def sized_network(module: nn.Module, n_inputs: int, n_outputs: int, role: str) -> nn.Module:
    """Return a network of the given size; a linear layer adapts a plain module of another width."""
    if isinstance(module, Network):
        module.build(n_inputs, n_outputs)
        if not is_ours(module):
            check_width(module, n_inputs, n_outputs, role)
        return module
    refuse_hooks(module, Network, role)
    width = output_width(module, n_inputs, role)
    if width == n_outputs:
        return module
    return nn.Sequential(module, nn.Linear(width, n_outputs))


def check_posterior(posterior: nn.Module, n_outputs: int, n_components: int) -> None:
    """Check the distribution that a posterior in evaluation mode returns for encoder outputs."""
    name = _name(posterior, "posterior")
    h = _numbers(n_outputs)
    with own_torch_state():
        q = call(posterior, h)
    with torch.no_grad():
        mean = call(posterior.mean, h)  # type: ignore[arg-type]
    if not isinstance(q, PosteriorDistribution):
        raise TypeError(
            f"{name} must return a Normal, a FullNormal or another PosteriorDistribution of "
            f"sklearn_intelvae.distributions, got {type(q).__name__}."
        )
    shape = _N_ROWS, n_components
    returned = {"the mean of q(y | x)": q.mean, "its variance": q.variance}
    for what, value in returned.items():
        _check_tensor(value, f"{name}: {what}", shape)
    _check_mean(mean, q.mean.detach(), name)
    if not is_ours(posterior):
        _check_posterior_distribution(q, h, name)


def _check_posterior_distribution(q: PosteriorDistribution, h: Tensor, name: str) -> None:
    """Check the methods of a distribution that a posterior of the user returned."""
    shape = tuple(q.mean.shape)
    with own_torch_state():
        y = call(q.reparameterize, torch.zeros(shape))
        log_prob = call(q.log_prob, torch.zeros(shape))
        marginals = q.marginals()
    _check_tensor(y, f"{name}: reparameterize(noise)", shape)
    _check_tensor(log_prob, f"{name}: log_prob(y)", (_N_ROWS,))
    _check_tensor(getattr(marginals, "mean", marginals), f"{name}: the mean of marginals()", shape)
    _check_dependence(y, h, f"{name}: reparameterize(noise)")


def check_density(prior: nn.Module, density: Any, n_components: int) -> None:
    """Check the density that a prior returns: its draws, log densities and KL divergence."""
    name = _name(prior, "prior")
    if not isinstance(density, Density):
        raise TypeError(
            f"{name}: density(encode) must return a sklearn_intelvae.distributions.Density, got "
            f"{type(density).__name__}."
        )
    if prior.has_modes and not isinstance(density, MixtureDensity):
        raise TypeError(
            f"{name} has has_modes = True, so that density(encode) must return a "
            f"sklearn_intelvae.distributions.MixtureDensity, got {type(density).__name__}."
        )
    with torch.no_grad(), OwnRandomness(generator_from(0)):
        for n in (_N_ROWS, _N_ROWS + 1):
            y = density.sample(n, generator_from(0))
            _check_tensor(y, f"{name}: sample", (n, n_components))
            if not y.isfinite().all():
                raise ValueError(f"{name}: sample returned values that are not finite.")
        y = y[:_N_ROWS]
        if prior.has_modes:
            _check_modes(density, y, name)
        q = Normal(y, torch.zeros_like(y))
        _check_tensor(call(density.log_prob, y), f"{name}: log_prob(y)", (_N_ROWS,))
        _check_tensor(call(density.kl, q, y), f"{name}: kl(q, y)", (_N_ROWS,))
        per_component = call(density.kl_per_component, q)
        if per_component is not None:
            shape = _N_ROWS, n_components
            _check_tensor(per_component, f"{name}: kl_per_component(q)", shape)


def _check_modes(density: Any, y: Tensor, name: str) -> None:
    """Check the number of modes, their responsibilities and the density of one of them."""
    n_modes = checked_size(density, "n_modes", density.n_modes)
    shares = call(density.responsibilities, y)
    _check_tensor(shares, f"{name}: responsibilities(y)", (len(y), n_modes))
    if not isinstance(density.mode(0), Density):
        raise TypeError(
            f"{name}: mode(k) must return a sklearn_intelvae.distributions.Density, got "
            f"{type(density.mode(0)).__name__}."
        )


def check_likelihood(likelihood: nn.Module, n_outputs: int, n_features: int) -> None:
    """Check the distribution that a likelihood returns for the decoder's output."""
    name = _name(likelihood, "likelihood")
    h = _numbers(n_outputs)
    with own_torch_state():
        p = call(likelihood, h)
    with torch.no_grad():
        for attribute in ("mean", "log_prob", "sample"):
            if not hasattr(p, attribute) or isinstance(p, torch.distributions.Distribution):
                raise TypeError(
                    f"{name} must return an object with mean, log_prob(x) and sample(generator), "
                    f"got {type(p).__name__}. torch's distributions draw from the global "
                    "generator and cannot be used; see sklearn_intelvae.distributions."
                )
        if not isinstance(p.mean, Tensor) or tuple(p.mean.shape) != (_N_ROWS, n_features):
            shape = tuple(getattr(p.mean, "shape", ()))
            raise ValueError(
                f"{name} has a mean of shape {shape} for {_N_ROWS} rows of "
                f"{n_features} features; set its outputs_per_feature to the numbers that it needs "
                "for each feature."
            )
        _check_float(p.mean, f"{name}: mean")
        _check_mean(call(likelihood.mean, h), p.mean.detach(), name)  # type: ignore[arg-type]
        _check_tensor(p.sample(generator_from(0)), f"{name}: sample", (_N_ROWS, n_features))
    with own_torch_state():
        log_prob = call(p.log_prob, p.mean.detach())
    _check_tensor(log_prob, f"{name}: log_prob(x), summed over features,", (_N_ROWS,))
    if not is_ours(likelihood):
        _check_dependence(log_prob, h, f"{name}: log_prob(x)")


def check_mapping(mapping: Any, x: Tensor, y: Tensor) -> None:
    """Check what a mapping and its hooks return for rows x and intermediary latents y."""
    name = _name(mapping, "mapping")
    n, rows = len(y), f"for {len(y)} rows"
    training = mapping.training
    with torch.no_grad():
        z = call(mapping.eval(), y)
        _check_matrix(z, name, rows, n)
        if not z.isfinite().all():
            raise ValueError(
                f"{name} returned values that are not finite for y between -1 and 1. It must be "
                "defined for every y, since the prior draws y from all of R^d."
            )
        decoded = call(mapping.to_decoder, z)
        _check_tensor(decoded, f"{name}: to_decoder(z)", tuple(z.shape), nan=True)
        for module in mapping.modules():  # in training mode, but for layers such as dropout
            module.training = isinstance(module, Part)
        terms = call(mapping.loss_terms, x, y, y, z)
        _check_terms(terms, f"{name}: loss_terms", n)
        for key, value in terms.items():
            _check_float(value, f"{name}: loss_terms: {key!r}")
        if mapping.has_regions:
            _check_regions(call(mapping.regions, y), name, n)
    mapping.train(training)
    _check_observe(mapping, y)


def _check_observe(mapping: Part, y: Tensor) -> None:
    """Check on a copy that a user's mapping observes without failing or resizing weights."""
    if is_ours(mapping):
        return
    twin, before = copy.deepcopy(mapping), _shapes_of_state(mapping)
    with torch.no_grad():
        call(twin.observe, y, y, None)  # type: ignore[arg-type]
    _check_state(twin, before, "observe")


def initialize_parts(parts: list[Part], X: Tensor, generator: torch.Generator) -> None:
    """Initialize parts from the training rows, and check that they create no weights there."""
    with OwnRandomness(generator):
        for part in parts:
            before = _shapes_of_state(part)
            call(part.initialize, X, generator)
            _check_state(part, before, "initialize")
            if not is_ours(part):
                convert_to_float32(part)


def _check_state(part: Part, before: dict[str, Any], hook: str) -> None:
    """Check that a hook has created no weights, nor changed the shape of any."""
    now = _shapes_of_state(part)
    changed = sorted(k for k in now.keys() | before.keys() if now.get(k) != before.get(k))
    if changed:
        raise ValueError(
            f"{type(part).__name__}.{hook} creates or resizes {', '.join(changed)}, which copies "
            "and files of the model could not hold: create it in build, in its final shape."
        )


def _shapes_of_state(part: nn.Module) -> dict[str, Any]:
    """Return the shapes of the weights and buffers of a user's part, by name."""
    if is_ours(part):
        return {}
    state = part.state_dict()
    return {name: value.shape for name, value in state.items() if isinstance(value, Tensor)}


def check_networks(model: Any, x: Tensor, y: Tensor) -> None:
    """Check that networks of the user return finite values for rows x and latents y."""
    with torch.no_grad():
        z = model.map(y)
        cases: Any = ((model.encoder, "encoder", x), (model.decoder, "decoder", z))
        for network, role, rows in cases:
            network = network.network if isinstance(network, LinearPath) else network
            training = network.training
            finite = is_ours(network) or call(network.eval(), rows).isfinite().all()
            network.train(training)
            if not finite:
                raise ValueError(
                    f"{_name(network, role)} returned values that are not finite for "
                    f"{'the first rows of X' if role == 'encoder' else 'z = g(y)'}. It must be "
                    "defined for all numbers; if those of X are very large, scale X."
                )


def check_players(objective: nn.Module, returned: Any) -> dict[str, list[nn.Parameter]]:
    """Return what an objective's ``players`` returned, with lists of parameters."""
    if not isinstance(returned, dict) or not returned:
        raise TypeError(
            f"{type(objective).__name__}.players must return a dict of the parameters of each "
            f"player by name, got {returned!r:.80}."
        )
    players = {}
    if reserved := {"train", "valid"}.intersection([*returned][1:]):
        raise ValueError(
            f"{type(objective).__name__}.players calls a player {reserved.pop()!r}, whose loss "
            "would be recorded under a reserved name: rename it."
        )
    for name, parameters in returned.items():
        players[name] = list(parameters) if isinstance(parameters, Iterable) else [parameters]
        if not all(isinstance(parameter, nn.Parameter) for parameter in players[name]):
            raise TypeError(
                f"{type(objective).__name__}.players must return a list of parameters for "
                f"{name!r}, got {type(parameters).__name__}; those of a module are "
                "list(module.parameters())."
            )
    return players


def check_loss(objective: nn.Module, returned: Any, n: int) -> None:
    """Check what an objective's ``loss`` returned at a training step for n rows."""
    name = f"{type(objective).__name__}.loss"
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(f"{name} must return the loss of each row and a dict of terms.")
    loss, terms = returned
    if not isinstance(loss, Tensor) or loss.shape != (n,):
        shape = tuple(getattr(loss, "shape", ()))
        found = f"shape {shape}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(
            f"{name} returned {found} for {n} rows; it must return the loss of each row."
        )
    if not loss.is_floating_point():
        raise ValueError(f"{name} returned {loss.dtype}; append .float().")
    _check_terms(terms, name, n)


def check_cost(objective: nn.Module, cost: Any, n: int) -> None:
    """Check what an objective's ``cost`` returned for n rows: a number or a tensor."""
    if not isinstance(cost, Real):
        _check_shape(cost, f"{type(objective).__name__}.cost", [(n,), ()], f"for {n} rows")


def check_validation_loss(objective: nn.Module, loss: Any, n: int) -> Tensor:
    """Return the result of an objective's ``validation_loss`` for n rows, checked."""
    name = f"{type(objective).__name__}.validation_loss"
    _check_shape(loss, name, [(n,)], f"for {n} rows")
    if not loss.is_floating_point():
        raise ValueError(f"{name} returned {loss.dtype}; append .float().")
    return loss


def check_epoch_stats(objective: object, returned: Any) -> dict[str, float]:
    """Return what an objective's ``epoch_stats`` returned as numbers."""
    name = f"{type(objective).__name__}.epoch_stats"
    if not isinstance(returned, dict):
        raise TypeError(f"{name} must return a dict of numbers, got {returned!r:.80}.")
    numbers = {}
    for key, value in returned.items():
        value = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        if key in _RECORDED or not isinstance(key, str) or not isinstance(value, Real):
            raise ValueError(
                f"{name}: {key!r} is {value!r:.80}; it must be a number, under a name other than "
                f"{', '.join(sorted(_RECORDED))}."
            )
        numbers[key] = float(value)
    return numbers


def check_sentences(part: object, method: str, returned: Any) -> list[str]:
    """Return what an objective's ``check_data`` or ``check_history`` returned, checked."""
    if not isinstance(returned, list) or not all(isinstance(text, str) for text in returned):
        raise TypeError(
            f"{type(part).__name__}.{method} must return a list of strings, got {returned!r}."
        )
    return returned


def refuse_hooks(module: nn.Module, base: type, role: str) -> None:
    """Refuse a plain module that defines hooks which only a subclass of ``base`` may have."""
    hooks = sorted(name for name in hooks_of(base) if hasattr(type(module), name))
    if hooks:
        raise TypeError(
            f"{_name(module, role)} defines {', '.join(hooks)}, but hooks are called only on "
            f"subclasses of {public_name(base)}: derive the class from it instead of "
            "torch.nn.Module."
        )


def public_name(base: type) -> str:
    """Return the name by which users import a base class of parts."""
    return f"sklearn_intelvae.{base.__name__.lower()}s.{base.__name__}"


def hooks_of(base: type) -> set[str]:
    """Return the names of the hooks that a base class of parts declares, without ``forward``."""
    named = {
        name
        for cls in base.__mro__
        if cls.__module__.startswith("sklearn_intelvae")
        for name in (*vars(cls), *vars(cls).get("__annotations__", ()))
    }
    return {name for name in named if not name.startswith("_")} - {"forward"}


def _numbers(n_columns: int) -> Tensor:
    """Return rows of numbers from -1 to 1 that require a gradient."""
    values = torch.linspace(-1, 1, _N_ROWS * n_columns, dtype=torch.float32)
    return _leaf(values.reshape(_N_ROWS, n_columns))


def _depends_on(value: Tensor, inputs: Tensor) -> bool:
    """Return whether a gradient passes from a value to the inputs that it was computed from."""
    if not value.requires_grad:
        return False
    with own_torch_state():
        (slope,) = torch.autograd.grad(value.sum(), inputs, allow_unused=True)
    return slope is not None


def _check_dependence(value: Tensor, h: Tensor, name: str) -> None:
    if not _depends_on(value, h):
        raise ValueError(
            f"{name} does not depend on the network's output h, so that the network would not be "
            "trained: do not detach it."
        )


def _check_mean(mean: Any, expected: Tensor, name: str) -> None:
    _check_tensor(mean, f"{name}: mean(h)", tuple(expected.shape))
    if not torch.allclose(mean, expected, equal_nan=True):
        raise ValueError(
            f"{name}: mean(h) is not the mean of what forward(h) returns. A class that inherits "
            "mean and returns other distributions must override it."
        )


def _check_terms(terms: Any, name: str, n: int) -> None:
    """Check names, shapes and kinds of terms; called at every step, and therefore cheap."""
    if not isinstance(terms, dict):
        raise TypeError(
            f"{name} must return a dict of tensors by name, got {type(terms).__name__}."
        )
    for key, value in terms.items():
        if key in _RECORDED or not isinstance(key, str):
            raise ValueError(f"{name}: {key!r} is reserved or no string; rename the term.")
        if not isinstance(value, Tensor) or tuple(value.shape) not in ((n,), ()):
            _check_shape(value, f"{name}: {key!r}", [(n,), ()], f"for {n} rows")
        if not value.dtype.is_floating_point:
            raise ValueError(f"{name}: {key!r} is {value.dtype}; append .float().")


def _check_regions(regions: Any, name: str, n: int) -> None:
    _check_shape(regions, f"{name}: regions(y)", [(n,)], f"for {n} rows")
    if regions.dtype.is_floating_point or regions.dtype == torch.bool:
        raise ValueError(
            f"{name}: regions(y) must return integers, got {regions.dtype}; append .long()."
        )


def _check_matrix(value: Any, name: str, when: str, n: int) -> None:
    shape = tuple(getattr(value, "shape", ()))
    if not isinstance(value, Tensor) or len(shape) != 2 or shape[0] != n or not shape[1]:
        found = f"shape {shape}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"{name} returned {found} {when}; it must return a tensor of shape "
            "(n_samples, n_outputs), with at least one column."
        )
    _check_float(value, name)


def _check_tensor(value: Any, name: str, shape: tuple[int, ...], nan: bool = False) -> None:
    """Check shape and dtype, and unless ``nan`` is allowed that no number is NaN."""
    _check_shape(value, name, [shape], f"for {shape[0]} rows")
    _check_float(value, name)
    if not nan and value.isnan().any():
        raise ValueError(f"{name} returned NaN for valid arguments.")


def _check_float(value: Tensor, name: str) -> None:
    if value.layout != torch.strided:
        raise ValueError(f"{name} returned a tensor of layout {value.layout}: append .to_dense().")
    if value.device.type == "meta":
        raise ValueError(f"{name} returned a tensor on the meta device, which has no values.")
    if value.dtype != torch.float32:
        remedy = (
            "append .float()"
            if value.dtype.is_floating_point
            else "append .float(), or use sklearn_intelvae.mappings.StraightThrough, which gives a "
            "step function a gradient"
        )
        raise ValueError(f"{name} returned {value.dtype}; it must return torch.float32: {remedy}.")


def _check_shape(value: Any, name: str, shapes: Iterable[tuple[int, ...]], when: str) -> None:
    shapes = list(shapes)
    if isinstance(value, Tensor) and tuple(value.shape) in shapes:
        return
    found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
    wanted = " or ".join(map(str, shapes))
    raise ValueError(f"{name} must have shape {wanted} {when}, got {found}.")


def _name(module: Callable[..., Any], role: str) -> str:
    return f"{role} {type(module).__name__}".strip()
