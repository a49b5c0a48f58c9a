"""How large the experiments of the InteL-VAE paper are."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    """Data sets, sizes and lengths."""

    name: str
    digits: str
    """MNIST, or the data set that replaces it."""
    clothes: str
    """Fashion-MNIST, or the data set that replaces it."""
    n_images: int
    """Training images."""
    hidden_layer_sizes: tuple[int, ...]
    image_shape: tuple[int, int, int] | None
    """The shape of the images for convolutional networks, None for MLPs."""
    max_iter: int | None
    """Epochs; None leaves them at the estimator's default."""

    def length(self) -> dict[str, int]:
        """Return the parameters of an estimator that set the length of its training."""
        return {} if self.max_iter is None else {"max_iter": self.max_iter}

    def network(self) -> dict[str, object]:
        """Return the parameters that set the sizes of its networks and that length."""
        sizes = {"hidden_layer_sizes": self.hidden_layer_sizes, "image_shape": self.image_shape}
        return sizes | self.length()


SCALES = {
    "quick": Scale("quick", "digits", "digits", 500, (32,), None, 2),
    "small": Scale("small", "mnist", "fashion-mnist", 10_000, (128, 128), None, None),
    "full": Scale("full", "mnist", "fashion-mnist", 60_000, (256,), (1, 28, 28), None),
}
