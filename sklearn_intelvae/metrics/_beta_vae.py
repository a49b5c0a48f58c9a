"""Beta-VAE score."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from sklearn_intelvae.metrics._matched_rows import check_sampling, sample_matched_rows


def beta_vae_score(
    Z,
    W,
    *,
    batch_size=64,
    n_train=10_000,
    n_test=5000,
    n_bins=20,
    discrete_factors="auto",
    random_state=None,
):
    """Return the beta-VAE score: accuracy of a linear classifier of the factor that pairs share.

    Each example fixes a factor at random and draws a batch of pairs of rows that share a value of
    it. The features of the example are the mean absolute differences between the codes of a pair;
    a logistic regression predicts the fixed factor from them.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, in any unit.
    W : array-like of shape (n_samples, n_factors)
        Ground-truth factors of the same rows, at least two.
    batch_size : int, default=64
        Number of pairs in a batch.
    n_train : int, default=10000
        Number of batches that train the classifier.
    n_test : int, default=5000
        Number of batches that test the classifier.
    n_bins : int, default=20
        Number of bins of equal width that a continuous factor is divided into, at least 2. Rows
        with a common value are then rows in a common bin.
    discrete_factors : "auto", bool or array-like of shape (n_factors,), default="auto"
        Whether each factor is discrete. "auto" treats a factor as discrete if its values are
        integers and at most max(50, n_samples // 10) of them are distinct; integers with more
        values, such as counts and rounded measurements, are continuous.
    random_state : int, RandomState instance or None, default=None
        Determines the pairs.

    Returns
    -------
    score : float
        Accuracy between 0 and 1: about 1 / n_factors for a code that is independent of the factors,
        1 for a perfect code.

    Raises
    ------
    ValueError
        If `Z` and `W` have different lengths or contain values that are not finite, a factor is
        constant, `W` has a single column, the training batches fix a single factor, or a parameter
        is invalid.

    References
    ----------
    .. [1] I. Higgins et al. "beta-VAE: Learning Basic Visual Concepts with a Constrained
           Variational Framework." International Conference on Learning Representations, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import beta_vae_score
    >>> W = np.random.default_rng(0).integers(8, size=(1000, 3))
    >>> beta_vae_score(W, W, n_train=500, n_test=200, random_state=0)
    1.0
    """
    Z, factors = check_sampling(Z, W, batch_size, n_train, n_test, n_bins, discrete_factors)
    generator = check_random_state(random_state)
    fixed = generator.randint(len(factors), size=n_train + n_test)
    features = np.empty((len(fixed), Z.shape[1]))
    for j, factor in enumerate(factors):
        n_batches = np.sum(fixed == j)
        pairs = sample_matched_rows(factor, n_batches * batch_size, 2, generator)
        differences = np.abs(Z[pairs[:, 0]] - Z[pairs[:, 1]])
        features[fixed == j] = differences.reshape(n_batches, batch_size, -1).mean(axis=1)
    if np.ptp(fixed[:n_train]) == 0:
        raise ValueError(
            f"The n_train={n_train} training batches fix a single factor; increase n_train."
        )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features[:n_train], fixed[:n_train])
    return float(model.score(features[n_train:], fixed[n_train:]))
