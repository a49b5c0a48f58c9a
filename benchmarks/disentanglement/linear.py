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
SCALES = {"small": 6000, "full": 30_000}
N_DRAWS = 200


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
        learning_rate_init=1e-2,
        random_state=seed,
    ).fit(X)
    theory = expected_linear_vae(X, eta, N_COMPONENTS)
    means, variances = vae.encode(X)
    W = vae.module_.decoder.layers[0].weight.detach().double().numpy()
    order = np.argsort(-means.var(axis=0))
    n = theory.n_active
    cosines = np.abs(np.sum(W[:, order[:n]].T * theory.components[:n], axis=1))
    cosines /= np.linalg.norm(W[:, order[:n]], axis=0) * np.linalg.norm(
        theory.components[:n], axis=1
    )
    loss = losses(vae, X, means, variances, eta)
    turned, expected = turning(vae, X, means, variances, order, theory, eta)
    return {
        "Var mu, error": np.abs(means.var(axis=0)[order] - theory.variance_of_means).max(),
        "KL, error": np.abs(vae.kl_per_component_[order] - theory.kl).max(),
        "1 - cos": float(1 - cosines.min()),
        "active, error": float(
            abs(active_units(means, variances=variances, criterion="variance").sum() - n)
        ),
        "loss": loss,
        "loss, theory": theory.loss,
        "turn": turned - loss,
        "turn, theory": expected,
    }


def losses(vae, X: np.ndarray, means, variances, eta: float) -> float:
    """Return 1/2 of the squared error plus eta KL, the noise integrated out."""
    likelihood_free = vae.module_.decoder.layers[0]
    W = likelihood_free.weight.detach().double().numpy()
    bias = likelihood_free.bias.detach().double().numpy()
    return bound(X, W, bias, means.astype(float), variances.astype(float), eta)


def bound(X, W, bias, means, variances, eta: float) -> float:
    """Return the loss of a linear decoder, in closed form given means and variances."""
    errors = ((X - means @ W.T - bias) ** 2).sum(axis=1) + variances @ (W**2).sum(axis=0)
    kl = 0.5 * (means**2 + variances - np.log(variances) - 1).sum(axis=1)
    return float((0.5 * errors + eta * kl).mean())


def turning(vae, X, means, variances, order, theory, eta: float) -> tuple[float, float]:
    """Turn the first two components by 45 degrees, with the best noise; return loss and theory."""
    layer = vae.module_.decoder.layers[0]
    W = layer.weight.detach().double().numpy()
    bias = layer.bias.detach().double().numpy()
    i, j = order[:2]
    turn = np.eye(N_COMPONENTS)
    turn[np.ix_([i, j], [i, j])] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    turned = W @ turn
    best = variances.astype(float).copy()
    for k in (i, j):
        best[:, k] = eta / ((turned[:, k] ** 2).sum() + eta)
    loss = bound(X, turned, bias, means.astype(float) @ turn, best, eta)
    first, second = theory.variance_of_means[:2]
    ratio = (1 - second) / (1 - first)
    return loss, eta * float(np.log(np.cosh(0.5 * np.log(ratio))))


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
