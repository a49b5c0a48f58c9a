"""The mapping that selects few dimensions for each row."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from sklearn_intelvae._part import Mapping
from sklearn_intelvae.networks import MLP

_OPEN = 3.0


class DimensionSelector(Mapping):
    r"""Multiply y by gates that a small network computes from y: a sparse representation.

    .. math:: g(y) = y \odot D(y), \qquad D(y) = f + (1 - f)\, \sigma(\mathrm{MLP}(y))

    The gates alone do not make z sparse. A penalty does: it is low if each row uses few dimensions
    and different rows use different ones. With H the entropy, over a batch of M rows whose use of
    the dimensions is normalized to shares :math:`s_i = u_i / \lVert u_i \rVert_1`,
    :math:`u_i = |z_i|` or :math:`D(y_i)`,

    .. math:: \gamma \Big( \frac1M \sum_i H(s_i) - H\big( \frac1M \sum_i s_i \big) \Big),

    which lies between :math:`-\gamma \log \min(M, d)` and 0. The cost is one small network per
    row. Use it when a row has few attributes out of many.

    Parameters
    ----------
    gamma : float, default=3.0
        Weight of the penalty, in nats per row, as the reconstruction term.
    hidden_layer_sizes : sequence of int, default=(64,)
        Widths of the hidden layers of the network; the paper has (10, 10).
    floor : float, default=0.0
        Smallest gate f, from 0 to below 1. A floor above zero limits the sparsity that can be
        reached.
    regularize : {"abs", "gates"}, default="abs"
        The argument u of the penalty: the magnitudes of z = g(y), as in the authors' code, or the
        gates D(y), as in the paper. The first acts on the representation itself.

    Raises
    ------
    ValueError
        By ``build``, if a parameter is outside its range.

    Notes
    -----
    The gates start open, so that training starts from a plain VAE, and the penalty grows with the
    KL term during the warm-up. A penalty at full weight from the start closes components before
    the decoder has learned to use them.

    References
    ----------
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, section 6.3 and
    equation 7, printed there with the opposite sign and with the gates normalized after their
    mean is taken; the authors' code normalizes each row, as here.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import DimensionSelector
    >>> g = DimensionSelector(gamma=3.0)
    >>> g.build(5)
    >>> y = torch.ones(4, 5)
    >>> terms = g.loss_terms(x=y, mean=y, y=y, z=g(y))
    >>> bool(g(y).abs().max() < 1), bool(terms["penalty"].abs() < 1e-4)
    (True, True)
    """

    has_free_scale = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "gamma": [Interval(Real, 0, None, closed="left")],
        "floor": [Interval(Real, 0, 1, closed="left")],
        "regularize": [StrOptions({"abs", "gates"})],
    }

    def __init__(
        self,
        gamma: float = 3.0,
        hidden_layer_sizes: Sequence[int] = (64,),
        floor: float = 0.0,
        regularize: str = "abs",
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.hidden_layer_sizes = hidden_layer_sizes
        self.floor = floor
        self.regularize = regularize
        self.progress = 1.0

    def build(self, n_components: int) -> None:
        """Create the network of the gates."""
        super().build(n_components)
        self.network = MLP(self.hidden_layer_sizes)
        self.network.build(n_components, n_components)
        last = self.network.layers[-1]
        nn.init.constant_(last.bias, _OPEN)  # type: ignore[arg-type]

    def gates(self, y: Tensor) -> Tensor:
        """Return the gates D(y).

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            Intermediary latents.

        Returns
        -------
        gates : Tensor of shape (n, n_components)
            Between ``floor`` and 1.
        """
        return self.floor + (1 - self.floor) * self.network(y).sigmoid()

    def forward(self, y: Tensor) -> Tensor:
        """Return the gated y."""
        return y * self.gates(y)

    def set_progress(self, fraction: float) -> None:
        """Set the fraction of the penalty that training applies."""
        self.progress = fraction

    def loss_terms(self, x: Tensor, mean: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return the penalty: gamma times (mean entropy - entropy of the mean), in nats."""
        use = self.gates(y) if self.regularize == "gates" else z.abs()
        shares = use / (use.sum(dim=1, keepdim=True) + 1e-8)
        gamma = self.gamma * self.progress if self.training else self.gamma
        return {"penalty": gamma * (_entropy(shares).mean() - _entropy(shares.mean(dim=0)))}


def _entropy(shares: Tensor) -> Tensor:
    """Return the entropy of rows that sum to one."""
    return torch.special.entr(shares + 1e-8).sum(dim=-1)
