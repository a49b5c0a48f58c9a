"""Random batches of rows that share the value of one factor."""

from numbers import Integral

import numpy as np

from sklearn_intelvae.metrics._validation import check_codes_and_factors


def check_sampling(Z, W, batch_size, n_train, n_test, n_bins, discrete_factors):
    """Validate the parameters of a score; return the codes and at least two factors."""
    for name, value in {"batch_size": batch_size, "n_train": n_train, "n_test": n_test}.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a positive int, got {value!r}.")
    Z, factors = check_codes_and_factors(Z, W, discrete_factors, n_bins)
    if len(factors) < 2:
        raise ValueError("W has one column; the score needs at least two factors to distinguish.")
    return Z, factors


def sample_matched_rows(factor, n_batches, size, generator):
    """Return row indices of shape (n_batches, size); the rows of a batch share the factor's class.

    The class of a batch is that of a row drawn uniformly; its rows are drawn with replacement.
    """
    classes = factor.classes
    order = np.argsort(classes, kind="stable")
    count = np.bincount(classes)
    first = np.cumsum(count) - count
    value = classes[generator.randint(len(classes), size=n_batches)]
    offset = generator.uniform(size=(n_batches, size)) * count[value][:, None]
    return order[first[value][:, None] + offset.astype(np.int64)]
