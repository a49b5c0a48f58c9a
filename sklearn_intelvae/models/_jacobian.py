"""The Jacobian of the decoded mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def jacobian(decode: Callable[[Tensor], Tensor], codes: Tensor) -> Tensor:
    """Return the derivatives of decoded rows with respect to their codes.

    The gradient of u^T f(z) with respect to z is linear in u, and its derivative with respect to u
    along one code is a column of the Jacobian: of all rows at once, since rows are independent.

    Parameters
    ----------
    decode : callable
        Maps codes to rows, (n, n_codes) to (n, n_features).
    codes : Tensor of shape (n, n_codes)
        Where to differentiate.

    Returns
    -------
    J : Tensor of shape (n, n_features, n_codes)
        The change of each feature per unit of each code.
    """
    z = codes.clone().requires_grad_()
    decoded = decode(z) + 0 * z.sum()  # also for constant decoders
    u = torch.zeros_like(decoded, requires_grad=True)
    (pulled,) = torch.autograd.grad(decoded, z, u, create_graph=True)
    pulled = pulled + 0 * u.sum()
    columns = [torch.autograd.grad(g.sum(), u, retain_graph=True)[0] for g in pulled.T]
    return torch.stack(columns, dim=-1)
