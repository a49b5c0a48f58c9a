"""Traversals: a row of images for each component of the codes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.diagnostics import plot_traversals
from sklearn_intelvae.plotting import latent_traversals


@pytest.fixture(autouse=True)
def headless():
    """Draw with Agg, and close all figures."""
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture
def images(rng):
    return rng.uniform(size=(50, 12)).astype(np.float32)


def tiles(ax, n_rows, n_steps):
    """Return the images of the canvas, one row for each component."""
    canvas = ax.images[0].get_array()[..., 0]
    return np.array(
        [
            [canvas[4 * i : 4 * i + 3, 5 * j : 5 * j + 4].ravel() for j in range(n_steps)]
            for i in range(n_rows)
        ]
    )


def test_a_row_of_images_for_each_component(images):
    pca = PCA(2).fit(images)
    canvas = plot_traversals(pca, images, (3, 4), n_steps=6, start=images[0]).images[0].get_array()
    assert canvas.shape == (2 * 3 + 1, 6 * 4 + 5, 3)


@pytest.mark.parametrize("output", ["representation", "posterior_mean", "both"])
def test_each_row_starts_from_the_code_of_an_image(output, images):
    vae = InteLVAE(2, hidden_layer_sizes=(8,), likelihood="bernoulli", output=output, max_iter=3)
    codes = vae.set_params(random_state=0).fit(images).transform(images)
    ax = plot_traversals(vae, images, (3, 4), n_steps=5, start=images[3])
    steps = latent_traversals(codes, 5, start=codes[3])
    expected = [vae.inverse_transform(row) for row in steps]
    np.testing.assert_allclose(tiles(ax, codes.shape[1], 5), expected, atol=1e-5)


def test_given_axes_are_used_and_returned(images):
    _, axes = plt.subplots()
    assert plot_traversals(PCA(2).fit(images), images, (3, 4), ax=axes) is axes


def test_an_estimator_that_is_not_fitted_is_refused(images):
    with pytest.raises(NotFittedError):
        plot_traversals(InteLVAE(2), images, (3, 4))


def test_bad_arguments_are_refused(images):
    pca = PCA(2).fit(images)
    with pytest.raises(ValueError, match="n_steps must be an int of at least 2, got 1"):
        plot_traversals(pca, images, (3, 4), n_steps=1)
    with pytest.raises(ValueError, match=r"image_shape=\(3, 5\) needs 15"):
        plot_traversals(pca, images, (3, 5))
