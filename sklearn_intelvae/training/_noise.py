"""The noise at the end of a fit: what its degrees of freedom have cost is added."""

from __future__ import annotations

from typing import Any

import torch
from skorch.callbacks import Callback

from sklearn_intelvae._part import call
from sklearn_intelvae.training._net import MultiPlayerNet, uncompiled

_LARGEST_SHARE = 0.5
"""Of the coefficients, in the number of rows."""


def final_prediction_error(n_rows: float, n_fitted: int) -> float:
    """Return the ratio of the squared errors of further rows to those of the training rows.

    Parameters
    ----------
    n_rows : float
        Number of rows that a regression was fitted to.
    n_fitted : int
        Number of its coefficients. At most half of the number of rows is counted, so that the
        factor stays finite.

    Returns
    -------
    factor : float
        From 1 to 3.

    References
    ----------
    Akaike, "Fitting Autoregressive Models for Prediction", Annals of the Institute of Statistical
    Mathematics 21, 1969.
    """
    share = min(n_fitted / n_rows, _LARGEST_SHARE)
    return (1 + share) / (1 - share)


class NoiseCorrection(Callback):
    """Multiplies the variance of learned noise at the end of a fit.

    The net keeps what the likelihood was before, so that a continued fit can go on from there.

    Parameters
    ----------
    factor : float
        Of the variance.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def on_train_end(self, net: MultiPlayerNet, **kwargs: Any) -> None:
        """Correct the noise."""
        likelihood = uncompiled(net.module_).likelihood
        tensors = likelihood.state_dict().items()
        before = {n: v.numpy(force=True).copy() for n, v in tensors if isinstance(v, torch.Tensor)}
        call(likelihood.set_noise, None, self.factor)
        net.corrected_noise_ = {"noise_factor": self.factor, "noise_before": before}


def undo_correction(model: Any, state: dict[str, Any]) -> None:
    """Give the likelihood of a copied model the noise that it had before the correction.

    Parameters
    ----------
    model : VAE or PCLModel
        The copy.
    state : dict
        Of the training that is continued.
    """
    before = state.get("noise_before")
    if before:
        weights = {name: torch.tensor(value) for name, value in before.items()}
        model.likelihood.load_state_dict(weights, strict=False)
