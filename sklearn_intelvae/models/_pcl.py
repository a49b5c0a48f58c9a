"""The model of pairs of rows: a representation, and the log odds that one row follows another."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_intelvae._checks import initialize_parts, sized_network
from sklearn_intelvae._part import (
    call,
    convert_to_float32,
    follows_progress,
    nested_parts,
    untrained_copy,
)
from sklearn_intelvae._random import OwnRandomness, draws_by_weight
from sklearn_intelvae.models._linear_start import start_at_independent_components
from sklearn_intelvae.networks import LinearPath

_MOMENTUM = 0.05
_WIDTH = 16


class PairRegression(nn.Module):
    r"""The log odds that one row follows another, as a sum over components.

    .. math:: r(h, h') = \sum_j \psi_j(h_j, h'_j) + m

    Each :math:`\psi_j` is a small network of its own. The factors are separated because no term
    depends on two components. A fixed form, such as :math:`-|h_j - h'_j|`, would suit factors that
    move in rare large steps, and would find mixtures of other factors.

    Parameters
    ----------
    n_components : int
        Number of columns of h.
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        k, n = n_components, _WIDTH
        self.first = nn.Parameter(torch.randn(k, 3, n))
        self.second = nn.Parameter(torch.randn(k, n, n) / n**0.5)
        self.last = nn.Parameter(torch.randn(k, n, 1) / n**0.5)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, h: Tensor, previous: Tensor) -> Tensor:
        """Return the log odds of each pair, shape (n,)."""
        pairs = torch.stack([h, previous, torch.ones_like(h)], dim=-1).transpose(0, 1)
        hidden = F.silu(F.silu(pairs @ self.first) @ self.second)
        return (hidden @ self.last).sum(0)[:, 0] + self.offset


class RunningNorm(nn.BatchNorm1d):
    """Batch normalization whose running statistics are those of the most recent batches."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize by the batch in training mode, otherwise by the running statistics."""
        if self.training:
            n_batches: Any = self.num_batches_tracked
            self.momentum = max(_MOMENTUM, min(1.0, 3 / (int(n_batches) + 1)))
        return super().forward(x)


class PCLModel(nn.Module):
    """A representation h(x) of unit variance, and the log odds that one row follows another.

    :meth:`PCLParts.build` creates it. In training mode h is normalized by the batch, otherwise by
    the running statistics of the training.

    Parameters
    ----------
    encoder : torch.nn.Module
        A network from x to h, already of the right size.
    n_features, n_components : int
        Numbers of columns of x and h.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.models import PCLParts
    >>> from sklearn_intelvae.networks import MLP
    >>> model = PCLParts(MLP()).build(5, 2, torch.Generator().manual_seed(0)).eval()
    >>> model.transform(torch.zeros(3, 5)).shape
    torch.Size([3, 2])
    """

    def __init__(self, encoder: nn.Module, n_features: int, n_components: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_components = n_components
        self.encoder = encoder
        self.norm = RunningNorm(n_components, affine=False)
        self.regression = PairRegression(n_components)
        self._nested_parts = nested_parts(self.encoder)
        self._with_progress = [part for part in self._nested_parts if follows_progress(part)]

    def transform(self, x: Tensor) -> Tensor:
        """Return the representation h(x).

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows of X.

        Returns
        -------
        h : Tensor of shape (n, n_components)
            Normalized to unit variance.
        """
        return self.norm(call(self.encoder, x))

    def forward(self, x: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """Return h of the rows and of the rows before them, normalized together.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows of X.
        previous : Tensor of shape (n, n_features)
            The row before each row.

        Returns
        -------
        h : Tensor of shape (n, n_components)
            Of ``x``.
        before : Tensor of shape (n, n_components)
            Of ``previous``.
        """
        h, before = self.transform(torch.cat([x, previous])).chunk(2)
        return h, before

    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Set starting values of the encoder from the training rows.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_features)
            The training rows.
        generator : torch.Generator
            Source of all random numbers.
        """
        initialize_parts(self._nested_parts, X, generator)
        if isinstance(self.encoder, LinearPath):
            start_at_independent_components(self.encoder, X, generator)

    def set_progress(self, fraction: float) -> None:
        """Tell the encoder the fraction of the warm-up that has passed.

        Parameters
        ----------
        fraction : float
            Grows from 0 to 1, then stays 1.
        """
        for part in self._with_progress:
            part.set_progress(fraction)


class PCLParts(NamedTuple):
    """The parts of a :class:`PCLModel`, not built yet.

    Attributes
    ----------
    encoder : torch.nn.Module
        A network, or a plain module of any output width.
    linear_path : bool
        Whether a linear function is added to it, which starts at independent component analysis.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.models import PCLParts
    >>> from sklearn_intelvae.networks import MLP
    >>> PCLParts(MLP()).build(5, 2, torch.Generator().manual_seed(0)).n_components
    2
    """

    encoder: nn.Module
    linear_path: bool = False

    def build(self, n_features: int, n_components: int, generator: torch.Generator) -> PCLModel:
        """Return a model for rows of ``n_features`` numbers; the encoder itself is copied.

        Parameters
        ----------
        n_features, n_components : int
            Numbers of columns of x and h.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        model : PCLModel
            Not trained.
        """
        with OwnRandomness(generator):
            encoder = untrained_copy(self.encoder)
            encoder = sized_network(encoder, n_features, n_components, "encoder")
            if self.linear_path:
                encoder = LinearPath(encoder, n_features, n_components)
            model = PCLModel(encoder, n_features, n_components)
        convert_to_float32(model)
        return model

    def check_support(self, *tables: np.ndarray | None) -> None:
        """Do nothing: the model has no likelihood.

        Parameters
        ----------
        *tables : ndarray of shape (n_samples, n_features) or None
            Any rows.
        """

    def starts_linear(self, n_features: int, n_components: int) -> bool:
        """Return whether the encoder starts at a linear function of the rows.

        Parameters
        ----------
        n_features, n_components : int
            Numbers of columns of x and of the representation.

        Returns
        -------
        starts_linear : bool
            ``linear_path``.
        """
        return self.linear_path

    @property
    def standardization(self) -> str:
        """What is done to X before the model sees it."""
        return "table"

    @property
    def n_trials(self) -> int:
        """No trials: 1."""
        return 1


def log_odds(
    regression: nn.Module,
    h: Tensor,
    previous: Tensor,
    generator: torch.Generator,
    weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the log odds of the pairs, and of pairs formed by a random cycle of the rows.

    With weights, the predecessors of the second kind are drawn in proportion to the weights.
    """
    if weight is None:
        order = torch.randperm(len(h), generator=generator, device=h.device)
        other = torch.empty_like(previous)
        other[order] = previous[order.roll(1)]
    else:
        other = previous[draws_by_weight(weight, len(h), generator)]
    return regression(h, previous), regression(h, other)
