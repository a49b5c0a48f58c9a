"""Time series of independent factors, with or without aligned principal directions."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.linalg import sqrtm
from scipy.stats import ortho_group
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_AUTOCORRELATION = 0.7
_BURN_IN = 50
_LARGEST_SCALE, _SCALE_RATIO = 1.5, 1.25


class EntangledFactors(NamedTuple):
    """Result of :func:`make_entangled_factors`.

    Attributes
    ----------
    X : ndarray of shape (n_samples, 3 * n_factors)
        The rows.
    W : ndarray of shape (n_samples, n_factors)
        The factors, in the order of decreasing scale.
    perturbation_energy : float
        Mean squared change of a row, divided by the total variance of the unperturbed rows.
    max_abs_change : float
        Largest absolute change of a value.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import make_entangled_factors
    >>> data = make_entangled_factors(100, n_factors=2, random_state=0)
    >>> data.X.shape, data.perturbation_energy
    ((100, 6), 0.0)
    """

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
    r"""Draw a time series of rows that are functions of independent factors.

    Each factor is a stationary autoregressive series, :math:`w_t = 0.7\, w_{t-1} + \varepsilon_t`,
    with Laplace noise and unit variance. Factor j moves a row along a curve of its own,
    :math:`s_j\, (w_j, c \sin w_j, c \cos w_j)`; an orthogonal matrix mixes the coordinates of all
    curves. The scales :math:`s_j` start at 1.5 and decrease by a factor of 1.25. The effects of the
    factors are therefore local principal directions of the rows everywhere, and methods that align
    with principal directions recover the factors.

    ``perturbation`` removes this property by the smallest possible change of the rows. It replaces
    w by T w, with an invertible T that rotates the principal directions of each pair of factors,
    (0, 1), (2, 3) and so on, by 45 degrees. With G the diagonal matrix of the squared lengths of
    the curves' tangents, R the rotation, D the diagonal matrix of the squared lengths along the
    rotated directions and :math:`G' = R^T D R`,

    .. math:: T = G^{-1/2} (G^{1/2} G' G^{1/2})^{1/2} G^{-1/2}.

    Parameters
    ----------
    n_samples : int, default=10000
        Number of rows, at least 2. The rows are a time series: consecutive rows are similar.
    n_factors : int, default=4
        Number of factors. The perturbation does not change the last factor of an odd number.
    perturbation : float or None, default=None
        Ratio of the standard deviations along the two rotated directions of a pair, above 1. A
        larger ratio separates the directions more clearly and changes the rows more; 1.4 changes
        the rows by 5 % of their variance. None does not perturb the rows.
    curvature : float, default=1.0
        Curvature c of the curves, at least 0; 0 gives straight lines.
    random_state : int, RandomState instance or None, default=None
        Determines the factors and the orthogonal matrix, independently of `perturbation`.

    Returns
    -------
    X : ndarray of shape (n_samples, 3 * n_factors)
        The rows.
    W : ndarray of shape (n_samples, n_factors)
        The factors, in the order of decreasing scale.
    perturbation_energy : float
        Mean squared change of a row, divided by the total variance of the unperturbed rows.
    max_abs_change : float
        Largest absolute change of a value.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Notes
    -----
    The effect of such changes on variational autoencoders was discovered in [1]_; this construction
    is our own.

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
    W = _autoregressive_series(n_samples, n_factors, generator)
    mixing = ortho_group.rvs(3 * n_factors, random_state=generator)
    scales = _LARGEST_SCALE / _SCALE_RATIO ** np.arange(n_factors)
    X = _curves(W, scales, curvature) @ mixing.T
    if perturbation is None:
        return EntangledFactors(X, W, 0.0, 0.0)
    rotated = W @ _optimal_transport(scales, perturbation).T
    perturbed = _curves(rotated, scales, curvature) @ mixing.T
    change = perturbed - X
    energy = float((change**2).sum() / ((X - X.mean(axis=0)) ** 2).sum())
    return EntangledFactors(perturbed, W, energy, float(np.abs(change).max()))


def _autoregressive_series(n_samples, n_factors, generator):
    """Return stationary autoregressive series of unit variance."""
    rho = _AUTOCORRELATION
    noise = generator.laplace(size=(n_samples + _BURN_IN, n_factors)) * np.sqrt((1 - rho**2) / 2)
    series = np.empty_like(noise)
    series[0] = noise[0] / np.sqrt(1 - rho**2)
    for t in range(1, len(noise)):
        series[t] = rho * series[t - 1] + noise[t]
    return series[_BURN_IN:]


def _curves(W, scales, curvature):
    """Return the coordinates of all curves, three columns for each factor."""
    curves = np.stack([W, curvature * np.sin(W), curvature * np.cos(W)], axis=2)
    return (scales[:, None] * curves).reshape(len(W), -1)


def _optimal_transport(scales, ratio):
    """Return the symmetric matrix T of the docstring, for consecutive pairs of factors."""
    T = np.eye(len(scales))
    rotation = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    for i in range(0, len(scales) - 1, 2):
        pair = scales[i : i + 2]
        squared_lengths = pair.prod() * np.array([ratio, 1 / ratio])
        target = rotation.T @ np.diag(squared_lengths) @ rotation
        root, inverse = np.diag(pair), np.diag(1 / pair)
        T[i : i + 2, i : i + 2] = inverse @ sqrtm(root @ target @ root).real @ inverse
    return T
