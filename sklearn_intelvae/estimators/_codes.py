"""The codes that ``transform`` returns: which columns, and in which unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sklearn_intelvae._part import detach_activations, device_of
from sklearn_intelvae._random import own_torch_state
from sklearn_intelvae.estimators._parameters import OUTPUTS
from sklearn_intelvae.models import VAE
from sklearn_intelvae.models._jacobian import jacobian

_ROWS_AT_A_TIME = 256
_ROWS_OF_GAINS = 512


@dataclass(frozen=True)
class Codes:
    """The codes of a fitted model.

    Parameters
    ----------
    model : VAE
        The fitted model.
    output : {"representation", "posterior_mean", "both"}
        Whether the codes are z, the mean of q(y | x), or both side by side.
    gains : tuple of ndarray or None
        Factors for the columns of z, and for those of y; None if codes are whitened.

    Raises
    ------
    ValueError
        If ``output`` is unknown.
    """

    model: VAE
    output: str
    gains: tuple[np.ndarray, np.ndarray] | None = None

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise ValueError(f"output={self.output!r} is unknown. Choose one of {list(OUTPUTS)}.")

    @property
    def n_columns(self) -> int:
        """The number of columns."""
        n_latent = 0 if self.output == "posterior_mean" else self.model.n_latent
        return n_latent + (0 if self.output == "representation" else self.model.n_components)

    @property
    def gain(self) -> np.ndarray | None:
        """The factor of each column, (n_columns,), or None."""
        if self.gains is None:
            return None
        of_z, of_y = self.gains
        return {"representation": of_z, "posterior_mean": of_y}.get(
            self.output, np.concatenate(self.gains)
        )

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

    def with_gain(self, codes: np.ndarray) -> np.ndarray:
        """Return codes in the unit of X for whitened codes."""
        return codes if self.gain is None else codes * self.gain.astype(codes.dtype)

    def without_gain(self, codes: np.ndarray) -> np.ndarray:
        """Undo :meth:`with_gain`; a column without effect on x becomes 0."""
        if self.gain is None:
            return codes
        with np.errstate(over="ignore", under="ignore"):
            return codes * _inverse(self.gain).astype(codes.dtype)

    def jacobian(self, codes: np.ndarray) -> np.ndarray:
        """Return the change of each feature of x per unit of each code, in float64.

        Parameters
        ----------
        codes : ndarray of shape (n, n_columns)
            As ``transform`` returns them.
        """
        J = _jacobians(self.decode, self.without_gain(codes), self.model)
        return J if self.gain is None else J * _inverse(self.gain)


def gains_of(
    model: VAE, x: np.ndarray, weight: np.ndarray | None, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the root mean squared lengths of the columns of the decoder's Jacobian.

    Parameters
    ----------
    model : VAE
        A fitted model.
    x : ndarray of shape (n, n_features)
        Training rows. If there are more than 512, evenly spaced ones are used.
    weight : ndarray of shape (n,) or None
        Their weights.
    unit : float
        Unit of x.

    Returns
    -------
    of_z, of_y : ndarray of shape (n_latent,) and (n_components,), float64
        For z and for y. Ones if the mapping has no free scale.
    """
    if not model.mapping.has_free_scale:
        return np.ones(model.n_latent), np.ones(model.n_components)
    step = -(-len(x) // _ROWS_OF_GAINS)
    with torch.no_grad():
        y = model.posterior_mean(torch.from_numpy(x[::step]).to(device_of(model)))
        z = model.map(y)
    w = np.ones(len(y)) if weight is None else weight[::step].astype(np.float64)
    share = w / w.sum()

    def length(decode: Callable[[Tensor], Tensor], codes: Tensor) -> np.ndarray:
        J = _jacobians(decode, codes.numpy(force=True), model)
        return unit * np.sqrt(share @ np.square(J).sum(axis=1))

    return (
        length(model.decode_mean, z),
        length(lambda codes: model.decode_mean(model.map(codes)), y),
    )


def _jacobians(decode: Callable[[Tensor], Tensor], codes: np.ndarray, model: VAE) -> np.ndarray:
    with np.errstate(under="ignore"):
        rows = torch.from_numpy(codes.astype(np.float32)).to(device_of(model))
    with own_torch_state():
        parts = [jacobian(decode, z).double() for z in rows.split(_ROWS_AT_A_TIME)]
    detach_activations(model)
    return torch.cat(parts).numpy(force=True)


def _inverse(gain: np.ndarray) -> np.ndarray:
    return np.divide(1.0, gain, out=np.zeros_like(gain), where=gain > 0)
