"""Functions of tensors for the Soft-IntroVAE game."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def squared_error(mean: Tensor, x: Tensor, unit: Tensor) -> Tensor:
    """Return L(x) = unit * |x - mean|^2 of each row, shape (n,)."""
    return (mean - x).square().sum(-1) * unit


def energy(error: Tensor, kl: Tensor, weight_of_error: float, weight_of_kl: float) -> Tensor:
    """Return weight_of_error * error + weight_of_kl * kl of each row, shape (n,)."""
    return torch.add(weight_of_error * error, kl, alpha=weight_of_kl)


def fake_loss(
    energy: Tensor, median_real: Tensor, alpha: float, fake_weight: float | None
) -> Tensor:
    r"""Return w of each generated row, shape (n,).

    .. math:: w = \sigma\, \varphi\big(\alpha\, (\bar J - J)\big),
              \qquad \varphi(u) = e^u \text{ for } u < 0, \quad 1 + u \text{ for } u \ge 0

    Without ``fake_weight``, :math:`w = e^{-\alpha J}`.
    """
    if fake_weight is None:
        return (-alpha * energy).exp()
    return fake_weight * (1 + F.elu(alpha * (median_real - energy)))


def game_weight(progress: float, start: float) -> float:
    """Return the weight of the game: 0 before its start, then rising to 1 at full warm-up."""
    if progress >= 1:
        return 1.0
    return max(0.0, (progress - start) / (1 - start)) if start < 1 else 0.0


def weighted_median(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the value with half of the weight of the rows below it, shape ()."""
    if weight is None:
        return values.median()
    order = values.argsort()
    below = weight[order].cumsum(0)
    return values[order[(below < 0.5 * below[-1]).sum()]]


def normalized_entropy(shares: Tensor) -> Tensor:
    """Return the entropy of the shares of K modes, divided by log K; 0 if K is 1."""
    if len(shares) == 1:
        return torch.zeros_like(shares[0])
    return -(shares * (shares + 1e-8).log()).sum() / math.log(len(shares))


def total_variance(X: Tensor) -> Tensor:
    """Return the sum of the variances of the columns of X, shape ()."""
    return (X - X.mean(0, dtype=torch.float64).to(X.dtype)).square().sum() / len(X)


def expected_kl(n_components: int, beta_kl: float, beta_rec: float) -> float:
    """Return about the KL divergence, in nats, of the codes of real rows in a VAE."""
    noise = beta_kl / (2 * beta_rec)
    return 0.5 * n_components * math.log1p(1 / noise)
