import gzip
import hashlib
import struct
from dataclasses import replace
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.utils import Bunch

from sklearn_intelvae.datasets import _fetch, fetch_fashion_mnist, fetch_mnist
from sklearn_intelvae.datasets._image_sets import (
    DATA_HOME_VARIABLE,
    FASHION_MNIST,
    MNIST,
    ImageSet,
)

N_SAMPLES = {"train": 20, "test": 10}
PREFIX = {"train": "train", "test": "t10k"}


def to_idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    return {
        part: (
            rng.integers(0, 256, (n, 28, 28), dtype=np.uint8),
            rng.permutation(np.arange(n, dtype=np.uint8) % 10),
        )
        for part, n in N_SAMPLES.items()
    }


@pytest.fixture
def contents(arrays):
    return {
        f"{PREFIX[part]}-{kind}": to_idx(array)
        for part, pair in arrays.items()
        for kind, array in zip(("images", "labels"), pair, strict=True)
    }


def write(folder, contents, separator="-", compressed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for stem, content in contents.items():
        name = f"{stem}{separator}idx{3 if stem.endswith('images') else 1}-ubyte"
        path = folder / (f"{name}.gz" if compressed else name)
        path.write_bytes(gzip.compress(content) if compressed else content)
    return folder


@pytest.fixture(autouse=True)
def tiny_and_offline(monkeypatch, contents, tmp_path):
    """Expect tiny data sets, hide installed ones, and fail on any download."""

    def no_network(*args, **kwargs):
        raise URLError("no network in tests")

    md5 = {stem: hashlib.md5(content).hexdigest() for stem, content in contents.items()}
    monkeypatch.setattr(_fetch, "MNIST", replace(MNIST, n_samples=N_SAMPLES, md5=md5))
    tiny_fashion = replace(
        FASHION_MNIST,
        n_samples=N_SAMPLES,
        md5={"train-images": md5["train-images"]},
        system_folders=(str(tmp_path / "system"),),
    )
    monkeypatch.setattr(_fetch, "FASHION_MNIST", tiny_fashion)
    monkeypatch.setattr(_fetch, "fetch_openml", no_network)
    monkeypatch.setattr(_fetch, "get_data_home", lambda: str(tmp_path / "scikit_learn_data"))
    monkeypatch.delenv(DATA_HOME_VARIABLE, raising=False)


both = pytest.mark.parametrize("fetch", [fetch_mnist, fetch_fashion_mnist])


@both
@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("compressed", [False, True])
def test_all_spellings_of_file_names_are_read(
    fetch, separator, compressed, contents, arrays, tmp_path
):
    folder = write(tmp_path / "files", contents, separator, compressed)
    bunch = fetch(folder)
    pixels, labels = arrays["train"]
    assert bunch.data.dtype == np.float32
    assert bunch.target.dtype == np.int64
    np.testing.assert_allclose(bunch.data, pixels.reshape(20, 784) / 255, rtol=1e-6)
    np.testing.assert_array_equal(bunch.target, labels)
    assert bunch.image_shape == (1, 28, 28)
    assert len(bunch.target_names) == 10


@both
def test_subsets(fetch, contents, tmp_path):
    folder = write(tmp_path / "files", contents)
    train, test, both_parts = (
        fetch(folder, subset=part, return_X_y=True) for part in ("train", "test", "all")
    )
    assert train[0].shape == (20, 784)
    assert test[0].shape == (10, 784)
    for whole, first, second in zip(both_parts, train, test, strict=True):
        np.testing.assert_array_equal(whole, np.concatenate([first, second]))


def test_only_the_files_of_the_subset_are_needed(contents, tmp_path):
    test_files = {stem: content for stem, content in contents.items() if stem.startswith("t10k")}
    folder = write(tmp_path / "files", test_files)
    assert fetch_mnist(folder, subset="test").data.shape == (10, 784)
    with pytest.raises(
        OSError, match="MNIST was not found, and download_if_missing=False disables"
    ):
        fetch_mnist(folder, subset="train", download_if_missing=False)


def test_values_lie_between_zero_and_one(contents, tmp_path):
    data = fetch_mnist(write(tmp_path / "files", contents), subset="all").data
    assert data.min() == 0
    assert data.max() == 1


def test_folder_comes_from_argument_then_variable_then_data_home(
    contents, arrays, tmp_path, monkeypatch
):
    write(tmp_path / "scikit_learn_data" / "mnist", contents)
    assert fetch_mnist(download_if_missing=False).data.shape == (20, 784)
    monkeypatch.setenv(DATA_HOME_VARIABLE, str(tmp_path / "elsewhere"))
    with pytest.raises(OSError, match="elsewhere"):
        fetch_mnist(download_if_missing=False)
    write(tmp_path / "elsewhere", contents)
    assert fetch_mnist(download_if_missing=False).data.shape == (20, 784)
    with pytest.raises(OSError, match="third"):
        fetch_mnist(tmp_path / "third", download_if_missing=False)


def test_one_home_may_contain_both_sets(contents, tmp_path):
    write(tmp_path / "home" / "mnist", contents)
    write(tmp_path / "home" / "fashion-mnist", contents)
    write(tmp_path / "home", dict.fromkeys(contents, b"not this one"))
    for fetch in (fetch_mnist, fetch_fashion_mnist):
        assert fetch(tmp_path / "home").data.shape == (20, 784)


def test_folder_of_the_system_package_is_used_for_fashion_only(contents, tmp_path):
    write(tmp_path / "system", contents, compressed=True)
    assert fetch_fashion_mnist(download_if_missing=False).data.shape == (20, 784)
    with pytest.raises(
        OSError, match="MNIST was not found, and download_if_missing=False disables"
    ):
        fetch_mnist(download_if_missing=False)


def damaged(contents, stem, change):
    return {**contents, stem: change(contents[stem])}


@both
@pytest.mark.parametrize(
    ("stem", "change", "message"),
    [
        (
            "train-images",
            lambda c: c[:-5],
            "has 15675 bytes of data, but its header requires 15680",
        ),
        ("train-images", lambda c: c[:9], "does not begin with the header"),
        ("train-images", lambda c: b"", "does not begin with the header"),
        ("train-labels", lambda c: b"<html>" + c, "does not begin with the header"),
        ("train-images", lambda c: c[:-1] + bytes([c[-1] ^ 1]), "has the md5 [0-9a-f]{32} when"),
        ("train-labels", lambda c: to_idx(np.zeros(19, np.uint8)), r"of shape \(19,\), not \(20,"),
    ],
)
def test_the_error_of_a_damaged_file_names_it_and_the_remedy(
    fetch, stem, change, message, contents, tmp_path
):
    folder = write(tmp_path / "files", damaged(contents, stem, change))
    with pytest.raises(ValueError, match=message) as caught:
        fetch(folder)
    assert str(folder / stem) in str(caught.value)
    assert "Delete it and get it again" in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [(np.zeros(20), "unequal class counts"), (np.arange(20), "contains the label 19")],
)
def test_labels_without_a_known_md5_are_checked(labels, message, contents, tmp_path):
    wrong = damaged(contents, "train-labels", lambda c: to_idx(labels.astype(np.uint8)))
    with pytest.raises(ValueError, match=message):
        fetch_fashion_mnist(write(tmp_path / "files", wrong))


@pytest.mark.parametrize("change", [lambda c: c[:-9], lambda c: b"no gzip", lambda c: c[:99] * 9])
def test_the_error_of_a_damaged_archive_names_it(change, contents, tmp_path):
    folder = write(tmp_path / "files", contents, compressed=True)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.gz cannot be decompressed"):
        fetch_mnist(folder)


@both
def test_the_error_of_missing_data_names_the_folders_and_the_remedies(fetch, tmp_path):
    for download in (False, True):
        with pytest.raises(OSError) as caught:
            fetch(tmp_path / "nothing", download_if_missing=download)
        message = str(caught.value)
        for hint in (str(tmp_path / "nothing"), "data_home", "SKLEARN_INTELVAE_DATA", "OpenML"):
            assert hint in message
        assert ("no network in tests" in message) is download
        assert ("dataset-fashion-mnist" in message) is (fetch is fetch_fashion_mnist)


@pytest.mark.parametrize("error", [ValueError("refused"), ImportError("pandas"), EOFError("cut")])
def test_every_failure_of_openml_is_an_oserror(error, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(_fetch, "fetch_openml", fail)
    with pytest.raises(
        OSError, match=f"the download from OpenML failed .{type(error).__name__}"
    ) as caught:
        fetch_mnist()
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("fetch", "name"), [(fetch_mnist, "mnist_784"), (fetch_fashion_mnist, "Fashion-MNIST")]
)
def test_openml_rows_are_split_and_converted(fetch, name, arrays, monkeypatch, tmp_path):
    calls = []

    def serve(name, **kwargs):
        calls.append((name, kwargs))
        pixels, labels = (np.concatenate(pair) for pair in zip(*arrays.values(), strict=True))
        target = labels.astype(str).astype(object)
        return Bunch(data=pixels.reshape(30, 784).astype(np.float64), target=target)

    monkeypatch.setattr(_fetch, "fetch_openml", serve)
    for subset in ("train", "test"):
        data, target = fetch(tmp_path, subset=subset, return_X_y=True)
        pixels, labels = arrays[subset]
        assert data.dtype == np.float32
        np.testing.assert_allclose(data, pixels.reshape(len(pixels), 784) / 255, rtol=1e-6)
        np.testing.assert_array_equal(target, labels)
        assert target.dtype == np.int64
    assert fetch(tmp_path, subset="all").data.shape == (30, 784)
    assert calls[0][0] == name
    assert calls[0][1]["version"] == 1
    assert calls[0][1]["data_home"] == tmp_path


def test_an_unexpected_shape_from_openml_is_refused(monkeypatch):
    unexpected = Bunch(data=np.zeros((31, 784)), target=np.zeros(31))
    monkeypatch.setattr(_fetch, "fetch_openml", lambda *args, **kwargs: unexpected)
    with pytest.raises(
        ValueError, match=r"mnist_784 from OpenML has shape \(31, 784\), not \(30, 784\)"
    ):
        fetch_mnist()


@both
def test_unknown_subset_is_refused(fetch):
    with pytest.raises(ValueError, match="subset must be 'train', 'test' or 'all', got 'val'"):
        fetch(subset="val")


def test_known_md5s_are_complete_and_distinct():
    default = ImageSet(title="x", folder="x", openml_name="x", target_names=())
    assert default.n_samples == {"train": 60000, "test": 10000}
    assert set(MNIST.md5) == {
        f"{prefix}-{kind}" for prefix in PREFIX.values() for kind in ("images", "labels")
    }
