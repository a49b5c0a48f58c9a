"""Measures of how far the columns of Jacobians are from orthogonal."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from sklearn_intelvae.metrics import distance_to_orthogonality, orthogonality_gap


def embedded(block, n_features=6, seed=0):
    """Return the block embedded in more features by a random rotation."""
    rotation = stats.ortho_group.rvs(n_features, random_state=seed)
    return rotation[:, : len(block)] @ block


def rotated_by(degrees, lengths):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.diag(lengths) @ [[c, -s], [s, c]]


def some_jacobians(n_components=3):
    return np.random.default_rng(0).normal(size=(10, 6, n_components))


MEASURES = [distance_to_orthogonality, orthogonality_gap]
every_measure = pytest.mark.parametrize("measure", MEASURES)


@every_measure
class TestMeasures:
    def test_orthogonal_columns_score_zero(self, measure):
        J = [embedded(np.diag([3.0, 0.02, 7, 1]), seed=seed) for seed in range(5)]
        assert measure(J) == pytest.approx(0, abs=1e-9)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda J: stats.ortho_group.rvs(6, random_state=0) @ J, id="rotation"),
            pytest.param(lambda J: np.pad(J, ((0, 0), (1, 2), (0, 0))), id="more features"),
            pytest.param(lambda J: J[:, :, [2, 0, 1]], id="order"),
            pytest.param(lambda J: J * [1, -1, -1], id="signs"),
            pytest.param(lambda J: 1e-5 * J, id="unit"),
            pytest.param(lambda J: J[::-1], id="rows"),
            pytest.param(lambda J: J.tolist(), id="list"),
        ],
    )
    def test_invariances(self, measure, change):
        J = some_jacobians()
        assert measure(J) > 0.1
        assert measure(change(J)) == pytest.approx(measure(J), abs=1e-9)

    def test_it_is_the_mean_over_rows(self, measure):
        J = some_jacobians()
        each = [measure(J[[i]]) for i in range(len(J))]
        assert measure(J) == pytest.approx(np.mean(each))
        assert isinstance(measure(J), float)

    def test_a_single_component_scores_zero(self, measure):
        assert measure(some_jacobians(1)) == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize(
        ("J", "message"),
        [
            (np.ones((3, 2)), r"must have the shape.*got \(3, 2\)\. Pass the output of decoder"),
            (np.ones((4, 2, 3)), "no more components than features"),
            (np.ones((4, 3, 2, 1)), "must have the shape"),
            (np.full((4, 3, 2), np.nan), "Input J contains NaN"),
            (np.empty((0, 3, 2)), "minimum of 1"),
        ],
    )
    def test_bad_jacobians_are_refused(self, measure, J, message):
        with pytest.raises(ValueError, match=message):
            measure(J)


class TestDistanceToOrthogonality:
    @pytest.mark.parametrize(("degrees", "away"), [(0, 0), (10, 10), (45, 45), (60, 30), (90, 0)])
    def test_a_rotated_block_has_the_length_of_a_chord(self, degrees, away):
        expected = 2 * np.sqrt(2) * np.sin(np.radians(away) / 2)
        J = [embedded(rotated_by(degrees, [3, 1]))]
        assert distance_to_orthogonality(J) == pytest.approx(expected, abs=1e-9)

    def test_recorded_values_at_45_degrees(self):
        assert distance_to_orthogonality([rotated_by(45, [3, 1])]) == pytest.approx(1.082, abs=1e-3)

    def test_no_other_signed_permutation_is_nearer(self):
        for J in some_jacobians():
            V = np.linalg.svd(J)[2].T
            signed = (
                np.eye(3)[list(order)] * signs
                for order, signs in product(permutations(range(3)), product([1, -1], repeat=3))
            )
            least = min(np.linalg.norm(V - P) for P in signed)
            assert distance_to_orthogonality(J[None]) == pytest.approx(least)


class TestOrthogonalityGap:
    @pytest.mark.parametrize("ratio", [1, 1.2, 1.5, 2, 30])
    def test_at_45_degrees_it_depends_on_the_ratio_of_column_norms(self, ratio):
        expected = np.log(np.cosh(np.log(ratio)))
        J = [embedded(rotated_by(45, [ratio, 1]))]
        assert orthogonality_gap(J) == pytest.approx(expected, abs=1e-9)

    @pytest.mark.parametrize(("ratio", "expected"), [(1.2, 0.0165), (1.5, 0.08), (2, 0.223)])
    def test_recorded_values_at_45_degrees(self, ratio, expected):
        assert orthogonality_gap([rotated_by(45, [ratio, 1])]) == pytest.approx(expected, abs=5e-4)

    def test_it_equals_its_formula(self):
        J = some_jacobians()
        gram = J.transpose(0, 2, 1) @ J
        lengths = np.diagonal(gram, axis1=1, axis2=2)
        expected = 0.5 * (np.log(lengths).sum(axis=1) - np.linalg.slogdet(gram)[1]).mean()
        assert orthogonality_gap(J) == pytest.approx(expected)

    def test_it_does_not_depend_on_the_units_of_components(self):
        J = some_jacobians()
        assert orthogonality_gap(J * [1e-4, 7, 300]) == pytest.approx(orthogonality_gap(J))

    @pytest.mark.parametrize("seed", range(5))
    def test_rounding_does_not_make_it_negative(self, seed):
        assert orthogonality_gap([embedded(np.diag([3.0, 0.02, 7, 1]), seed=seed)]) >= 0

    @pytest.mark.parametrize(
        "block",
        [
            pytest.param([[1, 0], [0, 0]], id="a zero column"),
            pytest.param([[1, 1], [1, 1]], id="two equal columns"),
            pytest.param([[1, 1, 2], [0, 1, 1], [3, 0, 3]], id="a column that is the sum of two"),
            pytest.param([[0, 0], [0, 0]], id="all zero"),
        ],
    )
    def test_without_full_rank_it_is_infinite(self, block):
        block = np.array(block, dtype=float)
        assert orthogonality_gap([block]) == np.inf
        assert orthogonality_gap([np.eye(len(block)), block]) == np.inf
        assert orthogonality_gap([embedded(block)]) == np.inf
