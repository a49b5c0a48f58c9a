"""The base classes of parts, which declare all hooks with defaults that do nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn

from sklearn_intelvae.distributions import Density, Distribution, PosteriorDistribution
from sklearn_intelvae.exceptions import not_given

_PACKAGE = __name__.partition(".")[0]
Encode = Callable[[Tensor], PosteriorDistribution]


class Part(BaseEstimator, nn.Module):
    """A module whose constructor takes hyper-parameters only and whose weights come from ``build``.

    scikit-learn's ``get_params``, ``set_params``, ``clone`` and ``repr`` therefore work on it:
    a clone has no weights, and a grid search reaches its hyper-parameters by name.

    The constructor stores each argument, unchanged, under its own name, after calling
    ``super().__init__()``. Each base class declares ``build`` with the sizes that its parts need;
    it creates parameters and layers, and checks the hyper-parameters against
    ``_parameter_constraints``, which are written as those of scikit-learn's estimators.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Set starting values from the training rows; called once, before training.

        Keep what it computes in parameters and buffers that ``build`` has created in their final
        shape: copies and files of a model hold these, and no other attributes.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_features)
            The training rows; if they are weighted, rows drawn in proportion to their weights.
        generator : torch.Generator
            Source of every random number that the part draws here.
        """

    def set_progress(self, fraction: float) -> None:
        """Adapt to the fraction of the warm-up that has passed; called before each step.

        Parameters
        ----------
        fraction : float
            Grows from 0 to 1, then stays 1.
        """

    def _validate(self) -> None:
        """Raise ValueError if a hyper-parameter is outside its range."""
        BaseEstimator._validate_params(self)

    def __setattr__(self, name: str, value: Any) -> None:
        """Let any value replace a module, which torch refuses; ``build`` checks the value."""
        if not isinstance(value, nn.Module) and name in self.__dict__.get("_modules", ()):
            del self._modules[name]
        super().__setattr__(name, value)


class Mapping(Part):
    """Base class of mappings g from the intermediary latent y to the representation z.

    A subclass gives ``forward``. It may override any of the other methods, whose defaults do
    nothing. A plain ``torch.nn.Module`` or a function can be a mapping too, with ``forward`` only.

    Attributes
    ----------
    has_regions : bool
        Whether g divides its domain into regions, whose numbers ``regions`` returns; False by
        default. An estimator with such a mapping has ``predict`` and ``sample(cluster=...)``.
    n_trials : int
        Number of short trial fits from different starts; the start with the lowest loss is then
        trained. 1, the default, means no trials. For mappings with many poor local optima.
    has_free_scale : bool
        Whether each column of z means the same in any unit; False by default. ``transform`` then
        returns it in the unit of X. Otherwise, as on a circle, z is returned as it is.

    References
    ----------
    Miao, Mathieu, Siddharth, Teh and Rainforth, "On Incorporating Inductive Biases into VAEs",
    ICLR 2022.

    Examples
    --------
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.mappings import Mapping
    >>> class HalfSpace(Mapping):
    ...     def __init__(self, slope=0.1):
    ...         super().__init__()
    ...         self.slope = slope
    ...
    ...     def forward(self, y):
    ...         return y.clamp(min=0) + self.slope * y.clamp(max=0)
    >>> InteLVAE(mapping=HalfSpace(slope=0.0))
    InteLVAE(mapping=HalfSpace(slope=0.0))
    """

    has_regions: bool = False
    n_trials: int = 1
    has_free_scale: bool = False

    def build(self, n_components: int) -> None:
        """Check the hyper-parameters; a subclass also creates its weights.

        Parameters
        ----------
        n_components : int
            Number of columns of y.
        """
        self._validate()

    def forward(self, y: Tensor) -> Tensor:
        """Map y to z = g(y).

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            Intermediary latents.

        Returns
        -------
        z : Tensor of shape (n, n_latent)
            Any number of columns; each row depends on the same row of y only.
        """
        raise not_given(self, "forward")

    def loss_terms(self, x: Tensor, mean: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return the terms that the mapping adds to the loss, by name, in nats.

        By convention "penalty" is a term of the objective, and "guidance" one that only training
        adds: return it only if ``self.training``. A fit of less than 200 steps first trains the
        encoder on the guidance alone.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            The rows of the batch.
        mean, y : Tensor of shape (n, n_components)
            The means of q(y | x), and the draws from it.
        z : Tensor of shape (n, n_latent)
            The mapped draws.

        Returns
        -------
        terms : dict of Tensor
            Each of shape (n,), one number per row, or (), one number for the batch.
        """
        return {}

    def observe(self, mean: Tensor, y: Tensor, weight: Tensor | None) -> None:
        """Update running statistics from a training batch; called once per step.

        Parameters
        ----------
        mean : Tensor of shape (n, n_components)
            The means of q(y | x), which unlike draws do not contain the noise of the posterior.
        y : Tensor of shape (n, n_components)
            The draws.
        weight : Tensor of shape (n,) or None
            The weights of the rows; None if all are equal.
        """

    def to_decoder(self, z: Tensor) -> Tensor:
        """Return the decoder's input for z; by default z itself.

        Parameters
        ----------
        z : Tensor of shape (n, n_latent)
            Mapped latents.

        Returns
        -------
        z : Tensor of shape (n, n_latent)
            In the shape of the argument.
        """
        return z

    def regions(self, y: Tensor) -> Tensor:
        """Return the region of each row of y.

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            Intermediary latents.

        Returns
        -------
        regions : Tensor of shape (n,)
            Integers, from 0.
        """
        raise not_given(self, "regions")


class Network(Part):
    """Base class of encoders and decoders; a subclass gives ``build`` and ``forward``.

    A plain ``torch.nn.Module`` can be a network too: a linear layer adapts its output width.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.networks import Network
    >>> class Shallow(Network):
    ...     def __init__(self, width=64):
    ...         super().__init__()
    ...         self.width = width
    ...
    ...     def build(self, n_inputs, n_outputs):
    ...         sizes = nn.Linear(n_inputs, self.width), nn.Linear(self.width, n_outputs)
    ...         self.layers = nn.Sequential(sizes[0], nn.Tanh(), sizes[1])
    ...
    ...     def forward(self, x):
    ...         return self.layers(x)
    >>> InteLVAE(encoder=Shallow(32))
    InteLVAE(encoder=Shallow(width=32))
    """

    def build(self, n_inputs: int, n_outputs: int) -> None:
        """Create the layers.

        Parameters
        ----------
        n_inputs, n_outputs : int
            Numbers of columns of the input and of the output.
        """
        raise not_given(self, "build")

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network.

        Parameters
        ----------
        x : Tensor of shape (n, n_inputs)
            Rows of X for an encoder, codes z for a decoder.

        Returns
        -------
        h : Tensor of shape (n, n_outputs)
            The parameters of the distributions of n rows.
        """
        raise not_given(self, "forward")


class Likelihood(Part):
    """Base class of likelihoods p(X | z); a subclass gives ``forward``.

    Attributes
    ----------
    outputs_per_feature : int
        Number of outputs that the decoder supplies for each feature of X; 1 by default.
    standardization : {"none", "center", "table", "columns"}
        What is done to X before the model sees it. "none", the default: nothing. "center": the
        mean of each column is subtracted. "table": after that the table is divided by one number,
        the root mean of the variances. "columns": each column is divided by its standard deviation.
        Choose one of the last two for densities over all real numbers whose location and scale are
        learned. Scores and generated rows are always in the unit of X.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.distributions import Normal
    >>> from sklearn_intelvae.likelihoods import Likelihood
    >>> class VaryingWidth(Likelihood):
    ...     outputs_per_feature = 2
    ...
    ...     def forward(self, h):
    ...         mean, raw = h.chunk(2, dim=-1)
    ...         return Normal(mean, torch.nn.functional.softplus(raw + 3) - 3)
    >>> InteLVAE(likelihood=VaryingWidth())
    InteLVAE(likelihood=VaryingWidth())
    """

    outputs_per_feature: int = 1
    standardization: str = "none"

    def build(self, n_features: int) -> None:
        """Check the hyper-parameters, and create weights and buffers if there are any.

        Parameters
        ----------
        n_features : int
            Number of columns of X.
        """
        self._validate()

    def check_support(self, X: np.ndarray) -> None:
        """Raise ValueError if a value of X lies outside the support of p(X | z).

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows to train or to validate on.
        """

    def forward(self, h: Tensor) -> Distribution:
        """Map the decoder's output to the distributions p(x | z) of n rows.

        Parameters
        ----------
        h : Tensor of shape (n, outputs_per_feature * n_features)
            The decoder's output.

        Returns
        -------
        p : Distribution
            An object with ``mean``, ``log_prob`` and ``sample``.
        """
        raise not_given(self, "forward")

    def mean(self, h: Tensor) -> Tensor:
        """Return the means of p(x | z).

        Parameters
        ----------
        h : Tensor of shape (n, outputs_per_feature * n_features)
            The decoder's output.

        Returns
        -------
        mean : Tensor of shape (n, n_features)
            By default the mean of what ``forward`` returns.
        """
        return self(h).mean

    def linearize(self, mean: np.ndarray, variance: np.ndarray) -> Linearization | None:
        """Return the Gaussian that approximates p(x | z) near the mean of X.

        A fit then starts at the linear model that this approximation implies; None, the default,
        means that it does not.

        Parameters
        ----------
        mean, variance : ndarray of shape (n_features,), float64
            Those of the columns of the training rows.
        """
        return None

    def set_noise(self, variance: np.ndarray | None, factor: float) -> None:
        """Set the variance of the noise, if it is learned; by default nothing happens.

        Parameters
        ----------
        variance : ndarray of shape (n_features,), float64, or None
            Of the linear model, in the unit of the linearized rows. None means the present one.
        factor : float
            To multiply it by. It is 1 at the start; at the end of a fit from the linear model it is
            the factor by which squared errors of further rows exceed those of the training rows.
        """


class Linearization(NamedTuple):
    """A Gaussian that approximates a likelihood near the mean of X, column by column.

    With h the output of the decoder, output + slope * (x - mean) is Gaussian around h.

    Attributes
    ----------
    output : ndarray of shape (n_features,)
        The h for the mean of X.
    slope : ndarray of shape (n_features,)
        The derivative of h with respect to x.
    noise : ndarray of shape (n_features,) or None
        The variance of the Gaussian; None if it is to be estimated.
    is_shared : bool
        Whether an estimated variance is the same for all columns.
    min_noise : ndarray of shape (n_features,)
        Lower bounds of an estimated variance.
    """

    output: np.ndarray
    slope: np.ndarray
    noise: np.ndarray | None
    is_shared: bool
    min_noise: np.ndarray


class Prior(Part):
    """Base class of priors; a subclass gives ``density``, which returns p(y).

    Attributes
    ----------
    has_modes : bool
        Whether the density is a :class:`~sklearn_intelvae.distributions.MixtureDensity`; False by
        default. An estimator with such a prior has ``predict_proba`` and ``sample(mode=...)``.

    Examples
    --------
    >>> import math, torch
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.distributions import Density
    >>> from sklearn_intelvae.priors import Prior
    >>> class LogisticDensity(Density):
    ...     def __init__(self, n_components, scale):
    ...         self.n_components, self.scale = n_components, scale
    ...
    ...     def log_prob(self, y):
    ...         t = (y / self.scale).abs()
    ...         return (-t - 2 * torch.exp(-t).log1p() - math.log(self.scale)).sum(-1)
    ...
    ...     def sample(self, n_samples, generator):
    ...         shape, device = (n_samples, self.n_components), generator.device
    ...         share = torch.rand(shape, generator=generator, device=device)
    ...         return self.scale * share.logit(eps=1e-6)
    >>> class Logistic(Prior):
    ...     def __init__(self, scale=0.5):
    ...         super().__init__()
    ...         self.scale = scale
    ...
    ...     def density(self, encode):
    ...         return LogisticDensity(self.n_components, self.scale)
    >>> InteLVAE(prior=Logistic(scale=0.3))
    InteLVAE(prior=Logistic(scale=0.3))
    """

    has_modes: bool = False

    def build(self, n_components: int, n_features: int) -> None:
        """Store the size of y as ``n_components``; a subclass also creates its weights.

        Parameters
        ----------
        n_components, n_features : int
            Numbers of columns of y and of X.
        """
        self._validate()
        self.n_components = n_components

    def density(self, encode: Encode) -> Density:
        """Return p(y), given the current encoder if the prior depends on it.

        A fit from the linear model draws from it at its start, to choose the unit of y.

        Parameters
        ----------
        encode : callable
            Maps rows of X, a tensor of shape (n, n_features), to q(y | x). Do not keep it: the
            encoder changes at every step, and would be saved with the prior.
        """
        raise not_given(self, "density")

    def follow(self, encode: Encode) -> None:
        """Update the prior's own weights from the encoder; called after ``set_progress``.

        Parameters
        ----------
        encode : callable
            As in ``density``.
        """

    def fit_codes(self, y: Tensor) -> None:
        """Update the prior's own weights from codes of all training rows.

        Called before the first step, after half of a fit and at its end, if the fit has at least
        40 steps; not by ``partial_fit``.

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            A draw from q(y | x) for each of at most some thousand rows.
        """


class Posterior(Part):
    """Base class of posteriors; a subclass gives ``n_outputs`` and ``forward``.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.distributions import Normal
    >>> from sklearn_intelvae.posteriors import Posterior
    >>> class Isotropic(Posterior):
    ...     def n_outputs(self, n_components):
    ...         return n_components + 1
    ...
    ...     def forward(self, h):
    ...         mean, log_scale = h[:, :-1], h[:, -1:].clamp(-6, 2)
    ...         return Normal(mean, log_scale.expand_as(mean))
    >>> Isotropic()(torch.zeros(5, 4)).mean.shape
    torch.Size([5, 3])
    """

    def n_outputs(self, n_components: int) -> int:
        """Return the number of outputs that the encoder needs for each row.

        Parameters
        ----------
        n_components : int
            Number of columns of y.

        Returns
        -------
        n_outputs : int
            Number of columns of ``h``.
        """
        raise not_given(self, "n_outputs")

    def forward(self, h: Tensor) -> PosteriorDistribution:
        """Map the encoder's output to the distributions q(y | x) of n rows.

        Parameters
        ----------
        h : Tensor of shape (n, n_outputs)
            The encoder's output.

        Returns
        -------
        q : PosteriorDistribution
            A Gaussian for each row.
        """
        raise not_given(self, "forward")

    def mean(self, h: Tensor) -> Tensor:
        """Return the means of q(y | x).

        Parameters
        ----------
        h : Tensor of shape (n, n_outputs)
            The encoder's output.

        Returns
        -------
        mean : Tensor of shape (n, n_components)
            By default the mean of what ``forward`` returns.
        """
        return self(h).mean

    def outputs_for(self, covariance: Tensor) -> Tensor | None:
        """Return the encoder's output for the posterior nearest to a Gaussian with mean 0.

        A fit then starts at a linear model, whose posterior has the same covariance for all rows.
        The first ``n_components`` outputs must be the means. None, the default, means that it does
        not start there.

        Parameters
        ----------
        covariance : Tensor of shape (n_components, n_components), float64
            Of that Gaussian; diagonal, but for starts at independent components. The nearest
            posterior without correlations has the variance of each component given all others.

        Returns
        -------
        h : Tensor of shape (n_outputs,) or None
            The output.
        """
        return None


def convert_to_float32(model: nn.Module) -> None:
    """Convert weights and buffers, and copy expanded buffers, which weights cannot be loaded to."""
    for module in model.float().modules():
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.layout is torch.strided:
                module._buffers[name] = buffer.contiguous()


def detach_activations(model: nn.Module) -> None:
    """Detach tensors that modules keep as attributes: one with a graph cannot be copied."""
    for module in (m for m in model.modules() if not is_ours(m)):
        for name, value in vars(module).items():
            if name not in ("_parameters", "_modules"):
                vars(module)[name] = _detached(value)


def _detached(value: Any, above: tuple[int, ...] = ()) -> Any:
    """Return a value without graphs; lists, dicts and dataclasses are changed in place."""
    if isinstance(value, Tensor):
        return value if value.grad_fn is None else value.detach()
    if id(value) in above:  # it contains itself
        return value
    above = *above, id(value)
    if type(value) is dict:
        value.update({name: _detached(item, above) for name, item in value.items()})
    elif _is_open_dataclass(value):
        vars(value).update({name: _detached(item, above) for name, item in vars(value).items()})
    elif type(value) is list:
        value[:] = [_detached(item, above) for item in value]
    elif isinstance(value, tuple):
        items = [_detached(item, above) for item in value]
        if any(a is not b for a, b in zip(items, value, strict=True)):
            return value._make(items) if hasattr(value, "_make") else type(value)(items)
    return value


def _is_open_dataclass(value: Any) -> bool:
    """Return whether a value is an instance of a dataclass whose fields are in a dict."""
    return is_dataclass(value) and not isinstance(value, type) and hasattr(value, "__dict__")


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's parameters."""
    return next(model.parameters()).device


def nested_parts(*modules: nn.Module) -> list[Part]:
    """Return the parts among these modules and the modules inside them, in this order."""
    return [part for module in modules for part in module.modules() if isinstance(part, Part)]


def follows_progress(part: Part) -> bool:
    """Return whether a part overrides ``set_progress``, which is called at every step."""
    return type(part).set_progress is not Part.set_progress


def untrained_copy(part: Any) -> Any:
    """Return a copy that can be trained without changing ``part``.

    The copy of a :class:`Part` has no weights; the copy of any other module has copies of the
    weights that the module carries.
    """
    return clone(part) if isinstance(part, Part) else copy.deepcopy(part)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a part or one of its methods such that it cannot change the caller's data.

    A user's module may work in place, as ``nn.ReLU(inplace=True)`` does, so it receives copies of
    tensors and arrays. The parts of this package never work in place and receive these themselves.
    """
    # A module's missing attributes take long to look up.
    owner = function if isinstance(function, nn.Module) else getattr(function, "__self__", function)
    if not is_ours(owner):
        arguments = tuple(map(copied, arguments))
    return function(*arguments)


def copied(value: Any) -> Any:
    """Return a copy of what holds tensors or arrays, and any other value unchanged.

    These are dicts, named tuples such as a forward pass, and distributions.
    """
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    if hasattr(value, "_make"):  # a named tuple
        return value._make(map(copied, value))
    if isinstance(value, PosteriorDistribution) or _is_open_dataclass(value):
        twin = copy.copy(value)
        vars(twin).update({name: copied(item) for name, item in vars(value).items()})
        return twin
    return value


def is_ours(value: object) -> bool:
    """Return whether the class of ``value`` is defined in this package."""
    return _is_of_package(type(value).__module__)


@lru_cache
def _is_of_package(module: str) -> bool:
    return module.partition(".")[0] == _PACKAGE
