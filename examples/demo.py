"""A complete example: search, compare, generate, plot, save and load.

Run by ``make demo`` on the bundled digits and by ``make demo DATA=fashion-mnist`` on 60,000 images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits
from sklearn.decomposition import NMF, PCA, MiniBatchSparsePCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_intelvae import InteLVAE, SparseInteLVAE
from sklearn_intelvae.datasets import fetch_fashion_mnist
from sklearn_intelvae.mappings import Clusters, Sphere
from sklearn_intelvae.metrics import few_label_curve, hoyer_sparsity
from sklearn_intelvae.plotting import (
    plot_few_label_curves,
    plot_images,
    plot_latent,
    plot_reconstructions,
)

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N_LABELS = (20, 50, 100, 500)
SPARSITIES = (0.5, 0.7)
SEED = 0


def digits() -> dict:
    """Return 1,797 images of 8 x 8 pixels, and settings for them."""
    X, y = load_digits(return_X_y=True)
    split = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
    return {"split": split, "shape": (1, 8, 8), "n_components": 20}


def fashion_mnist() -> dict:
    """Return 70,000 images of 28 x 28 pixels, and settings for them."""
    train, test = (fetch_fashion_mnist(subset=s, return_X_y=True) for s in ("train", "test"))
    split = (train[0], test[0], train[1], test[1])
    return {"split": split, "shape": (1, 28, 28), "n_components": 32}


DATA = {"digits": digits, "fashion-mnist": fashion_mnist}


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title and the duration of a step."""
    print(f"\n== {title}", flush=True)
    start = time.perf_counter()
    yield
    print(f"   {time.perf_counter() - start:.1f} s", flush=True)


def search(X: np.ndarray, y: np.ndarray, n_components: int) -> GridSearchCV:
    """Search the settings of the representation by the accuracy of a classifier."""
    pipe = Pipeline(
        [
            ("scale", MinMaxScaler(clip=True)),
            ("latent", SparseInteLVAE(n_components, max_cost=0.2, random_state=SEED)),
            ("classify", LogisticRegression(max_iter=2000)),
        ]
    )
    sizes = [n_components // 2, n_components]
    grid = [
        {"latent__n_components": sizes, "latent__sparsity": SPARSITIES},
        {
            "latent": [InteLVAE(random_state=SEED)],
            "latent__n_components": sizes,
            "latent__mapping": [Sphere()],
        },
    ]
    rows = np.random.default_rng(SEED).permutation(len(X))[:1200]
    found = GridSearchCV(pipe, grid, cv=2, n_jobs=2)
    found.set_callbacks(ProgressBar()).fit(X[rows], y[rows])
    table = pd.DataFrame(found.cv_results_)[["params", "mean_test_score", "mean_fit_time"]]
    table["params"] = [_brief(p) for p in table["params"]]
    print(table.sort_values("mean_test_score", ascending=False).round(3).to_markdown(index=False))
    return found


def _brief(params: dict) -> str:
    return ", ".join(
        f"{k.removeprefix('latent__')}={v}" for k, v in params.items() if k != "latent"
    )


def representations(n_components: int) -> dict:
    """Return the representations to compare, by name."""
    return {
        "PCA": PCA(n_components, random_state=SEED),
        "NMF": NMF(n_components, init="nndsvda", max_iter=1000, tol=1e-3, random_state=SEED),
        "SparsePCA": MiniBatchSparsePCA(n_components, max_iter=100, random_state=SEED),
        "VAE": InteLVAE(n_components, random_state=SEED),
        "SparseInteLVAE": SparseInteLVAE(
            n_components, sparsity=SPARSITIES[-1], max_cost=0.2, random_state=SEED
        ),
    }


def compare(models: dict, X_train, X_test, y_train, y_test) -> dict:
    """Print few-label accuracy, sparsity and likelihood; return the few-label curves."""
    rows, curves = {}, {}
    for name, model in models.items():
        start = time.perf_counter()
        Z_train, Z_test = model.fit_transform(X_train), model.transform(X_test)
        seconds = time.perf_counter() - start
        curve = few_label_curve(Z_train, y_train, Z_test, y_test, N_LABELS, random_state=SEED)
        curves[name] = curve
        accuracy = dict(zip((f"{n} labels" for n in N_LABELS), curve["mean"], strict=True))
        nats = model.score(X_test) if hasattr(model, "score") else float("nan")
        rows[name] = accuracy | {
            "Hoyer": hoyer_sparsity(Z_test),
            "log p(x), nats": nats,
            "seconds": seconds,
        }
        print(f"   {name} done in {seconds:.1f} s", flush=True)
    print(pd.DataFrame(rows).T.round(3).to_markdown())
    return curves


def draw(vae, X_test, y_test, shape, curves, output: Path) -> None:
    """Plot generated images, reconstructions, the latent plane and the few-label curves."""
    clusters = InteLVAE(2, mapping=Clusters(10), random_state=SEED).fit(X_test)
    pictures = {
        "generated.png": lambda ax: plot_images(vae.sample(50), shape, ax=ax),
        "reconstructed.png": lambda ax: plot_reconstructions(
            X_test[:10], vae.reconstruct(X_test[:10]), shape, ax=ax
        ),
        "latent.png": lambda ax: plot_latent(clusters.transform(X_test), y_test, ax=ax),
        "few_labels.png": lambda ax: plot_few_label_curves(curves, ax=ax),
    }
    for name, plot in pictures.items():
        figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
        plot(ax)
        figure.savefig(output / name, dpi=120)
        plt.close(figure)
        print(f"   {output / name}")


def save_and_load(vae, X, path: Path) -> None:
    """Save the model, load it, and compare the two."""
    vae.save(path)
    again = type(vae).load(path)
    assert np.array_equal(again.transform(X), vae.transform(X))
    assert again.score(X) == vae.score(X)
    print(f"   {path}: {path.stat().st_size / 1e6:.2f} MB, the loaded model is equal bit for bit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=DATA, default="digits")
    parser.add_argument("--output", type=Path, default=Path("demo_output"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)

    data = DATA[arguments.data]()
    X_train, X_test, y_train, y_test = data["split"]
    print(f"{arguments.data}: {len(X_train)} rows to fit, {len(X_test)} held out")
    with step("Search the settings of the representation (1200 rows, 2 folds)"):
        found = search(X_train, y_train, data["n_components"])
        print(f"   accuracy on held-out rows: {found.score(X_test, y_test):.3f}")
    scaler = clone(found.best_estimator_["scale"]).fit(X_train)
    scaled = scaler.transform(X_train), scaler.transform(X_test)
    models = representations(data["n_components"])
    with step("Compare representations: accuracy of a linear classifier, sparsity, likelihood"):
        curves = compare(models, *scaled, y_train, y_test)
    sparse = models["SparseInteLVAE"]
    with step("Plot"):
        draw(sparse, scaled[1], y_test, data["shape"], curves, arguments.output)
    with step("Save and load"):
        save_and_load(sparse, scaled[1], arguments.output / "model.safetensors")


if __name__ == "__main__":
    main()
