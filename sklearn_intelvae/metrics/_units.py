"""Which components of a code are in use."""

import numbers

import numpy as np
from sklearn.utils import check_array


def active_units(means, threshold=0.01):
    r"""Tell which latent components respond to the data.

    Component d is active when :math:`\mathrm{Var}_x(\mathbb{E}_{q(y|x)}[y_d])` exceeds
    `threshold`. Components that a VAE has switched off have a posterior mean that is nearly the
    same for every x.

    Parameters
    ----------
    means : array-like of shape (n_samples, n_components)
        Posterior means of at least two samples.
    threshold : float, default=0.01
        Variance above which a component is active, in the squared units of `means`. The default
        is that of [1]_ and supposes a prior of unit variance.

    Returns
    -------
    active : ndarray of shape (n_components,), dtype bool
        True for the active components; ``active.sum()`` is their number.

    Raises
    ------
    ValueError
        If `means` has fewer than two rows or `threshold` is negative.

    References
    ----------
    .. [1] Y. Burda, R. Grosse, R. Salakhutdinov. "Importance Weighted Autoencoders."
           International Conference on Learning Representations, 2016.

    Examples
    --------
    >>> from sklearn_intelvae.metrics import active_units
    >>> active_units([[1.0, 0.01, 3.0], [-1.0, 0.02, 3.0], [0.5, 0.01, 3.0]])
    array([ True, False, False])
    """
    if not isinstance(threshold, numbers.Real) or not 0 <= threshold < np.inf:
        raise ValueError(
            f"threshold is a variance and must be a finite number of at least 0, got {threshold!r}."
        )
    means = check_array(means, dtype=np.float64, ensure_min_samples=2, input_name="means")
    return means.var(axis=0) > threshold
