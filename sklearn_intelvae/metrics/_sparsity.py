"""Sparsity of a table of codes."""

import numpy as np
from sklearn.utils import check_array


def hoyer_sparsity(Z):
    r"""Mean Hoyer sparsity of the rows of a table of codes.

    Each column is divided by its standard deviation over the rows, without centring, so that a
    component does not look unused merely because its scale is small. With :math:`\hat z` a row of
    the result and :math:`D` the number of columns, the score is the mean over the rows of

    .. math::

        \frac{\sqrt D - \|\hat z\|_1 / \|\hat z\|_2}{\sqrt D - 1}.

    It is 1 when every row uses a single component and 0 when every row uses all components
    equally. Dense Gaussian codes give about .25 at D = 20 and .23 at D = 50, so such a value
    means "not sparse".

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, with at least two rows and two columns. For a VAE the codes of posterior means and
        of posterior samples score differently: say which one you report.

    Returns
    -------
    score : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `Z` has fewer than two rows or two columns, or holds values that are not finite.

    Notes
    -----
    A column that does not vary (up to rounding in the precision of `Z`) is an inactive component:
    it counts in D and adds nothing to the norms. A row without any active component counts as 0,
    so that a fully collapsed representation is not praised for its sparsity.

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
    return float(np.mean(_row_scores(_unit_spread(Z))))


def _unit_spread(Z):
    """Divide the columns by their standard deviation; columns that do not vary become 0."""
    rounding = 10 * np.finfo(Z.dtype).eps
    peak = np.abs(Z).max(axis=0).astype(np.float64)
    # Relative to the peak first: whether a column varies must not depend on its scale.
    Z = Z / np.where(peak > 0, peak, 1)
    spread = Z.std(axis=0)
    alive = spread > rounding
    return np.where(alive, Z / np.where(alive, spread, 1), 0)


def _row_scores(Z):
    l1, l2 = np.abs(Z).sum(axis=1), np.linalg.norm(Z, axis=1)
    root = np.sqrt(Z.shape[1])
    # Without active components: the ratio of a dense row, hence a score of 0.
    ratio = np.divide(l1, l2, out=np.full_like(l1, root), where=l2 > 0)
    return np.clip((root - ratio) / (root - 1), 0, 1)
