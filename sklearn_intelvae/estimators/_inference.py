"""Functions of a fitted model: apply it to rows, and choose what ``transform`` returns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_intelvae._torch_state import own_torch_state
from sklearn_intelvae.estimators._parameters import OUTPUTS
from sklearn_intelvae.estimators._validation import check_finite
from sklearn_intelvae.models import VAE

_CHUNK_NUMBERS = 2**21
_CHUNK_ROWS = 256, 4096


def apply(
    function: Callable[[Tensor], Tensor],
    X: np.ndarray,
    model: nn.Module,
    name: str,
    width: int = 1,
) -> np.ndarray:
    """Apply ``function`` to some thousand rows at a time, without gradients.

    Parameters
    ----------
    function : callable
        Maps rows on the device of ``model`` to a tensor with as many rows.
    X : ndarray of shape (n_samples, n_features), float32
    model : torch.nn.Module
    name : str
        The name of the estimator, for the error if a value of X is not finite.
    width : int, default=1
        The number of values per row that ``function`` needs in memory, if more than X has.
    """
    size = int(np.clip(_CHUNK_NUMBERS // max(X.shape[1], width), *_CHUNK_ROWS))
    device = device_of(model)
    outputs = None
    with own_torch_state(), torch.inference_mode():
        for start in range(0, len(X), size):
            rows = torch.from_numpy(X[start : start + size])
            check_finite(rows, name)
            output = function(rows.to(device))
            if outputs is None:
                outputs = torch.empty((len(X), *output.shape[1:]), dtype=output.dtype)
            outputs[start : start + size] = output
    assert outputs is not None
    return outputs.numpy()


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's parameters."""
    return next(model.parameters()).device


def n_output_columns(model: VAE, output: str) -> int:
    """Return the number of columns that ``transform`` returns."""
    n_latent = 0 if _checked(output) == "posterior_mean" else model.n_latent
    return n_latent + (0 if output == "representation" else model.n_components)


def codes_of_rows(model: VAE, x: Tensor, output: str) -> Tensor:
    """Return the codes of rows of X."""
    if _checked(output) == "representation":
        return model.transform(x)
    mean = model.posterior_mean(x)
    return mean if output == "posterior_mean" else torch.cat([model.map(mean), mean], dim=1)


def mean_of_codes(model: VAE, codes: Tensor, output: str) -> Tensor:
    """Return the mean of p(x | z) for codes; of codes side by side z is used."""
    if _checked(output) == "posterior_mean":
        return model.decode_mean(model.map(codes))
    return model.decode_mean(codes[:, : model.n_latent])


def _checked(output: str) -> str:
    """Return the parameter, which may have been changed after the fit."""
    if output not in OUTPUTS:
        raise ValueError(f"output={output!r} is unknown. Choose one of {list(OUTPUTS)}.")
    return output
