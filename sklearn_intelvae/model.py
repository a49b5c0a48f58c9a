"""The sentence of the package, assembled from its words."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sklearn_intelvae._part import build, fresh, output_width, sized_network
from sklearn_intelvae._random import OwnRandomness, generator_from
from sklearn_intelvae.distributions import Distribution, Normal

__all__ = ["Model", "Parts", "Pass", "build_model", "check_hooks"]


class Parts(NamedTuple):
    """The words: parts that are not built yet, from which any number of models can be."""

    encoder: Any
    posterior: Any
    mapping: Any
    decoder: Any
    likelihood: Any
    prior: Any


class Pass(NamedTuple):
    """What one reading of the sentence yields for n rows."""

    q: Normal
    y: Tensor
    z: Tensor
    p: Distribution


class Model(nn.Module):
    """A latent variable model with an intermediary latent.

    ::

        X -> encoder -> q(y | X) -> y -> g -> z -> decoder -> p(X | z)

    A mapping that has ``to_decoder`` has a say in what of z the decoder is given.
    Made by :func:`build_model`. ``n_features``, ``n_components`` and ``n_latent`` are the numbers
    of columns of X, y and z.
    """

    def __init__(self, parts: Parts, n_features: int, n_components: int, n_latent: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_components = n_components
        self.n_latent = n_latent
        self.encoder: nn.Module = parts.encoder
        self.posterior: nn.Module = parts.posterior
        self.mapping: nn.Module = parts.mapping
        self.decoder: nn.Module = parts.decoder
        self.likelihood: nn.Module = parts.likelihood
        self.prior: nn.Module = parts.prior

    def forward(self, x: Tensor, generator: torch.Generator) -> Pass:
        """Read the sentence once: one draw of y for each row of x."""
        q = self.encode(x)
        y = q.sample(generator)
        z = self.mapping(y)
        return Pass(q, y, z, self.decode(z))

    def encode(self, x: Tensor) -> Normal:
        """Return q(y | x)."""
        return self.posterior(self.encoder(x))

    def decode(self, z: Tensor) -> Distribution:
        """Return p(x | z)."""
        return self.likelihood(self.decoder_output(z))

    def decoder_output(self, z: Tensor) -> Tensor:
        """Return what the likelihood is given."""
        to_decoder = getattr(self.mapping, "to_decoder", None)
        return self.decoder(z if to_decoder is None else to_decoder(z))

    def decoded_mean(self, z: Tensor) -> Tensor:
        """Return the mean of p(x | z), without what else belongs to it."""
        likelihood, h = self.likelihood, self.decoder_output(z)
        mean = getattr(likelihood, "mean", None)
        return mean(h) if callable(mean) else likelihood(h).mean

    def kl(self, q: Normal, y: Tensor, p: Any = None) -> Tensor:
        """Return KL(q || p) of each row: exactly if p can, else estimated at y; p is p(y)."""
        p = self.p_y() if p is None else p
        return p.kl(q) if hasattr(p, "kl") else q.log_prob(y) - p.log_prob(y)

    def p_y(self) -> Any:
        """Return p(y): the prior itself, or what it makes of the encoder as that now is."""
        prior = self.prior
        return prior.given(self.encode) if hasattr(prior, "given") else prior  # type: ignore[operator]

    def represent(self, x: Tensor) -> Tensor:
        """Return z = g(mean of q(y | x)), without randomness."""
        return self.mapping(self.posterior.mean(self.encoder(x)))  # type: ignore[operator]


def build_model(
    parts: Parts, n_features: int, n_components: int, generator: torch.Generator
) -> Model:
    """Build a model for rows of ``n_features`` numbers.

    Parameters
    ----------
    parts : Parts
        Left as they are; the model works on copies.
    n_features, n_components : int
        Sizes of X and of y. The size of z is whatever the mapping returns.
    generator : torch.Generator
        Source of the initial weights.
    """
    parts = Parts(*map(fresh, parts))
    with OwnRandomness(generator):
        n_codes = _n_outputs(parts.posterior, n_components)
        encoder = sized_network(parts.encoder, n_features, n_codes)
        build(parts.mapping, n_components)
        build(parts.prior, n_components, n_features)
        build(parts.likelihood, n_features)
        n_latent = output_width(parts.mapping, n_components)
        n_outputs = getattr(parts.likelihood, "outputs_per_feature", 1) * n_features
        decoder = sized_network(parts.decoder, n_latent, n_outputs)
    _check_posterior(parts.posterior, n_codes, n_components)
    _check_likelihood(parts.likelihood, n_outputs, n_features)
    parts = parts._replace(encoder=encoder, decoder=decoder)
    model = Model(parts, n_features, n_components, n_latent).float()
    _check_prior(model)
    return model


def check_hooks(model: Model, x: Tensor) -> None:
    """Try the mapping's hooks on a few rows, once it has seen the training rows.

    Raises
    ------
    TypeError
        If the attribute of that name is no method.
    ValueError
        If one returns another shape than it should.
    """
    name, n = type(model.mapping).__name__, len(x)
    y = torch.linspace(-1, 1, n * model.n_components).to(x).reshape(n, -1)
    with torch.no_grad():
        z = model.mapping(y)
        of_rows: dict[str, tuple[int, ...]] = {"(n,)": (n,)}
        nats = of_rows | {"()": ()}
        hooks = {
            "penalty": ((y, z), nats),
            "guide": ((x, y), nats),
            "regions": ((y,), of_rows),
            "to_decoder": ((z,), {f"(n, {z.shape[1]})": tuple(z.shape)}),
        }
        for hook, (rows, shapes) in hooks.items():
            method = getattr(model.mapping, hook, None)
            if method is None:
                continue
            if not callable(method):
                raise TypeError(
                    f"mapping {name} has an attribute {hook} that is no method, but training "
                    "would call it; give the attribute another name."
                )
            shape = tuple(method(*rows).shape)
            if shape not in shapes.values():
                raise ValueError(
                    f"mapping {name}: {hook} must return a tensor of shape {' or '.join(shapes)} "
                    f"for n rows; for {n} rows it gave {shape}."
                )


_OF_Q = (
    "mean",
    "variance",
    "log_scale",
    "covariance",
    "sample",
    "at",
    "log_prob",
    "kl_from_standard",
    "marginals",
    "mixture_log_prob",
    "detached",
)


def _n_outputs(posterior: Any, n_components: int) -> int:
    for method in ("n_outputs", "mean"):
        if not callable(getattr(posterior, method, None)):
            raise TypeError(
                f"posterior {type(posterior).__name__} needs n_outputs(n_components), how many "
                "numbers it takes of the encoder for each row, mean(h), and forward(h), which "
                "returns q(y | X)."
            )
    return posterior.n_outputs(n_components)


def _check_posterior(posterior: Any, n_outputs: int, n_components: int) -> None:
    """Try what a posterior returns on a few rows."""
    name = type(posterior).__name__
    with torch.no_grad():
        q = posterior(torch.zeros(3, n_outputs))
    missing = [attribute for attribute in _OF_Q if not hasattr(q, attribute)]
    if missing:
        raise TypeError(
            f"posterior {name} must return a distribution as sklearn_intelvae.distributions has "
            f"them, Normal or FullNormal; {type(q).__name__} has no {', '.join(missing)}."
        )
    if tuple(q.mean.shape) != (3, n_components):
        raise ValueError(
            f"posterior {name} must return means of shape (n, {n_components}); for 3 rows it gave "
            f"{tuple(q.mean.shape)}."
        )


def _check_prior(model: Model) -> None:
    """Try the two methods of p(y) on a few rows."""
    name = type(model.prior).__name__
    p = _p_y_at_rest(model)
    for method in ("log_prob", "sample"):
        if not callable(getattr(p, method, None)):
            raise TypeError(
                f"prior {name} needs log_prob(y) and sample(n_samples, generator), or a "
                f"given(encode) whose result has both; {type(p).__name__} has no {method}."
            )
    y = p.sample(3, generator_from(0))
    log_prob = p.log_prob(y)
    if tuple(y.shape) != (3, model.n_components) or tuple(log_prob.shape) != (3,):
        raise ValueError(
            f"prior {name} must draw y of shape (n_samples, {model.n_components}) and return "
            f"log_prob of shape (n_samples,); for 3 rows it gave {tuple(y.shape)} and "
            f"{tuple(log_prob.shape)}."
        )
    if hasattr(p, "kl"):
        shape = tuple(p.kl(Normal(y, torch.zeros_like(y))).shape)
        if shape != (3,):
            raise ValueError(
                f"prior {name}: kl(q) must return shape (n_samples,); for 3 rows it gave {shape}."
            )


def _p_y_at_rest(model: Model) -> Any:
    """Return p(y) without drawing dropout or moving the statistics of a network."""
    training = model.encoder.training
    model.encoder.eval()
    with torch.no_grad():
        p = model.p_y()
    model.encoder.train(training)
    return p


def _check_likelihood(likelihood: Any, n_outputs: int, n_features: int) -> None:
    """Try the distribution that a likelihood returns on a few rows."""
    name = type(likelihood).__name__
    with torch.no_grad():
        p = likelihood(torch.zeros(3, n_outputs))
        for attribute in ("mean", "log_prob", "sample"):
            if not hasattr(p, attribute) or isinstance(p, torch.distributions.Distribution):
                raise TypeError(
                    f"likelihood {name} must return an object with mean, log_prob(x) and "
                    f"sample(generator), got {type(p).__name__}. torch's distributions draw from "
                    "the global generator and will not do; see sklearn_intelvae.distributions."
                )
        if tuple(p.mean.shape) != (3, n_features):
            raise ValueError(
                f"likelihood {name} has a mean of shape {tuple(p.mean.shape)} for 3 rows of "
                f"{n_features} features; set its outputs_per_feature to the numbers that it needs "
                "for each feature."
            )
        h = torch.linspace(-1, 1, 3 * n_outputs).reshape(3, n_outputs)
        mean = getattr(likelihood, "mean", None)
        if callable(mean) and not torch.allclose(mean(h), likelihood(h).mean, equal_nan=True):
            raise ValueError(
                f"likelihood {name}: mean(h) is not the mean of what forward(h) returns. A class "
                "that inherits mean and returns other distributions must give its own."
            )
        shape = tuple(p.log_prob(p.mean).shape)
        if shape != (3,):
            raise ValueError(
                f"likelihood {name}: log_prob(x) must return one number for each row, summed over "
                f"features; for 3 rows it gave shape {shape}."
            )
