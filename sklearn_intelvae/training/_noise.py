"""The noise at the end of a fit: what its degrees of freedom have cost is added."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from sklearn_intelvae._part import call
from sklearn_intelvae.training._net import MultiPlayerNet, uncompiled

_LARGEST_SHARE = 0.5


def final_prediction_error(n_rows: float, n_fitted: int) -> float:
    """Return the ratio of the squared errors of further rows to those of the training rows.

    Parameters
    ----------
    n_rows : float
        Number of rows that a regression was fitted to.
    n_fitted : int
        Number of its coefficients; more than half of the rows count as half of them.

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
        before = _arrays(likelihood)
        call(likelihood.set_noise, None, self.factor)
        after = _arrays(likelihood)
        if any(not np.array_equal(value, after[name]) for name, value in before.items()):
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
    if state.get("noise_before") is not None:
        weights = {name: torch.tensor(value) for name, value in state["noise_before"].items()}
        model.likelihood.load_state_dict(weights, strict=False)


def _arrays(part: torch.nn.Module) -> dict[str, np.ndarray]:
    tensors = part.state_dict().items()
    return {n: v.numpy(force=True).copy() for n, v in tensors if isinstance(v, torch.Tensor)}
