"""Densities in the plane with several parts and sharp edges, from which any number may be drawn."""

import inspect
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_CONSTRAINTS = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}
_SHARED = {
    "%(parameters)s": """\
Parameters
----------
n_samples : int, default=1000
    Number of points, each drawn independently of the others.
random_state : int, RandomState instance or None, default=None
    Decides the points; pass an int for the same points at every call.""",
    "%(errors and paper)s": """\
Raises
------
ValueError
    If `n_samples` is not a positive int.

References
----------
.. [1] T. Daniel, A. Tamar. "Soft-IntroVAE: Analyzing and Improving the Introspective Variational
       Autoencoder." IEEE/CVF Conference on Computer Vision and Pattern Recognition, 2021.""",
}


def _density(make):
    """Check what is passed to `make` and put the shared sections into its docstring."""
    doc = inspect.cleandoc(make.__doc__ or "")  # python -OO leaves none
    for place, sections in _SHARED.items():
        doc = doc.replace(place, sections)
    make.__doc__ = doc
    return validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)(make)


@_density
def make_eight_gaussians(n_samples=1000, *, random_state=None):
    r"""Draw points from eight narrow round Gaussians on a circle, equally often from each.

    .. math::

        x = \frac{1}{1.414} \Big( 2 \cos \frac{\pi k}{4} + 0.02 \, \varepsilon_1, \;
        2 \sin \frac{\pi k}{4} + 0.02 \, \varepsilon_2 \Big), \qquad k \sim U\{0, \dots, 7\},
        \quad \varepsilon \sim N(0, I)

    Neighbouring means are some 76 standard deviations apart. The papers draw the density in the
    window :math:`[-2, 2]^2`.

    %(parameters)s

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    y : ndarray of shape (n_samples,), dtype int64
        The Gaussian k of each point, 0 to 7, counter-clockwise from the one on the right.

    %(errors and paper)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.datasets import make_eight_gaussians
    >>> X, y = make_eight_gaussians(1000, random_state=0)
    >>> X[y == 2].mean(axis=0).round(2) + 0.0
    array([0.  , 1.41])
    """
    generator = check_random_state(random_state)
    y = generator.randint(8, size=n_samples, dtype=np.int64)
    return (2 * _turn(np.pi / 4 * y) + 0.02 * _normal(generator, n_samples)) / 1.414, y


@_density
def make_two_spirals(n_samples=1000, *, random_state=None):
    r"""Draw points from two blurred spirals that start at the origin, one the other turned by half.

    .. math::

        x = \pi t \, (-\cos 3 \pi |t|, \; \sin 3 \pi |t|) + \tfrac{1}{6} \, \mathrm{sign}(t) \, u
        + 0.1 \, \varepsilon, \qquad t |t| \sim U[-1, 1), \quad u \sim U[0, 1)^2, \quad
        \varepsilon \sim N(0, I)

    Each arm makes one and a half turns, and the points are about equally dense all along it. The
    papers draw the density in the window :math:`[-4, 4]^2`.

    %(parameters)s

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    t : ndarray of shape (n_samples,)
        Position of each point, between -1 and 1: its sign tells the arm, its absolute value how
        far out. The first arm, with t > 0, leaves the origin to the left.

    %(errors and paper)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.datasets import make_two_spirals
    >>> X, t = make_two_spirals(1000, random_state=0)
    >>> bool(np.abs(np.linalg.norm(X, axis=1) - np.pi * np.abs(t)).max() < 1)
    True
    """
    generator = check_random_state(random_state)
    area = generator.uniform(-1, 1, size=n_samples)
    t = np.sign(area) * np.sqrt(np.abs(area))
    curve = np.pi * t[:, None] * _turn(3 * np.pi * np.abs(t)) * [-1, 1]
    shift = np.sign(t)[:, None] * generator.uniform(size=(n_samples, 2)) / 6
    return curve + shift + 0.1 * _normal(generator, n_samples), t


@_density
def make_checkerboard(n_samples=1000, *, random_state=None):
    r"""Draw points evenly from the eight dark squares of a board of four by four.

    The board is :math:`[-4, 4]^2`, the window in which the papers draw it, and a square has the
    side 2. The dark ones touch at their corners only; the one at the lower left is among them.

    %(parameters)s

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    y : ndarray of shape (n_samples,), dtype int64
        The dark square of each point, 0 to 7: column by column from the left, and in each column
        the lower one first.

    %(errors and paper)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.datasets import make_checkerboard
    >>> X, y = make_checkerboard(1000, random_state=0)
    >>> cell = np.floor(X / 2).astype(int)
    >>> bool((cell.sum(axis=1) % 2 == 0).all()), cell[y == 0][0].tolist()
    (True, [-2, -2])
    """
    generator = check_random_state(random_state)
    y = generator.randint(8, size=n_samples, dtype=np.int64)
    column, upper = np.divmod(y, 2)
    corner = np.column_stack([column, column % 2 + 2 * upper])
    return 2 * (corner + generator.uniform(size=(n_samples, 2))) - 4, y


@_density
def make_rings(n_samples=1000, *, random_state=None):
    r"""Draw points from four blurred rings around the origin, equally often from each.

    .. math::

        x = \tfrac{3}{4} (k + 1) \, (\cos a, \; \sin a) + 0.08 \, \varepsilon, \qquad
        k \sim U\{0, \dots, 3\}, \quad a \sim U[0, 2 \pi), \quad \varepsilon \sim N(0, I)

    The inner rings, being shorter, are denser. The papers draw the density in the window
    :math:`[-4, 4]^2`.

    %(parameters)s

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    y : ndarray of shape (n_samples,), dtype int64
        The ring k of each point, from 0 for the innermost, of radius 0.75, to 3 for the outermost,
        of radius 3.

    %(errors and paper)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.datasets import make_rings
    >>> X, y = make_rings(1000, random_state=0)
    >>> bool(np.abs(np.linalg.norm(X, axis=1) - 0.75 * (y + 1)).max() < 0.4)
    True
    """
    generator = check_random_state(random_state)
    y = generator.randint(4, size=n_samples, dtype=np.int64)
    ring = 0.75 * (y + 1)[:, None] * _turn(2 * np.pi * generator.uniform(size=n_samples))
    return ring + 0.08 * _normal(generator, n_samples), y


def _turn(angle):
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _normal(generator, n_samples):
    return generator.standard_normal((n_samples, 2))
