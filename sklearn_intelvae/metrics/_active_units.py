"""Active components of a VAE, and its distance from the polarized regime."""

from numbers import Real

import numpy as np
from sklearn.utils import check_array

_THRESHOLDS = {"variance": 0.01, "mean_std": 0.5, "posterior_variance": 0.8}


def active_units(means, threshold=None, *, variances=None, criterion="variance"):
    r"""Return which latent components of a VAE are active.

    The posterior of an inactive component is nearly the prior, N(0, 1), for every x. The literature
    uses three criteria. With :math:`\mu_d(x)` and :math:`\sigma_d^2(x)` the mean and the variance
    of q(y_d | x), component d is active if

    - "variance": :math:`\mathrm{Var}_x\, \mu_d(x)` is above the threshold, 0.01 by default [1]_;
    - "mean_std": its square root is above the threshold, 0.5 by default [2]_;
    - "posterior_variance": the mean over x of :math:`\sigma_d^2(x)` is below the threshold, 0.8 by
      default [3]_.

    Parameters
    ----------
    means : array-like of shape (n_samples, n_components)
        Posterior means of at least two samples.
    threshold : float, default=None
        Threshold of the criterion: a standard deviation in the unit of `means` for "mean_std", a
        variance in its square otherwise. None uses the value given above, which assumes a prior of
        unit variance.
    variances : array-like of shape (n_samples, n_components), default=None
        Posterior variances, required by "posterior_variance" only.
    criterion : {"variance", "mean_std", "posterior_variance"}, default="variance"
        Criterion. "variance" finds every component that encodes information about x; the other two
        find the components that encode much, as a component that represents a factor does.

    Returns
    -------
    active : ndarray of shape (n_components,), dtype bool
        True for the active components; ``active.sum()`` is their number.

    Raises
    ------
    ValueError
        If `means` has fewer than two rows, `threshold` is negative, `criterion` is unknown, or
        `criterion` requires `variances` and these are missing, not positive or of another shape.

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
    if not isinstance(threshold, Real) or not 0 <= threshold < np.inf:
        kind = "standard deviation" if criterion == "mean_std" else "variance"
        raise ValueError(
            f"threshold is a {kind} and must be a finite number of at least 0, got {threshold!r}."
        )
    means = check_array(means, dtype=np.float64, ensure_min_samples=2, input_name="means")
    if criterion == "posterior_variance":
        return _check_variances(variances, means).mean(axis=0) < threshold
    return (means.var(axis=0) if criterion == "variance" else means.std(axis=0)) > threshold


def polarization_gap(means, variances, *, criterion="mean_std"):
    r"""Return the relative difference between the KL of a VAE and its polarized approximation.

    In the polarized regime each component is either active, with a posterior variance far below 1,
    or passive, with the prior as its posterior. The KL divergence is then approximately

    .. math::

        \mathrm{KL}_{\text{pol}}(x)
            = \tfrac{1}{2} \sum_{d\ \text{active}} (\mu_d^2 - \log \sigma_d^2 - 1),

    and the gap is :math:`|\mathrm{KL} - \mathrm{KL}_{\text{pol}}| / \mathrm{KL}`, with both
    terms averaged over x. The theory that latent axes align with local principal directions assumes
    a small gap; the authors of [1]_ call a model polarized if it is below 0.03.

    Parameters
    ----------
    means : array-like of shape (n_samples, n_components)
        Means of q(y | x), as ``encode`` returns them.
    variances : array-like of shape (n_samples, n_components)
        Variances of q(y | x), as ``encode`` returns them.
    criterion : {"variance", "mean_std", "posterior_variance"}, default="mean_std"
        Criterion for an active component, see :func:`active_units`.

    Returns
    -------
    gap : float
        At least 0, as a fraction of the KL; 0 if the KL is 0.

    Raises
    ------
    ValueError
        If `means` has fewer than two rows, `variances` are missing, not positive or not of the
        shape of `means`, or `criterion` is unknown.

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
    variances = _check_variances(variances, means)
    active = active_units(means, variances=variances, criterion=criterion)
    polarized = 0.5 * (means**2 - np.log(variances) - 1)[:, active].sum(axis=1).mean()
    kl = 0.5 * (means**2 + variances - np.log(variances) - 1).sum(axis=1).mean()
    return float(abs(kl - polarized) / kl) if kl > 0 else 0.0


def _check_variances(variances, means):
    if variances is None:
        raise ValueError("variances is None; pass the variances of q(y | x) that encode returns.")
    variances = check_array(variances, dtype=np.float64, input_name="variances")
    if variances.shape != means.shape or (variances <= 0).any():
        raise ValueError(
            f"variances must be positive and have the shape of means, {means.shape}; got the shape "
            f"{variances.shape} and the minimum {variances.min():.3g}."
        )
    return variances
