"""Images of simple shapes that are functions of a few factors."""

from numbers import Integral

import numpy as np
from scipy.special import expit
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

SPRITE_FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "pos_x": 32, "pos_y": 32}
"""The factors of a sprite, and the number of values of each."""

_SQUARE_SIDE, _ELLIPSE_RADII = 19.2, (12.8, 7.2)
_HEART_SIDE, _HEART_SHIFT = 11.3, 0.3
_IMAGES_PER_CHUNK = 256
_DISC = {"size": 16, "radius": 2.2, "softness": 0.3, "range": (4.6, 3.6)}
_STEP_SCALE = 0.25


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
    r"""Draw binary images of squares, ellipses and hearts, with the factors of dSprites.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of images; their factors are independent and uniform. Ignored if `factors` is given.
    factors : array-like of shape (n_samples, 5), default=None
        Factors of each image: shape (0 square, 1 ellipse, 2 heart), scale (0 to 5, half to full
        size), orientation (0 to 39, a full counter-clockwise rotation), and horizontal and vertical
        position (0 to 31, from left to right and from top to bottom). All factors but the shape may
        be fractional.
    size : int, default=64
        Height and width of an image in pixels, at least 8. All lengths scale with it.
    paired : bool, default=False
        Whether to draw a preceding image for each image. A factor with n values changes by a
        Laplace-distributed step of scale log n, rounded and restricted to the range of the factor;
        the shape does not change, and at least one factor changes.
    random_state : int, RandomState instance or None, default=None
        Determines the factors and the steps.

    Returns
    -------
    X : ndarray of shape (n_samples, size * size), dtype float32
        Flattened images with the values 0 and 1, row by row from the top:
        ``image_shape=(1, size, size)``.
    W : ndarray of shape (n_samples, 5)
        The factors, int64 if all of them are integers.
    X_prev : ndarray of shape (n_samples, size * size), dtype float32
        The preceding images; only if `paired`.
    W_prev : ndarray of shape (n_samples, 5)
        The factors of the preceding images; only if `paired`.

    Raises
    ------
    ValueError
        If `factors` are outside their ranges, a shape is fractional, a factor is fractional and
        `paired` is True, or a parameter is invalid.

    Notes
    -----
    With 64 pixels, the squares equal those of dSprites [1]_, except for a line of pixels if an edge
    passes through the pixel centers. The ellipses differ in few pixels. The hearts are similar, but
    have a different outline. As in dSprites, the orientations 0 and 39 are the same; a square is
    invariant to rotations by 90 degrees, an ellipse to rotations by 180 degrees.

    References
    ----------
    .. [1] L. Matthey, I. Higgins, D. Hassabis, A. Lerchner. "dSprites: Disentanglement Testing
           Sprites Dataset." 2017.
    .. [2] D. Klindt et al. "Towards Nonlinear Disentanglement in Natural Data with Temporal Sparse
           Coding." International Conference on Learning Representations, 2021. (The steps of paired
           images.)

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
        W = _check_sprite_factors(factors, counts, paired)
    if not paired:
        return _render_sprites(W, size), W
    W_prev = _step_on_grid(W, counts, generator)
    return _render_sprites(W, size), W, _render_sprites(W_prev, size), W_prev


def _check_sprite_factors(factors, counts, paired):
    """Return the factors, as integers if all of them are."""
    W = check_array(factors, dtype=np.float64, copy=True, input_name="factors")
    if W.shape[1] != len(counts) or (W < 0).any() or (counts - 1 < W).any():
        raise ValueError(
            f"factors must have the columns {', '.join(SPRITE_FACTORS)}, with values from 0 to "
            f"{(counts - 1).tolist()}."
        )
    integers = (np.round(W) == W).all(axis=0)
    if not integers[0]:
        raise ValueError("The shapes, column 0 of factors, must be integers.")
    if paired and not integers.all():
        raise ValueError("All factors must be integers if paired=True.")
    return W.astype(np.int64) if integers.all() else W


def _render_sprites(W, size):
    X = np.empty((len(W), size * size), dtype=np.float32)
    for start in range(0, len(W), _IMAGES_PER_CHUNK):
        chunk = slice(start, start + _IMAGES_PER_CHUNK)
        X[chunk] = _pixels_inside(W[chunk], size)
    return X


def _pixels_inside(W, size):
    """Return for each pixel whether its center lies inside the outline."""
    shape, scale, orientation, x, y = W.T[:, :, None, None]
    unit = size / 64
    ticks = (np.arange(size) + 0.5) / unit - 0.5
    across = ticks[None, None, :] - (15.5 + 32 * x / 31)
    down = ticks[None, :, None] - (15.5 + 32 * y / 31)
    angle, scale = 2 * np.pi * orientation / 39, 0.5 + 0.1 * scale
    u = (across * np.cos(angle) - down * np.sin(angle)) / scale
    v = (across * np.sin(angle) + down * np.cos(angle)) / scale
    square = np.maximum(abs(u), abs(v)) <= _SQUARE_SIDE / 2
    ellipse = (u / _ELLIPSE_RADII[0]) ** 2 + (v / _ELLIPSE_RADII[1]) ** 2 <= 1
    inside = np.where(shape == 0, square, np.where(shape == 1, ellipse, _inside_heart(u, v)))
    return inside.reshape(len(W), -1)


def _inside_heart(u, v):
    """Return which points lie in a square on its corner with half discs on its upper sides."""
    v = v - _HEART_SHIFT
    lobe = _HEART_SIDE / (2 * np.sqrt(2))
    diamond = abs(u) + abs(v) <= _HEART_SIDE / np.sqrt(2)
    discs = (abs(u) - lobe) ** 2 + (v + lobe) ** 2 <= (_HEART_SIDE / 2) ** 2
    return diamond | discs


def _step_on_grid(W, counts, generator):
    """Return factors after a step from a Laplace distribution truncated to the range.

    The steps of a row are drawn again until at least one factor changes.
    """
    stepped = W.copy()
    unchanged = np.arange(len(W))
    while len(unchanged):
        for j in range(1, len(counts)):  # Not the shape, whose values have no order.
            distance = np.abs(np.arange(counts[j]) - W[unchanged, j, None])
            cumulative = np.exp(-distance / np.log(counts[j])).cumsum(axis=1)
            level = generator.uniform(size=(len(unchanged), 1)) * cumulative[:, -1:]
            stepped[unchanged, j] = (level > cumulative).sum(axis=1)
        unchanged = unchanged[(stepped[unchanged] == W[unchanged]).all(axis=1)]
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
    """Draw small images of a soft disc whose position is given by two factors.

    Parameters
    ----------
    n_samples : int, default=8000
        Number of images; their factors are independent and uniform on [-1, 1]. Ignored if `factors`
        is given.
    factors : array-like of shape (n_samples, 2), default=None
        Horizontal and vertical position of the disc, in [-1, 1] or slightly outside. The same
        change of the first factor moves the disc farther than that of the second.
    size : int, default=16
        Height and width of an image in pixels, at least 4. All lengths scale with it.
    paired : bool, default=False
        Whether to draw a preceding image for each image. The factors change by Laplace-distributed
        steps of scale 0.25, reflected at the ends of the range.
    random_state : int, RandomState instance or None, default=None
        Determines the factors and the steps.

    Returns
    -------
    X : ndarray of shape (n_samples, size * size), dtype float32
        Flattened images with values between 0 and 1, row by row from the top:
        ``image_shape=(1, size, size)``.
    W : ndarray of shape (n_samples, 2)
        The factors.
    X_prev : ndarray of shape (n_samples, size * size), dtype float32
        The preceding images; only if `paired`.
    W_prev : ndarray of shape (n_samples, 2)
        The factors of the preceding images; only if `paired`.

    Raises
    ------
    ValueError
        If `factors` do not have two columns or contain values that are not finite, or a parameter
        is invalid.

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
        return _render_discs(W, size), W
    W_prev = _reflect(W + generator.laplace(scale=_STEP_SCALE, size=W.shape))
    return _render_discs(W, size), W, _render_discs(W_prev, size), W_prev


def _render_discs(W, size):
    ticks = (np.arange(size) + 0.5) * _DISC["size"] / size
    center = _DISC["size"] / 2 + W * _DISC["range"]
    across = ticks[None, None, :] - center[:, 0, None, None]
    down = ticks[None, :, None] - center[:, 1, None, None]
    outside = np.hypot(across, down) - _DISC["radius"]
    return expit(-outside / _DISC["softness"]).reshape(len(W), -1).astype(np.float32)


def _reflect(W):
    """Reflect the values at -1 and 1."""
    return 1 - np.abs((W + 1) % 4 - 2)
