"""Distance of generated images from real ones, model by model (the paper's Table 1).

Run ``python benchmarks/intelvae/generation.py --scale small``. Every fit is a row of
``results/intelvae/generation_<scale>.csv`` and is not repeated; delete the file to start anew.
With ``--inception`` the distances are those of the paper, FID, for the first seed alone; they are
in ``fid_<scale>.csv`` and take about four minutes a row on one core.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from _rivals import MODELS, PAPER_NAMES, rivals
from _shared import (
    Scale,
    command_line,
    fid,
    frechet,
    images,
    mean_and_spread,
    others,
    resumed,
    write,
)

from sklearn_intelvae import InteLVAE

SEEDS = range(5)
SOURCES = ("prior", "density", "reconstructions")
DATA = {"mnist": (50,), "fashion-mnist": (10, 50)}
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
    "Paper: FID on MNIST, 10 runs, convolutions, 55,000 images; also VAE with a Sylvester flow "
    "35.0 ± 0.9. Its baselines' images may have been drawn from N(0, I) instead of their prior, "
    "and its number of clusters is not given."
)


def models(data: str) -> tuple[str, ...]:
    """Return the rows of the table of these images."""
    return (REAL, *MODELS) if data == "mnist" else (REAL, "VAE")


@lru_cache(maxsize=1)
def fitted(scale: Scale, data: str, n_components: int, model: str, seed: int) -> InteLVAE:
    """Fit one model, and a density to its codes."""
    X = images(data)[0][: scale.n_images]
    corners = [[a, b, *[0.0] * (n_components - 2)] for a in (-2.0, 2.0) for b in (-2.0, 2.0)]
    settings = dict(likelihood="bernoulli", random_state=seed, **scale.network())
    vae = InteLVAE(n_components, **settings, **rivals(corners, 10)[model])
    return vae.fit(X).fit_density(X)


def made(vae: InteLVAE, data: str, source: str, seed: int) -> np.ndarray:
    """Return images that a model makes."""
    if source == "reconstructions":
        return vae.reconstruct(others(data))
    return vae.sample(N_SAMPLES, source=source, random_state=seed)


def case(scale: Scale, data: str, n_components: int, model: str, seed: int) -> dict[str, float]:
    """Fit one model and measure its samples and reconstructions in the judge's features."""
    if model == REAL:
        return {"prior": frechet(data, others(data))}
    vae = fitted(scale, data, n_components, model, seed)
    row = {source: frechet(data, made(vae, data, source, seed)) for source in SOURCES}
    return row | {"log_likelihood": vae.score(images(data)[2][:2000])}


def inception_case(
    scale: Scale, data: str, n_components: int, model: str, source: str
) -> dict[str, float]:
    """Return the FID of the first seed's model."""
    if model == REAL:
        return {"fid": fid(data, others(data))}
    return {"fid": fid(data, made(fitted(scale, data, n_components, model, 0), data, source, 0))}


def grid() -> list[dict[str, object]]:
    """Return all rows of the tables, for one seed."""
    return [
        {"data": data, "n_components": n_components, "model": model}
        for data, sizes in DATA.items()
        for n_components in sizes
        for model in models(data)
    ]


def write_distances(scale: Scale) -> None:
    """Compute and write the distances in the judge's features."""
    cases = [place | {"seed": seed} for seed in SEEDS for place in grid()]
    rows = resumed(f"intelvae/generation_{scale.name}", cases, lambda **c: case(scale, **c))
    table = mean_and_spread(rows, ["data", "n_components", "model"], digits=2)
    write(
        f"intelvae/generation_{scale.name}",
        f"Distance of generated images, scale {scale.name}",
        with_paper(table),
        note=(
            f"{scale.n_images} training images, Bernoulli likelihood, {len(SEEDS)} seeds, mean ± "
            f"standard deviation. Frechet distance of {N_SAMPLES} images from 5000 test images in "
            "the features of a classifier, not comparable with FID. prior: samples, each model's "
            "from its own prior; density: samples whose y is drawn from ten Gaussians fitted to "
            "the codes (fit_density, sample(source='density')); reconstructions: of the other "
            "5000 test images, which are the row of real images. Bound on log p(x) of 2000 test "
            "images, nats. Fixed mixture: four Gaussians, means -2 and 2 on two components, "
            "log-variance 1; learned mixture: 10; VampPrior: 500 pseudo-inputs; InteLVAE: "
            "Clusters(10), other components unchanged."
            f"\n\n{_PAPER_NOTE}"
        ),
    )


def write_fid(scale: Scale) -> None:
    """Compute and write the FID of the first seed's models."""
    cases = [
        place | {"source": source}
        for place in grid()
        for source in (SOURCES if place["data"] != "mnist" else SOURCES[:1])
        if place["model"] != REAL or source == SOURCES[0]
    ]
    rows = resumed(f"intelvae/fid_{scale.name}", cases, lambda **c: inception_case(scale, **c))
    write(
        f"intelvae/fid_{scale.name}",
        f"FID of generated images, scale {scale.name}",
        with_paper(rows.round(2)),
        note=(
            f"{scale.n_images} training images, Bernoulli likelihood, one seed. 2000 images "
            "against 2000 test images, in the features of Inception; reconstructions are of other "
            f"test images.\n\n{_PAPER_NOTE}"
        ),
    )


def with_paper(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table beside the paper's."""
    names = dict(zip(MODELS, PAPER_NAMES, strict=True))
    paper = table["model"].map(names)
    paper = (paper.map(PAPER) + " (" + paper + ")").fillna("")
    return table.assign(**{"paper, FID": paper.where(table["data"] == "mnist", "")})


def main() -> None:
    scale, options = command_line(__doc__, inception="compute FID instead, for one seed")
    if options.inception:
        write_fid(scale)
    else:
        write_distances(scale)


if __name__ == "__main__":
    main()
