"""What transform returns: z, the mean of the intermediary, or both side by side."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_intelvae.model import Model

CODES = ("z", "intermediary", "both")


def checked_codes(codes: str) -> str:
    """Return the parameter, which may have been set after the fit."""
    if codes not in CODES:
        raise ValueError(f"codes={codes!r} is not known. Choose one of {list(CODES)}.")
    return codes


def n_columns(model: Model, codes: str) -> int:
    """Return how many columns the codes have."""
    n_latent = 0 if checked_codes(codes) == "intermediary" else model.n_latent
    return n_latent + (0 if codes == "z" else model.n_components)


def to_codes(model: Model, x: Tensor, codes: str) -> Tensor:
    """Return the codes of the rows of X."""
    if checked_codes(codes) == "z":
        return model.represent(x)
    intermediary = model.encode(x).mean
    if codes == "intermediary":
        return intermediary
    return torch.cat([model.mapping(intermediary), intermediary], dim=1)


def to_latent(model: Model, table: Tensor, codes: str) -> Tensor:
    """Return the z that a table of codes stands for; beside z the intermediary is not needed."""
    if checked_codes(codes) == "intermediary":
        return model.mapping(table)
    return table[:, : model.n_latent]
