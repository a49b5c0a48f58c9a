"""Distance of generated images from real ones, model by model (the paper's Table 1).

Run ``python -m benchmarks.intelvae.generation --scale small``. With ``--inception`` the distance is
the paper's, FID, for the first seed alone, in ``fid_<scale>.csv``; a row takes some minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from benchmarks._images import fid, frechet, images, others
from benchmarks._report import Results, command_line, each_row, mean_and_spread, seeds_of, some
from benchmarks.intelvae._rivals import MODELS, PAPER_NAMES, rivals
from benchmarks.intelvae._scale import SCALES, Scale
from sklearn_intelvae import InteLVAE

SEEDS = range(5)
SOURCES = ("prior", "density", "reconstructions")
REAL = "other test images"
N_SAMPLES = 5000
PAPER = {
    "VAE": "42.0 ± 1.1",
    "GM-VAE": "41.0 ± 4.7",
    "MoG-VAE": "41.2 ± 3.3",
    "Vamp-VAE": "38.8 ± 2.4",
    "InteL-VAE": "32.2 ± 1.5",
}
_PAPER_NOTE = (
    "Paper: FID on MNIST, 10 runs, convolutions, 55,000 images; it also reports 35.0 ± 0.9 for a "
    "VAE with a Sylvester flow. The images of its baselines may have been drawn from N(0, I) "
    "instead of their priors, and its number of clusters is not given."
)


@lru_cache(maxsize=1)
def fitted(scale: Scale, data: str, n_components: int, model: str, seed: int) -> InteLVAE:
    """Fit one model, and a density to its codes."""
    X = images(data)[0][: scale.n_images]
    corners = [[a, b, *[0.0] * (n_components - 2)] for a in (-2.0, 2.0) for b in (-2.0, 2.0)]
    settings = dict(likelihood="bernoulli", random_state=seed, **scale.network())
    vae = InteLVAE(n_components, **settings, **rivals(corners, 10)[model])
    return vae.fit(X).fit_density(X)


def generated(vae: InteLVAE, data: str, source: str, seed: int) -> np.ndarray:
    """Return samples from the prior or the density, or reconstructions."""
    if source == "reconstructions":
        return vae.reconstruct(others(data))
    return vae.sample(N_SAMPLES, source=source, random_state=seed)


def case(scale: Scale, data: str, n_components: int, model: str, seed: int) -> dict[str, float]:
    """Fit one model and measure its samples and reconstructions in a classifier's features."""
    if model == REAL:
        return {"prior": frechet(data, others(data))}
    vae = fitted(scale, data, n_components, model, seed)
    row = {source: frechet(data, generated(vae, data, source, seed)) for source in SOURCES}
    return row | {"log_likelihood": vae.score(images(data)[2][:2000])}


def inception_case(
    scale: Scale, data: str, n_components: int, model: str, source: str
) -> dict[str, float]:
    """Return the FID of the first seed's model."""
    if model == REAL:
        return {"fid": fid(data, others(data))}
    vae = fitted(scale, data, n_components, model, 0)
    return {"fid": fid(data, generated(vae, data, source, 0))}


def grid(scale: Scale) -> list[dict[str, object]]:
    """Return data, number of components and model of all rows of the tables."""
    sets = {scale.digits: ((50,), (REAL, *MODELS)), scale.clothes: ((10, 50), (REAL, "VAE"))}
    if scale.name == "quick":
        sets = {scale.digits: ((10,), (REAL, *MODELS))}
    return [
        {"data": data, "n_components": n_components, "model": model}
        for data, (sizes, models) in sets.items()
        for n_components in sizes
        for model in models
    ]


def write_distances(scale: Scale, results: Results) -> None:
    """Compute and write the distances in a classifier's features."""
    name, seeds = f"intelvae/generation_{scale.name}", some(scale.name, SEEDS)
    cases = [place | {"seed": seed} for seed in seeds for place in grid(scale)]
    rows = results.rows(name, cases, partial(case, scale))
    table = mean_and_spread(rows, ["data", "n_components", "model"], digits=2)
    results.write(
        name,
        f"Distance of generated images, scale {scale.name}",
        [with_paper(table)],
        [rows],
        note=(
            f"{scale.n_images} training images, Bernoulli likelihood, {seeds_of(rows)}, mean ± "
            f"standard deviation. Frechet distance of at most {N_SAMPLES} images from as many test "
            "images in the features of a classifier, which cannot be compared with FID. prior: "
            "samples, each model's from its own prior; density: samples whose y is drawn from ten "
            "Gaussians fitted to the codes (fit_density, sample(source='density')); "
            "reconstructions: of the other half of the test images, which are also the row of real "
            "images. log_likelihood: lower bound on log p(x) of 2000 test images, in nats. Fixed "
            "mixture: four Gaussians, means -2 and 2 on two components, log-variance 1; learned "
            "mixture: 10 Gaussians; VampPrior: 500 pseudo-inputs; InteLVAE: Clusters(10), which "
            f"changes no other component.\n\n{_PAPER_NOTE}"
        ),
    )


def write_fid(scale: Scale, results: Results) -> None:
    """Compute and write the FID of the first seed's models."""
    name = f"intelvae/fid_{scale.name}"
    cases = [
        place | {"source": source}
        for place in grid(scale)
        for source in (SOURCES if place["data"] != scale.digits else SOURCES[:1])
        if place["model"] != REAL or source == SOURCES[0]
    ]
    rows = results.rows(name, cases, partial(inception_case, scale))
    results.write(
        name,
        f"FID of generated images, scale {scale.name}",
        [with_paper(each_row(rows, digits=2))],
        [rows],
        note=(
            f"{scale.n_images} training images, Bernoulli likelihood, one seed. 2000 images "
            "against 2000 test images, in the features of Inception; reconstructions are of the "
            f"other half of the test images.\n\n{_PAPER_NOTE}"
        ),
    )


def with_paper(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the paper's figures."""
    paper = table["model"].map(dict(zip(MODELS, PAPER_NAMES, strict=True)))
    paper = (paper.map(PAPER) + " (" + paper + ")").fillna("")
    column = paper.where(table["data"] == "mnist", "")
    return table.assign(**{"paper, FID": column, "commit": table.pop("commit")})


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(
        __doc__, SCALES, argv, inception="compute FID instead, for one seed"
    )
    write = write_fid if options.inception else write_distances
    write(SCALES[options.scale], results)


if __name__ == "__main__":
    main()
