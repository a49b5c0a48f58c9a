"""Pretraining of encoders that a mapping guides."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sklearn_intelvae._part import Mapping, Part, call
from sklearn_intelvae._random import generator_from
from sklearn_intelvae.models import VAE
from sklearn_intelvae.training._rows import Batches, Rows


def pretrain_encoder(
    model: VAE, rows: Rows, *, batch_size: int, n_steps: int, lr: float, seed: int
) -> None:
    """Train the encoder for about ``n_steps`` on the "guidance" term of the mapping alone.

    A short fit would otherwise end before the encoder has followed the guidance. Nothing happens
    if the mapping has no such term.
    """
    parameters = [p for p in model.encoder.parameters() if p.requires_grad]
    mappings = (m for m in model.mapping.modules() if isinstance(m, Mapping))
    if not parameters or all(type(m).loss_terms is Mapping.loss_terms for m in mappings):
        return
    optimizer = torch.optim.Adam(parameters, lr=lr)
    model.eval()
    for part in model.mapping.modules():  # guidance is a term of the training only
        part.training = isinstance(part, Part)
    batches = Batches(rows, batch_size, generator_from(seed, rows.device))
    for _ in range(math.ceil(n_steps / len(batches))):
        for tensors in batches:
            loss = _guidance(model, tensors["x"], tensors.get("weight"))
            if loss is None or not (loss.requires_grad and loss.isfinite()):
                return
            optimizer.zero_grad()
            loss.backward(inputs=parameters)
            optimizer.step()


def _guidance(model: VAE, x: Tensor, weight: Tensor | None) -> Tensor | None:
    mean = model.encode(x).mean
    terms = call(model.mapping.loss_terms, x, mean, mean, model.map(mean))
    pull = terms.get("guidance")
    return pull if pull is None else (pull if weight is None else weight * pull).mean()
