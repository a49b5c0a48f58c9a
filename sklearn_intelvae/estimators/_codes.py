"""The codes that ``transform`` returns: which columns, and in which unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sklearn_intelvae._part import detach_activations, device_of
from sklearn_intelvae._random import own_torch_state
from sklearn_intelvae._threads import one_thread
from sklearn_intelvae.estimators._parameters import OUTPUTS
from sklearn_intelvae.mappings import Identity
from sklearn_intelvae.models import VAE
from sklearn_intelvae.models._jacobian import jacobian

_ROWS_AT_A_TIME = 256
_ROWS_OF_GAINS = 512
_SMALLEST_AXIS = 1e-9


@dataclass(frozen=True)
class Codes:
    """The codes of a fitted model.

    Parameters
    ----------
    model : VAE
        The fitted model.
    output : {"representation", "posterior_mean", "both"}
        Whether the codes are z, the mean of q(y | x), or both side by side.
    units : tuple of ndarray or None
        For z and for y, what converts whitened codes to the unit of X: a factor for each column, or
        a matrix to multiply rows by. None if codes are whitened.

    Raises
    ------
    ValueError
        If ``output`` is unknown.
    """

    model: VAE
    output: str
    units: tuple[np.ndarray, np.ndarray] | None = None

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise ValueError(f"output={self.output!r} is unknown. Choose one of {list(OUTPUTS)}.")

    @property
    def n_columns(self) -> int:
        """The number of columns."""
        n_latent = 0 if self.output == "posterior_mean" else self.model.n_latent
        return n_latent + (0 if self.output == "representation" else self.model.n_components)

    def of_rows(self, x: Tensor) -> Tensor:
        """Return the whitened codes of rows."""
        if self.output == "representation":
            return self.model.transform(x)
        mean = self.model.posterior_mean(x)
        both = self.output == "both"
        return torch.cat([self.model.map(mean), mean], dim=1) if both else mean

    def decode(self, codes: Tensor) -> Tensor:
        """Return the mean of p(x | z) for whitened codes; of codes side by side z is used."""
        if self.output == "posterior_mean":
            return self.model.decode_mean(self.model.map(codes))
        return self.model.decode_mean(codes[:, : self.model.n_latent])

    def in_units(self, codes: np.ndarray) -> np.ndarray:
        """Return codes in the unit of X for whitened codes."""
        return codes if self.units is None else self._times(codes, *self.units)

    def whitened(self, codes: np.ndarray) -> np.ndarray:
        """Undo :meth:`in_units`; what has no effect on x becomes 0."""
        if self.units is None:
            return codes
        with np.errstate(over="ignore", under="ignore"):
            return self._times(codes, *map(_inverse, self.units))

    def _times(self, codes: np.ndarray, of_z: np.ndarray, of_y: np.ndarray) -> np.ndarray:
        """Multiply the columns that hold z by ``of_z``, and those that hold y by ``of_y``."""
        if self.output == "representation":
            return _product(codes, of_z)
        if self.output == "posterior_mean":
            return _product(codes, of_y)
        z, y = np.split(codes, [self.model.n_latent], axis=1)
        return np.concatenate([_product(z, of_z), _product(y, of_y)], axis=1)

    def jacobian(self, codes: np.ndarray) -> np.ndarray:
        """Return the change of each feature of x per unit of each code, in float64.

        Parameters
        ----------
        codes : ndarray of shape (n, n_columns)
            As ``transform`` returns them.
        """
        J = _jacobians(self.decode, self.whitened(codes), self.model)
        if self.units is None:
            return J
        rows = J.reshape(-1, J.shape[2])
        return self._times(rows, *(_inverse(unit).T for unit in self.units)).reshape(J.shape)


class Units(NamedTuple):
    """How much the codes change x.

    Attributes
    ----------
    gain_of_z, gain_of_y : ndarray of shape (n_latent,) and (n_components,), float64
        Root mean squared lengths of the columns of the decoder's Jacobian; ones if the mapping has
        no free scale.
    axes : ndarray of shape (n_latent, n_latent) or None
        The matrix by which rows of z become coordinates in which distances are those of x, on the
        average over rows, and along the principal axes of the codes. None if the components of z
        have a meaning of their own.
    """

    gain_of_z: np.ndarray
    gain_of_y: np.ndarray
    axes: np.ndarray | None


def units_of(model: VAE, x: np.ndarray, weight: np.ndarray | None, unit: float) -> Units:
    """Return how much the codes change x.

    Parameters
    ----------
    model : VAE
        A fitted model.
    x : ndarray of shape (n, n_features)
        Training rows. The Jacobian is computed at no more than 512 of them, evenly spaced.
    weight : ndarray of shape (n,) or None
        Their weights.
    unit : float
        Unit of x.
    """
    if not model.mapping.has_free_scale:
        return Units(np.ones(model.n_latent), np.ones(model.n_components), None)
    w = np.ones(len(x)) if weight is None else weight.astype(np.float64)
    step = -(-len(x) // _ROWS_OF_GAINS)
    share = w[::step] / w[::step].sum()

    def length(J: np.ndarray) -> np.ndarray:
        return np.sqrt(share @ np.square(J).sum(axis=1))

    with torch.no_grad():
        y = _posterior_means(model, x[::step])
        z = model.map(y).numpy(force=True)
        has_axes = model.prior_distribution().has_axes
    of_z = unit * _jacobians(model.decode_mean, z, model)
    if not isinstance(model.mapping, Identity):
        y = y.numpy(force=True)
        of_y = unit * _jacobians(lambda y: model.decode_mean(model.map(y)), y, model)
        return Units(length(of_z), length(of_y), None)
    axes = None
    if not has_axes:
        means = _posterior_means(model, x).double().numpy(force=True)
        covariance = np.cov(means.T, aweights=w, ddof=0)
        axes = _principal_axes(of_z, share, np.atleast_2d(covariance))
    return Units(length(of_z), length(of_z), axes)


@torch.no_grad()
def _posterior_means(model: VAE, x: np.ndarray) -> Tensor:
    rows = torch.from_numpy(x).to(device_of(model)).split(_ROWS_AT_A_TIME)
    return torch.cat([model.posterior_mean(chunk) for chunk in rows])


def _principal_axes(J: np.ndarray, share: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the square root of the mean metric of the decoder, rotated to the axes of the codes.

    Parameters
    ----------
    J : ndarray of shape (n, n_features, n_latent)
        Jacobians of the decoder.
    share : ndarray of shape (n,)
        Weights of the rows, of sum 1.
    covariance : ndarray of shape (n_latent, n_latent)
        Of the codes.
    """
    with one_thread():
        metric = np.einsum("n,nij,nik->jk", share, J, J, optimize=True)
        squares, vectors = np.linalg.eigh(metric)
        root = (vectors * np.sqrt(np.maximum(squares, 0))) @ vectors.T
        _, rotation = np.linalg.eigh(root @ covariance @ root)
        axes = root @ rotation[:, ::-1]
        loadings = np.tensordot(share, J, 1) @ _inverse(axes).T
    largest = np.take_along_axis(loadings, np.abs(loadings).argmax(axis=0)[None], axis=0)
    return axes * np.where(largest < 0, -1.0, 1.0)


def _jacobians(decode: Callable[[Tensor], Tensor], codes: np.ndarray, model: VAE) -> np.ndarray:
    with np.errstate(under="ignore"):
        rows = torch.from_numpy(codes.astype(np.float32)).to(device_of(model))
    with own_torch_state():
        parts = [jacobian(decode, z).double() for z in rows.split(_ROWS_AT_A_TIME)]
    detach_activations(model)
    return torch.cat(parts).numpy(force=True)


def _product(codes: np.ndarray, unit: np.ndarray) -> np.ndarray:
    if unit.ndim == 1:
        return codes * unit.astype(codes.dtype)
    with one_thread():
        return (codes.astype(np.float64) @ unit).astype(codes.dtype)


def _inverse(unit: np.ndarray) -> np.ndarray:
    if unit.ndim == 1:
        return np.divide(1.0, unit, out=np.zeros_like(unit), where=unit > 0)
    with one_thread():
        return np.linalg.pinv(unit, rcond=_SMALLEST_AXIS)
