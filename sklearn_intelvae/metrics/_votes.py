"""Scores of codes of rows that agree in one factor."""

from numbers import Integral

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from sklearn_intelvae.metrics._factors import checked_codes


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
    """Return the FactorVAE score: how well the least varying component tells the fixed factor.

    A factor and one of its values are drawn, and a batch of rows that have it. The component whose
    variance in the batch is least, in units of its variance over all rows, votes for the factor.
    Each component then stands for the factor that it has voted for most often, and the score is
    the share of further votes that agree.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes. Components that do not vary have no vote. Those of a VAE that have collapsed do
        still vary a little: leave them out, as in ``Z[:, vae.active_components_]``.
    W : array-like of shape (n_samples, n_factors)
        The factors that X was made from.
    batch_size : int, default=64
        Rows in a batch, drawn with replacement.
    n_train, n_test : int, default=10000, 5000
        Number of votes that decide, and of those that are counted.
    n_bins : int, default=20
        Number of equally wide bins that factors are cut into if they are not discrete. Rows of
        one bin differ a little.
    discrete_factors : "auto", bool or array-like of bool of shape (n_factors,), default="auto"
        Which factors are classes. "auto": those of whole numbers, unless these are more than 50 and
        more than one for every ten rows, as counts and rounded measurements are.
    random_state : int, RandomState instance or None, default=None
        Decides the batches.

    Returns
    -------
    score : float
        About 1 / n_factors for a code that knows nothing, and 1 for a perfect one.

    Raises
    ------
    ValueError
        If Z and W do not fit, a factor does not vary or is the only one, or a number is out of its
        range.

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
    Z, rows_with, L = _prepared(Z, W, batch_size, n_train, n_test, n_bins, discrete_factors)
    if batch_size < 2:
        raise ValueError("batch_size=1 leaves no variance in a batch: take at least 2.")
    generator = check_random_state(random_state)
    alive = Z.any(axis=0)
    if not alive.any():
        return 1 / L
    Z = Z[:, alive]
    held = generator.randint(L, size=n_train + n_test)
    votes = np.empty_like(held)
    for j in range(L):
        batches = rows_with(j, np.sum(held == j), batch_size, generator)
        votes[held == j] = Z[batches].var(axis=1).argmin(axis=1)
    count = np.zeros((Z.shape[1], L))
    np.add.at(count, (votes[:n_train], held[:n_train]), 1)
    return float(np.mean(count.argmax(axis=1)[votes[n_train:]] == held[n_train:]))


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
    """Return the beta-VAE score: how well a linear model tells what pairs of rows agree in.

    A factor is drawn, and a batch of pairs of rows that agree in it. What is classified is the mean
    of the absolute differences of their codes.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes.
    W : array-like of shape (n_samples, n_factors)
        The factors that X was made from, at least two.
    batch_size : int, default=64
        Pairs in a batch.
    n_train, n_test : int, default=10000, 5000
        Number of batches that the classifier learns from, and of those that it is tested on.
    n_bins : int, default=20
        Number of equally wide bins that factors are cut into if they are not discrete.
    discrete_factors : "auto", bool or array-like of bool of shape (n_factors,), default="auto"
        Which factors are classes. "auto": those of whole numbers, unless these are more than 50 and
        more than one for every ten rows, as counts and rounded measurements are.
    random_state : int, RandomState instance or None, default=None
        Decides the pairs.

    Returns
    -------
    score : float
        Accuracy: about 1 / n_factors for a code that knows nothing, and 1 for a perfect one.

    Raises
    ------
    ValueError
        If Z and W do not fit, a factor does not vary or is the only one, or a number is out of its
        range.

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
    Z, rows_with, L = _prepared(Z, W, batch_size, n_train, n_test, n_bins, discrete_factors)
    generator = check_random_state(random_state)
    held = generator.randint(L, size=n_train + n_test)
    features = np.empty((len(held), Z.shape[1]))
    for j in range(L):
        n = np.sum(held == j)
        pairs = rows_with(j, n * batch_size, 2, generator)
        apart = np.abs(Z[pairs[:, 0]] - Z[pairs[:, 1]])
        features[held == j] = apart.reshape(n, batch_size, -1).mean(axis=1)
    if np.ptp(held[:n_train]) == 0:
        raise ValueError(f"n_train={n_train} batches hold one factor only: draw more.")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features[:n_train], held[:n_train])
    return float(model.score(features[n_train:], held[n_train:]))


def _prepared(Z, W, batch_size, n_train, n_test, n_bins, discrete_factors):
    """Return the codes, a way to draw rows that agree in a factor, and the number of factors."""
    for name, value in {"batch_size": batch_size, "n_train": n_train, "n_test": n_test}.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a positive int, got {value!r}.")
    codes, factors = checked_codes(Z, W, discrete_factors, n_bins)
    if len(factors) < 2:
        raise ValueError("W has one column, and there is nothing to tell apart.")

    def rows_with(j, n, size, generator):
        """Return n times ``size`` rows that agree in factor j, whose value is that of any row."""
        classes = factors[j].classes
        order = np.argsort(classes, kind="stable")
        count = np.bincount(classes)
        first = np.cumsum(count) - count
        value = classes[generator.randint(len(classes), size=n)]
        place = (generator.uniform(size=(n, size)) * count[value][:, None]).astype(np.int64)
        return order[first[value][:, None] + place]

    return codes, rows_with, len(factors)
