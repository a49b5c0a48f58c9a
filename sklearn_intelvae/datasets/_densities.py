"""Two-dimensional densities with several modes and sharp edges."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_CONSTRAINTS = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_eight_gaussians(n_samples=1000, *, random_state=None):
    r"""Draw points from a mixture of eight narrow Gaussians on a circle.

    .. math::

        x = \frac{1}{1.414} \Big( 2 \cos \frac{\pi k}{4} + 0.02 \, \varepsilon_1, \;
        2 \sin \frac{\pi k}{4} + 0.02 \, \varepsilon_2 \Big), \qquad k \sim U\{0, \dots, 7\},
        \quad \varepsilon \sim N(0, I)

    Neighboring means are about 76 standard deviations apart. The papers show the density in the
    window :math:`[-2, 2]^2`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    y : ndarray of shape (n_samples,), dtype int64
        Index k of the Gaussian of each point, 0 to 7, counter-clockwise from the one on the right.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int.

    References
    ----------
    .. [1] T. Daniel, A. Tamar. "Soft-IntroVAE: Analyzing and Improving the Introspective
           Variational Autoencoder." IEEE/CVF Conference on Computer Vision and Pattern
           Recognition, 2021.

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
    return (2 * _unit_vectors(np.pi / 4 * y) + 0.02 * _normal(generator, n_samples)) / 1.414, y


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_two_spirals(n_samples=1000, *, random_state=None):
    r"""Draw points from two noisy spiral arms that start at the origin.

    .. math::

        x = \pi t \, (-\cos 3 \pi |t|, \; \sin 3 \pi |t|) + \tfrac{1}{6} \, \mathrm{sign}(t) \, u
        + 0.1 \, \varepsilon, \qquad t |t| \sim U[-1, 1), \quad u \sim U[0, 1)^2, \quad
        \varepsilon \sim N(0, I)

    One arm is the other rotated by 180 degrees. Each arm makes one and a half revolutions, and the
    density is approximately constant along it. The papers show the density in the window
    :math:`[-4, 4]^2`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    t : ndarray of shape (n_samples,)
        Position of each point, between -1 and 1: the sign gives the arm, the absolute value the
        distance along it. The arm with t > 0 leaves the origin to the left.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int.

    References
    ----------
    .. [1] T. Daniel, A. Tamar. "Soft-IntroVAE: Analyzing and Improving the Introspective
           Variational Autoencoder." IEEE/CVF Conference on Computer Vision and Pattern
           Recognition, 2021.

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
    curve = np.pi * t[:, None] * _unit_vectors(3 * np.pi * np.abs(t)) * [-1, 1]
    shift = np.sign(t)[:, None] * generator.uniform(size=(n_samples, 2)) / 6
    return curve + shift + 0.1 * _normal(generator, n_samples), t


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_checkerboard(n_samples=1000, *, random_state=None):
    r"""Draw points uniformly from the eight dark squares of a checkerboard of four by four squares.

    The board is :math:`[-4, 4]^2`, the window in which the papers show the density. A square has
    the side 2. Dark squares share corners only; the lower left square is dark.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    y : ndarray of shape (n_samples,), dtype int64
        Index of the dark square of each point, 0 to 7, numbered column by column from the left and
        from bottom to top within a column.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int.

    References
    ----------
    .. [1] T. Daniel, A. Tamar. "Soft-IntroVAE: Analyzing and Improving the Introspective
           Variational Autoencoder." IEEE/CVF Conference on Computer Vision and Pattern
           Recognition, 2021.

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


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_rings(n_samples=1000, *, random_state=None):
    r"""Draw points from four noisy concentric rings of equal probability.

    .. math::

        x = \tfrac{3}{4} (k + 1) \, (\cos a, \; \sin a) + 0.08 \, \varepsilon, \qquad
        k \sim U\{0, \dots, 3\}, \quad a \sim U[0, 2 \pi), \quad \varepsilon \sim N(0, I)

    The density is higher on the inner rings, which are shorter. The papers show the density in the
    window :math:`[-4, 4]^2`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of independent points.
    random_state : int, RandomState instance or None, default=None
        Determines the points. Pass an int for reproducible points.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.
    y : ndarray of shape (n_samples,), dtype int64
        Index k of the ring of each point, from 0 for the innermost, of radius 0.75, to 3 for the
        outermost, of radius 3.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive int.

    References
    ----------
    .. [1] T. Daniel, A. Tamar. "Soft-IntroVAE: Analyzing and Improving the Introspective
           Variational Autoencoder." IEEE/CVF Conference on Computer Vision and Pattern
           Recognition, 2021.

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
    ring = 0.75 * (y + 1)[:, None] * _unit_vectors(2 * np.pi * generator.uniform(size=n_samples))
    return ring + 0.08 * _normal(generator, n_samples), y


def _unit_vectors(angle):
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _normal(generator, n_samples):
    return generator.standard_normal((n_samples, 2))
