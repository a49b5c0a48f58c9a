import numpy as np
import pytest

from sklearn_intelvae.metrics import active_units


def test_variance_of_the_means_decides():
    base = np.random.default_rng(0).standard_normal((500, 1))
    base = (base - base.mean()) / base.std()
    means = base * np.sqrt([0.5, 0.011, 0.009, 0.0]) + [0, 5, -5, 9]
    assert active_units(means).tolist() == [True, True, False, False]


def test_threshold_is_strict_and_respected():
    means = np.array([[1.0], [-1.0]])
    assert active_units(means, threshold=0.99).tolist() == [True]
    assert active_units(means, threshold=1.0).tolist() == [False]


def test_shift_and_sign_do_not_matter():
    means = np.random.default_rng(1).standard_normal((50, 8)) * np.logspace(-3, 1, 8)
    expected = active_units(means)
    assert 0 < expected.sum() < 8
    np.testing.assert_array_equal(active_units(3 - means), expected)


def test_returns_a_boolean_for_every_component():
    mask = active_units(np.zeros((4, 3), dtype=np.float32))
    assert mask.dtype == bool
    assert mask.shape == (3,)
    assert not mask.any()


@pytest.mark.parametrize("threshold", [-0.1, np.nan, np.inf, "low", None])
def test_bad_threshold_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold is a variance.*got"):
        active_units(np.eye(3), threshold=threshold)


def test_a_single_sample_is_refused():
    with pytest.raises(ValueError, match="minimum of 2"):
        active_units([[1.0, 2.0]])
