"""The latent variable model with an intermediary latent, and how it is built from its parts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_intelvae._checks import (
    check_density,
    check_likelihood,
    check_mapping,
    check_networks,
    check_posterior,
    checked_size,
    initialize_parts,
    output_width,
    sized_network,
)
from sklearn_intelvae._part import (
    call,
    convert_to_float32,
    follows_progress,
    nested_parts,
    untrained_copy,
)
from sklearn_intelvae._random import OwnRandomness, generator_from
from sklearn_intelvae.distributions import Density, Distribution, PosteriorDistribution
from sklearn_intelvae.likelihoods import Likelihood
from sklearn_intelvae.mappings import Mapping
from sklearn_intelvae.models._linear_start import can_start
from sklearn_intelvae.networks import LinearPath
from sklearn_intelvae.posteriors import Posterior
from sklearn_intelvae.priors import Prior


class Forward(NamedTuple):
    """The quantities of one forward pass for n rows.

    Attributes
    ----------
    q : PosteriorDistribution
        q(y | x).
    y : Tensor of shape (n, n_components)
        One draw from q for each row.
    z : Tensor of shape (n, n_latent)
        The mapped draws.
    p : Distribution
        p(x | z).
    """

    q: PosteriorDistribution
    y: Tensor
    z: Tensor
    p: Distribution


class VAE(nn.Module):
    """A variational autoencoder with an intermediary latent.

    ::

        x -> encoder -> q(y | x) -> y -> g -> z -> decoder -> p(x | z)

    :meth:`VAEParts.build` creates it. A mapping with ``to_decoder`` changes the decoder's input.

    Parameters
    ----------
    parts : VAEParts
        Built parts.
    n_features, n_components, n_latent : int
        Numbers of columns of x, y and z.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae import InteLVAE
    >>> X = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
    >>> model = InteLVAE(2, max_iter=2, random_state=0).fit(X).module_
    >>> q, y, z, p = model(X[:3], torch.Generator().manual_seed(0))
    >>> z.shape, p.log_prob(X[:3]).shape
    (torch.Size([3, 2]), torch.Size([3]))
    """

    def __init__(self, parts: VAEParts, n_features: int, n_components: int, n_latent: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_components = n_components
        self.n_latent = n_latent
        self.encoder = parts.encoder
        self.posterior = parts.posterior
        self.mapping = parts.mapping
        self.decoder = parts.decoder
        self.likelihood = parts.likelihood
        self.prior = parts.prior
        self._nested_parts = nested_parts(
            self.likelihood, self.mapping, self.prior, self.encoder, self.decoder, self.posterior
        )
        self._with_progress = [part for part in self._nested_parts if follows_progress(part)]

    def forward(self, x: Tensor, generator: torch.Generator) -> Forward:
        """Encode rows, draw y, map it, and decode z.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows of X.
        generator : torch.Generator
            Source of the draws.

        Returns
        -------
        run : Forward
            The distributions q(y | x), one draw of y for each row, z = g(y), and p(x | z).
        """
        q = self.encode(x)
        y = q.sample(generator)
        z = self.map(y)
        return Forward(q, y, z, self.decode(z))

    def encode(self, x: Tensor) -> PosteriorDistribution:
        """Return q(y | x).

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows of X.

        Returns
        -------
        q : PosteriorDistribution
            A Gaussian for each row.
        """
        return call(self.posterior, call(self.encoder, x))

    def map(self, y: Tensor) -> Tensor:
        """Return z = g(y).

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            Intermediary latents.

        Returns
        -------
        z : Tensor of shape (n, n_latent)
            Codes.
        """
        return call(self.mapping, y)

    def decode(self, z: Tensor) -> Distribution:
        """Return p(x | z).

        Parameters
        ----------
        z : Tensor of shape (n, n_latent)
            Codes.

        Returns
        -------
        p : Distribution
            One distribution for each row.
        """
        return call(self.likelihood, self.decoder_output(z))

    def decoder_output(self, z: Tensor) -> Tensor:
        """Return the output of the decoder, which is the input of the likelihood.

        Parameters
        ----------
        z : Tensor of shape (n, n_latent)
            Codes.

        Returns
        -------
        h : Tensor of shape (n, outputs_per_feature * n_features)
            Parameters of p(x | z), without constraints.
        """
        return call(self.decoder, call(self.mapping.to_decoder, z))

    def decode_mean(self, z: Tensor) -> Tensor:
        """Return the mean of p(x | z).

        Parameters
        ----------
        z : Tensor of shape (n, n_latent)
            Codes.

        Returns
        -------
        mean : Tensor of shape (n, n_features)
            In the unit of X.
        """
        return call(self.likelihood.mean, self.decoder_output(z))

    def transform(self, x: Tensor) -> Tensor:
        """Return the codes z = g(mean of q(y | x)), without randomness.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows of X.

        Returns
        -------
        z : Tensor of shape (n, n_latent)
            Codes.
        """
        return self.map(self.posterior_mean(x))

    def posterior_mean(self, x: Tensor) -> Tensor:
        """Return the mean of q(y | x).

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows of X.

        Returns
        -------
        mean : Tensor of shape (n, n_components)
            Intermediary latents.
        """
        return call(self.posterior.mean, call(self.encoder, x))

    def prior_distribution(self) -> Density:
        """Return p(y), given the current encoder if the prior depends on it.

        Returns
        -------
        density : Density
            The same for all rows.
        """
        return self.prior.density(self.encode)

    @property
    def has_linear_paths(self) -> bool:
        """Whether the networks are beside linear functions, which start at a linear model."""
        return isinstance(self.encoder, LinearPath)

    def linear_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the linear functions beside the networks.

        Returns
        -------
        parameters : list of Parameter
            Empty without such functions.
        """
        networks = self.encoder, self.decoder
        paths = [network for network in networks if isinstance(network, LinearPath)]
        return [parameter for path in paths for parameter in path.linear_parameters()]

    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Set starting values of all parts from the training rows, and check some of them.

        The mapping and networks of the user are applied to the first rows.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_features)
            The training rows; if they are weighted, rows drawn in proportion to their weights.
        generator : torch.Generator
            Source of all random numbers.
        """
        initialize_parts(self._nested_parts, X, generator)
        x = X[:3]
        y = torch.linspace(-1, 1, len(x) * self.n_components, dtype=torch.float32)
        check_mapping(self.mapping, x, y.reshape(len(x), -1))
        check_networks(self, x, y.reshape(len(x), -1))

    def set_progress(self, fraction: float) -> None:
        """Tell all parts the fraction of the warm-up that has passed, and update the prior.

        Parameters
        ----------
        fraction : float
            Grows from 0 to 1, then stays 1.
        """
        for part in self._with_progress:
            part.set_progress(fraction)
        self.prior.follow(self.encode)


class VAEParts(NamedTuple):
    """The parts of a :class:`VAE`, not built yet; any number of models can be built from them.

    Attributes
    ----------
    encoder, decoder : torch.nn.Module
        Networks, or plain modules of any output width.
    posterior : Posterior
    mapping : Mapping
    likelihood : Likelihood
    prior : Prior
    linear_path : bool, default=False
        Whether the networks are beside linear functions, if the parts can start at a linear model.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.likelihoods import Gaussian
    >>> from sklearn_intelvae.mappings import Sphere
    >>> from sklearn_intelvae.models import VAEParts
    >>> from sklearn_intelvae.networks import MLP
    >>> from sklearn_intelvae.posteriors import DiagonalGaussian
    >>> from sklearn_intelvae.priors import Normal
    >>> parts = VAEParts(MLP(), DiagonalGaussian(), Sphere(), MLP(), Gaussian(), Normal())
    >>> model = parts.build(5, 2, torch.Generator().manual_seed(0))
    >>> model.transform(torch.zeros(1, 5)).shape
    torch.Size([1, 2])
    """

    encoder: nn.Module
    posterior: Posterior
    mapping: Mapping
    decoder: nn.Module
    likelihood: Likelihood
    prior: Prior
    linear_path: bool = False

    def build(self, n_features: int, n_components: int, generator: torch.Generator) -> VAE:
        """Return a model for rows of ``n_features`` numbers; the parts themselves are copied.

        Parameters
        ----------
        n_features, n_components : int
            Numbers of columns of x and y. The number of columns of z follows from the mapping.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        model : VAE
            Not trained.

        Raises
        ------
        TypeError, ValueError
            If a part does not return what it should.
        """
        with OwnRandomness(generator):
            parts = VAEParts(*map(untrained_copy, self))
            n_codes = parts.posterior.n_outputs(n_components)
            n_codes = checked_size(parts.posterior, "n_outputs", n_codes)
            encoder = sized_network(parts.encoder, n_features, n_codes, "encoder")
            parts.mapping.build(n_components)
            parts.prior.build(n_components, n_features)
            parts.likelihood.build(n_features)
            n_latent = output_width(parts.mapping, n_components, "mapping")
            per_feature = parts.likelihood.outputs_per_feature
            per_feature = checked_size(parts.likelihood, "outputs_per_feature", per_feature)
            n_outputs = per_feature * n_features
            decoder = sized_network(parts.decoder, n_latent, n_outputs, "decoder")
            if parts._starts_linear(n_features, n_components):
                encoder = LinearPath(encoder, n_features, n_codes, n_components)
                decoder = LinearPath(decoder, n_latent, n_outputs)
        parts = parts._replace(encoder=encoder, decoder=decoder)
        model = VAE(parts, n_features, n_components, n_latent)
        convert_to_float32(model.eval())
        check_posterior(parts.posterior, n_codes, n_components)
        check_likelihood(parts.likelihood, n_outputs, n_features)
        with torch.no_grad():
            check_density(model.prior, model.prior_distribution(), n_components)
        return model.train()

    def starts_linear(self, n_features: int, n_components: int) -> bool:
        """Return whether a model of these sizes starts at a linear model.

        Parameters
        ----------
        n_features, n_components : int
            Numbers of columns of x and y.

        Returns
        -------
        starts_linear : bool
            Whether ``linear_path`` is set, and the parts can.
        """
        if not self.linear_path:
            return False
        with OwnRandomness(generator_from(0)):
            parts = VAEParts(*map(untrained_copy, self))
            parts.mapping.build(n_components)
            parts.likelihood.build(n_features)
        return parts._starts_linear(n_features, n_components)

    def _starts_linear(self, n_features: int, n_components: int) -> bool:
        return self.linear_path and can_start(
            self.likelihood, self.posterior, self.mapping, n_features, n_components
        )

    def check_support(self, *tables: np.ndarray | None) -> None:
        """Raise ValueError if a table has values outside the support of the likelihood.

        Parameters
        ----------
        *tables : ndarray of shape (n_samples, n_features) or None
            Rows to train or to validate on.
        """
        for X in tables:
            if X is not None and call(self.likelihood.check_support, X) is not None:
                name = type(self.likelihood).__name__
                raise TypeError(
                    f"{name}.check_support must return nothing, and raise ValueError if a value "
                    "lies outside the support."
                )

    @property
    def standardization(self) -> str:
        """What is done to X before the model sees it."""
        return self.likelihood.standardization

    @property
    def n_trials(self) -> int:
        """The largest number of trials that the mapping, or one inside it, asks for."""
        return max(m.n_trials for m in self.mapping.modules() if isinstance(m, Mapping))
