"""Train/test splits of codes, shared by the scores that fit a predictor."""

from numbers import Real

import numpy as np
from sklearn.model_selection import train_test_split


def split_rows(Z, target, test_size, generator):
    """Return the training codes, test codes, training targets and test targets."""
    check_test_size(test_size)
    return train_test_split(Z, target, test_size=test_size, random_state=generator)


def check_test_size(test_size):
    """Raise a ValueError unless test_size is a fraction between 0 and 1."""
    if not isinstance(test_size, Real) or not 0 < test_size < 1:
        raise ValueError(f"test_size must be a fraction between 0 and 1, got {test_size!r}.")


def check_training_classes(factor, w_train):
    """Raise a ValueError if the training rows contain a single class of a discrete factor."""
    if factor.discrete and np.ptp(w_train) == 0:
        raise ValueError(
            f"The training rows contain a single value of column {factor.column} of W, because its "
            "other values are rare. Remove this column, pass more rows, or change random_state."
        )
