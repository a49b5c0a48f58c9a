"""The mapping that rotates y until its components are independent."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_intelvae._part import Mapping

_N_KEPT, _MIN_KEPT = 2048, 512
_PERIOD = 4
_MAX_RATE, _RATE_DECAY = 0.1, 20
_SMALLEST_VARIANCE = 0.1
"""Of means of components in use; those of collapsed components stay small."""


class ICA(Mapping):
    r"""Rotate y into independent components.

    .. math:: g(y) = Q y, \qquad Q^\top Q = 1

    With a diagonal posterior, the axes of y align with local principal directions. Where these are
    mixtures of factors, so are the components of y; but the components are uncorrelated and of unit
    variance, and therefore differ from the factors by a rotation. Independent component analysis
    finds it if at most one factor is Gaussian: this is the inductive bias here. The rotation leaves
    the standard normal prior unchanged.

    Q is not trained by the loss, which does not depend on it: the decoder receives
    :math:`Q^\top z`. So bound, samples and reconstructions are those of a model without the
    rotation; only z differs. Q follows the means of q(y | x) in training, by fractions of steps of
    FastICA on the last 2048 means at every fourth batch, at first by a tenth of a step, later by
    less. Draws would contain the noise of the posterior, which is Gaussian and differs between
    components.

    As the first of two mappings in :class:`Compose` it rotates the input of the second, and the
    rotation is not undone: the second mapping and the decoder adapt to it.

    Notes
    -----
    The result is as good as y is uncorrelated and the factors are independent. A linear method
    applied to X, such as :class:`sklearn.decomposition.FastICA`, finds the factors if X is a nearly
    linear function of them. If several components are Gaussian, their rotation among each other is
    arbitrary. With more components than factors the surplus ones collapse, with means near 0, and
    hardly count; ones in use may be mixed in.

    References
    ----------
    Hyvärinen, "Fast and Robust Fixed-Point Algorithms for Independent Component Analysis", IEEE
    Transactions on Neural Networks 10(3), 1999.
    Rolinek, Zietlow and Martius, "Variational Autoencoders Pursue PCA Directions (by Accident)",
    CVPR 2019.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import ICA
    >>> g = ICA()
    >>> g.build(2)
    >>> rotation = torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    >>> factors = torch.empty(200, 200, 2).uniform_(-1, 1, generator=torch.manual_seed(0)) * 3**0.5
    >>> for batch in factors:
    ...     y = batch @ rotation
    ...     g.observe(y, y, None)
    >>> z = g(factors[0] @ rotation)
    >>> torch.allclose(z.abs(), factors[0].abs(), atol=0.2)
    True
    """

    has_free_scale = True

    rotation: Tensor
    """Q, of shape (n_components, n_components)."""

    recent: Tensor
    recent_weights: Tensor
    n_observed: Tensor
    n_rotations: Tensor

    def build(self, n_components: int) -> None:
        """Start at the identity."""
        super().build(n_components)
        self.register_buffer("rotation", torch.eye(n_components))
        self.register_buffer("recent", torch.zeros(_N_KEPT, n_components))
        self.register_buffer("recent_weights", torch.zeros(_N_KEPT))
        self.register_buffer("n_observed", torch.zeros((), dtype=torch.int64))
        self.register_buffer("n_rotations", torch.zeros((), dtype=torch.int64))

    def forward(self, y: Tensor) -> Tensor:
        """Return the rotated rows, of the shape of y."""
        return y @ self.rotation.T

    def to_decoder(self, z: Tensor) -> Tensor:
        """Return y, so that a rotation does not change the decoder's input."""
        return z @ self.rotation

    @torch.no_grad()
    def observe(self, mean: Tensor, y: Tensor, weight: Tensor | None) -> None:
        """Keep the means, and rotate a little towards independent components of those kept."""
        y = mean[-_N_KEPT:]
        place = (torch.arange(len(y), device=y.device) + self.n_observed) % _N_KEPT
        self.recent[place] = y
        self.recent_weights[place] = 1.0 if weight is None else weight[-_N_KEPT:]
        self.n_observed += len(y)
        n = int(self.n_observed)
        if n >= _MIN_KEPT and n // len(y) % _PERIOD == 0 and self.recent.isfinite().all():
            self._rotate(self.recent[:n], self.recent_weights[:n])

    def _rotate(self, y: Tensor, weight: Tensor) -> None:
        """Make a fraction of a step of FastICA, a smaller one each time."""
        self.n_rotations += 1
        rate = min(_MAX_RATE, _RATE_DECAY / int(self.n_rotations))
        step = _fast_ica_step(_whitened(y, weight), weight / weight.sum(), self.rotation)
        signs = (step * self.rotation).sum(1, keepdim=True).sign()
        target = torch.lerp(self.rotation, signs * step, rate)
        if target.isfinite().all():
            self.rotation = _nearest_orthogonal(target)  # not in place: z depends on the old one


def _whitened(y: Tensor, weight: Tensor) -> Tensor:
    """Return the rows with weighted mean zero and, where they vary enough, unit variance."""
    share = weight / weight.sum()
    centered = y - share @ y
    variances, axes = torch.linalg.eigh(centered.T @ (share[:, None] * centered))
    return centered @ axes * variances.clamp(min=_SMALLEST_VARIANCE).rsqrt() @ axes.T


def _fast_ica_step(rows: Tensor, share: Tensor, rotation: Tensor) -> Tensor:
    """Return the rotation after one step of symmetric FastICA, with log cosh as contrast."""
    bent = torch.tanh(rows @ rotation.T)
    slope = share @ (1 - bent.square())
    return _nearest_orthogonal((share[:, None] * bent).T @ rows - slope[:, None] * rotation)


def _nearest_orthogonal(matrix: Tensor) -> Tensor:
    U, _, Vh = torch.linalg.svd(matrix)
    return U @ Vh
