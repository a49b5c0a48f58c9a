"""A table whose factors are hidden in the directions of its variance, or turned out of them."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.linalg import sqrtm
from scipy.stats import ortho_group
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_MEMORY = 0.7
_LARGEST, _RATIO = 1.5, 1.25


class EntangledFactors(NamedTuple):
    """What :func:`make_entangled_factors` returns."""

    X: np.ndarray
    W: np.ndarray
    perturbation_energy: float
    max_abs_change: float


@validate_params(
    {
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "perturbation": [Interval(Real, 1, None, closed="neither"), None],
        "curvature": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_entangled_factors(
    n_samples=10_000, *, n_factors=4, perturbation=None, curvature=1.0, random_state=None
):
    r"""Make a series of rows from independent factors, whose variance tells them apart or misleads.

    Each factor :math:`w_j` is a series with a memory,
    :math:`w_t = .7\, w_{t-1} + \varepsilon_t`, with Laplace noise and unit variance. It moves a row
    along a curve of its own, :math:`s_j\, (w_j, c \sin w_j, c \cos w_j)`, and the curves' axes are
    mixed by an orthogonal matrix. The scales :math:`s_j` begin at 1.5 and fall by a factor of 1.25.
    So the factors are principal directions everywhere, and what follows principal directions finds
    them.

    ``perturbation`` changes that with as small a change of the rows as can be: it replaces w by
    T w, where T leaves all factors readable and turns the principal directions of each pair of
    neighbouring factors, (0, 1), (2, 3) and so on, by 45 degrees. With G the diagonal matrix of the
    squared lengths of the curves' tangents and :math:`G' = R^T D R` the wanted one,

    .. math:: T = G^{-1/2} (G^{1/2} G' G^{1/2})^{1/2} G^{-1/2}.

    Parameters
    ----------
    n_samples : int, default=10000
        Number of rows, which are a series: neighbours are alike.
    n_factors : int, default=4
        Number of factors. The last one of an odd number is left alone by the perturbation.
    perturbation : float or None, default=None
        Ratio of the standard deviations along the two turned directions of a pair, above 1. The
        larger, the more certainly they are followed, and the larger the change; 1.4 changes rows
        by 5 % of their variance. None leaves them as they are.
    curvature : float, default=1.0
        How far the curves are from lines, c.
    random_state : int, RandomState instance or None, default=None
        Decides factors and mixing. The same with and without perturbation.

    Returns
    -------
    X : ndarray of shape (n_samples, 3 * n_factors)
        The rows.
    W : ndarray of shape (n_samples, n_factors)
        The factors, by falling scale.
    perturbation_energy : float
        Mean square of the change of a row, over the total variance of the rows.
    max_abs_change : float
        Largest change of a number in them.

    Notes
    -----
    The effect of such changes on variational autoencoders was found in [1]_; this construction is
    ours.

    References
    ----------
    .. [1] D. Zietlow, M. Rolinek, G. Martius. "Demystifying Inductive Biases for (Beta-)VAE Based
           Architectures." International Conference on Machine Learning, 2021.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import make_entangled_factors
    >>> X, W, energy, _ = make_entangled_factors(2000, perturbation=1.4, random_state=0)
    >>> X.shape, W.shape, round(energy, 2)
    ((2000, 12), (2000, 4), 0.05)
    """
    generator = check_random_state(random_state)
    W = _series(n_samples, n_factors, generator)
    mixing = ortho_group.rvs(3 * n_factors, random_state=generator)
    scales = _LARGEST / _RATIO ** np.arange(n_factors)
    X = _rows(W, scales, curvature) @ mixing.T
    if perturbation is None:
        return EntangledFactors(X, W, 0.0, 0.0)
    turned = W @ _least_transport(scales, perturbation).T
    changed = _rows(turned, scales, curvature) @ mixing.T
    change = changed - X
    energy = float((change**2).sum() / ((X - X.mean(axis=0)) ** 2).sum())
    return EntangledFactors(changed, W, energy, float(np.abs(change).max()))


def _series(n_samples, n_factors, generator):
    """Return stationary autoregressive series of unit variance."""
    noise = generator.laplace(size=(n_samples + 50, n_factors)) * np.sqrt((1 - _MEMORY**2) / 2)
    series = np.empty_like(noise)
    series[0] = noise[0] / np.sqrt(1 - _MEMORY**2)
    for t in range(1, len(noise)):
        series[t] = _MEMORY * series[t - 1] + noise[t]
    return series[50:]


def _rows(W, scales, curvature):
    """Return each factor's curve in three columns of its own."""
    curves = np.stack([W, curvature * np.sin(W), curvature * np.cos(W)], axis=2)
    return (scales[:, None] * curves).reshape(len(W), -1)


def _least_transport(scales, ratio):
    """Return T, which is symmetric, for pairs of neighbouring factors."""
    T = np.eye(len(scales))
    turn = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    for i in range(0, len(scales) - 1, 2):
        pair = scales[i : i + 2]
        wanted = pair.prod() * np.array([ratio, 1 / ratio])  # squared lengths
        target = turn.T @ np.diag(wanted) @ turn
        root, inverse = np.diag(pair), np.diag(1 / pair)
        T[i : i + 2, i : i + 2] = inverse @ sqrtm(root @ target @ root).real @ inverse
    return T
