"""Which components of a code are in use, and how sharply they part from those that are not."""

import numbers

import numpy as np
from sklearn.utils import check_array

_THRESHOLDS = {"variance": 0.01, "mean_std": 0.5, "posterior_variance": 0.8}


def active_units(means, threshold=None, *, variances=None, criterion="variance"):
    r"""Tell which latent components respond to the data.

    Components that a VAE has switched off have a posterior that is nearly the prior, N(0, 1), for
    every x. There are three habits of telling them apart. With :math:`\mu_d(x)` and
    :math:`\sigma_d^2(x)` the mean and the variance of q(y_d | x), component d is active if

    - "variance": :math:`\mathrm{Var}_x\, \mu_d(x)` exceeds the threshold, of .01 [1]_;
    - "mean_std": the square root of it exceeds the threshold, of .5 [2]_;
    - "posterior_variance": the mean of :math:`\sigma_d^2(x)` is below the threshold, of .8 [3]_.

    Parameters
    ----------
    means : array-like of shape (n_samples, n_components)
        Posterior means of at least two samples.
    threshold : float, default=None
        In the (squared) units of `means`. None takes the one above, which supposes a prior of unit
        variance.
    variances : array-like of shape (n_samples, n_components), default=None
        Posterior variances; only "posterior_variance" needs them.
    criterion : {"variance", "mean_std", "posterior_variance"}, default="variance"
        How to tell. "variance" finds every component that carries something; the others those that
        carry much, which is what a component should do that stands for a factor.

    Returns
    -------
    active : ndarray of shape (n_components,), dtype bool
        True for the active components; ``active.sum()`` is their number.

    Raises
    ------
    ValueError
        If `means` has fewer than two rows, `threshold` is negative, `criterion` is not known, or it
        needs variances that are not given.

    References
    ----------
    .. [1] Y. Burda, R. Grosse, R. Salakhutdinov. "Importance Weighted Autoencoders."
           International Conference on Learning Representations, 2016.
    .. [2] M. Rolinek, D. Zietlow, G. Martius. "Variational Autoencoders Pursue PCA Directions (by
           Accident)." Conference on Computer Vision and Pattern Recognition, 2019.
    .. [3] D. Zietlow, M. Rolinek, G. Martius. "Demystifying Inductive Biases for (Beta-)VAE Based
           Architectures." International Conference on Machine Learning, 2021.

    Examples
    --------
    >>> from sklearn_intelvae.metrics import active_units
    >>> active_units([[1.0, 0.01, 3.0], [-1.0, 0.02, 3.0], [0.5, 0.01, 3.0]])
    array([ True, False, False])
    """
    if not isinstance(criterion, str) or criterion not in _THRESHOLDS:
        raise ValueError(f"criterion must be one of {list(_THRESHOLDS)}, got {criterion!r}.")
    if threshold is None:
        threshold = _THRESHOLDS[criterion]
    if not isinstance(threshold, numbers.Real) or not 0 <= threshold < np.inf:
        kind = "standard deviation" if criterion == "mean_std" else "variance"
        raise ValueError(
            f"threshold is a {kind} and must be a finite number of at least 0, got {threshold!r}."
        )
    means = check_array(means, dtype=np.float64, ensure_min_samples=2, input_name="means")
    if criterion == "posterior_variance":
        return _checked_variances(variances, means).mean(axis=0) < threshold
    return (means.var(axis=0) if criterion == "variance" else means.std(axis=0)) > threshold


def polarization_gap(means, variances, *, criterion="mean_std"):
    r"""Tell how far a VAE is from the polarised regime, as a share of its KL.

    In it each component is either active, with a variance far below 1, or passive, with the prior
    as its posterior, so that the KL is nearly

    .. math::

        \mathrm{KL}_{\text{pol}}(x)
            = \tfrac{1}{2} \sum_{d\ \text{active}} (\mu_d^2 - \log \sigma_d^2 - 1).

    What is returned is :math:`|\mathrm{KL} - \mathrm{KL}_{\text{pol}}| / \mathrm{KL}`, of means
    over x. That axes follow local principal directions is derived for small values; below .03 a run
    is called polarised in [1]_.

    Parameters
    ----------
    means, variances : array-like of shape (n_samples, n_components)
        Of q(y | x), as ``encode`` returns them.
    criterion : {"variance", "mean_std", "posterior_variance"}, default="mean_std"
        What makes a component active; see :func:`active_units`.

    Returns
    -------
    gap : float
        At least 0; 0 if nothing is encoded at all.

    Raises
    ------
    ValueError
        If means and variances do not fit, or a variance is not positive.

    References
    ----------
    .. [1] M. Rolinek, D. Zietlow, G. Martius. "Variational Autoencoders Pursue PCA Directions (by
           Accident)." Conference on Computer Vision and Pattern Recognition, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import polarization_gap
    >>> means = np.random.default_rng(0).normal(size=(500, 2)) * [1, 0]
    >>> round(polarization_gap(means, np.tile([0.01, 1.0], (500, 1))), 3)
    0.002
    """
    means = check_array(means, dtype=np.float64, ensure_min_samples=2, input_name="means")
    variances = _checked_variances(variances, means)
    active = active_units(means, variances=variances, criterion=criterion)
    polarised = 0.5 * (means**2 - np.log(variances) - 1)[:, active].sum(axis=1).mean()
    kl = 0.5 * (means**2 + variances - np.log(variances) - 1).sum(axis=1).mean()
    return float(abs(kl - polarised) / kl) if kl > 0 else 0.0


def _checked_variances(variances, means):
    if variances is None:
        raise ValueError("the variances of q(y | x) are needed, as encode returns them; got None.")
    variances = check_array(variances, dtype=np.float64, input_name="variances")
    if variances.shape != means.shape or (variances <= 0).any():
        raise ValueError(
            f"variances must be positive and of the shape of means, {means.shape}; got the shape "
            f"{variances.shape} and a least value of {variances.min():.3g}."
        )
    return variances
