"""How far a generated sample is from a real one, mostly for densities in the plane."""

import numbers
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import rel_entr, xlogy
from sklearn.utils import check_array, gen_batches

_EMPTY = 1e-14
_DISTANCES_AT_A_TIME = 2**22


class HistogramDivergences(NamedTuple):
    """What :func:`histogram_divergences` returns."""

    kl_papers: float
    jsd_papers: float
    kl: float
    jsd: float
    outside: float


def histogram_divergences(X, X_real, window, n_bins=100):
    r"""Compare the histograms of two samples in the plane, as two papers do it and properly.

    With p and q the histograms of the real and of the generated points in the window, as
    densities, :math:`m = (p + q) / 2`, b the number of bins along an axis and sums over all
    :math:`b^2` bins, the papers [1]_, [2]_ report

    .. math::

        \mathrm{KL} = \frac{1}{b} \sum p \, [\log p - \log(q + 10^{-14})], \qquad
        \mathrm{JSD} = \frac{1}{2 b} \sum m \, [2 \log m - \log(p + 10^{-14})
        - \log(q + 10^{-14})].

    The proper divergences are those of the probabilities P and Q of the bins, where all that is
    outside of the window is one more bin:

    .. math::

        \sum P \log \frac{P}{\max(Q, 10^{-14})}, \qquad
        \frac{1}{2} \sum P \log \frac{2 P}{P + Q} + \frac{1}{2} \sum Q \log \frac{2 Q}{P + Q}.

    Parameters
    ----------
    X : array-like of shape (n_samples, 2)
        Generated points.
    X_real : array-like of shape (n_samples_real, 2)
        Real points, preferably as many.
    window : float or (float, float)
        The window :math:`[-w, w]^2`, given by w, or :math:`[l, h]^2`, given by (l, h), in the
        units of `X`. It should hold all real points.
    n_bins : int, default=100
        Number of bins along each axis.

    Returns
    -------
    divergences : named tuple of float
        kl_papers : the papers' KL, in units that depend on `window` and `n_bins`.
        jsd_papers : the papers' JSD, in the same units.
        kl : KL divergence of the real from the generated histogram, in nats.
        jsd : Jensen-Shannon divergence, in nats, between 0 and log 2.
        outside : share of the generated points that lie outside of the window.

    Raises
    ------
    ValueError
        If a table does not have two columns or holds values that are not finite, `window` is not
        positive or not ascending, `n_bins` is not a positive int, or no real point lies in the
        window.

    Notes
    -----
    **Print the floor beside.** Two samples of one density do not score 0: 5000 points leave many of
    10,000 bins empty by chance. Compare two real samples of the same sizes in the same window,
    several times, and print that next to a model's score. Scores of other sizes, windows or bins
    are not comparable.

    What is odd about the papers' versions, which are here to be compared with theirs:

    - They sum densities instead of probabilities and divide by b: without empty bins, the KL
      is that in nats divided by b times the area of a bin. At 100 bins that is a factor of 6.25 in
      :math:`[-2, 2]^2` and of 1.5625 in :math:`[-4, 4]^2`.
    - Their JSD is the mean of :math:`\mathrm{KL}(m \| p)` and :math:`\mathrm{KL}(m \| q)`. The
      Jensen-Shannon divergence has both the other way round, and only then is it bounded.
    - A bin that holds real points and no generated one (for the JSD: one of the two and not the
      other) costs :math:`-\log 10^{-14}`, about 32 nats, times its density. Such bins decide the
      value, which therefore jumps between equally good models. So it is with `kl`, but not `jsd`.
    - Points outside of the window are dropped before the densities are normalised, so that a model
      pays nothing for them. If there are no others, q is taken as 0.

    The Jensen-Shannon divergence and :func:`energy_distance` are the ones to rely on.

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
    if not isinstance(n_bins, numbers.Integral) or n_bins < 1:
        raise ValueError(f"n_bins must be an int of at least 1, got {n_bins!r}.")
    fake, real = _check_points(X, "X"), _check_points(X_real, "X_real")
    fake, real = (_counts(points, low, high, n_bins) for points in (fake, real))
    if not real[:-1].any():
        raise ValueError(
            f"No row of X_real lies in the window {window!r}; choose one that holds the real data."
        )
    area = ((high - low) / n_bins) ** 2
    p, q = (counts[:-1] / (max(counts[:-1].sum(), 1) * area) for counts in (real, fake))
    m = (p + q) / 2
    P, Q = real / real.sum(), fake / fake.sum()
    M = (P + Q) / 2
    return HistogramDivergences(
        kl_papers=float(_papers_kl(p, q) / n_bins),
        jsd_papers=float((_papers_kl(m, p) + _papers_kl(m, q)) / (2 * n_bins)),
        kl=float(rel_entr(P, np.maximum(Q, _EMPTY)).sum()),
        jsd=float((rel_entr(P, M) + rel_entr(Q, M)).sum() / 2),
        outside=float(Q[-1]),
    )


def energy_distance(X, Y):
    r"""Energy distance of two samples: how far their distributions are apart, at any width.

    .. math:: 2 \, \mathbb{E} \|x - y\| - \mathbb{E} \|x - x'\| - \mathbb{E} \|y - y'\|

    with Euclidean distances and means over all pairs of rows, those of a row with itself
    included. It is at least 0, and 0 only if the two samples are distributed alike. Unlike
    :func:`histogram_divergences` it needs neither a window nor bins.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        One sample, for instance of generated rows.
    Y : array-like of shape (n_samples_y, n_features)
        The other, for instance of real rows.

    Returns
    -------
    distance : float
        At least 0, in the units of `X`.

    Raises
    ------
    ValueError
        If a table holds values that are not finite or whose squares are not, or if the tables
        have different numbers of columns.

    Notes
    -----
    Two samples of n and m rows of one distribution have the distance
    :math:`(1/n + 1/m) \, \mathbb{E} \|x - x'\|` on average, not 0; print it next to a score. In one
    dimension this is the square of :func:`scipy.stats.energy_distance`. The distances are
    computed in chunks that take 32 MiB; the time grows as the product of the numbers of rows.

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
    between, within_x, within_y = (_mean_distance(*ends) for ends in [(X, Y), (X, X), (Y, Y)])
    if not np.isfinite(between + within_x + within_y):
        raise ValueError("X or Y holds values whose squares overflow; divide both by one scale.")
    return max(0.0, float(2 * between - within_x - within_y))


def gnelbo(grid_errors, data_errors):
    r"""Grid-normalised ELBO: how far a model's bound tells the data from the rest of the window.

    With an error :math:`e(x) \geq 0`, such as the negative ELBO of a model without constants, on
    the points G of a grid over a window and on real points S, it is

    .. math:: \frac{\frac{1}{|S|} \sum_S e}{\sum_G e + \sum_S e}.

    Low is good: the data have errors that are small compared with those elsewhere. A model to
    which all points are alike has :math:`1 / (|G| + |S|)`, which belongs next to any value; with
    the papers' grid of 1024 by 1024 points and 12,800 real ones it is 9.42e-7.

    Parameters
    ----------
    grid_errors : array-like of any shape
        The error at each point of the grid. In the papers it is the KL divergence of the posterior
        from the prior plus the squared error of the deterministic reconstruction.
    data_errors : array-like of any shape
        The same error for each real point.

    Returns
    -------
    score : float
        Comparable between equal grids, windows and numbers of points only.

    Raises
    ------
    ValueError
        If an array is empty or holds values that are not finite, or if the errors do not have a
        positive sum. Single errors may be negative, as a Monte Carlo estimate of the KL can be.

    References
    ----------
    .. [1] T. Daniel, A. Tamar. "Soft-IntroVAE: Analyzing and Improving the Introspective
           Variational Autoencoder." IEEE/CVF Conference on Computer Vision and Pattern
           Recognition, 2021.

    Examples
    --------
    >>> from sklearn_intelvae.metrics import gnelbo
    >>> gnelbo([4.0, 3.0, 1.0], [1.0, 1.0])
    0.1
    >>> gnelbo([2.0, 2.0, 2.0], [2.0, 2.0])
    0.2
    """
    grid = _check_errors(grid_errors, "grid_errors")
    data = _check_errors(data_errors, "data_errors")
    total = grid.sum() + data.sum()
    if total <= 0:
        raise ValueError(
            f"The sum of grid_errors and data_errors must be positive, got {total:.6g}; pass "
            "errors, such as the negative ELBO, and not their opposite."
        )
    return float(data.mean() / total)


def _check_window(window):
    try:
        low, high = (-window, window) if isinstance(window, numbers.Real) else window
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
            f"{name} has {X.shape[1]} columns, and the histograms are of points in the plane; for "
            "tables of other widths use energy_distance."
        )
    return X


def _check_errors(errors, name):
    return check_array(np.ravel(errors), dtype=np.float64, ensure_2d=False, input_name=name)


def _counts(points, low, high, n_bins):
    """Count the points in each bin of the window and, as the last entry, those outside of it."""
    inside = np.histogram2d(*points.T, bins=n_bins, range=[[low, high]] * 2)[0].ravel()
    return np.append(inside, len(points) - inside.sum())


def _papers_kl(p, q):
    return (xlogy(p, p) - p * np.log(q + _EMPTY)).sum()


def _mean_distance(X, Y):
    # Row by row first, so that the sums do not depend on the chunks.
    rows = max(1, _DISTANCES_AT_A_TIME // len(Y))
    return np.mean(np.concatenate([cdist(X[b], Y).mean(axis=1) for b in gen_batches(len(X), rows)]))
