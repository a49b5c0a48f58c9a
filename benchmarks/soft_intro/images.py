"""Samples and representations of images: a VAE and soft-introspective VAEs, by prior.

Run ``python -m benchmarks.soft_intro.images --scale small``. With the names of data sets, as in
``--mnist``, only these are run, so that several processes can run at a time; the table is written
by a run without names. With ``--inception`` the distance is FID, for the first seed alone, in
``fid_<scale>.csv``; a row takes some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks._images import IMAGE_SHAPES, fid, frechet, images, n_compared, others
from benchmarks._report import Results, command_line, each_row, mean_and_spread, seeds_of, some
from benchmarks.soft_intro._scale import SCALES, Scale
from sklearn_intelvae import InteLVAE, SoftIntroVAE
from sklearn_intelvae.priors import VampInitMixture

SEEDS = {"digits": range(5), "mnist": range(2), "fashion-mnist": range(2), "cifar10": range(2)}
VAE, REAL = "VAE", "other test images"
SOFT_INTRO = {"normal": {}} | {
    f"{kind} mixture of {k}": {"prior": VampInitMixture(n_modes=k, learn=kind == "learned")}
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
    """Fit one model; its other parameters are at their defaults."""
    X = images(data)[0][: scale.n_images]
    settings = scale.data[data] | scale.images | {"random_state": seed}
    if scale.convolutions:
        settings["image_shape"] = IMAGE_SHAPES[data]
    if model == VAE:
        return InteLVAE(prior="normal", **settings).fit(X)
    return SoftIntroVAE(**settings, **SOFT_INTRO[model]).fit(X)


def codes(vae: InteLVAE | SoftIntroVAE, X: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return one draw from q(y | x) of each row, and its mean."""
    mean, variance = vae.encode(X)
    noise = np.random.default_rng(seed).standard_normal(mean.shape)
    return {"z": mean + noise * np.sqrt(variance), "mu": mean}


def accuracies(
    vae: InteLVAE | SoftIntroVAE, scale: Scale, data: str, seed: int
) -> dict[str, float]:
    """Return test accuracies of classifiers fitted to the codes of the training rows."""
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


def rows_of(scale: Scale, data: str, results: Results) -> pd.DataFrame:
    """Return the rows of all models of one data set."""
    seeds = some(scale.name, SEEDS[data])
    cases = [{"data": data, "model": m, "seed": s} for s in seeds for m in (REAL, *MODELS)]
    name = f"soft_intro/images_{scale.name}_{data}"
    return results.rows(name, cases, partial(case, scale))


def seeds_by_data(rows: pd.DataFrame) -> str:
    """Return the number of seeds of each data set, for a note."""
    return "; ".join(f"{data}: {seeds_of(part)}" for data, part in rows.groupby("data", sort=False))


def write_images(scale: Scale, chosen: list[str], results: Results) -> None:
    """Fit and measure; write the table unless only some data sets are chosen."""
    missing = [data for data in chosen if data not in scale.data]
    if missing:
        raise SystemExit(f"{', '.join(missing)} is not measured at scale {scale.name}")
    tables = [rows_of(scale, data, results) for data in chosen or scale.data]
    if chosen:
        return
    rows = pd.concat(tables)
    probes = [c for c in rows if " on " in c]
    index = ["data", "model"]
    of_models = rows[rows["model"] != REAL][[*index, "seed", *probes, "commit"]]
    results.write(
        f"soft_intro/images_{scale.name}",
        f"Samples and representations of images, scale {scale.name}",
        [
            mean_and_spread(rows.drop(columns=probes), index, digits=2, error=True),
            mean_and_spread(of_models, index, error=True),
        ],
        [rows],
        note=(
            f"{seeds_by_data(rows)}, mean ± standard error. At most {scale.n_images} "
            f"training images; {scale.data}, {scale.images}, other parameters at their defaults. "
            "samples and reconstructions: Frechet distance from test images in the features of a "
            "classifier, which cannot be compared with FID; reconstructions are of the other half "
            "of the test images, which are also the row of real images. The second table: test "
            "accuracies of classifiers fitted to the standardized codes of at most "
            f"{_N_ROWS} training images; z is one draw from q(y | x), mu its mean."
        ),
    )


def inception_case(scale: Scale, data: str, model: str) -> dict[str, float]:
    """Return the FID of the first seed's model."""
    if model == REAL:
        return {"fid": fid(data, others(data))}
    vae = fitted(scale, data, model, 0)
    return {"fid": fid(data, vae.sample(n_compared(data), random_state=0))}


def write_fid(scale: Scale, results: Results) -> None:
    """Compute and write the FID of the first seed's models."""
    name = f"soft_intro/fid_{scale.name}"
    cases = [
        {"data": data, "model": model}
        for data in scale.data
        if data != "digits"
        for model in (REAL, *MODELS)
    ]
    rows = results.rows(name, cases, partial(inception_case, scale))
    results.write(
        name,
        f"FID of generated images, scale {scale.name}",
        [each_row(rows, digits=2)],
        [rows],
        note=(
            f"{scale.n_images} training images, one seed. 2000 images against 2000 test images, in "
            "the features of Inception in evaluation mode."
        ),
    )


def main(argv: Sequence[str] | None = None) -> None:
    sets = list(dict.fromkeys(name for scale in SCALES.values() for name in scale.data))
    flags = {name: f"run only {name}" for name in sets}
    options, results = command_line(
        __doc__, SCALES, argv, inception="compute FID instead, for one seed", **flags
    )
    scale = SCALES[options.scale]
    if options.inception:
        write_fid(scale, results)
    else:
        chosen = [data for data in sets if getattr(options, data.replace("-", "_"))]
        write_images(scale, chosen, results)


if __name__ == "__main__":
    main()
