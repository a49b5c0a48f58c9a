"""The product with a known matrix."""

import numpy as np
import pytest
import torch

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.mappings import Linear
from tests.mappings.mapping_helpers import built, normal

MIX = [[0.5, 0.5], [0.0, 1.0], [1.0, -2.0]]


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor, lambda m: np.array(m, "int64")])
def test_formula_for_any_kind_of_matrix(kind):
    matrix = kind(MIX)
    g, y = built(Linear(matrix), 2), normal(20, 2)
    expected = y.double() @ torch.tensor(np.asarray(matrix, dtype=float)).T
    torch.testing.assert_close(g(y), expected.float())
    assert Linear(matrix).matrix is matrix


def test_the_matrix_is_a_copy_that_moves_with_the_module_and_is_not_trained():
    matrix = np.eye(2, dtype=np.float32)
    g = Linear(matrix)
    g.build(2)
    matrix[:] = 0
    assert torch.equal(g.weight, torch.eye(2))
    assert [name for name, _ in g.named_buffers()] == ["weight"]
    assert not list(g.parameters())
    assert g.double().weight.dtype == torch.float64


def test_z_has_the_covariance_of_the_matrix():
    z = built(Linear(MIX), 2)(normal(100_000, 2))
    np.testing.assert_allclose(np.cov(z.T), np.array(MIX) @ np.array(MIX).T, atol=0.05)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(3), r"matrix has shape \(3, 3\).*\(n_latent, n_components=2\)"),
        (np.ones(2), r"matrix has shape \(2,\)"),
        (np.ones((0, 2)), r"matrix has shape \(0, 2\)"),
        (3.0, r"matrix has shape \(\)"),
        ([[1.0, np.nan]], "not finite"),
        ([[1.0, 1e300]], "not finite"),
        ([[1.0, 2.0], [3.0]], "must be two-dimensional and numeric"),
        ([["a", "b"]], "must be two-dimensional and numeric"),
        (None, "not finite|must be two-dimensional|shape"),
    ],
)
def test_other_matrices_are_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        Linear(matrix).build(2)


def test_the_width_of_z_is_that_of_the_matrix(X):
    vae = InteLVAE(2, mapping=Linear(MIX), hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    vae.set_params(whiten=True)
    mean, _ = vae.fit(X).encode(X)
    np.testing.assert_allclose(vae.transform(X), mean @ np.array(MIX).T, rtol=1e-4, atol=1e-5)
