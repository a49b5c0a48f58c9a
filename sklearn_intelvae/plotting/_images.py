"""Plots of image data."""

import numbers

import matplotlib.pyplot as plt
import numpy as np
from sklearn.utils import check_array


def plot_images(X, image_shape, n_columns=10, titles=None, ax=None):
    """Draw the rows of a table as a grid of images.

    All images share one scale: values between 0 and 1 are not changed, and a table with values
    outside this range is mapped to it by one affine function.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        One flattened image per row, channels first.
    image_shape : tuple of int
        Shape of an image: ``(height, width)`` or ``(1, height, width)`` for grayscale,
        ``(3, height, width)`` for RGB.
    n_columns : int, default=10
        Number of images in a line.
    titles : sequence of length n_samples, default=None
        Title above each image; None writes no titles.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None creates a new figure.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Axes with the plot.

    Raises
    ------
    ValueError
        If `X` contains values that are not finite or its columns do not match `image_shape`, the
        length of `titles` differs from that of `X`, or a parameter is invalid.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae.plotting import plot_images
    >>> X, y = load_digits(return_X_y=True)
    >>> ax = plot_images(X[:20], image_shape=(8, 8), n_columns=5, titles=y[:20])
    >>> [text.get_text() for text in ax.texts[:4]]
    ['0', '1', '2', '3']
    """
    images = _to_images(X, image_shape, "X")
    titles = _check_titles(titles, len(images))
    rows, columns = _grid_positions(len(images), n_columns)
    return _draw_grid(images, rows, columns, titles, ax)


def plot_reconstructions(X, X_reconstructed, image_shape, n_columns=10, ax=None):
    """Draw images with their reconstructions below them.

    Images and reconstructions share one scale, as in :func:`plot_images`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        One flattened image per row, channels first.
    X_reconstructed : array-like of shape (n_samples, n_features)
        The reconstruction of each row of `X`.
    image_shape : tuple of int
        Shape of an image: ``(height, width)`` or ``(1, height, width)`` for grayscale,
        ``(3, height, width)`` for RGB.
    n_columns : int, default=10
        Number of images in a line. Further images are drawn in further pairs of lines.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None creates a new figure.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Axes with the plot.

    Raises
    ------
    ValueError
        If an array contains values that are not finite or its columns do not match `image_shape`,
        the arrays have different lengths, or a parameter is invalid.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_intelvae.plotting import plot_reconstructions
    >>> X = load_digits().data
    >>> pca = PCA(10).fit(X)
    >>> X_reconstructed = pca.inverse_transform(pca.transform(X))
    >>> ax = plot_reconstructions(X[:10], X_reconstructed[:10], image_shape=(1, 8, 8))
    >>> ax.images[0].get_array().shape
    (17, 89, 3)
    """
    above = _to_images(X, image_shape, "X")
    below = _to_images(X_reconstructed, image_shape, "X_reconstructed")
    if len(above) != len(below):
        raise ValueError(
            f"X has {len(above)} rows and X_reconstructed has {len(below)}; pass the "
            "reconstruction of every row of X."
        )
    rows, columns = _grid_positions(len(above), n_columns)
    pair_rows = np.concatenate([2 * rows, 2 * rows + 1])
    return _draw_grid(np.concatenate([above, below]), pair_rows, np.tile(columns, 2), (), ax)


def _draw_grid(images, rows, columns, titles, ax):
    """Draw each image at its place in the grid, with gaps of one pixel or of a line of text."""
    _, height, width, _ = images.shape
    step_down, step_right = height + ((height + 1) // 2 if titles else 1), width + 1
    tops, lefts = rows * step_down, columns * step_right
    canvas = np.ones((tops.max() + height, lefts.max() + width, 3))
    for image, top, left in zip(_to_unit_range(images), tops, lefts, strict=True):
        canvas[top : top + height, left : left + width] = image
    ax = plt.subplots()[1] if ax is None else ax
    ax.imshow(canvas, interpolation="nearest")
    for title, top, left in zip(titles, tops, lefts, strict=False):
        ax.text(left + width / 2, top - 1, title, ha="center", va="bottom", size="small")
    ax.set_axis_off()
    return ax


def _grid_positions(n_images, n_columns):
    if not isinstance(n_columns, numbers.Integral) or n_columns < 1:
        raise ValueError(f"n_columns must be an int of at least 1, got {n_columns!r}.")
    return np.divmod(np.arange(n_images), n_columns)


def _to_images(X, image_shape, name):
    """Reshape the rows to (height, width, channels), the shape that imshow accepts."""
    X = check_array(X, dtype=np.float64, input_name=name)
    channels, height, width = _check_image_shape(image_shape)
    if X.shape[1] != channels * height * width:
        raise ValueError(
            f"{name} has {X.shape[1]} columns, but image_shape={image_shape!r} needs "
            f"{channels * height * width}; pass the shape of the images in {name}."
        )
    return X.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)


def _check_image_shape(image_shape):
    shape = tuple(image_shape) if np.iterable(image_shape) else ()
    shape = (1, *shape) if len(shape) == 2 else shape
    integers = all(isinstance(size, numbers.Integral) and size > 0 for size in shape)
    if len(shape) != 3 or not integers or shape[0] not in (1, 3):
        raise ValueError(
            "image_shape must be (height, width), (1, height, width) or (3, height, width), got "
            f"{image_shape!r}."
        )
    return shape


def _check_titles(titles, n_images):
    titles = () if titles is None else [str(title) for title in titles]
    if titles and len(titles) != n_images:
        raise ValueError(
            f"titles has {len(titles)} entries for {n_images} images; pass one for each."
        )
    return titles


def _to_unit_range(images):
    low, high = min(0, images.min()), max(1, images.max())
    return (images - low) / (high - low)
