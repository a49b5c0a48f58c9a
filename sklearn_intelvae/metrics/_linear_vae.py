"""What a linear VAE of given rows is when it is trained to the end."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array


class LinearVAE(NamedTuple):
    """What :func:`expected_linear_vae` returns."""

    components: np.ndarray
    mean: np.ndarray
    encoder: np.ndarray
    variance_of_means: np.ndarray
    posterior_variance: np.ndarray
    kl: np.ndarray
    loss: float
    n_active: int

    def transform(self, X):
        """Return the means of q(y | X), shape (n_samples, n_components)."""
        return (np.asarray(X) - self.mean) @ self.encoder.T

    def inverse_transform(self, Z):
        """Return the rows that codes are decoded to, shape (n_samples, n_features)."""
        return np.asarray(Z) @ self.components + self.mean


def expected_linear_vae(X, eta, n_components):
    r"""Return the optimum of a VAE whose encoder and decoder are linear, in closed form.

    Minimised is :math:`\tfrac{1}{2} \mathbb E \Vert x - \hat x \Vert^2 + \eta\, \mathrm{KL}`, which
    is :math:`\eta = s^2` times the loss of a Gaussian likelihood with the scale s, and
    :math:`\eta = \beta s^2` with a weight :math:`\beta` of the KL. With
    :math:`\lambda_j, u_j` the eigenvalues and eigenvectors of the covariance of X, component j is
    active if :math:`\lambda_j > \eta`. Then

    .. math::

        w_j = u_j \sqrt{\lambda_j - \eta}, \quad
        \mu_j(x) = \frac{\sqrt{\lambda_j - \eta}}{\lambda_j} u_j^T (x - \bar x), \quad
        \sigma_j^2 = \frac{\eta}{\lambda_j}, \quad
        \mathrm{KL}_j = \tfrac{1}{2} \log \frac{\lambda_j}{\eta},

    and a component that is not has no weight, and the prior as its posterior. It is unique but for
    the order and the signs of components, as long as the eigenvalues differ.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The rows.
    eta : float
        Variance of the noise, times the weight of the KL.
    n_components : int
        Number of components, at most that of the features.

    Returns
    -------
    optimum : named tuple
        ``components``, the rows :math:`w_j`, of shape (n_components, n_features); ``mean``, of X;
        ``encoder``, the rows of the matrix that maps x less the mean to :math:`\mu`;
        ``variance_of_means``, ``posterior_variance`` and ``kl`` of each component, in nats;
        ``loss``; and ``n_active``. Its methods ``transform`` and ``inverse_transform`` are those
        of a model.

    Raises
    ------
    ValueError
        If eta is not positive, or `n_components` is not between 1 and the number of features.

    References
    ----------
    .. [1] J. Lucas, G. Tucker, R. Grosse, M. Norouzi. "Don't Blame the ELBO! A Linear VAE
           Perspective on Posterior Collapse." Neural Information Processing Systems, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import expected_linear_vae
    >>> X = np.random.default_rng(0).normal(size=(5000, 3)) * [2, 1, 0.3]
    >>> expected_linear_vae(X, eta=0.25, n_components=3).n_active
    2
    """
    X = check_array(X, dtype=np.float64, ensure_min_samples=2, input_name="X")
    if not isinstance(eta, Real) or not 0 < eta < np.inf:
        raise ValueError(f"eta is a variance and must be positive, got {eta!r}.")
    if not isinstance(n_components, Integral) or not 1 <= n_components <= X.shape[1]:
        raise ValueError(
            f"n_components must be an int between 1 and the {X.shape[1]} features of X, got "
            f"{n_components!r}."
        )
    mean = X.mean(axis=0)
    variances, directions = np.linalg.eigh(
        np.cov(X.T, ddof=0, dtype=np.float64).reshape(-1, X.shape[1])
    )
    variances, directions = np.maximum(variances[::-1], 0), directions[:, ::-1].T
    kept, axes = variances[:n_components], directions[:n_components]
    active = kept > eta
    weight = np.sqrt(np.where(active, kept - eta, 0))
    noise = np.where(active, eta / np.where(active, kept, 1), 1.0)
    kl = -0.5 * np.log(noise)
    errors = np.where(active, eta, kept).sum() + variances[n_components:].sum()
    return LinearVAE(
        components=weight[:, None] * axes,
        mean=mean,
        encoder=(weight / np.where(active, kept, 1))[:, None] * axes,
        variance_of_means=1 - noise,
        posterior_variance=noise,
        kl=kl,
        loss=float(0.5 * errors + eta * kl.sum()),
        n_active=int(active.sum()),
    )
