"""A head start for encoders that a mapping guides."""

from __future__ import annotations

import math
from typing import Any

import torch

from sklearn_intelvae._random import generator_from
from sklearn_intelvae.model import Model
from sklearn_intelvae.training._batches import Batches, Rows


def follow_guidance(
    model: Model, rows: Rows, *, batch_size: int, n_steps: int, lr: float, seed: int
) -> None:
    """Train the encoder for about ``n_steps`` on what the mapping's ``guide`` says alone.

    A fit that ends before the encoder has learned to follow the mapping's first guess would leave
    rows where random weights put them.
    """
    guide: Any = model.mapping.guide
    weights = [w for w in model.encoder.parameters() if w.requires_grad]
    if not weights:
        return
    optimizer = torch.optim.Adam(weights, lr=lr)
    generator = generator_from(seed, str(rows.X.device))
    model.eval()
    batches = Batches(rows, batch_size, generator)
    for _ in range(math.ceil(n_steps / len(batches))):
        for x, weight, _ in batches:
            pull = guide(x, model.encode(x).mean)
            total = (pull if weight is None else weight * pull).mean()
            if not (total.requires_grad and total.isfinite()):
                return
            optimizer.zero_grad()
            total.backward(inputs=weights)
            optimizer.step()
