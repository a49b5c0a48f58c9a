"""Closed-form optimum of a linear VAE."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array


class LinearVAE(NamedTuple):
    r"""Optimal linear VAE, the result of :func:`expected_linear_vae`.

    Attributes
    ----------
    components : ndarray of shape (n_components, n_features)
        Decoder weights :math:`w_j`, one row per component, in the unit of `X`.
    mean : ndarray of shape (n_features,)
        Mean of the data, the decoder's bias.
    encoder : ndarray of shape (n_components, n_features)
        Matrix that maps ``X - mean`` to the posterior means.
    variance_of_means : ndarray of shape (n_components,)
        Variance over x of each posterior mean.
    posterior_variance : ndarray of shape (n_components,)
        Variance of q(y_j | x), the same for all x.
    kl : ndarray of shape (n_components,)
        KL divergence of each component's posterior from the prior, averaged over x, in nats.
    loss : float
        Minimum of the loss, in the squared unit of `X`.
    n_active : int
        Number of active components.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import expected_linear_vae
    >>> X = np.random.default_rng(0).normal(size=(5000, 3)) * [2, 1, 0.3]
    >>> expected_linear_vae(X, eta=0.25, n_components=3).posterior_variance.round(2)
    array([0.06, 0.26, 1.  ])
    """

    components: np.ndarray
    mean: np.ndarray
    encoder: np.ndarray
    variance_of_means: np.ndarray
    posterior_variance: np.ndarray
    kl: np.ndarray
    loss: float
    n_active: int

    def transform(self, X):
        """Return the means of q(y | X).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Posterior means.

        Examples
        --------
        >>> from sklearn_intelvae.metrics import expected_linear_vae
        >>> expected_linear_vae([[0.0], [4.0]], 1.0, 1).transform([[2.0]])
        array([[0.]])
        """
        return (np.asarray(X) - self.mean) @ self.encoder.T

    def inverse_transform(self, Z):
        """Return the means of p(X | Z).

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Decoded rows.

        Examples
        --------
        >>> from sklearn_intelvae.metrics import expected_linear_vae
        >>> expected_linear_vae([[0.0], [4.0]], 1.0, 1).inverse_transform([[0.0]])
        array([[2.]])
        """
        return np.asarray(Z) @ self.components + self.mean


def expected_linear_vae(X, eta, n_components):
    r"""Return the optimum of a VAE with a linear encoder and decoder, in closed form.

    The optimum minimizes

    .. math:: \tfrac{1}{2} \mathbb E \Vert x - \hat x \Vert^2 + \eta\, \mathrm{KL}.

    For a Gaussian likelihood with scale s and a weight :math:`\beta` of the KL, this is
    :math:`s^2` times the loss in nats, without constants, with :math:`\eta = \beta s^2`.
    Let :math:`\lambda_j, u_j` be the eigenvalues and eigenvectors of the covariance of X, in
    descending order. Component j is active if :math:`\lambda_j > \eta`, and then

    .. math::

        w_j = u_j \sqrt{\lambda_j - \eta}, \quad
        \mu_j(x) = \frac{\sqrt{\lambda_j - \eta}}{\lambda_j} u_j^T (x - \bar x), \quad
        \sigma_j^2 = \frac{\eta}{\lambda_j}, \quad
        \mathrm{KL}_j = \tfrac{1}{2} \log \frac{\lambda_j}{\eta}.

    An inactive component has zero weights, and its posterior is the prior. If the eigenvalues are
    distinct, the optimum is unique up to the order and the signs of the components.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Data, at least two rows.
    eta : float
        Variance of the noise times the weight of the KL, positive, in the squared unit of `X`.
    n_components : int
        Number of components, between 1 and n_features.

    Returns
    -------
    optimum : LinearVAE
        Named tuple of the parameters and the loss of the optimal model, with the methods
        ``transform`` and ``inverse_transform``.

    Raises
    ------
    ValueError
        If `X` has fewer than two rows or contains values that are not finite, `eta` is not
        positive, or `n_components` is not between 1 and the number of features.

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
    variances, directions = _principal_axes(X)
    kept, axes = variances[:n_components], directions[:n_components]
    active = kept > eta
    weight = np.sqrt(np.where(active, kept - eta, 0))
    noise = np.where(active, eta / np.where(active, kept, 1), 1.0)
    kl = -0.5 * np.log(noise)
    errors = np.where(active, eta, kept).sum() + variances[n_components:].sum()
    return LinearVAE(
        components=weight[:, None] * axes,
        mean=X.mean(axis=0),
        encoder=(weight / np.where(active, kept, 1))[:, None] * axes,
        variance_of_means=1 - noise,
        posterior_variance=noise,
        kl=kl,
        loss=float(0.5 * errors + eta * kl.sum()),
        n_active=int(active.sum()),
    )


def _principal_axes(X):
    """Return the eigenvalues of the covariance, descending, and the eigenvectors as rows."""
    covariance = np.cov(X.T, ddof=0, dtype=np.float64).reshape(-1, X.shape[1])
    variances, directions = np.linalg.eigh(covariance)
    return np.maximum(variances[::-1], 0), directions[:, ::-1].T
