"""A linear VAE beside its closed form: it is PCA, with the noise that the KL asks for.

Run ``python benchmarks/disentanglement/linear.py``. Every fit is a row of
``results/disentanglement/linear_<scale>.csv`` and is not repeated; delete the file to start anew.
"""

from __future__ import annotations

import numpy as np
import torch
from _shared import mean_and_spread, resumed, scale_and_flags, write

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.metrics import active_units, expected_linear_vae

SEEDS = range(5)
ETAS = (0.1, 0.5, 1.0)
VARIANCES = np.array([4, 2.5, 1.5, 0.8, 0.3, *[0.05] * 5])
N_ROWS, N_COMPONENTS, BATCH = 5000, 5, 512
SCALES = {"small": 12_000, "full": 50_000}


def rows(seed: int) -> np.ndarray:
    """Return rows whose covariance has these eigenvalues."""
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.normal(size=(10, 10)))[0]
    return (generator.normal(size=(N_ROWS, 10)) * np.sqrt(VARIANCES)) @ turn


def case(steps: int, eta: float, seed: int) -> dict[str, float]:
    """Fit, and compare with what theory says of these rows."""
    X = rows(seed).astype(np.float32)
    vae = InteLVAE(
        N_COMPONENTS,
        likelihood=Gaussian(scale=eta**0.5),
        hidden_layer_sizes=(),
        kl_warmup=0.0,
        batch_size=BATCH,
        max_iter=steps * BATCH // N_ROWS,
        learning_rate_init=2e-2,
        random_state=seed,
    ).fit(X)
    theory = expected_linear_vae(X, eta, N_COMPONENTS)
    means, variances = (table.astype(np.float64) for table in vae.encode(X))
    kl = 0.5 * (means**2 + variances - np.log(variances) - 1).mean(axis=0)
    decoder = vae.module_.decoder.layers[0]
    W, bias = (t.detach().double().numpy() for t in (decoder.weight, decoder.bias))
    order = np.argsort(-means.var(axis=0))
    active = order[: theory.n_active]
    cosines = [cosine(w, u) for w, u in zip(W.T[active], theory.components, strict=False)]
    n_active = active_units(means, variances=variances, criterion="posterior_variance").sum()
    loss = bound(X, W, bias, means, variances, eta)
    return {
        "Var mu, error": np.abs(means.var(axis=0)[order] - theory.variance_of_means).max(),
        "KL, error": np.abs(kl[order] - theory.kl).max(),
        "1 - cos": 1 - min(cosines),
        "active, error": abs(int(n_active) - theory.n_active),
        "loss": loss,
        "loss, theory": theory.loss,
        "turn": bound(X, *turned(W, bias, means, variances, active[:2], eta), eta) - loss,
        "turn, theory": eta * np.log(np.cosh(theory.kl[0] - theory.kl[1])),
    }


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine of the angle between two lines."""
    return float(abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b))


def bound(
    X: np.ndarray,
    W: np.ndarray,
    bias: np.ndarray,
    means: np.ndarray,
    variances: np.ndarray,
    eta: float,
) -> float:
    """Return half the squared error plus eta KL, the noise integrated out."""
    errors = ((X - means @ W.T - bias) ** 2).sum(axis=1) + variances @ (W**2).sum(axis=0)
    kl = 0.5 * (means**2 + variances - np.log(variances) - 1).sum(axis=1)
    return float((0.5 * errors + eta * kl).mean())


def turned(
    W: np.ndarray,
    bias: np.ndarray,
    means: np.ndarray,
    variances: np.ndarray,
    pair: np.ndarray,
    eta: float,
) -> tuple[np.ndarray, ...]:
    """Turn two components by 45 degrees, and give them the best noise again."""
    turn = np.eye(N_COMPONENTS)
    turn[np.ix_(pair, pair)] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    W, variances = W @ turn, variances.copy()
    variances[:, pair] = eta / ((W[:, pair] ** 2).sum(axis=0) + eta)
    return W, bias, means @ turn, variances


def main() -> None:
    scale = scale_and_flags(__doc__, SCALES).scale
    torch.set_num_threads(1)
    name = f"disentanglement/linear_{scale}"
    cases = [{"eta": eta, "seed": seed} for eta in ETAS for seed in SEEDS]
    found = resumed(name, cases, lambda **c: case(SCALES[scale], **c))
    write(
        name,
        f"A linear VAE and its closed form, scale {scale}",
        mean_and_spread(found, ["eta"], digits=4),
        found.groupby("eta").max(numeric_only=True).drop(columns=["seed", "seconds"]).reset_index(),
        note=(
            "Means ± standard deviations over the seeds, then the largest of all. Errors are the "
            f"largest over components. {N_ROWS} rows of 10 features, {N_COMPONENTS} components, "
            f"{SCALES[scale]} steps. Loss is 1/2 |x - x'|^2 + eta KL; turn is what it rises by if "
            "the first two components are turned by 45 degrees and have the best noise again."
        ),
    )


if __name__ == "__main__":
    main()
