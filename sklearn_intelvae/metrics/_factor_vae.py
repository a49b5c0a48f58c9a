"""FactorVAE score."""

import numpy as np
from sklearn.utils import check_random_state

from sklearn_intelvae.metrics._matched_rows import check_sampling, sample_matched_rows


def factor_vae_score(
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
    """Return the FactorVAE score: accuracy of predicting a fixed factor from one component.

    Each vote fixes a factor at random and draws a batch of rows that share a value of it. The vote
    goes to the component with the smallest variance in the batch, relative to its variance over all
    rows. The training votes assign to each component the factor that it was chosen for most often;
    the score is the accuracy of this majority-vote classifier on the test votes.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes, in any unit. Constant components are ignored. The collapsed components of a VAE
        still vary slightly: exclude them, as in ``Z[:, vae.active_components_]``.
    W : array-like of shape (n_samples, n_factors)
        Ground-truth factors of the same rows, at least two.
    batch_size : int, default=64
        Number of rows in a batch, at least 2; rows are drawn with replacement.
    n_train : int, default=10000
        Number of votes that train the classifier.
    n_test : int, default=5000
        Number of votes that test the classifier.
    n_bins : int, default=20
        Number of bins of equal width that a continuous factor is divided into, at least 2. Rows
        with a common value are then rows in a common bin.
    discrete_factors : "auto", bool or array-like of shape (n_factors,), default="auto"
        Whether each factor is discrete. "auto" treats a factor as discrete if its values are
        integers and at most max(50, n_samples // 10) of them are distinct; integers with more
        values, such as counts and rounded measurements, are continuous.
    random_state : int, RandomState instance or None, default=None
        Determines the batches.

    Returns
    -------
    score : float
        Between 0 and 1: about 1 / n_factors for a code that is independent of the factors, 1 for a
        perfect code.

    Raises
    ------
    ValueError
        If `Z` and `W` have different lengths or contain values that are not finite, a factor is
        constant, `W` has a single column, or a parameter is invalid.

    References
    ----------
    .. [1] H. Kim, A. Mnih. "Disentangling by Factorising." International Conference on Machine
           Learning, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_intelvae.metrics import factor_vae_score
    >>> W = np.random.default_rng(0).integers(8, size=(1000, 3))
    >>> factor_vae_score(W, W, n_train=500, n_test=200, random_state=0)
    1.0
    """
    Z, factors = check_sampling(Z, W, batch_size, n_train, n_test, n_bins, discrete_factors)
    if batch_size < 2:
        raise ValueError(
            "batch_size must be at least 2, because one row has no variance; got batch_size=1."
        )
    generator = check_random_state(random_state)
    varying = Z.any(axis=0)
    if not varying.any():
        return 1 / len(factors)
    Z = Z[:, varying]
    fixed = generator.randint(len(factors), size=n_train + n_test)
    votes = np.empty_like(fixed)
    for j, factor in enumerate(factors):
        batches = sample_matched_rows(factor, np.sum(fixed == j), batch_size, generator)
        votes[fixed == j] = Z[batches].var(axis=1).argmin(axis=1)
    counts = np.zeros((Z.shape[1], len(factors)))
    np.add.at(counts, (votes[:n_train], fixed[:n_train]), 1)
    return float(np.mean(counts.argmax(axis=1)[votes[n_train:]] == fixed[n_train:]))
