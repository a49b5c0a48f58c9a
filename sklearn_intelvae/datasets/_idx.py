"""Finding, reading and checking IDX files, the file format of MNIST."""

import gzip
import hashlib
import zlib
from math import prod

import numpy as np

from sklearn_intelvae.datasets._image_sets import IMAGE_SHAPE

_PREFIX = {"train": "train", "test": "t10k"}


def find_idx_files(folders, parts):
    """Return the files of the first folder that contains all parts, by stem; None if none does.

    A stem is a name such as 'train-images'.
    """
    stems = [f"{_PREFIX[part]}-{kind}" for part in parts for kind in ("images", "labels")]
    for folder in folders:
        files = {stem: _find_file(folder, stem) for stem in stems}
        if all(files.values()):
            return files
    return None


def read_idx_files(image_set, files, parts):
    """Return the images and labels of the parts, concatenated."""
    images = [_read_file(image_set, files, part, "images") for part in parts]
    labels = [_read_file(image_set, files, part, "labels") for part in parts]
    return np.concatenate(images), np.concatenate(labels)


def _find_file(folder, stem):
    n_dimensions = 3 if stem.endswith("images") else 1
    names = [f"{stem}{separator}idx{n_dimensions}-ubyte" for separator in "-."]
    paths = [folder / (name + suffix) for suffix in ("", ".gz") for name in names]
    return next((path for path in paths if path.is_file()), None)


def _read_file(image_set, files, part, kind):
    stem = f"{_PREFIX[part]}-{kind}"
    path, n_samples = files[stem], image_set.n_samples[part]
    content = _decompress(path)
    array = _parse_idx(content, path)
    expected = (n_samples, *IMAGE_SHAPE[1:]) if kind == "images" else (n_samples,)
    if array.shape != expected:
        raise _damage_error(
            path, f"contains an array of shape {array.shape}, not {expected}", image_set
        )
    _check_md5(image_set, path, content, image_set.md5.get(stem))
    if kind == "labels":
        _check_labels(image_set, path, array)
    return array


def _decompress(path):
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damage_error(path, f"cannot be decompressed ({error})") from error


def _parse_idx(content, path):
    """Return the array of an IDX file of bytes.

    The format is: 0, 0, 8 (for bytes), the number of dimensions, the dimensions, the data.
    """
    n_dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * n_dimensions
    if content[:3] != b"\0\0\x08" or len(content) < start:
        raise _damage_error(path, "does not begin with the header of an IDX file of bytes")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", n_dimensions, offset=4))
    if len(content) - start != prod(shape):
        raise _damage_error(
            path, f"has {len(content) - start} bytes of data, but its header requires {prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _check_md5(image_set, path, content, expected):
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if expected is not None and md5 != expected:
        raise _damage_error(path, f"has the md5 {md5} when decompressed, not {expected}", image_set)


def _check_labels(image_set, path, labels):
    counts = np.bincount(labels, minlength=len(image_set.target_names))
    if len(counts) > len(image_set.target_names):
        raise _damage_error(path, f"contains the label {labels.max()}", image_set)
    if image_set.balanced and np.ptp(counts):
        raise _damage_error(path, f"has unequal class counts {counts.tolist()}", image_set)


def _damage_error(path, problem, image_set=None):
    title = f"{image_set.title} " if image_set else ""
    return ValueError(
        f"{path} {problem}: it is damaged or is not the {title}file of that name. Delete it and "
        "get it again, or pass another folder as data_home."
    )
