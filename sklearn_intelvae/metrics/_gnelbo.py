"""Grid-normalized ELBO."""

import numpy as np
from sklearn.utils import check_array


def gnelbo(grid_errors, data_errors):
    r"""Return the grid-normalized ELBO, which compares the errors of data and of grid points.

    With an error :math:`e(x) \geq 0`, such as the negative ELBO without constants, at the points
    G of a grid over a window and at real points S, the score is

    .. math:: \frac{\frac{1}{|S|} \sum_S e}{\sum_G e + \sum_S e}.

    A low score is good: the errors of the data are small relative to those in the rest of the
    window. A model with a constant error scores :math:`1 / (|G| + |S|)`; report this reference
    value with any score. For the papers' grid of 1024 by 1024 points and 12,800 real points it is
    9.42e-7.

    Parameters
    ----------
    grid_errors : array-like of any shape
        Error at each grid point. In the papers, the error is the KL divergence of the posterior
        from the prior plus the squared error of the deterministic reconstruction.
    data_errors : array-like of any shape
        The same error at each real point.

    Returns
    -------
    score : float
        Without a unit. Scores are comparable for equal grids, windows and numbers of points only.

    Raises
    ------
    ValueError
        If an array is empty or contains values that are not finite, or if the sum of all errors is
        not positive. Single errors may be negative, as in a Monte Carlo estimate of the KL.

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
            "errors, such as the negative ELBO, not scores."
        )
    return float(data.mean() / total)


def _check_errors(errors, name):
    return check_array(np.ravel(errors), dtype=np.float64, ensure_2d=False, input_name=name)
