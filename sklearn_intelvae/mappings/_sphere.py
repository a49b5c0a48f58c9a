"""The mapping onto a circle or a sphere."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import Tensor

from sklearn_intelvae._part import Mapping


class Sphere(Mapping):
    r"""Project y onto the unit sphere: a representation with one hole.

    .. math:: g(y) = y / (\lVert y \rVert_2 + \varepsilon)

    With two components z lies on a circle, for an angle, a phase, or any periodic quantity; with d
    components on the sphere of dimension d - 1; with one component z is a sign, which has no
    gradient, so that nothing is learned. The image of the standard normal prior is the uniform
    distribution on the sphere. The mapping has no weights and costs one norm per row.

    Parameters
    ----------
    eps : float, default=1e-7
        Added to the norm, so that g(0) = 0.

    References
    ----------
    Miao et al., "On Incorporating Inductive Biases into VAEs", ICLR 2022, section 6.1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_intelvae.mappings import Sphere
    >>> Sphere()(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "eps": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, eps: float = 1e-7) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, y: Tensor) -> Tensor:
        """Return the unit vectors, of the shape of y."""
        return y / (y.norm(dim=-1, keepdim=True) + self.eps)
