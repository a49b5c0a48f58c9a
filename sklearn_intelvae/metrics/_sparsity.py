"""Sparsity of codes."""

import numpy as np
from sklearn.utils import check_array


def hoyer_sparsity(Z):
    r"""Return the mean Hoyer sparsity of the rows of a table of codes.

    Each column is divided by its standard deviation over the rows, without centering, so that a
    component of small scale does not count as inactive. With :math:`\hat z` a row of the result
    and :math:`D` the number of columns, the score is the mean over rows of

    .. math::

        \frac{\sqrt D - \|\hat z\|_1 / \|\hat z\|_2}{\sqrt D - 1}.

    It is 1 if each row has a single nonzero component, and 0 if all components of each row are
    equal in absolute value. Dense Gaussian codes, which are not sparse, score about 0.25 for
    D = 20 and 0.23 for D = 50.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes in any unit, with at least two rows and two columns. The posterior means and the
        posterior samples of a VAE have different scores: report which of them `Z` contains.

    Returns
    -------
    score : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `Z` has fewer than two rows or two columns, or contains values that are not finite.

    Notes
    -----
    A column that is constant, up to rounding in the precision of `Z`, is an inactive component: it
    counts in D and contributes nothing to the norms. A row without any active component scores 0,
    so that a fully collapsed representation does not count as sparse.

    References
    ----------
    .. [1] P. O. Hoyer. "Non-negative Matrix Factorization with Sparseness Constraints."
           Journal of Machine Learning Research 5, 2004.
    .. [2] N. Miao, E. Mathieu, N. Siddharth, Y. W. Teh, T. Rainforth. "On Incorporating Inductive
           Biases into VAEs." International Conference on Learning Representations, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import hoyer_sparsity
    >>> dense = np.random.default_rng(0).standard_normal((2000, 50))
    >>> round(hoyer_sparsity(dense), 2)
    0.23
    >>> one_active = np.where(np.arange(50) == np.arange(2000)[:, None] % 50, dense, 0)
    >>> hoyer_sparsity(one_active)
    1.0
    """
    Z = check_array(Z, dtype=[np.float64, np.float32], ensure_min_samples=2, input_name="Z")
    if Z.shape[1] < 2:
        raise ValueError(
            f"Z has {Z.shape[1]} column, and the Hoyer sparsity of a single component is not "
            "defined; pass codes with at least two components."
        )
    return float(np.mean(_row_sparsities(_scale_to_unit_variance(Z))))


def _scale_to_unit_variance(Z):
    """Divide the columns by their standard deviations; set constant columns to 0."""
    rounding = 10 * np.finfo(Z.dtype).eps
    peak = np.abs(Z).max(axis=0).astype(np.float64)
    # Divide by the peak first, so that the test for a constant column does not depend on its scale.
    Z = Z / np.where(peak > 0, peak, 1)
    spread = Z.std(axis=0)
    varies = spread > rounding
    return np.where(varies, Z / np.where(varies, spread, 1), 0)


def _row_sparsities(Z):
    l1, l2 = np.abs(Z).sum(axis=1), np.linalg.norm(Z, axis=1)
    root = np.sqrt(Z.shape[1])
    # A zero row gets the ratio of a dense row, and hence the score 0.
    ratio = np.divide(l1, l2, out=np.full_like(l1, root), where=l2 > 0)
    return np.clip((root - ratio) / (root - 1), 0, 1)
