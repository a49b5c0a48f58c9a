"""MNIST and Fashion-MNIST, from local IDX files or from OpenML."""

import os
from http.client import HTTPException
from math import prod
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, get_data_home
from sklearn.utils import Bunch

from sklearn_intelvae.datasets._idx import find_idx_files, read_idx_files
from sklearn_intelvae.datasets._image_sets import (
    DATA_HOME_VARIABLE,
    FASHION_MNIST,
    IMAGE_SHAPE,
    MNIST,
)

_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


def fetch_mnist(data_home=None, subset="train", return_X_y=False, download_if_missing=True):
    """Load MNIST: 70,000 grayscale images of handwritten digits, 28 by 28 pixels, 10 classes.

    The data are read from IDX files in `data_home` or in its subfolder ``mnist``. If these are not
    found, the data are downloaded from OpenML and cached on disk.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the IDX files, which may be compressed (``.gz``). None uses the folder named by
        the environment variable ``SKLEARN_INTELVAE_DATA`` if it is set, and ``mnist`` in
        scikit-learn's data home otherwise.
    subset : {"train", "test", "all"}, default="train"
        Images to load: the 60,000 training images, the 10,000 test images, or both in this order.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    download_if_missing : bool, default=True
        Whether to download the data if no IDX files are found. If False, an OSError is raised.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch` or tuple of (data, target)
        The images and their labels, with these keys:

        data : ndarray of shape (n_samples, 784), dtype float32
            Pixel values between 0 and 1.
        target : ndarray of shape (n_samples,), dtype int64
            Class labels from 0 to 9.
        image_shape : tuple
            ``(1, 28, 28)``: channels, height, width.
        target_names : list of str
            Names of the classes.

    Raises
    ------
    OSError
        If no IDX files are found and the download is disabled or fails.
    ValueError
        If a file is damaged or belongs to another data set, or `subset` is unknown.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. "Gradient-Based Learning Applied to
           Document Recognition." Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import fetch_mnist
    >>> X, y = fetch_mnist(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (10000, 784)
    """
    return _fetch(MNIST, data_home, subset, return_X_y, download_if_missing)


def fetch_fashion_mnist(data_home=None, subset="train", return_X_y=False, download_if_missing=True):
    """Load Fashion-MNIST: 70,000 grayscale images of clothes, 28 by 28 pixels, 10 classes.

    The data are read from IDX files in `data_home`, in its subfolder ``fashion-mnist``, or in
    ``/usr/share/datasets/fashion-mnist``, where the Debian package ``dataset-fashion-mnist``
    installs them. If these are not found, the data are downloaded from OpenML and cached on disk.
    The classes are balanced.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the IDX files, which may be compressed (``.gz``). None uses the folder named by
        the environment variable ``SKLEARN_INTELVAE_DATA`` if it is set, and ``fashion-mnist`` in
        scikit-learn's data home otherwise.
    subset : {"train", "test", "all"}, default="train"
        Images to load: the 60,000 training images, the 10,000 test images, or both in this order.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    download_if_missing : bool, default=True
        Whether to download the data if no IDX files are found. If False, an OSError is raised.

    Returns
    -------
    fashion : :class:`~sklearn.utils.Bunch` or tuple of (data, target)
        The images and their labels, with these keys:

        data : ndarray of shape (n_samples, 784), dtype float32
            Pixel values between 0 and 1.
        target : ndarray of shape (n_samples,), dtype int64
            Class labels from 0 to 9.
        image_shape : tuple
            ``(1, 28, 28)``: channels, height, width.
        target_names : list of str
            Names of the classes.

    Raises
    ------
    OSError
        If no IDX files are found and the download is disabled or fails.
    ValueError
        If a file is damaged or belongs to another data set, or `subset` is unknown.

    References
    ----------
    .. [1] H. Xiao, K. Rasul, R. Vollgraf. "Fashion-MNIST: a Novel Image Dataset for Benchmarking
           Machine Learning Algorithms." arXiv:1708.07747, 2017.

    Examples
    --------
    >>> from sklearn_intelvae.datasets import fetch_fashion_mnist
    >>> fashion = fetch_fashion_mnist(subset="test")  # doctest: +SKIP
    >>> fashion.target_names[fashion.target[0]]  # doctest: +SKIP
    'Ankle boot'
    """
    return _fetch(FASHION_MNIST, data_home, subset, return_X_y, download_if_missing)


def _fetch(image_set, data_home, subset, return_X_y, download_if_missing):
    if subset not in _PARTS:
        raise ValueError(f"subset must be 'train', 'test' or 'all', got {subset!r}.")
    data_home = data_home or os.environ.get(DATA_HOME_VARIABLE) or None
    files = find_idx_files(_folders(image_set, data_home), _PARTS[subset])
    if files:
        pixels, target = read_idx_files(image_set, files, _PARTS[subset])
    else:
        pixels, target = _download(image_set, data_home, subset, download_if_missing)
    return _make_bunch(image_set, pixels, target, return_X_y)


def _make_bunch(image_set, pixels, target, return_X_y):
    data = np.divide(pixels.reshape(len(pixels), -1), 255, dtype=np.float32)
    target = target.astype(np.int64)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        image_shape=IMAGE_SHAPE,
        target_names=list(image_set.target_names),
    )


def _folders(image_set, data_home):
    """Return the folders to search, in this order."""
    home = Path(data_home or get_data_home()).expanduser()
    # The files of the two data sets have equal names; subfolders separate them within one home.
    homes = [home / image_set.folder, home] if data_home else [home / image_set.folder]
    return homes + [Path(folder) for folder in image_set.system_folders]


def _download(image_set, data_home, subset, download_if_missing):
    if not download_if_missing:
        reason = "download_if_missing=False disables the download"
        raise _missing_error(image_set, data_home, reason)
    try:
        bunch = fetch_openml(
            image_set.openml_name, version=1, data_home=data_home, as_frame=False, parser="auto"
        )
    # fetch_openml raises different errors without pandas, on a refusal and on a broken transfer.
    except (OSError, ValueError, ImportError, EOFError, HTTPException) as error:
        reason = f"the download from OpenML failed ({type(error).__name__}: {error})"
        raise _missing_error(image_set, data_home, reason) from error
    rows = _openml_rows(image_set, bunch.data.shape, subset)
    return bunch.data[rows], bunch.target[rows]


def _openml_rows(image_set, shape, subset):
    n_train, n_all = image_set.n_samples["train"], sum(image_set.n_samples.values())
    if shape != (n_all, prod(IMAGE_SHAPE)):
        raise ValueError(
            f"{image_set.openml_name} from OpenML has shape {shape}, not "
            f"{(n_all, prod(IMAGE_SHAPE))}. Delete its copy in scikit-learn's data home, or put "
            "the IDX files into data_home."
        )
    return {
        "train": slice(n_train),
        "test": slice(n_train, n_all),
        "all": slice(n_all),
    }[subset]


def _missing_error(image_set, data_home, reason):
    folders = "\n".join(f"  {folder}" for folder in _folders(image_set, data_home))
    remedies = [
        "put its IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each with or without .gz) into one of "
        "these folders",
        f"pass their folder as data_home, or set {DATA_HOME_VARIABLE} to it",
        *(f"install the Debian package {package}" for package in image_set.packages),
        f"call with download_if_missing=True on a machine that can reach OpenML "
        f"({image_set.openml_name!r}, version 1)",
    ]
    options = "\n".join(f"  - {remedy}" for remedy in remedies)
    return OSError(
        f"{image_set.title} was not found, and {reason}.\n"
        f"Searched for IDX files in\n{folders}\nDo one of the following:\n{options}"
    )
