"""A linear VAE compared with its closed form, which is PCA with known noise.

Run ``python -m benchmarks.disentanglement.linear --scale small``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks._report import command_line, commits, mean_and_spread, some
from sklearn_intelvae import InteLVAE
from sklearn_intelvae.diagnostics import decoder_jacobian
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.metrics import active_units, expected_linear_vae

SEEDS = range(5)
ETAS = (0.1, 0.5, 1.0)
VARIANCES = np.array([4, 2.5, 1.5, 0.8, 0.3, *[0.05] * 5])
N_ROWS, N_COMPONENTS, BATCH = 5000, 5, 512
SCALES = {"quick": 100, "small": 12_000, "full": 50_000}
"""Steps."""


class Linear(NamedTuple):
    """A linear model: decoder weights and bias, means and variances of q(y | X)."""

    W: np.ndarray
    bias: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    def kl(self) -> np.ndarray:
        """Return the KL of each row and component."""
        return 0.5 * (self.means**2 + self.variances - np.log(self.variances) - 1)

    def loss(self, X: np.ndarray, eta: float) -> float:
        """Return half the squared error plus eta KL, with the noise integrated out."""
        errors = ((X - self.means @ self.W.T - self.bias) ** 2).sum(axis=1)
        noise = self.variances @ (self.W**2).sum(axis=0)
        return float((0.5 * (errors + noise) + eta * self.kl().sum(axis=1)).mean())

    def rotated(self, pair: np.ndarray, eta: float) -> Linear:
        """Rotate two components by 45 degrees and set their variances to the optimum."""
        rotation = np.eye(N_COMPONENTS)
        rotation[np.ix_(pair, pair)] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
        W, variances = self.W @ rotation, self.variances.copy()
        variances[:, pair] = eta / ((W[:, pair] ** 2).sum(axis=0) + eta)
        return Linear(W, self.bias, self.means @ rotation, variances)


def table(seed: int) -> np.ndarray:
    """Return rows whose covariance has the eigenvalues ``VARIANCES``."""
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(10, 10)))[0]
    rows = (generator.normal(size=(N_ROWS, 10)) * np.sqrt(VARIANCES)) @ rotation
    return rows.astype(np.float32)


def fitted(X: np.ndarray, steps: int, eta: float, seed: int) -> Linear:
    """Fit a linear VAE and return what it has learned."""
    vae = InteLVAE(
        N_COMPONENTS,
        prior="normal",
        likelihood=Gaussian(scale=eta**0.5),
        hidden_layer_sizes=(),
        kl_warmup=0.0,
        batch_size=BATCH,
        max_iter=steps * BATCH // N_ROWS,
        learning_rate_init=2e-2,
        whiten=True,
        random_state=seed,
    ).fit(X)
    origin = np.zeros((1, N_COMPONENTS), dtype=np.float32)
    decoder = decoder_jacobian(vae, origin)[0], vae.inverse_transform(origin)[0]
    return Linear(*(a.astype(np.float64) for a in (*decoder, *vae.encode(X))))


def case(steps: int, eta: float, seed: int) -> dict[str, float]:
    """Fit, and compare with the closed form for these rows."""
    X = table(seed)
    model = fitted(X, steps, eta, seed)
    theory = expected_linear_vae(X, eta, N_COMPONENTS)
    spread = model.means.var(axis=0)
    order = np.argsort(-spread)
    active = order[: theory.n_active]
    cosines = [cosine(w, u) for w, u in zip(model.W.T[active], theory.components, strict=False)]
    n_active = active_units(
        model.means, variances=model.variances, criterion="posterior_variance"
    ).sum()
    loss = model.loss(X, eta)
    return {
        "Var mu, error": np.abs(spread[order] - theory.variance_of_means).max(),
        "KL, error": np.abs(model.kl().mean(axis=0)[order] - theory.kl).max(),
        "1 - cos": 1 - min(cosines),
        "active, error": abs(int(n_active) - theory.n_active),
        "loss": loss,
        "loss, theory": theory.loss,
        "rotation": model.rotated(active[:2], eta).loss(X, eta) - loss,
        "rotation, theory": eta * np.log(np.cosh(theory.kl[0] - theory.kl[1])),
    }


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine of the angle between two lines."""
    return float(abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b))


def largest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the largest value over the seeds."""
    table = rows.groupby("eta").max(numeric_only=True).drop(columns=["seed", "seconds"])
    return table.assign(commit=commits(rows, ["eta"])).reset_index()


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, SCALES, argv)
    scale, seeds = options.scale, some(options.scale, SEEDS)
    name = f"disentanglement/linear_{scale}"
    cases = [{"eta": eta, "seed": seed} for eta in ETAS for seed in seeds]
    rows = results.rows(name, cases, partial(case, SCALES[scale]))
    results.write(
        name,
        f"A linear VAE and its closed form, scale {scale}",
        [mean_and_spread(rows, ["eta"], digits=4), largest(rows)],
        [rows],
        note=(
            "Means ± standard deviations over the seeds, then the largest of all seeds. Errors are "
            f"the largest over components. {N_ROWS} rows of 10 features, {N_COMPONENTS} "
            f"components, {SCALES[scale]} steps. loss: 1/2 |x - x'|^2 + eta KL. rotation: its "
            "increase when the first two components are rotated by 45 degrees and their variances "
            "are set to the new optimum."
        ),
    )


if __name__ == "__main__":
    main()
