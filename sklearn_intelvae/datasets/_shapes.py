"""Two-dimensional data of nontrivial topology: closed curves and two separated clusters."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_RADIUS = 2.0
_CONSTRAINTS = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "noise": [Interval(Real, 0, None, closed="left")],
    "random_state": ["random_state"],
}
_CLUSTER_CONSTRAINTS = {
    "proportion": [Interval(Real, 0, 1, closed="both")],
    "scale": [Interval(Real, 0, None, closed="left")],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_circle(n_samples=1000, *, noise=0.0, random_state=None):
    r"""Draw points from a circle of radius 2, a curve with one hole.

    .. math:: x(t) = (2 \cos 2 \pi t, \; 2 \sin 2 \pi t), \qquad t \sim U[0, 1)

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise that is added to each coordinate.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points. The positions `t` do not depend
        on `noise`.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    t : ndarray of shape (n_samples,)
        Position of each point along the curve, between 0 and 1, counter-clockwise from (2, 0).

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int, or `noise` is negative or not finite.

    References
    ----------
    .. [1] N. Miao, E. Mathieu, N. Siddharth, Y. W. Teh, T. Rainforth. "On Incorporating Inductive
           Biases into VAEs." International Conference on Learning Representations, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.datasets import make_circle
    >>> X, t = make_circle(100, random_state=0)
    >>> X.shape, t.shape
    ((100, 2), (100,))
    >>> bool(np.allclose(np.linalg.norm(X, axis=1), 2))
    True
    """
    return _sample_curve(_circle, n_samples, noise, random_state)


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_square(n_samples=1000, *, noise=0.0, random_state=None):
    r"""Draw points from the outline of a square, a curve with one hole.

    The sides are parallel to the axes. The corners have the distance 2 from the origin, the sides
    :math:`\sqrt 2`, and the points are uniform on the sides.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise that is added to each coordinate.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points. The positions `t` do not depend
        on `noise`.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    t : ndarray of shape (n_samples,)
        Position of each point along the curve, between 0 and 1, counter-clockwise from the upper
        right corner.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int, or `noise` is negative or not finite.

    References
    ----------
    .. [1] N. Miao, E. Mathieu, N. Siddharth, Y. W. Teh, T. Rainforth. "On Incorporating Inductive
           Biases into VAEs." International Conference on Learning Representations, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.datasets import make_square
    >>> X, t = make_square(100, random_state=0)
    >>> bool(np.allclose(np.abs(X).max(axis=1), np.sqrt(2)))
    True
    """
    return _sample_curve(_square, n_samples, noise, random_state)


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_star(n_samples=1000, *, noise=0.0, random_state=None):
    """Draw points from the outline of a five-pointed star, a curve with one hole.

    The tips have the distance 2 from the origin and one of them points upwards; the inner corners
    have the distance 2/3. The points are uniform on the ten edges, which have equal lengths.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise that is added to each coordinate.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points. The positions `t` do not depend
        on `noise`.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    t : ndarray of shape (n_samples,)
        Position of each point along the curve, between 0 and 1, counter-clockwise from the upper
        tip.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int, or `noise` is negative or not finite.

    References
    ----------
    .. [1] N. Miao, E. Mathieu, N. Siddharth, Y. W. Teh, T. Rainforth. "On Incorporating Inductive
           Biases into VAEs." International Conference on Learning Representations, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.datasets import make_star
    >>> X, t = make_star(1000, random_state=0)
    >>> radius = np.linalg.norm(X, axis=1)
    >>> bool(radius.min() > 0.66), bool(radius.max() < 2)
    (True, True)
    """
    return _sample_curve(_star, n_samples, noise, random_state)


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_infinity(n_samples=1000, *, noise=0.0, random_state=None):
    r"""Draw points from an infinity sign, a curve with two holes.

    .. math:: x(t) = (2 \cos 2 \pi t, \; 2 \sin 2 \pi t \cos 2 \pi t), \qquad t \sim U[0, 1)

    The curve intersects itself at the origin, at t = 1/4 and t = 3/4.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise that is added to each coordinate.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points. The positions `t` do not depend
        on `noise`.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    t : ndarray of shape (n_samples,)
        Curve parameter of each point, between 0 and 1, starting at (2, 0) and moving upwards. It
        is uniform, but the arc length is not.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int, or `noise` is negative or not finite.

    References
    ----------
    .. [1] N. Miao, E. Mathieu, N. Siddharth, Y. W. Teh, T. Rainforth. "On Incorporating Inductive
           Biases into VAEs." International Conference on Learning Representations, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.datasets import make_infinity
    >>> X, t = make_infinity(100, random_state=0)
    >>> bool(np.allclose(X[:, 1], X[:, 0] * np.sin(2 * np.pi * t)))
    True
    """
    return _sample_curve(_infinity, n_samples, noise, random_state)


@validate_params({**_CONSTRAINTS, **_CLUSTER_CONSTRAINTS}, prefer_skip_nested_validation=True)
def make_two_gaussians(n_samples=1000, *, proportion=0.5, scale=0.3, noise=0.0, random_state=None):
    """Draw points from a mixture of two isotropic Gaussians with the means (-2, 0) and (2, 0).

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    proportion : float, default=0.5
        Probability of label 1, between 0 and 1. The labels are random, so that their frequencies
        in the sample vary.
    scale : float, default=0.3
        Standard deviation of each Gaussian along each axis.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise that is added to each coordinate.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points. The labels, and the points
        before noise is added, do not depend on `noise`.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    y : ndarray of shape (n_samples,), dtype int64
        Label of the Gaussian of each point: 0 for the mean (-2, 0), 1 for the mean (2, 0).

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int, `proportion` lies outside [0, 1], or `scale` or
        `noise` is negative or not finite.

    References
    ----------
    .. [1] N. Miao, E. Mathieu, N. Siddharth, Y. W. Teh, T. Rainforth. "On Incorporating Inductive
           Biases into VAEs." International Conference on Learning Representations, 2022.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import make_two_gaussians
    >>> X, y = make_two_gaussians(1000, proportion=0.2, random_state=0)
    >>> bool(0.15 < y.mean() < 0.25), bool(((X[:, 0] > 0) == y).all())
    (True, True)
    """
    generator = check_random_state(random_state)
    y = (generator.uniform(size=n_samples) < proportion).astype(np.int64)
    X = scale * generator.standard_normal((n_samples, 2))
    X[:, 0] += np.where(y, _RADIUS, -_RADIUS)
    return _add_noise(X, noise, generator), y


def _sample_curve(curve, n_samples, noise, random_state):
    generator = check_random_state(random_state)
    t = generator.uniform(size=n_samples)
    return _add_noise(curve(t), noise, generator), t


def _add_noise(X, noise, generator):
    return X + noise * generator.standard_normal(X.shape)


def _circle(t):
    angle = 2 * np.pi * t
    return _RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])


def _square(t):
    return _polygon(t, angle=np.pi / 4, radii=[_RADIUS] * 4)


def _star(t):
    return _polygon(t, angle=np.pi / 2, radii=[_RADIUS, _RADIUS / 3] * 5)


def _infinity(t):
    X = _circle(t)
    X[:, 1] *= X[:, 0] / _RADIUS
    return X


def _polygon(t, angle, radii):
    """Interpolate between corners at the given radii and at equally spaced angles from `angle`."""
    corner = np.linspace(0, 1, len(radii) + 1)
    directions = _circle(corner + angle / (2 * np.pi)) / _RADIUS
    closed = directions * np.append(radii, radii[0])[:, None]
    return np.column_stack([np.interp(t, corner, axis) for axis in closed.T])
