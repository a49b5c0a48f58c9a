"""Samples and representations of images: a VAE against the introspective one, by prior.

Run ``python benchmarks/soft_intro/images.py --scale small``. Every fit is a row of
``results/soft_intro/images_<scale>_<data>.csv`` and is not repeated; delete the files to start
anew. With the name of a data set, as in ``--mnist``, only that one is run, so that several can run
at once; without any, the table is written. With ``--inception`` the distance is FID, for the first
seed alone; they are in ``fid_<scale>.csv`` and take about four minutes a row on one core.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from _shared import (
    IMAGE_SHAPES,
    SCALES,
    Scale,
    command_line,
    fid,
    frechet,
    images,
    mean_and_spread,
    n_compared,
    others,
    resumed,
    write,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_intelvae import InteLVAE, SoftIntroVAE

SEEDS = range(5)
VAE, REAL = "VAE", "other test images"
SOFT_INTRO = {"normal": {}} | {
    f"{kind} mixture of {k}": {
        "prior": "mixture",
        "n_prior_components": k,
        "learn_prior": kind == "learned",
    }
    for k in (10, 100)
    for kind in ("fixed", "learned")
}
MODELS = (VAE, *SOFT_INTRO)
_N_ROWS = 10_000
PROBES = {
    "5-NN": KNeighborsClassifier(5),
    "100-NN": KNeighborsClassifier(100),
    "SVM": SVC(kernel="linear", C=0.025),
}
DIAGNOSTICS = ("responsibility_entropy", "inactive_modes", "mode_separation")


def fitted(scale: Scale, data: str, model: str, seed: int) -> InteLVAE | SoftIntroVAE:
    """Fit one model, whose other parameters are its defaults."""
    X = images(data)[0][: scale.n_images]
    settings = scale.data[data] | scale.of_images | {"random_state": seed}
    if scale.convolutions:
        settings["image_shape"] = IMAGE_SHAPES[data]
    vae = InteLVAE(**settings) if model == VAE else SoftIntroVAE(**settings, **SOFT_INTRO[model])
    return vae.fit(X)


def codes(vae: InteLVAE | SoftIntroVAE, X: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return one draw of each row's q(y | x), and its mean."""
    mean, variance = vae.encode(X)
    noise = np.random.default_rng(seed).standard_normal(mean.shape)
    return {"z": mean + noise * np.sqrt(variance), "mu": mean}


def accuracies(
    vae: InteLVAE | SoftIntroVAE, scale: Scale, data: str, seed: int
) -> dict[str, float]:
    """Return how well classifiers do that are fitted to the codes of the training rows."""
    X_train, y_train, X_test, y_test = images(data)
    n = min(scale.n_images, _N_ROWS)
    train, test = codes(vae, X_train[:n], seed), codes(vae, X_test, seed)
    return {
        f"{probe} on {code}": make_pipeline(StandardScaler(), classifier)
        .fit(train[code], y_train[:n])
        .score(test[code], y_test)
        for code in train
        for probe, classifier in PROBES.items()
    }


def case(scale: Scale, data: str, model: str, seed: int) -> dict[str, float]:
    """Fit one model and measure its samples, its reconstructions and its codes."""
    if model == REAL:
        return {"samples": frechet(data, others(data))}
    start = time.perf_counter()
    vae = fitted(scale, data, model, seed)
    row = {"fit_seconds": time.perf_counter() - start}
    row["samples"] = frechet(data, vae.sample(n_compared(data), random_state=seed))
    row["reconstructions"] = frechet(data, vae.reconstruct(others(data)))
    last = vae.history_[-1]
    row |= {name: last[name] for name in DIAGNOSTICS if name in last}
    return row | accuracies(vae, scale, data, seed)


def rows_of(scale: Scale, data: str) -> pd.DataFrame:
    """Fit and measure, or read, all models of one data set."""
    cases = [{"data": data, "model": m, "seed": s} for s in SEEDS for m in (REAL, *MODELS)]
    name = f"soft_intro/images_{scale.name}_{data}"
    return resumed(name, cases, lambda **c: case(scale, **c))


def write_images(scale: Scale, chosen: list[str]) -> None:
    """Measure, and write the table if nothing is chosen."""
    if missing := set(chosen) - set(scale.data):
        raise SystemExit(f"{', '.join(missing)} is not measured at scale {scale.name}")
    tables = [rows_of(scale, data) for data in chosen or scale.data]
    if chosen:
        return
    rows = pd.concat(tables)
    probes = [c for c in rows if " on " in c]
    index = ["data", "model"]
    write(
        f"soft_intro/images_{scale.name}",
        f"Samples and representations of images, scale {scale.name}",
        mean_and_spread(rows.drop(columns=probes), index, digits=2, error=True),
        mean_and_spread(rows[rows["model"] != REAL][[*index, "seed", *probes]], index, error=True),
        note=(
            f"{len(SEEDS)} seeds, mean ± standard error. {scale.n_images} training images, or all "
            f"where there are fewer; {scale.data}, {scale.of_images}, else the defaults. "
            "samples and reconstructions: Frechet distance from test images in the features of a "
            "classifier, not comparable with FID; reconstructions are of other test images, which "
            "are the row of real images. Accuracies on the test images of classifiers that are "
            f"fitted to the codes of up to {_N_ROWS} training images, "
            "standardised: z is one draw of q(y | x), mu its mean."
        ),
    )


def inception_case(scale: Scale, data: str, model: str) -> dict[str, float]:
    """Return the FID of the first seed's model."""
    if model == REAL:
        return {"fid": fid(data, others(data))}
    return {
        "fid": fid(data, fitted(scale, data, model, 0).sample(n_compared(data), random_state=0))
    }


def write_fid(scale: Scale) -> None:
    """Compute and write the FID of the first seed's models."""
    cases = [
        {"data": data, "model": model}
        for data in scale.data
        if data != "digits"
        for model in (REAL, *MODELS)
    ]
    rows = resumed(f"soft_intro/fid_{scale.name}", cases, lambda **c: inception_case(scale, **c))
    write(
        f"soft_intro/fid_{scale.name}",
        f"FID of generated images, scale {scale.name}",
        rows.round(2),
        note=(
            f"{scale.n_images} training images, one seed. 2000 images against 2000 test images, in "
            "the features of Inception in evaluation mode."
        ),
    )


def main() -> None:
    sets = list(dict.fromkeys(name for scale in SCALES.values() for name in scale.data))
    flags = {name: f"run only {name}" for name in sets}
    scale, options = command_line(__doc__, inception="compute FID instead, for one seed", **flags)
    if options.inception:
        write_fid(scale)
    else:
        write_images(scale, [d for d in sets if getattr(options, d.replace("-", "_"))])


if __name__ == "__main__":
    main()
