"""Divergences between a generated and a real sample."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import rel_entr, xlogy
from sklearn.utils import check_array, gen_batches

_MIN_PROBABILITY = 1e-14
_DISTANCES_PER_CHUNK = 2**22


class HistogramDivergences(NamedTuple):
    """Result of :func:`histogram_divergences`.

    Attributes
    ----------
    kl_papers : float
        The papers' KL, in units that depend on the window and the number of bins.
    jsd_papers : float
        The papers' JSD, in the same units.
    kl : float
        KL divergence of the real histogram from the generated one, in nats.
    jsd : float
        Jensen-Shannon divergence, in nats, between 0 and log 2.
    outside : float
        Fraction of the generated points that lie outside the window.
    """

    kl_papers: float
    jsd_papers: float
    kl: float
    jsd: float
    outside: float


def histogram_divergences(X, X_real, window, n_bins=100):
    r"""Return divergences between the histograms of two samples in the plane.

    Let p and q be the histograms of the real and of the generated points in the window, as
    densities, :math:`m = (p + q) / 2`, b the number of bins along an axis, and let all sums run
    over the :math:`b^2` bins. The papers [1]_, [2]_ report

    .. math::

        \mathrm{KL} = \frac{1}{b} \sum p \, [\log p - \log(q + 10^{-14})], \qquad
        \mathrm{JSD} = \frac{1}{2 b} \sum m \, [2 \log m - \log(p + 10^{-14})
        - \log(q + 10^{-14})].

    The standard divergences use the bin probabilities P and Q, with one more bin for all points
    outside the window:

    .. math::

        \sum P \log \frac{P}{\max(Q, 10^{-14})}, \qquad
        \frac{1}{2} \sum P \log \frac{2 P}{P + Q} + \frac{1}{2} \sum Q \log \frac{2 Q}{P + Q}.

    Parameters
    ----------
    X : array-like of shape (n_samples, 2)
        Generated points.
    X_real : array-like of shape (n_samples_real, 2)
        Real points, preferably as many.
    window : float or tuple of (float, float)
        The window :math:`[-w, w]^2`, given by w, or :math:`[l, h]^2`, given by (l, h), in the
        unit of `X`. It should contain all real points.
    n_bins : int, default=100
        Number of bins along each axis.

    Returns
    -------
    divergences : HistogramDivergences
        Named tuple of floats: ``kl_papers`` and ``jsd_papers``, in units that depend on `window`
        and `n_bins`; ``kl`` and ``jsd``, in nats, the latter between 0 and log 2; and ``outside``,
        the fraction of the generated points outside the window.

    Raises
    ------
    ValueError
        If a table does not have two columns or contains values that are not finite, `window` is not
        positive or not in ascending order, `n_bins` is not a positive int, or the window contains
        no real point.

    Notes
    -----
    **Report a reference value.** Two samples of one density do not score 0: 5000 points leave many
    of 10,000 bins empty by chance. Compute the divergences of several pairs of real samples, of the
    same sizes and in the same window, and report them with the scores of a model. Scores for other
    sample sizes, windows or bins are not comparable.

    The papers' versions are provided for comparison with their tables. They differ from the
    standard divergences:

    - They sum densities instead of probabilities and divide by b. Without empty bins, the papers'
      KL equals the KL in nats divided by b times the area of a bin: a factor of 6.25 in
      :math:`[-2, 2]^2` and of 1.5625 in :math:`[-4, 4]^2`, with 100 bins.
    - Their JSD is the mean of :math:`\mathrm{KL}(m \| p)` and :math:`\mathrm{KL}(m \| q)`. The
      Jensen-Shannon divergence has the arguments in the opposite order, which makes it bounded.
    - A bin with real but no generated points (for the JSD: with points of one sample only)
      contributes its density times :math:`-\log 10^{-14}`, about 32 nats. Such bins dominate the
      value, which therefore varies strongly between equally good models. The same holds for
      ``kl``, but not for ``jsd``.
    - Points outside the window are dropped before the densities are normalized, so that they do
      not increase the value. If no generated point is left, q is set to 0.

    Prefer ``jsd`` and :func:`energy_distance`.

    References
    ----------
    .. [1] T. Daniel, A. Tamar. "Soft-IntroVAE: Analyzing and Improving the Introspective
           Variational Autoencoder." IEEE/CVF Conference on Computer Vision and Pattern
           Recognition, 2021.
    .. [2] I. Athanasiadis, F. Lindsten, M. Felsberg. "Prior Learning in Introspective VAEs."
           Transactions on Machine Learning Research, 2025.
    .. [3] J. Lin. "Divergence Measures Based on the Shannon Entropy." IEEE Transactions on
           Information Theory 37(1), 1991.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import histogram_divergences
    >>> rng = np.random.default_rng(0)
    >>> real, other_real, wide = (s * rng.standard_normal((5000, 2)) for s in (1, 1, 2))
    >>> round(histogram_divergences(other_real, real, 4, n_bins=20).jsd, 2)
    0.01
    >>> scores = histogram_divergences(wide, real, 4, n_bins=20)
    >>> round(scores.jsd, 2), round(scores.outside, 2)
    (0.19, 0.09)
    """
    low, high = _check_window(window)
    if not isinstance(n_bins, Integral) or n_bins < 1:
        raise ValueError(f"n_bins must be an int of at least 1, got {n_bins!r}.")
    fake, real = _check_points(X, "X"), _check_points(X_real, "X_real")
    fake, real = (_count_points(points, low, high, n_bins) for points in (fake, real))
    if not real[:-1].any():
        raise ValueError(
            f"window={window!r} contains no row of X_real; choose a window that contains the real "
            "points."
        )
    area = ((high - low) / n_bins) ** 2
    p, q = (counts[:-1] / (max(counts[:-1].sum(), 1) * area) for counts in (real, fake))
    m = (p + q) / 2
    P, Q = real / real.sum(), fake / fake.sum()
    M = (P + Q) / 2
    return HistogramDivergences(
        kl_papers=float(_sum_kl_terms(p, q) / n_bins),
        jsd_papers=float((_sum_kl_terms(m, p) + _sum_kl_terms(m, q)) / (2 * n_bins)),
        kl=float(rel_entr(P, np.maximum(Q, _MIN_PROBABILITY)).sum()),
        jsd=float((rel_entr(P, M) + rel_entr(Q, M)).sum() / 2),
        outside=float(Q[-1]),
    )


def energy_distance(X, Y):
    r"""Return the energy distance of two samples.

    .. math:: 2 \, \mathbb{E} \|x - y\| - \mathbb{E} \|x - x'\| - \mathbb{E} \|y - y'\|

    The distances are Euclidean and the means run over all pairs of rows, including the pairs of a
    row with itself. The energy distance is 0 if and only if the two empirical distributions are
    equal. Unlike :func:`histogram_divergences` it requires neither a window nor bins, and accepts
    any number of columns.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        One sample, for instance generated rows.
    Y : array-like of shape (n_samples_y, n_features)
        The other sample, for instance real rows.

    Returns
    -------
    distance : float
        At least 0, in the unit of `X`.

    Raises
    ------
    ValueError
        If a table contains values that are not finite or whose squares overflow, or if the tables
        have different numbers of columns.

    Notes
    -----
    The expected distance of two samples of n and m rows of one distribution is
    :math:`(1/n + 1/m) \, \mathbb{E} \|x - x'\|`, not 0; report it with a score. In one dimension
    the distance is the square of :func:`scipy.stats.energy_distance`. The distances are computed
    in chunks of 32 MiB; the time is proportional to the product of the numbers of rows.

    References
    ----------
    .. [1] G. J. Székely, M. L. Rizzo. "Energy Statistics: A Class of Statistics Based on
           Distances." Journal of Statistical Planning and Inference 143(8), 2013.

    Examples
    --------
    >>> from sklearn_intelvae.metrics import energy_distance
    >>> energy_distance([[0.0, 0.0]], [[3.0, 4.0]])
    10.0
    """
    X = check_array(X, dtype=np.float64, input_name="X")
    Y = check_array(Y, dtype=np.float64, input_name="Y")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} columns and Y has {Y.shape[1]}; both samples must have the same "
            "features."
        )
    between, within_x, within_y = (_mean_distance(*pair) for pair in [(X, Y), (X, X), (Y, Y)])
    if not np.isfinite(between + within_x + within_y):
        raise ValueError(
            "The squares of the values in X or Y overflow; divide both by a common scale."
        )
    return max(0.0, float(2 * between - within_x - within_y))


def _check_window(window):
    try:
        low, high = (-window, window) if isinstance(window, Real) else window
        low, high = float(low), float(high)
    except (TypeError, ValueError):
        low = high = np.nan
    if not -np.inf < low < high < np.inf:
        raise ValueError(
            "window must be a positive number w, for [-w, w]^2, or two finite numbers (low, high) "
            f"in ascending order, got {window!r}."
        )
    return low, high


def _check_points(X, name):
    X = check_array(X, dtype=np.float64, input_name=name)
    if X.shape[1] != 2:
        raise ValueError(
            f"{name} has {X.shape[1]} columns; histogram_divergences requires two. Use "
            "energy_distance for tables with other numbers of columns."
        )
    return X


def _count_points(points, low, high, n_bins):
    """Return the number of points in each bin of the window and, last, that of points outside."""
    inside = np.histogram2d(*points.T, bins=n_bins, range=[[low, high]] * 2)[0].ravel()
    return np.append(inside, len(points) - inside.sum())


def _sum_kl_terms(p, q):
    return (xlogy(p, p) - p * np.log(q + _MIN_PROBABILITY)).sum()


def _mean_distance(X, Y):
    # Average each row first, so that the result does not depend on the size of the chunks.
    rows = max(1, _DISTANCES_PER_CHUNK // len(Y))
    return np.mean(np.concatenate([cdist(X[b], Y).mean(axis=1) for b in gen_batches(len(X), rows)]))
