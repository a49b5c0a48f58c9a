import numpy as np
import pytest

from sklearn_intelvae.metrics import active_units, polarization_gap

CRITERIA = ["variance", "mean_std", "posterior_variance"]


def test_the_variance_of_the_means_is_compared_with_the_threshold():
    base = np.random.default_rng(0).standard_normal((500, 1))
    base = (base - base.mean()) / base.std()
    means = base * np.sqrt([0.5, 0.011, 0.009, 0.0]) + [0, 5, -5, 9]
    assert active_units(means).tolist() == [True, True, False, False]


def test_the_threshold_is_strict():
    means = np.array([[1.0], [-1.0]])
    assert active_units(means, threshold=0.99).tolist() == [True]
    assert active_units(means, threshold=1.0).tolist() == [False]


def test_shift_and_sign_do_not_matter():
    means = np.random.default_rng(1).standard_normal((50, 8)) * np.logspace(-3, 1, 8)
    expected = active_units(means)
    assert 0 < expected.sum() < 8
    np.testing.assert_array_equal(active_units(3 - means), expected)


def test_it_returns_a_bool_for_each_component():
    mask = active_units(np.zeros((4, 3), dtype=np.float32))
    assert mask.dtype == bool
    assert mask.shape == (3,)
    assert not mask.any()


@pytest.mark.parametrize("threshold", [-0.1, np.nan, np.inf, "low"])
def test_bad_threshold_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold is a variance.*got"):
        active_units(np.eye(3), threshold=threshold)


def test_a_single_sample_is_refused():
    with pytest.raises(ValueError, match="minimum of 2"):
        active_units([[1.0, 2.0]])


def posteriors(stds, variances, n=500):
    """Return means with exactly these standard deviations, and constant variances."""
    base = np.random.default_rng(0).standard_normal((n, len(stds)))
    base = (base - base.mean(axis=0)) / base.std(axis=0)
    return base * stds, np.tile(variances, (n, 1))


class TestCriteria:
    means, variances = posteriors([0.05, 0.2, 0.49, 0.51, 0.9], [0.9, 0.81, 0.79, 0.81, 0.1])

    @pytest.mark.parametrize(
        ("criterion", "expected"),
        [
            ("variance", [False, True, True, True, True]),
            ("mean_std", [False, False, False, True, True]),
            ("posterior_variance", [False, False, True, False, True]),
        ],
    )
    def test_each_has_its_threshold(self, criterion, expected):
        active = active_units(self.means, variances=self.variances, criterion=criterion)
        assert active.dtype == bool
        assert active.tolist() == expected

    @pytest.mark.parametrize(
        ("criterion", "threshold", "expected"),
        [
            ("variance", 0.25, [False, False, False, True, True]),
            ("mean_std", 0.1, [False, True, True, True, True]),
            ("posterior_variance", 0.5, [False, False, False, False, True]),
        ],
    )
    def test_a_given_threshold_has_the_unit_of_the_criterion(self, criterion, threshold, expected):
        settings = {"variances": self.variances, "criterion": criterion}
        assert active_units(self.means, threshold, **settings).tolist() == expected

    def test_the_first_is_the_default_and_needs_no_variances(self):
        expected = active_units(self.means, 0.01, criterion="variance")
        np.testing.assert_array_equal(active_units(self.means), expected)

    def test_posterior_variances_are_averaged_over_all_rows(self):
        variances = [[0.1, 0.1], [1.4, 1.6]]
        active = active_units(np.eye(2), variances=variances, criterion="posterior_variance")
        assert active.tolist() == [True, False]

    @pytest.mark.parametrize(
        ("criterion", "means", "variances"),
        [
            ("mean_std", [[1.0], [0.0]], None),
            ("posterior_variance", [[0.0], [0.0]], [[0.75], [0.85]]),
        ],
    )
    def test_a_value_equal_to_the_threshold_is_inactive(self, criterion, means, variances):
        threshold = 0.5 if variances is None else np.mean(variances)
        active = active_units(means, threshold, variances=variances, criterion=criterion)
        assert active.tolist() == [False]

    @pytest.mark.parametrize("criterion", ["std", "", None, 1])
    def test_an_unknown_criterion_is_refused(self, criterion):
        with pytest.raises(ValueError, match="criterion must be one of .*mean_std.*, got"):
            active_units(self.means, criterion=criterion)
        with pytest.raises(ValueError, match="criterion must be one of .*mean_std.*, got"):
            polarization_gap(self.means, self.variances, criterion=criterion)

    def test_the_error_of_a_bad_threshold_names_its_kind(self):
        with pytest.raises(ValueError, match="threshold is a standard deviation.*got -1"):
            active_units(self.means, -1, criterion="mean_std")
        with pytest.raises(ValueError, match="threshold is a variance.*got nan"):
            active_units(
                self.means, np.nan, variances=self.variances, criterion="posterior_variance"
            )

    def test_missing_variances_are_refused(self):
        with pytest.raises(ValueError, match="variances is None; pass the variances of q"):
            active_units(self.means, criterion="posterior_variance")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v: v[:-1], r"have the shape of means, \(500, 5\); got the shape \(499, 5\)"),
        (lambda v: v[:, :-1], r"have the shape of means, \(500, 5\); got the shape \(500, 4\)"),
        (lambda v: v - 0.1, "variances must be positive.*the minimum 0"),
        (lambda v: -v, "variances must be positive.*the minimum -0.9"),
        (lambda v: v * np.nan, "Input variances contains NaN"),
    ],
)
def test_bad_variances_are_refused(spoil, message):
    means, variances = TestCriteria.means, spoil(TestCriteria.variances)
    with pytest.raises(ValueError, match=message):
        active_units(means, variances=variances, criterion="posterior_variance")
    with pytest.raises(ValueError, match=message):
        polarization_gap(means, variances)


class TestPolarizationGap:
    @pytest.mark.parametrize("variance", [0.001, 0.01, 0.1, 0.5])
    def test_for_one_active_component_it_is_the_omitted_variance(self, variance):
        means, variances = posteriors([1], [variance])
        expected = variance / (variance - np.log(variance))
        assert polarization_gap(means, variances) == pytest.approx(expected)

    def test_for_active_and_passive_components_it_equals_a_direct_computation(self):
        means, variances = posteriors([0.9, 0.8, 0.3], [0.1, 0.4, 0.9])
        v, squares = np.array([0.1, 0.4, 0.9]), np.array([0.81, 0.64, 0.09])
        kl = 0.5 * (squares + v - np.log(v) - 1).sum()
        polarized = 0.5 * (squares - np.log(v) - 1)[:2].sum()
        assert polarization_gap(means, variances) == pytest.approx(abs(kl - polarized) / kl)

    def test_components_equal_to_the_prior_contribute_nothing(self):
        means, variances = posteriors([1, 0, 0], [0.01, 1, 1])
        alone = polarization_gap(means[:, :1], variances[:, :1])
        assert polarization_gap(means, variances) == pytest.approx(alone)

    def test_it_is_one_if_nothing_is_active_but_something_is_encoded(self):
        assert polarization_gap(*posteriors([0.3, 0.2], [0.9, 0.9])) == pytest.approx(1)

    def test_it_is_zero_if_nothing_is_encoded(self):
        gap = polarization_gap(np.zeros((5, 3)), np.ones((5, 3)))
        assert gap == 0
        assert isinstance(gap, float)

    def test_sharper_posteriors_are_more_polarized(self):
        gaps = [polarization_gap(*posteriors([1, 0.9], [v, v])) for v in (0.5, 0.1, 0.01, 1e-4)]
        assert (np.diff(gaps) < 0).all()
        assert gaps[2] < 0.03 < gaps[1]

    @pytest.mark.parametrize("criterion", CRITERIA)
    def test_the_criterion_selects_the_active_components(self, criterion):
        means, variances = TestCriteria.means, TestCriteria.variances
        active = active_units(means, variances=variances, criterion=criterion)
        kl = 0.5 * (means**2 + variances - np.log(variances) - 1).mean(axis=0)
        omitted = np.where(active, 0.5 * variances.mean(axis=0), kl).sum()
        gap = polarization_gap(means, variances, criterion=criterion)
        assert gap == pytest.approx(abs(omitted) / kl.sum())

    def test_lists_and_float32_are_accepted(self):
        means, variances = (a.astype(np.float32) for a in posteriors([1, 0.1], [0.1, 0.9], 20))
        expected = polarization_gap(means.astype(np.float64), variances.astype(np.float64))
        assert polarization_gap(means, variances) == expected
        assert polarization_gap(means.tolist(), variances.tolist()) == expected

    def test_a_single_sample_is_refused(self):
        with pytest.raises(ValueError, match="minimum of 2"):
            polarization_gap([[1.0, 2.0]], [[1.0, 1.0]])

    def test_missing_variances_are_refused(self):
        with pytest.raises(ValueError, match="variances is None; pass the variances of q"):
            polarization_gap(TestCriteria.means, None)
