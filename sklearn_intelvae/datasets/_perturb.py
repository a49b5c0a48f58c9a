"""Small perturbations that remove the alignment of factors and principal directions."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_intelvae._random import own_torch_state
from sklearn_intelvae.datasets._perturbation_network import (
    PerturbedRenderer,
    make_network,
    train_network,
)


class Perturbed(NamedTuple):
    """Result of :func:`perturb_dataset` and :func:`uniform_noise_control`.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features), dtype float32
        Perturbed rows.
    render : callable or None
        Function that maps factors, of shape (n, n_factors), to perturbed rows; None for
        :func:`uniform_noise_control`.
    perturbation_energy : float
        Mean squared change of a row, divided by the total variance of the unperturbed rows.
    max_abs_change : float
        Largest absolute change of a value.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import make_mini_sprites, uniform_noise_control
    >>> X, _ = make_mini_sprites(100, random_state=0)
    >>> perturbed = uniform_noise_control(X, random_state=0)
    >>> perturbed.X.shape, perturbed.render
    ((100, 256), None)
    """

    X: np.ndarray
    render: Callable[[np.ndarray], np.ndarray] | None
    perturbation_energy: float
    max_abs_change: float


@validate_params(
    {
        "X": ["array-like"],
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "clip": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def uniform_noise_control(X, *, epsilon=0.1, clip=True, random_state=None):
    """Add uniform noise to each value, as a control experiment for :func:`perturb_dataset`.

    The noise is as large as a perturbation by the same `epsilon` can be, but has no structure. If a
    method fails on perturbed rows and not on noisy rows, the structure of the perturbation is the
    cause, not its size.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The rows.
    epsilon : float, default=0.1
        Half-width of the noise, which is uniform on [-epsilon, epsilon], in the unit of `X`.
    clip : bool, default=True
        Whether to clip the noisy rows to [0, 1], the range of images. The values of `X` must then
        lie in this range.
    random_state : int, RandomState instance or None, default=None
        Determines the noise.

    Returns
    -------
    perturbed : Perturbed
        Named tuple of ``X``, the noisy rows, of shape (n_samples, n_features), float32; ``render``,
        which is None; and ``perturbation_energy`` and ``max_abs_change`` as in
        :func:`perturb_dataset`.

    Raises
    ------
    ValueError
        If `X` contains values that are not finite, or values outside [0, 1] and `clip` is True, or
        if all rows are equal, or a parameter is outside its range.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import make_mini_sprites, uniform_noise_control
    >>> X, _ = make_mini_sprites(100, random_state=0)
    >>> uniform_noise_control(X, random_state=0).max_abs_change < 0.1001
    True
    """
    X = check_array(X, dtype=np.float64)
    noise = check_random_state(random_state).uniform(-epsilon, epsilon, size=X.shape)
    if clip:
        _check_range(X, "X")
    perturbed = X + noise
    return _make_result(X, np.clip(perturbed, 0, 1) if clip else perturbed, None)


@validate_params(
    {
        "render": [callable, "array-like"],
        "W": ["array-like"],
        "pairs": ["array-like"],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "clip": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def perturb_dataset(
    render,
    W,
    *,
    pairs=((0, 1),),
    epsilon=0.1,
    delta=0.15,
    max_iter=1500,
    clip=True,
    random_state=None,
):
    r"""Perturb rows slightly, such that their principal directions are no longer the factors.

    The perturbed row of the factors w is :math:`F(w) = f(w) + \epsilon\, m(w)`, clipped to [0, 1],
    where m is a small network with outputs in [-1, 1]. No value changes by more than
    :math:`\epsilon`, and the factors remain identifiable from the rows. The perturbation changes
    which axes have orthogonal effects. With R the rotation of pairs of factors by 45 degrees and
    :math:`D_r F` the finite difference of F along the direction r, m is trained to minimize

    .. math:: \mathbb E_w \sum_j \log \Vert D_{R e_j} F \Vert
              - \mathbb E_w \sum_j \log \Vert D_{e_j} F \Vert,

    the :func:`~sklearn_intelvae.metrics.orthogonality_gap` along the rotated axes minus that along
    the factors. A VAE aligns its latent axes with the axes of the smallest gap.

    Parameters
    ----------
    render : callable or array-like of shape (n_samples, n_features)
        The function f, which maps factors, of shape (n, n_factors), to rows in [0, 1]; or the rows
        of `W`, among which the row with the nearest factors is looked up. The function is only
        evaluated, not differentiated, also at factors up to `delta` outside the range of `W`.
    W : array-like of shape (n_samples, n_factors)
        Factors of the rows to return. The network is trained on the box that they span.
    pairs : sequence of tuple of (int, int), default=((0, 1),)
        Pairs of columns of `W` to rotate. Factors whose effects have similar sizes are rotated most
        easily. Rotating all pairs of three factors at once was not successful.
    epsilon : float, default=0.1
        Maximum change of a value, before clipping.
    delta : float, default=0.15
        Step of the finite differences, where each factor is scaled to [-1, 1]. It should be about
        the posterior standard deviation of a VAE; for a table of rows, at least the distance
        between neighboring rows of `W`.
    max_iter : int, default=1500
        Number of training steps of the network.
    clip : bool, default=True
        Whether to clip F(w) to [0, 1], the range of images. If most pixels are 0, clipping removes
        half of the perturbation, and the difference between the gaps is smaller.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights of the network and the factors that it is trained on.

    Returns
    -------
    perturbed : Perturbed
        Named tuple of ``X``, the perturbed rows of `W`, of shape (n_samples, n_features), float32;
        ``render``, the function F (for a table of rows, F looks up the nearest row of `W`);
        ``perturbation_energy``, the mean squared change of a row, divided by the total variance of
        the unperturbed rows; and ``max_abs_change``, the largest absolute change of a value.

    Raises
    ------
    ValueError
        If `render` returns values outside [0, 1] or not one row for each row of `W`, a table has
        too few rows for `delta`, all rows are equal, a factor is constant, `pairs` are not pairs of
        distinct columns, or a parameter is outside its range.

    Warns
    -----
    ConvergenceWarning
        If the gap along the rotated axes is still larger than that along the factors.

    Notes
    -----
    The form of F is that of [1]_. That paper does not specify how m is determined; the training
    objective given here is our own.

    References
    ----------
    .. [1] D. Zietlow, M. Rolinek, G. Martius. "Demystifying Inductive Biases for (Beta-)VAE Based
           Architectures." International Conference on Machine Learning, 2021.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import make_mini_sprites, perturb_dataset
    >>> _, W = make_mini_sprites(500, random_state=0)
    >>> def render(W):
    ...     return make_mini_sprites(factors=W)[0]
    >>> perturbed = perturb_dataset(render, W, max_iter=100, random_state=0)
    >>> perturbed.X.shape, round(perturbed.max_abs_change, 2) <= 0.1
    ((500, 256), True)
    """
    W = check_array(W, dtype=np.float64, input_name="W", copy=True)
    center, half_range = _check_factor_ranges(W)
    rotation = _rotation_of_pairs(pairs, W.shape[1])
    lookup = _make_lookup(render, W, half_range)
    X = lookup(W)[1]
    if X.ndim != 2 or len(X) != len(W):
        raise ValueError(
            f"render must return a row for each row of factors, of shape ({len(W)}, n_features); "
            f"it returned shape {X.shape}."
        )
    _check_range(X, "render")
    seed = int(check_random_state(random_state).randint(2**31))
    with own_torch_state():
        generator = torch.Generator().manual_seed(seed)
        network = make_network(W.shape[1], X.shape[1], generator)
        renderer = PerturbedRenderer(lookup, network, epsilon, clip, center, half_range)
        gaps = train_network(renderer, rotation, delta, max_iter, generator)
    for i, j in pairs:
        _warn_if_not_hidden(i, j, gaps[i] + gaps[j])
    return _make_result(X, renderer(W), renderer)


def _warn_if_not_hidden(i, j, difference):
    if difference >= 0:
        warnings.warn(
            f"The perturbation does not hide factors {i} and {j}: their orthogonality gap along "
            f"the rotated axes exceeds that along the factors by {difference:.3f} nats. Increase "
            "epsilon or max_iter, or choose other pairs, whose effects have similar sizes.",
            ConvergenceWarning,
            stacklevel=4,
        )


def _check_range(X, name):
    if not np.isfinite(X).all() or X.min() < 0 or X.max() > 1:
        raise ValueError(
            f"The rows of {name} must lie between 0 and 1, got {X.min():.3g} to {X.max():.3g}; "
            "scale them first."
        )


def _make_result(X, perturbed, render):
    change = np.subtract(perturbed, X, dtype=np.float64)
    variance = ((X - X.mean(axis=0, dtype=np.float64)) ** 2).sum()
    if not variance:
        raise ValueError("All rows are equal, so that the relative size of a change is undefined.")
    energy = (change**2).sum() / variance
    peak = float(np.abs(change).max())
    return Perturbed(perturbed.astype(np.float32), render, float(energy), peak)


def _check_factor_ranges(W):
    """Return the center and the half-width of the range of each factor."""
    low, high = W.min(axis=0), W.max(axis=0)
    if (low == high).any():
        raise ValueError(
            f"Column {int(np.argmax(low == high))} of W does not vary, and a constant factor "
            "cannot be perturbed. Remove this column."
        )
    return (low + high) / 2, (high - low) / 2


def _rotation_of_pairs(pairs, n_factors):
    """Return the matrix whose rows are the axes, rotated by 45 degrees within each pair."""
    rotation = np.eye(n_factors)
    columns = [column for pair in pairs for column in np.ravel(pair).tolist()]
    integers = all(type(column) is int for column in columns)
    paired = columns and all(np.size(pair) == 2 for pair in pairs)
    valid = set(columns) <= set(range(n_factors)) and len(set(columns)) == len(columns)
    if not paired or not integers or not valid:
        raise ValueError(
            f"pairs must contain pairs of different columns of W, 0 to {n_factors - 1}, each "
            f"column at most once; got {pairs!r}."
        )
    for i, j in pairs:
        rotation[np.ix_([i, j], [i, j])] = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    return rotation


def _make_lookup(render, W, half_range):
    """Return a function that maps factors to the factors of the rendered rows, and these rows."""
    if callable(render):
        return lambda w: (w, np.array(render(w.copy()), dtype=np.float32))
    X = check_array(render, dtype=np.float32, input_name="render", copy=True)
    if len(X) != len(W):
        raise ValueError(f"render has {len(X)} rows and W has {len(W)}; pass factors of each row.")
    tree = cKDTree(W / half_range)

    def nearest_rows(w):
        nearest = tree.query(w / half_range)[1]
        return W[nearest], X[nearest]

    return nearest_rows
