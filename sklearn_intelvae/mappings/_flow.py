"""The mapping that is a normalizing flow."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from sklearn_intelvae._part import Mapping
from sklearn_intelvae.networks import MLP


class Flow(Mapping):
    r"""A learned, invertible g: affine coupling layers, so that z has a flexible prior.

    Each layer keeps one half of its input, a, and scales and shifts the other half, b, by amounts
    that a small network computes from a; the next layer exchanges the roles.

    .. math:: b \mapsto b \odot e^{u(a)} + t(a), \qquad
              u(a) = m \tanh\!\big(\tilde u(a) / m\big)

    The flow starts as the identity. A single component is scaled and shifted by learned constants.

    The paper's theorem 1 says that a mapping can only lower the divergence between posterior and
    prior, :math:`\mathrm{KL}(q(z|x) \Vert p(z)) \le \mathrm{KL}(q(y|x) \Vert p(y))`. For an
    invertible g the two are equal, and the bound is that of a VAE whose prior p(z) and posteriors
    are the images of the Gaussians under g. Use it when z itself is of interest and its
    distribution should not be forced to be Gaussian. A decoder with hidden layers transforms z as
    well, so that the likelihood gains little. The flow has no bias towards any structure.

    The cost is ``n_layers`` small networks per row in either direction. Training needs no
    determinant, since the KL term is that of y.

    Parameters
    ----------
    n_layers : int, default=4
        Number of coupling layers; with one, half of the components are unchanged.
    hidden_layer_sizes : sequence of int, default=(32,)
        Widths of the hidden layers of each layer's network.
    max_log_scale : float, default=2.0
        Bound m on the log scales of a layer, for stable training.

    Raises
    ------
    ValueError
        By ``build``, if ``n_layers`` is below 1 or ``max_log_scale`` is not positive.

    References
    ----------
    Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", ICLR 2017.
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, theorem 1 and section 5.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import Flow
    >>> g = Flow()
    >>> g.build(3)
    >>> y = torch.tensor([[1.0, 2.0, 3.0]])
    >>> bool(torch.allclose(g.inverse(g(y)), y))
    True
    >>> g.log_abs_det(y).shape
    torch.Size([1])
    """

    has_free_scale = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "max_log_scale": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_layers: int = 4,
        hidden_layer_sizes: Sequence[int] = (32,),
        max_log_scale: float = 2.0,
    ) -> None:
        super().__init__()
        self.n_layers = n_layers
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_log_scale = max_log_scale

    def build(self, n_components: int) -> None:
        """Create the layers."""
        super().build(n_components)
        sizes = (n_components // 2, n_components - n_components // 2)
        self.layers = nn.ModuleList(
            _Coupling(sizes, i % 2 == 1, self.hidden_layer_sizes, self.max_log_scale)
            for i in range(self.n_layers if n_components > 1 else 1)
        )

    def forward(self, y: Tensor) -> Tensor:
        """Return z, of the shape of y."""
        return self._pass(y)[0]

    def inverse(self, z: Tensor) -> Tensor:
        """Return the y with g(y) = z.

        Parameters
        ----------
        z : Tensor of shape (n, n_components)
            Mapped latents.

        Returns
        -------
        y : Tensor of shape (n, n_components)
            Exact but for rounding.
        """
        for layer in reversed(self.layers):
            z = layer.inverse(z)  # type: ignore[operator]
        return z

    def log_abs_det(self, y: Tensor) -> Tensor:
        """Return the log of the absolute determinant of dg/dy of each row.

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
            Intermediary latents.

        Returns
        -------
        log_abs_det : Tensor of shape (n,)
            In nats. The density of z is log p(z) = log p(y) minus this.
        """
        return self._pass(y)[1]

    def _pass(self, y: Tensor) -> tuple[Tensor, Tensor]:
        log_det = y.new_zeros(len(y))
        for layer in self.layers:
            y, log_scale = layer(y)
            log_det = log_det + log_scale.sum(dim=1)
        return y, log_det


class _Coupling(nn.Module):
    """Scale and shift one half of the components by functions of the other half."""

    def __init__(
        self,
        sizes: tuple[int, int],
        moves_first: bool,
        hidden_layer_sizes: Sequence[int],
        max_log_scale: float,
    ) -> None:
        super().__init__()
        self.sizes = sizes
        self.moves_first = moves_first
        self.max_log_scale = max_log_scale
        n_kept, n_moved = sizes[::-1] if moves_first else sizes
        self.network = _starting_at_zero(n_kept, 2 * n_moved, hidden_layer_sizes)

    def _halves(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the half that is kept and the half that is transformed."""
        first, second = y.split(self.sizes, dim=1)
        return (second, first) if self.moves_first else (first, second)

    def _joined(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([moved, kept] if self.moves_first else [kept, moved], dim=1)

    def _log_scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.network(kept).chunk(2, dim=1)
        return self.max_log_scale * (raw / self.max_log_scale).tanh(), shift

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the image of y and the log scales."""
        kept, moved = self._halves(y)
        log_scale, shift = self._log_scale_and_shift(kept)
        return self._joined(kept, moved * log_scale.exp() + shift), log_scale

    def inverse(self, z: Tensor) -> Tensor:
        """Undo ``forward``."""
        kept, moved = self._halves(z)
        log_scale, shift = self._log_scale_and_shift(kept)
        return self._joined(kept, (moved - shift) * (-log_scale).exp())


class _Constant(nn.Module):
    """A network without inputs: learned numbers that are the same for each row."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Repeat the numbers for each row of x."""
        return self.values.expand(len(x), -1)


def _starting_at_zero(
    n_inputs: int, n_outputs: int, hidden_layer_sizes: Sequence[int]
) -> nn.Module:
    """Return a network whose outputs are zero until it is trained."""
    if n_inputs == 0:
        return _Constant(n_outputs)
    network = MLP(hidden_layer_sizes)
    network.build(n_inputs, n_outputs)
    for parameter in network.layers[-1].parameters():
        nn.init.zeros_(parameter)
    return network
