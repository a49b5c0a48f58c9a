"""Where a model starts: at the linear model that it generalizes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_intelvae._part import Likelihood, Mapping, call
from sklearn_intelvae._random import generator_from, own_torch_state
from sklearn_intelvae.distributions import Density
from sklearn_intelvae.models._independence import independent_components
from sklearn_intelvae.models._linear_model import (
    MAX_NUMBERS,
    MAX_ROWS,
    LinearModel,
    fit_linear_model,
)
from sklearn_intelvae.models._nonlinearity import nonlinearity
from sklearn_intelvae.posteriors import Posterior

_N_DRAWS, _TOLERANCE, _LARGEST_ERROR = 256, 1e-3, 0.01
_N_SIZED, _SIMILAR, _SIZES = 10_000, 1.2, (0.1, 4.0)
"""Draws for the size of y; the ratio of sizes that count as equal; and the smallest and largest."""


class Affine(NamedTuple):
    """The function y = offset + u @ matrix that recovers y from the decoder's input u."""

    matrix: np.ndarray
    offset: np.ndarray


def inverse_at_start(mapping: Mapping, n_components: int) -> Affine | None:
    """Return how y follows from the decoder's input before training, if that is an affine function.

    Parameters
    ----------
    mapping : Mapping
        Built.
    n_components : int
        Number of columns of y.

    Returns
    -------
    inverse : Affine or None
        None if the mapping is not affine and invertible.
    """
    n = _N_DRAWS + 4 * n_components
    y = torch.randn(n, n_components, generator=generator_from(0), dtype=torch.float32)
    try:
        with own_torch_state(), torch.no_grad(), evaluated(mapping):
            z = call(mapping, y)
            u = call(mapping.to_decoder, z)
        if u.shape != z.shape or len(u) != n or not u.isfinite().all():
            return None
        inputs = np.c_[u.double().numpy(), np.ones(n)]
    except Exception:  # whatever is wrong with the mapping, its checks will say
        return None
    solution, *_ = np.linalg.lstsq(inputs, y.double().numpy(), rcond=1e-6)
    error = np.abs(inputs @ solution - y.double().numpy()).max()
    return Affine(solution[:-1], solution[-1]) if error < _TOLERANCE else None


def can_start(
    likelihood: Likelihood, posterior: Posterior, mapping: Mapping, n_features: int, k: int
) -> bool:
    """Return whether a model of k components with these parts can start at a linear model."""
    return (
        _is_linear_likelihood(likelihood, n_features)
        and _is_linear_posterior(posterior, k)
        and inverse_at_start(mapping, k) is not None
    )


def _is_linear_likelihood(likelihood: Likelihood, n_features: int) -> bool:
    """Return whether a likelihood has a linearization, of means that are its own."""
    mean = np.linspace(0.25, 0.75, n_features)
    try:
        linear = call(likelihood.linearize, mean, np.full(n_features, 0.1))
        if linear is None:
            return False
        with torch.no_grad(), evaluated(likelihood):
            found = call(likelihood.mean, _float32(linear.output)[None])
        return found.shape[1] == n_features and bool(np.allclose(found, mean, atol=1e-3))
    except Exception:  # whatever is wrong with the likelihood, its checks will say
        return False


def _is_linear_posterior(posterior: Posterior, k: int) -> bool:
    """Return whether ``outputs_for`` gives the posterior that it should."""
    mean, variance = torch.linspace(-1, 1, k), torch.linspace(0.2, 0.8, k)
    try:
        outputs = call(posterior.outputs_for, torch.diag(variance.double()))
        if outputs is None:
            return False
        with torch.no_grad(), evaluated(posterior):
            q = call(posterior, torch.cat([mean, outputs[k:]])[None])
        found = torch.cat([q.mean, q.variance])
        return torch.allclose(found, torch.stack([mean, variance]), atol=1e-3)
    except Exception:  # whatever is wrong with the posterior, its checks will say
        return False


def can_have_covariance(posterior: Posterior, covariance: np.ndarray) -> bool:
    """Return whether a posterior can have a covariance matrix.

    Parameters
    ----------
    posterior : Posterior
        Of a model that can start at a linear model.
    covariance : ndarray of shape (n_components, n_components)
        For the components of y.
    """
    expected = torch.from_numpy(covariance)
    outputs = call(posterior.outputs_for, expected)
    with torch.no_grad(), evaluated(posterior):
        found = call(posterior, outputs[None]).covariance[0].double()
    scale = expected.diagonal().sqrt()
    error = (found - expected) / torch.outer(scale, scale)
    return bool(error.abs().max() < _LARGEST_ERROR)


def changes_under_rotation(density: Density, n_components: int, device: torch.device) -> bool:
    """Return whether a density changes under a rotation.

    Parameters
    ----------
    density : Density
        Of y, at the start of a fit.
    n_components : int
        Number of columns of y.
    device : torch.device
        Where the density computes.
    """
    if n_components == 1:
        return False
    generator = generator_from(0)
    y = torch.randn(_N_DRAWS, n_components, generator=generator, dtype=torch.float32)
    square = torch.randn(n_components, n_components, generator=generator, dtype=torch.float32)
    rotation = torch.linalg.qr(square).Q.to(device)
    y = y.to(device)
    with torch.no_grad():
        change = call(density.log_prob, y @ rotation) - call(density.log_prob, y)
    return bool(change.abs().max() > _LARGEST_ERROR * n_components)


def size_under(density: Density, generator: torch.Generator) -> float:
    """Return the size of the components of y under a density, relative to that under N(0, I).

    It is the ratio of the mean distances from the median, which exist for heavier tails than
    standard deviations do.

    Parameters
    ----------
    density : Density
        Of y.
    generator : torch.Generator
        Source of the draws from it. To draw from it whatever ``sample`` does, call this function
        within :class:`~sklearn_intelvae._random.OwnRandomness`.

    Returns
    -------
    size : float
        From .1 to 4, and 1 for a density that is nearly as wide as N(0, I), or whose draws are not
        finite.
    """
    with torch.no_grad():
        draws = call(density.sample, _N_SIZED, generator).double()
        distance = (draws - draws.median(dim=0).values).abs().mean().item()
    if not math.isfinite(distance):
        return 1.0
    size = min(max(distance / math.sqrt(2 / math.pi), _SIZES[0]), _SIZES[1])
    return 1.0 if 1 / _SIMILAR < size < _SIMILAR else size


class LinearStart(NamedTuple):
    """The linear model that a VAE starts at, and the rows that it was fitted to.

    Attributes
    ----------
    solution : LinearModel
        The linear model.
    rows : ndarray of shape (n, n_features)
        All linearized rows, or an evenly spaced subset of them.
    weight : ndarray of shape (n,) or None
        Their weights.
    n_rows : int
        Number of all rows.
    mean, slope : ndarray of shape (n_features,)
        Of the rows before they were linearized, and of the linearization.
    inverse : Affine
        How y follows from the decoder's input.
    size : float
        Of y, relative to the unit of the linear model.
    """

    solution: LinearModel
    rows: np.ndarray
    weight: np.ndarray | None
    n_rows: int
    mean: np.ndarray
    slope: np.ndarray
    inverse: Affine
    size: float = 1.0

    def excess_nonlinearity(self) -> float:
        """Return the excess of :func:`nonlinearity` over 1, extrapolated to all rows."""
        excess = nonlinearity(self.rows, self.weight, self.solution) - 1
        return excess * self.n_rows / len(self.rows)

    def with_independent_components(self, X: Tensor) -> LinearStart:
        """Return the start with the same density whose components of X are independent.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows, or differences of rows.

        Returns
        -------
        start : LinearStart
            With the same solution if no rotation makes its components less normal.
        """
        rows = X.numpy(force=True)
        rows = rows[_evenly(rows)].astype(np.float64) * self.slope
        return self._replace(solution=self.solution.with_independent_components(rows))

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact posterior of y.

        Returns
        -------
        encoder : ndarray of shape (n_features, n_components)
            A, for the mean (x - mean) A of rows before they were linearized.
        covariance : ndarray of shape (n_components, n_components)
            The same for all rows.
        """
        encoder, covariance = self.solution.posterior()
        return encoder * self.slope[:, None] * self.size, covariance * self.size**2

    def apply(self, model: Any) -> None:
        """Set the linear paths of a VAE and the noise of its likelihood to the linear model.

        Parameters
        ----------
        model : VAE
            Built with linear paths.
        """
        solution, inverse = self.solution, self.inverse
        call(model.likelihood.set_noise, solution.noise, 1.0)
        encoder, covariance = self.posterior()
        weights = solution.weights / self.size
        outputs = call(model.posterior.outputs_for, torch.from_numpy(covariance)).clone()
        outputs[: model.n_components] = _float32(-self.mean @ encoder)
        model.encoder.start_at(_float32(encoder.T), outputs)
        model.decoder.start_at(
            _float32((inverse.matrix @ weights).T),
            _float32(solution.mean + inverse.offset @ weights),
        )


def start_at_linear_model(
    model: Any, X: Tensor, weight: Tensor | None, *, to_convergence: bool
) -> LinearStart:
    """Set the linear paths of a VAE and the noise of its likelihood to a linear model of X.

    The bound is then the log-likelihood of factor analysis, since the posterior is exact.

    Parameters
    ----------
    model : VAE
        Built with linear paths.
    X : Tensor of shape (n_samples, n_features)
        The training rows.
    weight : Tensor of shape (n_samples,) or None
        Their weights.
    to_convergence : bool
        Whether the linear model is computed to its optimum, which suits a fit that hardly leaves
        it.

    Returns
    -------
    start : LinearStart
        The linear model, which has been applied.

    Notes
    -----
    Factor analysis often explains a column almost without noise (a Heywood case). From there
    networks hardly learn: the column has large gradients, and occupies a component. Iterations that
    end before that have found almost the same likelihood, with more noise.
    """
    rows, w = X.double().numpy(force=True), None
    share = np.full(len(rows), 1 / len(rows))
    if weight is not None:
        w = weight.double().numpy(force=True)
        share = w / w.sum()
    mean = share @ rows
    variance = share @ np.square(rows - mean)
    linear = call(model.likelihood.linearize, mean, variance)
    few = _evenly(rows)
    w = None if w is None else w[few]
    linearized = linear.output + (rows[few] - mean) * linear.slope
    solution = fit_linear_model(
        linearized,
        w,
        linear.output,
        model.n_components,
        noise=linear.noise,
        is_shared=linear.is_shared,
        min_noise=linear.min_noise,
        to_convergence=to_convergence,
    )
    if not to_convergence and linear.noise is None and not linear.is_shared:
        solution = solution.with_all_components(linearized, w, linear.min_noise)
    inverse = inverse_at_start(model.mapping, model.n_components)
    assert inverse is not None  # otherwise the model would have no linear paths
    start = LinearStart(solution, linearized, w, len(rows), mean, linear.slope, inverse)
    start.apply(model)
    return start


def start_at_independent_components(path: Any, X: Tensor, generator: torch.Generator) -> None:
    """Set the linear function beside an encoder to independent component analysis of X.

    Parameters
    ----------
    path : LinearPath
        Its outputs are the components. Those beyond the rank of X keep their random weights.
    X : Tensor of shape (n_samples, n_features)
        The training rows. Of a table of more than 10,000 rows an evenly spaced subset is analyzed.
    generator : torch.Generator
        Source of the first guess.
    """
    rows = X.double().numpy(force=True)

    def first_guess(k: int) -> np.ndarray:
        guess = torch.randn(k, k, generator=generator, dtype=torch.float64, device=generator.device)
        return guess.numpy(force=True)

    mean, unmixing = independent_components(rows[_evenly(rows)], len(path.bias), first_guess)
    weight = path.weight.detach().clone()
    weight[: len(unmixing)] = _float32(unmixing)
    path.start_at(weight, -weight @ _float32(mean))


def _evenly(rows: np.ndarray) -> slice:
    """Return a slice of at most about ``MAX_ROWS`` rows and ``MAX_NUMBERS`` numbers."""
    most = min(MAX_ROWS, max(1, MAX_NUMBERS // rows.shape[1]))
    return slice(None, None, -(-len(rows) // most))


def _float32(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


@contextmanager
def evaluated(part: nn.Module) -> Iterator[None]:
    """Put a part into evaluation mode, for a while."""
    training = part.training
    part.eval()
    try:
        yield
    finally:
        part.train(training)
