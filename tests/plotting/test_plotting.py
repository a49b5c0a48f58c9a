import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sklearn_intelvae.plotting import (
    latent_traversals,
    plot_few_label_curves,
    plot_images,
    plot_latent,
    plot_reconstructions,
)


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    """Draw with Agg, forbid show, check that rcParams do not change, and close all figures."""
    plt.switch_backend("Agg")
    before = dict(matplotlib.rcParams)

    def no_show(*args, **kwargs):
        raise AssertionError("plt.show was called")

    monkeypatch.setattr(plt, "show", no_show)
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(size=(7, 12)).astype(np.float32)


@pytest.fixture
def curve():
    return pd.DataFrame({"n_labels": [20, 50], "mean": [0.5, 0.75], "std": [0.1, 0.05]})


def canvas_of(ax):
    return ax.images[0].get_array()


def test_images_are_drawn_at_their_grid_positions(images):
    canvas = canvas_of(plot_images(images, (3, 4), n_columns=3))
    assert canvas.shape == (3 * 3 + 2, 3 * 4 + 2, 3)
    for i, image in enumerate(images):
        top, left = 4 * (i // 3), 5 * (i % 3)
        tile = canvas[top : top + 3, left : left + 4]
        np.testing.assert_allclose(tile, np.repeat(image.reshape(3, 4, 1), 3, axis=2), rtol=1e-6)
    assert np.all(canvas[3] == 1)


def test_rgb_images_are_read_channels_first():
    image = np.zeros((3, 2, 2))
    image[1, 0, 1] = 1
    canvas = canvas_of(plot_images(image.reshape(1, -1), (3, 2, 2)))
    assert canvas[0, 1].tolist() == [0, 1, 0]
    assert canvas.sum() == 1


def test_grayscale_shapes_with_and_without_channel_agree(images):
    np.testing.assert_array_equal(
        canvas_of(plot_images(images, (3, 4))), canvas_of(plot_images(images, (1, 3, 4)))
    )


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-2.0, 3.0), (-0.5, 0.5)])
def test_values_outside_zero_and_one_are_scaled(low, high, images):
    canvas = canvas_of(plot_images(images[:1] * (high - low) + low, (3, 4)))
    assert canvas.min() >= 0
    assert canvas.max() <= 1
    assert np.unique(canvas).size == 12


def test_values_between_zero_and_one_are_not_scaled():
    canvas = canvas_of(plot_images(np.full((2, 4), 0.4), (2, 2), n_columns=1))
    np.testing.assert_allclose(canvas[:2], 0.4)


def test_titles_are_written_above_the_images(images):
    ax = plot_images(images, (3, 4), n_columns=4, titles=range(7))
    assert [text.get_text() for text in ax.texts] == list("0123456")
    assert [text.get_position()[1] for text in ax.texts[:5]] == [-1, -1, -1, -1, 4]


def test_reconstructions_are_drawn_below_their_originals(images):
    canvas = canvas_of(plot_reconstructions(images, images / 2, (3, 4), n_columns=5))
    assert canvas.shape == (4 * 4 - 1, 5 * 5 - 1, 3)
    for top, left in ((0, 0), (0, 20), (8, 0), (8, 5)):
        above = canvas[top : top + 3, left : left + 4]
        below = canvas[top + 4 : top + 7, left : left + 4]
        assert above.max() < 1
        np.testing.assert_allclose(below, above / 2, rtol=1e-6)


@pytest.mark.parametrize("draw", ["images", "reconstructions", "latent", "curves"])
def test_given_axes_are_used_and_returned(draw, images, curve):
    _, (left, right) = plt.subplots(1, 2)
    drawn = {
        "images": lambda ax: plot_images(images, (3, 4), ax=ax),
        "reconstructions": lambda ax: plot_reconstructions(images, images, (3, 4), ax=ax),
        "latent": lambda ax: plot_latent(images, ax=ax),
        "curves": lambda ax: plot_few_label_curves({"a": curve}, ax=ax),
    }[draw](left)
    assert drawn is left
    assert left.has_data()
    assert not right.has_data()
    assert len(plt.get_fignums()) == 1


def test_each_call_without_axes_opens_a_new_figure(images):
    first, second = plot_latent(images), plot_latent(images)
    assert first.figure is not second.figure
    assert len(plt.get_fignums()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(image_shape=(3, 5)), r"X has 12 columns, but image_shape=\(3, 5\) needs 15"),
        (dict(image_shape=(2, 3, 2)), r"image_shape must be .* got \(2, 3, 2\)"),
        (dict(image_shape=12), "image_shape must be"),
        (dict(image_shape=(3.0, 4.0)), "image_shape must be"),
        (dict(n_columns=0), "n_columns must be an int of at least 1, got 0"),
        (dict(titles=["one"]), "titles has 1 entries for 7 images"),
    ],
)
def test_bad_arguments_for_images_are_refused(images, arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_images(images, **{"image_shape": (3, 4), **arguments})


def test_reconstructions_of_other_rows_are_refused(images):
    with pytest.raises(ValueError, match="X has 7 rows and X_reconstructed has 6"):
        plot_reconstructions(images, images[:-1], (3, 4))
    with pytest.raises(ValueError, match="X_reconstructed has 11 columns"):
        plot_reconstructions(images, images[:, 1:], (3, 4))


def test_latent_draws_the_chosen_components(images):
    ax = plot_latent(images, components=(2, 5))
    np.testing.assert_allclose(ax.collections[0].get_offsets(), images[:, [2, 5]], rtol=1e-6)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("component 2", "component 5")
    assert ax.get_legend() is None


@pytest.mark.parametrize("n_classes", [2, 10, 13, 25])
def test_each_class_has_a_color_and_a_legend_entry(n_classes):
    labels = np.arange(60) % n_classes
    ax = plot_latent(np.random.default_rng(0).standard_normal((60, 2)), labels=labels)
    colors = {tuple(points.get_facecolor()[0]) for points in ax.collections}
    assert len(colors) == n_classes
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [str(label) for label in range(n_classes)]
    assert sum(len(points.get_offsets()) for points in ax.collections) == 60


def test_labels_may_be_strings_or_fractions(images):
    named = plot_latent(images, labels=list("abababa"))
    assert [text.get_text() for text in named.get_legend().get_texts()] == ["a", "b"]
    fractional = plot_latent(images, labels=np.linspace(0, 1, 7))
    assert fractional.get_legend() is None
    assert len(fractional.figure.axes) == 2


@pytest.mark.parametrize("components", [(0, 12), (0,), 0, (0, -1), (0, 1, 2), "ab"])
def test_bad_components_are_refused(images, components):
    with pytest.raises(ValueError, match="components must be two column indices .* 11, got"):
        plot_latent(images, components=components)


def test_labels_of_another_length_are_refused(images):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        plot_latent(images, labels=[0, 1])


def test_each_curve_has_a_line_and_a_band(curve):
    ax = plot_few_label_curves({"first": curve, "second": curve.assign(mean=[0.2, 0.3])})
    assert [line.get_label() for line in ax.lines] == ["first", "second"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["first", "second"]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.2, 0.3])
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.4, 0.8))
    assert ax.get_xscale() == "log"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["20", "50"]


@pytest.mark.parametrize("curves", [{}, [1, 2], None])
def test_curves_without_names_are_refused(curves):
    with pytest.raises(ValueError, match="curves must be a dict"):
        plot_few_label_curves(curves)


def test_a_curve_without_its_columns_is_refused(curve):
    with pytest.raises(ValueError, match=r"curves\['mine'\] lacks the columns \['std'\]"):
        plot_few_label_curves({"mine": curve.drop(columns="std")})


class TestTraversals:
    def test_one_component_varies_and_the_others_are_fixed(self):
        Z = np.random.default_rng(0).normal(size=(500, 3)) * [1, 2, 3]
        codes = latent_traversals(Z, n_steps=5, quantile=0.1)
        assert codes.shape == (3, 5, 3)
        for j in range(3):
            others = [i for i in range(3) if i != j]
            np.testing.assert_array_equal(
                codes[j][:, others], np.tile(np.median(Z, 0)[others], (5, 1))
            )
            np.testing.assert_allclose(codes[j, [0, -1], j], np.quantile(Z[:, j], [0.1, 0.9]))
            assert np.allclose(np.diff(codes[j, :, j], 2), 0)

    def test_start_sets_the_fixed_components(self):
        codes = latent_traversals(np.eye(2), n_steps=2, start=[5.0, 7.0])
        assert codes[0, :, 1].tolist() == [7, 7]
        assert codes[1, :, 0].tolist() == [5, 5]

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"n_steps": 1}, "n_steps must be an int of at least 2, got 1"),
            ({"quantile": 0.5}, "quantile must be at least 0 and below 0.5, got 0.5"),
            ({"start": [1.0]}, "start must have 2 values, one for each component; got the shape"),
        ],
    )
    def test_bad_settings_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            latent_traversals(np.eye(2), **settings)
