"""Names, sizes and checksums of MNIST and Fashion-MNIST."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DATA_HOME_VARIABLE = "SKLEARN_INTELVAE_DATA"
IMAGE_SHAPE = (1, 28, 28)


@dataclass(frozen=True)
class ImageSet:
    """Expected contents of a data set, and the places to find it."""

    title: str
    folder: str
    openml_name: str
    target_names: tuple[str, ...]
    n_samples: Mapping[str, int] = field(default_factory=lambda: {"train": 60000, "test": 10000})
    md5: Mapping[str, str] = field(default_factory=dict)
    balanced: bool = False
    system_folders: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


MNIST = ImageSet(
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

FASHION_MNIST = ImageSet(
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
