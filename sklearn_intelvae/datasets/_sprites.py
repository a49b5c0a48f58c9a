"""Images of few factors: white shapes on black, and a soft disc."""

from numbers import Integral

import numpy as np
from scipy.special import expit
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

SPRITE_FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "pos_x": 32, "pos_y": 32}
"""The factors of a sprite, and how many values each has."""

_SIDE, _ELLIPSE = 19.2, (12.8, 7.2)
_HEART, _HEART_DOWN = 11.3, 0.3
_AT_A_TIME = 256
_DISC = {"size": 16, "radius": 2.2, "softness": 0.3, "reach": (4.6, 3.6)}
_STEP = 0.25


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "factors": ["array-like", None],
        "size": [Interval(Integral, 8, None, closed="left")],
        "paired": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_sprites(n_samples=1000, *, factors=None, size=64, paired=False, random_state=None):
    r"""Draw squares, ellipses and hearts of several sizes, turns and places, as dSprites does.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of images, each of factors that are drawn evenly. Ignored if `factors` are given.
    factors : array-like of shape (n_samples, 5), default=None
        The factors of each image: shape (0 square, 1 ellipse, 2 heart), scale (0 to 5, half to
        full size), orientation (0 to 39, a full turn counter-clockwise), and the places from left
        to right and from top to bottom (0 to 31). All but the shape may lie between whole numbers.
    size : int, default=64
        Height and width of an image in pixels. All else grows with it.
    paired : bool, default=False
        Whether to draw for each image another one that comes before it. Of a factor with n values
        that one's differs by a Laplace distributed step of scale log n, rounded and within the
        range; the shape stays, and at least one factor changes.
    random_state : int, RandomState instance or None, default=None
        Decides the factors and the steps.

    Returns
    -------
    X : ndarray of shape (n_samples, size * size), dtype float32
        Images of zeros and ones, row by row from the top: ``image_shape=(1, size, size)``.
    W : ndarray of shape (n_samples, 5)
        The factors, int64 if all of them are whole numbers.
    X_prev, W_prev : ndarray
        Images that come before, and their factors; only if `paired`.

    Raises
    ------
    ValueError
        If `factors` are out of their ranges, a shape is between two, or `paired` images are asked
        for of factors that are not whole numbers.

    Notes
    -----
    At 64 pixels, squares are those of dSprites [1]_ to the pixel, but for a row of pixels where an
    edge falls on their middles; ellipses are nearly so; hearts are alike, of another outline.
    Orientations 0 and 39 are the same, as there; a square looks the same after a quarter of a turn,
    an ellipse after half of one.

    References
    ----------
    .. [1] L. Matthey, I. Higgins, D. Hassabis, A. Lerchner. "dSprites: Disentanglement Testing
           Sprites Dataset." 2017.
    .. [2] D. Klindt et al. "Towards Nonlinear Disentanglement in Natural Data with Temporal Sparse
           Coding." International Conference on Learning Representations, 2021, on the steps.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import make_sprites
    >>> X, W = make_sprites(factors=[[0, 5, 0, 0, 0]])
    >>> X.shape, int(X.sum())
    ((1, 4096), 400)
    """
    counts = np.array(list(SPRITE_FACTORS.values()))
    generator = check_random_state(random_state)
    if factors is None:
        W = np.stack([generator.randint(c, size=n_samples) for c in counts], axis=1)
    else:
        W = _checked_factors(factors, counts, paired)
    if not paired:
        return _sprites(W, size), W
    W_prev = _steps_on_a_grid(W, counts, generator)
    return _sprites(W, size), W, _sprites(W_prev, size), W_prev


def _checked_factors(factors, counts, paired):
    """Return the factors as integers, if they all are."""
    W = check_array(factors, dtype=np.float64, copy=True, input_name="factors")
    if W.shape[1] != len(counts) or (W < 0).any() or (counts - 1 < W).any():
        raise ValueError(
            f"factors must have the columns {', '.join(SPRITE_FACTORS)}, with values from 0 to "
            f"{(counts - 1).tolist()}."
        )
    whole = (np.round(W) == W).all(axis=0)
    if not whole[0] or (paired and not whole.all()):
        what = "factors of images that are to be paired" if paired else "shapes"
        raise ValueError(f"{what} must be whole numbers.")
    return W.astype(np.int64) if whole.all() else W


def _sprites(W, size):
    X = np.empty((len(W), size * size), dtype=np.float32)
    for start in range(0, len(W), _AT_A_TIME):
        X[start : start + _AT_A_TIME] = _drawn(W[start : start + _AT_A_TIME], size)
    return X


def _drawn(W, size):
    """Return images, whose pixels are set if their centres lie inside of the outline."""
    shape, scale, turn, x, y = W.T[:, :, None, None]
    unit = size / 64
    ticks = (np.arange(size) + 0.5) / unit - 0.5
    across = ticks[None, None, :] - (15.5 + 32 * x / 31)
    down = ticks[None, :, None] - (15.5 + 32 * y / 31)
    angle, scale = 2 * np.pi * turn / 39, 0.5 + 0.1 * scale
    u = (across * np.cos(angle) - down * np.sin(angle)) / scale
    v = (across * np.sin(angle) + down * np.cos(angle)) / scale
    square = np.maximum(abs(u), abs(v)) <= _SIDE / 2
    ellipse = (u / _ELLIPSE[0]) ** 2 + (v / _ELLIPSE[1]) ** 2 <= 1
    inside = np.where(shape == 0, square, np.where(shape == 1, ellipse, _in_heart(u, v)))
    return inside.reshape(len(W), -1)


def _in_heart(u, v):
    """Tell what lies in a square on its corner with half discs on its upper sides."""
    v = v - _HEART_DOWN
    lobe = _HEART / (2 * np.sqrt(2))
    diamond = abs(u) + abs(v) <= _HEART / np.sqrt(2)
    discs = (abs(u) - lobe) ** 2 + (v + lobe) ** 2 <= (_HEART / 2) ** 2
    return diamond | discs


def _steps_on_a_grid(W, counts, generator):
    """Return factors a step away, each drawn from what the range has of a Laplace distribution."""
    stepped = W.copy()
    still = np.arange(len(W))
    while len(still):
        for j in range(1, len(counts)):  # the shape, which has no order, stays
            values = np.arange(counts[j])
            likely = np.exp(-np.abs(values - W[still, j, None]) / np.log(counts[j])).cumsum(axis=1)
            level = generator.uniform(size=(len(still), 1)) * likely[:, -1:]
            stepped[still, j] = (level > likely).sum(axis=1)
        still = still[(stepped[still] == W[still]).all(axis=1)]
    return stepped


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "factors": ["array-like", None],
        "size": [Interval(Integral, 4, None, closed="left")],
        "paired": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_mini_sprites(n_samples=8000, *, factors=None, size=16, paired=False, random_state=None):
    """Draw small images of a soft disc, of which two factors say where it is.

    Parameters
    ----------
    n_samples : int, default=8000
        Number of images, of factors that are drawn evenly. Ignored if `factors` are given.
    factors : array-like of shape (n_samples, 2), default=None
        The places across and down: from -1 to 1, or somewhat beyond. The first moves the disc
        farther.
    size : int, default=16
        Height and width of an image in pixels. All else grows with it.
    paired : bool, default=False
        Whether to draw for each image another one that comes before it. Its factors differ by
        Laplace distributed steps of scale .25, which are reflected at the ends of the range.
    random_state : int, RandomState instance or None, default=None
        Decides the factors and the steps.

    Returns
    -------
    X : ndarray of shape (n_samples, size * size), dtype float32
        Images between 0 and 1, row by row from the top: ``image_shape=(1, size, size)``.
    W : ndarray of shape (n_samples, 2)
        The factors.
    X_prev, W_prev : ndarray
        Images that come before, and their factors; only if `paired`.

    Raises
    ------
    ValueError
        If `factors` do not have two columns.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import make_mini_sprites
    >>> X, W = make_mini_sprites(100, random_state=0)
    >>> X.shape, W.shape
    ((100, 256), (100, 2))
    """
    generator = check_random_state(random_state)
    if factors is None:
        W = generator.uniform(-1, 1, size=(n_samples, 2))
    else:
        W = check_array(factors, dtype=np.float64, copy=True, input_name="factors")
        if W.shape[1] != 2:
            raise ValueError(f"factors must have two columns, got {W.shape[1]}.")
    if not paired:
        return _discs(W, size), W
    W_prev = _reflected(W + generator.laplace(scale=_STEP, size=W.shape))
    return _discs(W, size), W, _discs(W_prev, size), W_prev


def _discs(W, size):
    ticks = (np.arange(size) + 0.5) * _DISC["size"] / size
    place = _DISC["size"] / 2 + W * _DISC["reach"]
    across = ticks[None, None, :] - place[:, 0, None, None]
    down = ticks[None, :, None] - place[:, 1, None, None]
    outside = np.hypot(across, down) - _DISC["radius"]
    return expit(-outside / _DISC["softness"]).reshape(len(W), -1).astype(np.float32)


def _reflected(W):
    """Return W as far inside of -1 and 1 as it was outside."""
    return 1 - np.abs((W + 1) % 4 - 2)
