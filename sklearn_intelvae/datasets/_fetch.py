"""MNIST and Fashion-MNIST: from IDX files where there are any, else from OpenML."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from math import prod
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, get_data_home
from sklearn.utils import Bunch

DATA_HOME_VARIABLE = "SKLEARN_INTELVAE_DATA"
_IMAGE_SHAPE = (1, 28, 28)
_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
_PREFIX = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class _ImageSet:
    """What is known of a data set before any of its files is read."""

    title: str
    folder: str
    openml_name: str
    target_names: tuple[str, ...]
    n_samples: Mapping[str, int] = field(default_factory=lambda: {"train": 60000, "test": 10000})
    md5: Mapping[str, str] = field(default_factory=dict)
    balanced: bool = False
    system_folders: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


_MNIST = _ImageSet(
    title="MNIST",
    folder="mnist",
    openml_name="mnist_784",
    target_names=tuple("0123456789"),
    md5={
        "train-images": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels": "a25bea736e30d166cdddb491f175f624",
        "t10k-images": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
    },
)

_FASHION_MNIST = _ImageSet(
    title="Fashion-MNIST",
    folder="fashion-mnist",
    openml_name="Fashion-MNIST",
    target_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    md5={"train-images": "f4a8712d7a061bf5bd6d2ca38dc4d50a"},
    balanced=True,
    system_folders=("/usr/share/datasets/fashion-mnist",),
    packages=("dataset-fashion-mnist",),
)


def fetch_mnist(data_home=None, subset="train", return_X_y=False, download_if_missing=True):
    """Load MNIST: 70,000 images of handwritten digits, 28 by 28 grey pixels, 10 classes.

    IDX files on this machine are used where there are any: in `data_home` or in its subfolder
    ``mnist``. Otherwise the data come from OpenML, which keeps a copy on disk.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that holds the IDX files, packed (``.gz``) or not. By default the folder named by
        the environment variable ``SKLEARN_INTELVAE_DATA``, else ``mnist`` in scikit-learn's data
        home.
    subset : {'train', 'test', 'all'}, default='train'
        The 60,000 training images, the 10,000 test images, or both in this order.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    download_if_missing : bool, default=True
        If False, raise an OSError instead of asking OpenML.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch` or tuple of (data, target)
        data : ndarray of shape (n_samples, 784), dtype float32
            Pixels between 0 and 1.
        target : ndarray of shape (n_samples,), dtype int64
            Class labels from 0 to 9.
        image_shape : tuple
            ``(1, 28, 28)``: channels, height, width.
        target_names : list of str
            Names of the classes.

    Raises
    ------
    OSError
        If no files are found and OpenML is not asked or does not answer.
    ValueError
        If a file is truncated, damaged or belongs to another data set.

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
    return _fetch(_MNIST, data_home, subset, return_X_y, download_if_missing)


def fetch_fashion_mnist(data_home=None, subset="train", return_X_y=False, download_if_missing=True):
    """Load Fashion-MNIST: 70,000 images of clothes, 28 by 28 grey pixels, 10 balanced classes.

    IDX files on this machine are used where there are any: in `data_home`, in its subfolder
    ``fashion-mnist``, or in ``/usr/share/datasets/fashion-mnist``, where the Debian package
    ``dataset-fashion-mnist`` puts them. Otherwise the data come from OpenML, which keeps a copy
    on disk.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that holds the IDX files, packed (``.gz``) or not. By default the folder named by
        the environment variable ``SKLEARN_INTELVAE_DATA``, else ``fashion-mnist`` in
        scikit-learn's data home.
    subset : {'train', 'test', 'all'}, default='train'
        The 60,000 training images, the 10,000 test images, or both in this order.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    download_if_missing : bool, default=True
        If False, raise an OSError instead of asking OpenML.

    Returns
    -------
    fashion : :class:`~sklearn.utils.Bunch` or tuple of (data, target)
        data : ndarray of shape (n_samples, 784), dtype float32
            Pixels between 0 and 1.
        target : ndarray of shape (n_samples,), dtype int64
            Class labels from 0 to 9.
        image_shape : tuple
            ``(1, 28, 28)``: channels, height, width.
        target_names : list of str
            Names of the classes.

    Raises
    ------
    OSError
        If no files are found and OpenML is not asked or does not answer.
    ValueError
        If a file is truncated, damaged or belongs to another data set.

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
    return _fetch(_FASHION_MNIST, data_home, subset, return_X_y, download_if_missing)


def _fetch(known, data_home, subset, return_X_y, download_if_missing):
    if subset not in _PARTS:
        raise ValueError(f"subset must be 'train', 'test' or 'all', got {subset!r}.")
    data_home = data_home or os.environ.get(DATA_HOME_VARIABLE) or None
    files = _find(_folders(known, data_home), _PARTS[subset])
    if files:
        pixels, target = _load(known, files, _PARTS[subset])
    else:
        pixels, target = _ask_openml(known, data_home, subset, download_if_missing)
    return _pack(known, pixels, target, return_X_y)


def _pack(known, pixels, target, return_X_y):
    data = np.divide(pixels.reshape(len(pixels), -1), 255, dtype=np.float32)
    target = target.astype(np.int64)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        image_shape=_IMAGE_SHAPE,
        target_names=list(known.target_names),
    )


def _folders(known, data_home):
    """Folders to look in, in this order."""
    home = Path(data_home or get_data_home()).expanduser()
    # The two data sets name their files alike: a subfolder keeps them apart in one home.
    homes = [home / known.folder, home] if data_home else [home / known.folder]
    return homes + [Path(folder) for folder in known.system_folders]


def _find(folders, parts):
    """Files of the first folder that holds all of them, by stem such as 'train-images'."""
    stems = [f"{_PREFIX[part]}-{kind}" for part in parts for kind in ("images", "labels")]
    for folder in folders:
        files = {stem: _find_file(folder, stem) for stem in stems}
        if all(files.values()):
            return files
    return None


def _find_file(folder, stem):
    n_dimensions = 3 if stem.endswith("images") else 1
    names = [f"{stem}{mark}idx{n_dimensions}-ubyte" for mark in "-."]
    paths = [folder / (name + packing) for packing in ("", ".gz") for name in names]
    return next((path for path in paths if path.is_file()), None)


def _load(known, files, parts):
    images = [_load_file(known, files, part, "images") for part in parts]
    labels = [_load_file(known, files, part, "labels") for part in parts]
    return np.concatenate(images), np.concatenate(labels)


def _load_file(known, files, part, kind):
    stem = f"{_PREFIX[part]}-{kind}"
    path, n_samples = files[stem], known.n_samples[part]
    content = _unpack(path)
    array = _parse_idx(content, path)
    expected = (n_samples, *_IMAGE_SHAPE[1:]) if kind == "images" else (n_samples,)
    if array.shape != expected:
        raise _broken(path, f"holds an array of shape {array.shape}, not {expected}", known)
    _check_md5(known, path, content, known.md5.get(stem))
    if kind == "labels":
        _check_labels(known, path, array)
    return array


def _unpack(path):
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _broken(path, f"cannot be unpacked ({error})") from error


def _parse_idx(content, path):
    """Read an IDX array of bytes: 0, 0, type 8, number of dimensions, the dimensions, the data."""
    n_dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * n_dimensions
    if content[:3] != b"\0\0\x08" or len(content) < start:
        raise _broken(path, "does not begin with the header of an IDX file of bytes")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", n_dimensions, offset=4))
    if len(content) - start != prod(shape):
        raise _broken(
            path, f"has {len(content) - start} bytes of data where its header says {prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _check_md5(known, path, content, expected):
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if expected is not None and md5 != expected:
        raise _broken(path, f"has md5 {md5} when unpacked, not {expected}", known)


def _check_labels(known, path, labels):
    counts = np.bincount(labels, minlength=len(known.target_names))
    if len(counts) > len(known.target_names):
        raise _broken(path, f"holds the label {labels.max()}", known)
    if known.balanced and np.ptp(counts):
        raise _broken(path, f"has unequal class counts {counts.tolist()}", known)


def _broken(path, what, known=None):
    whose = f" of {known.title}" if known else ""
    return ValueError(
        f"{path} {what}: it is damaged or is not the file{whose} that its name says. Delete it "
        "and get it again, or pass another folder as data_home."
    )


def _ask_openml(known, data_home, subset, download_if_missing):
    if not download_if_missing:
        raise _missing(known, data_home, "download_if_missing=False forbids asking OpenML")
    try:
        bunch = fetch_openml(
            known.openml_name, version=1, data_home=data_home, as_frame=False, parser="auto"
        )
    # fetch_openml answers a missing pandas, a refusal and a broken transfer in different ways.
    except (OSError, ValueError, ImportError, EOFError, HTTPException) as error:
        reason = f"OpenML did not deliver it ({type(error).__name__}: {error})"
        raise _missing(known, data_home, reason) from error
    rows = _openml_rows(known, bunch.data.shape, subset)
    return bunch.data[rows], bunch.target[rows]


def _openml_rows(known, shape, subset):
    n_train, n_all = known.n_samples["train"], sum(known.n_samples.values())
    if shape != (n_all, prod(_IMAGE_SHAPE)):
        raise ValueError(
            f"OpenML's {known.openml_name} has shape {shape}, not {(n_all, prod(_IMAGE_SHAPE))}. "
            "Delete its copy in scikit-learn's data home, or put the IDX files into data_home."
        )
    return {
        "train": slice(n_train),
        "test": slice(n_train, n_all),
        "all": slice(n_all),
    }[subset]


def _missing(known, data_home, reason):
    looked = "\n".join(f"  {folder}" for folder in _folders(known, data_home))
    ways = [
        "put its IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each with or without .gz) into one of "
        "these folders",
        f"pass the folder that holds them as data_home, or name it in {DATA_HOME_VARIABLE}",
        *(f"install the Debian package {package}" for package in known.packages),
        f"call with download_if_missing=True where OpenML ({known.openml_name!r}, version 1) "
        "can be reached",
    ]
    options = "\n".join(f"  - {way}" for way in ways)
    return OSError(
        f"{known.title} is not on this machine and {reason}.\n"
        f"Looked for IDX files in\n{looked}\nTo get it, do one of these:\n{options}"
    )
