"""The network of :func:`perturb_dataset` and its training."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from sklearn_intelvae._random import own_torch_state

_WIDTH, _BATCH_SIZE, _LEARNING_RATE = 64, 128, 3e-3
_TINY = 1e-6
_MAX_EQUAL = 0.2


@dataclass(frozen=True)
class PerturbedRenderer:
    """The function F: rows of given factors plus the perturbation by a network."""

    lookup: Callable
    """Maps factors to the factors of the rendered rows, and these rows."""
    network: nn.Module
    epsilon: float
    clip: bool
    center: np.ndarray
    half_range: np.ndarray

    def __call__(self, W):
        """Return the perturbed rows of the factors W."""
        with own_torch_state(), torch.no_grad():
            return self._render(np.asarray(W, dtype=np.float64))[1].numpy()

    def render_scaled(self, scaled):
        """Return the scaled factors of the rendered rows, and the perturbed rows.

        Scaled factors range from -1 to 1. The factors of the rendered rows differ from the given
        ones if the rows are looked up in a table.
        """
        return self._render(scaled.double().numpy() * self.half_range + self.center)

    def _render(self, W):
        W, rows = self.lookup(W)
        scaled = torch.from_numpy(((W - self.center) / self.half_range).astype(np.float32))
        F = torch.from_numpy(rows) + self.epsilon * self.network(scaled)
        return scaled, F.clamp(0, 1) if self.clip else F


def make_network(n_inputs, n_outputs, generator):
    """Return a multilayer perceptron with tanh activations, also after the last layer."""
    widths = [n_inputs, _WIDTH, _WIDTH, n_outputs]
    layers = []
    for a, b in pairwise(widths):
        linear = nn.utils.skip_init(nn.Linear, a, b)
        # The distribution of nn.Linear's own initialization, which uses the global generator.
        for parameter in linear.parameters():
            nn.init.uniform_(parameter, -(a**-0.5), a**-0.5, generator=generator)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers)


def train_network(renderer, rotation, delta, max_iter, generator):
    """Train the renderer's network; return each axis' part of the final difference of the gaps.

    The result is averaged over the last tenth of the steps.
    """
    k = len(rotation)
    directions = torch.from_numpy(np.concatenate([rotation, np.eye(k)])).float()
    optimizer = torch.optim.Adam(renderer.network.parameters(), lr=_LEARNING_RATE)
    differences = []
    for _ in range(max_iter):
        w = 2 * torch.rand(_BATCH_SIZE, k, generator=generator) - 1
        logs, defined = _log_derivatives(renderer, w, delta, directions)
        difference = (logs[defined, :k] - logs[defined, k:]).mean(0)
        optimizer.zero_grad()
        difference.sum().backward()
        optimizer.step()
        differences.append(difference.detach())
    return torch.stack(differences[-(max_iter // 10 + 1) :]).mean(0).tolist()


def _log_derivatives(renderer, w, delta, directions):
    """Return the log norms of the central differences at w along each direction.

    Also return which rows of w have differences along all directions: in a table, the same row may
    be nearest on both sides.
    """
    n, k = w.shape
    signs = torch.tensor([1.0, -1.0])[:, None, None]
    ends = w[:, None, None] + delta * signs * directions
    scaled, rows = renderer.render_scaled(ends.reshape(-1, k))
    (a, b), (u, v) = (t.reshape(n, 2, len(directions), -1).unbind(1) for t in (rows, scaled))
    distance = (u - v).square().sum(-1)
    if (distance == 0).float().mean() > _MAX_EQUAL:
        raise ValueError(
            f"delta={delta} is too small for this table: more than {_MAX_EQUAL:.0%} of the finite "
            "differences are between equal rows. Pass more rows or a larger delta."
        )
    logs = 0.5 * ((a - b).square().sum(-1) / distance.clamp(min=_TINY) + _TINY).log()
    return logs, (distance > 0).all(1)
