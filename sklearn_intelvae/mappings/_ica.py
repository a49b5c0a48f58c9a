"""The mapping that turns y until its components are independent."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_intelvae.mappings._base import Mapping

_KEPT, _FEWEST = 2048, 512
_PERIOD = 4
_PACE, _TURNS = 0.1, 20


class ICA(Mapping):
    r"""Turn y into independent components.

    .. math:: g(y) = Q y, \qquad Q^\top Q = 1

    A diagonal posterior draws the axes of y into local principal directions. Where those are
    mixtures of factors, so are the components of y; but they are white, and what is left between
    them and the factors is a turn. Independent component analysis finds it as long as at most one
    factor is Gaussian: that is the bias here. The turn leaves the standard normal prior as it is.

    Q is not trained by the loss, which does not depend on it: the decoder is given
    :math:`Q^\top z`. So bound, samples and reconstructions are those of a model without the turn,
    and what is new is z. Q follows the draws of y that training makes, by parts of steps of FastICA
    on the last 2048 of them at every fourth batch, at first by a tenth of a step and then by ever
    less.

    As the first of two mappings in :class:`Compose` it turns what the second gets, and nothing is
    turned back: the second and the decoder follow.

    Notes
    -----
    What is found is as good as y is white and as the factors are independent; a linear method on X
    itself, such as :class:`sklearn.decomposition.FastICA`, finds it where X is a nearly linear
    function of the factors. Components that have collapsed count as Gaussian: if there are several
    Gaussian ones, their turn among each other is arbitrary, and z of more components than there are
    factors may mix the surplus ones.

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
    >>> turn = torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    >>> factors = torch.empty(200, 200, 2).uniform_(-1, 1, generator=torch.manual_seed(0)) * 3**0.5
    >>> for batch in factors:
    ...     g.notice(batch @ turn, None)
    >>> z = g(factors[0] @ turn)
    >>> torch.allclose(z.abs(), factors[0].abs(), atol=0.2)
    True
    """

    rotation: Tensor
    """Q, of shape (n_components, n_components)."""

    recent: Tensor
    shares: Tensor
    n_noticed: Tensor
    n_turns: Tensor

    def build(self, n_components: int) -> None:
        """Begin without a turn."""
        super().build(n_components)
        self.register_buffer("rotation", torch.eye(n_components))
        self.register_buffer("recent", torch.zeros(_KEPT, n_components))
        self.register_buffer("shares", torch.zeros(_KEPT))
        self.register_buffer("n_noticed", torch.zeros((), dtype=torch.int64))
        self.register_buffer("n_turns", torch.zeros((), dtype=torch.int64))

    def forward(self, y: Tensor) -> Tensor:
        """Return the turned rows."""
        return y @ self.rotation.T

    def to_decoder(self, z: Tensor) -> Tensor:
        """Return y, so that a turn does not disturb what the decoder has learned."""
        return z @ self.rotation

    @torch.no_grad()
    def notice(self, y: Tensor, weight: Tensor | None) -> None:
        """Keep the draws, and turn a little towards independent components of those kept."""
        y = y[-_KEPT:]
        place = (torch.arange(len(y), device=y.device) + self.n_noticed) % _KEPT
        self.recent[place] = y
        self.shares[place] = 1.0 if weight is None else weight[-_KEPT:]
        self.n_noticed += len(y)
        n = int(self.n_noticed)
        if n >= _FEWEST and n // len(y) % _PERIOD == 0 and self.recent.isfinite().all():
            self._turn(self.recent[:n], self.shares[:n])

    def _turn(self, y: Tensor, weight: Tensor) -> None:
        """Make a part of a step of FastICA, a smaller one each time."""
        self.n_turns += 1
        pace = min(_PACE, _TURNS / int(self.n_turns))
        step = _fast_ica_step(_whitened(y, weight), weight / weight.sum(), self.rotation)
        signs = (step * self.rotation).sum(1, keepdim=True).sign()
        target = torch.lerp(self.rotation, signs * step, pace)
        if target.isfinite().all():
            self.rotation = _nearest_orthogonal(target)  # not in place: z still needs the old one


def _whitened(y: Tensor, weight: Tensor) -> Tensor:
    """Return the rows without mean and correlation."""
    share = weight / weight.sum()
    centred = y - share @ y
    variances, axes = torch.linalg.eigh(centred.T @ (share[:, None] * centred))
    return centred @ axes * variances.clamp(min=1e-6).rsqrt() @ axes.T


def _fast_ica_step(rows: Tensor, share: Tensor, rotation: Tensor) -> Tensor:
    """Return the rotation that a step of symmetric FastICA goes to, with log cosh as contrast."""
    bent = torch.tanh(rows @ rotation.T)
    slope = share @ (1 - bent.square())
    return _nearest_orthogonal((share[:, None] * bent).T @ rows - slope[:, None] * rotation)


def _nearest_orthogonal(matrix: Tensor) -> Tensor:
    U, _, Vh = torch.linalg.svd(matrix)
    return U @ Vh
