"""Seconds of SoftIntroVAE relative to a hand-written loop of the same algorithm.

Run ``python -m benchmarks.soft_intro.speed``. The fits to be compared alternate, so that a slow
moment of the machine affects both.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._report import command_line, each_row, some
from sklearn_intelvae import InteLVAE, SoftIntroVAE
from sklearn_intelvae.datasets import make_rings
from sklearn_intelvae.priors import VampInitMixture

ALPHA, FAKE_WEIGHT, GAMMA = 2.0, 0.25, 0.15
BETA_KL, BETA_NEG, BETA_FAKE_REC = 0.09, 0.3, 0.15
BATCH_SIZE, LEARNING_RATE = 256, 1e-3
REPEATS = {"quick": 1, "small": 15}
CASES = {
    "plane, 3 x 128, normal": (2, 2, (128, 128, 128), 1, 20_000, 2),
    "plane, 3 x 128, mixture of 64": (2, 2, (128, 128, 128), 64, 20_000, 2),
    "784 features, 2 x 256, normal": (784, 32, (256, 256), 1, 10_000, 3),
    "784 features, 2 x 256, mixture of 100": (784, 32, (256, 256), 100, 10_000, 3),
}


def mlp(*sizes: int) -> nn.Sequential:
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


class Loop:
    """The algorithm by hand; the prior is standard normal or a mixture with clipped variances."""

    def __init__(self, X: np.ndarray, d: int, hidden: tuple[int, ...], n_modes: int) -> None:
        n_features = X.shape[1]
        self.data, self.d = torch.from_numpy(X), d
        self.beta_rec = 5.0 if n_modes > 1 else 0.9 if n_features > d else 0.15
        self.unit = d / self.data.var(0, correction=0).sum()
        self.encoder = mlp(n_features, *hidden, 2 * d)
        self.decoder = mlp(d, *hidden[::-1], n_features)
        self.prior: list[Tensor] = []
        if n_modes > 1:
            log_variances = 0.1 * torch.randn(n_modes, d)
            self.low, self.high = log_variances.amin(0), log_variances.amax(0)
            self.prior = [torch.randn(n_modes, d), log_variances, torch.zeros(n_modes)]
            self.prior = [p.requires_grad_() for p in self.prior]
        own = list(self.encoder.parameters())
        others = [*self.decoder.parameters(), *self.prior]
        self.players = {
            p: torch.optim.Adam(w, LEARNING_RATE, fused=True)
            for p, w in (("E", own), ("D", others))
        }

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean and log-variance of q, and one draw."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return mean, log_variance, mean + (0.5 * log_variance).exp() * torch.randn_like(mean)

    def modes(self) -> list[Tensor]:
        """Return means, clipped log-variances and logits of the modes, or an empty list."""
        if not self.prior:
            return []
        m, v, logits = self.prior
        tau = 10 / (self.high - self.low)
        above = nn.functional.softplus(tau * (v - self.high)) / tau
        below = nn.functional.softplus(tau * (self.low - v)) / tau
        return [m, v - above + below, logits]

    def draw(self, n: int, modes: list[Tensor]) -> Tensor:
        """Draw from the prior."""
        if not modes:
            return torch.randn(n, self.d)
        means, log_variances, logits = modes
        k = torch.multinomial(logits.detach().softmax(0), n, replacement=True)
        return means[k] + (0.5 * log_variances[k]).exp() * torch.randn(n, self.d)

    @staticmethod
    def kl(mean: Tensor, log_variance: Tensor, y: Tensor, modes: list[Tensor]) -> Tensor:
        """Return the KL of each row, exact or estimated at y."""
        if not modes:
            return 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
        m, v, logits = modes
        precision = (-v).exp()
        pull = precision * m
        square = y**2 @ precision.T - 2 * y @ pull.T + (pull * m).sum(1)
        log_p = (logits.log_softmax(0) - 0.5 * (v.sum(1) + square)).logsumexp(1)
        noise = (y - mean) ** 2 / log_variance.exp()
        return -0.5 * (log_variance + noise).sum(1) - log_p

    def energy(self, x: Tensor, decoded: Tensor, kl: Tensor) -> Tensor:
        """Return the energy of each row."""
        return (self.beta_rec * self.unit * ((x - decoded) ** 2).sum(1) + BETA_KL * kl) / self.d

    def fake_energy(self, x: Tensor, decoded: Tensor, kl: Tensor) -> Tensor:
        """Return the energy that compares generated rows with real ones."""
        return (BETA_FAKE_REC * self.unit * ((x - decoded) ** 2).sum(1) + BETA_NEG * kl) / self.d

    def step(self, player: str, loss: Tensor) -> None:
        """Take one step of one player's optimizer."""
        optimizer = self.players[player]
        optimizer.zero_grad()
        weights = optimizer.param_groups[0]["params"]
        for p, g in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            p.grad = g
        optimizer.step()

    def train_step(self, x: Tensor) -> None:
        """Take one step of the encoder and one of the decoder on a batch."""
        mean, log_variance, y = self.step_of_encoder(x)
        self.step_of_decoder(x, mean.detach(), log_variance.detach(), y.detach())

    def step_of_encoder(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Lower the energy of real rows and raise that of generated ones; return q and a draw."""
        mean, log_variance, y = self.encode(x)
        decoded = self.decoder(y)
        with torch.no_grad():
            modes = self.modes()
        kl = self.kl(mean, log_variance, y, modes)
        loss = self.energy(x, decoded, kl)
        real = self.fake_energy(x, decoded.detach(), kl.detach()).median()
        with torch.no_grad():
            fake = torch.cat([self.decoder(self.draw(len(x), modes)), decoded.detach()])
        q = self.encode(fake)
        energy = self.fake_energy(fake, self.decoder(q[2]), self.kl(*q, modes))
        weight = FAKE_WEIGHT * (1 + nn.functional.elu(ALPHA * (real - energy)))
        self.step("E", (loss + weight.view(2, -1).sum(0) / (2 * ALPHA)).mean())
        return mean, log_variance, y

    def step_of_decoder(self, x: Tensor, mean: Tensor, log_variance: Tensor, y: Tensor) -> None:
        """Lower the energy of real rows and the KL of generated ones."""
        modes = self.modes()
        decoded = self.decoder(torch.cat([y, self.draw(len(x), modes)]))
        kl = self.kl(mean, log_variance, y, modes)
        loss = self.energy(x, decoded[: len(x)], kl)
        fake = BETA_KL * self.kl(*self.encode(decoded), [p.detach() for p in modes]) / self.d
        self.step("D", (loss + 0.5 * GAMMA * fake.view(2, -1).sum(0)).mean())

    def fit(self, epochs: int) -> None:
        """Train for some epochs."""
        for _ in range(epochs):
            for index in torch.randperm(len(self.data)).split(BATCH_SIZE):
                self.train_step(self.data[index])


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def case(scale: str, case: str) -> dict[str, Any]:
    """Time SoftIntroVAE, the loop, and a plain InteLVAE on one of the cases."""
    n_features, d, hidden, n_modes, n, epochs = CASES[case]
    n = n // 20 if scale == "quick" else n
    rng = np.random.default_rng(0)
    X = rng.random((n, n_features)) if n_features > 2 else make_rings(n, random_state=0)[0]
    X = X.astype(np.float32)
    settings = dict(
        hidden_layer_sizes=hidden,
        batch_size=BATCH_SIZE,
        learning_rate_init=LEARNING_RATE,
        max_iter=epochs,
        random_state=0,
    )
    prior = "normal" if n_modes == 1 else VampInitMixture(n_modes=n_modes)
    # generated rows count after the first step
    vae = SoftIntroVAE(d, prior=prior, game_start=1e-9, **settings)
    loop = Loop(X, d, hidden, n_modes)
    plain = InteLVAE(d, **settings)
    runs = (partial(vae.fit, X), partial(loop.fit, epochs), partial(plain.fit, X))
    times = np.array([[seconds(run) for run in runs] for _ in range(REPEATS[scale] + 1)][1:])
    ours, bare, of_bound = np.median(times, axis=0)
    low, high = np.quantile(times[:, 0] / times[:, 1], (0.25, 0.75))
    steps = epochs * -(-n // BATCH_SIZE)
    return {
        "ours, steps per second": round(steps / ours),
        "loop, steps per second": round(steps / bare),
        "ratio of times": round(ours / bare, 3),
        "quartiles": f"{low:.2f} to {high:.2f}",
        "bar": 1.10,
        "ours over an InteLVAE": round(ours / of_bound, 1),
    }


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, REPEATS, argv)
    cases = [{"case": name} for name in some(options.scale, list(CASES), 2)]
    rows = results.rows("soft_intro/speed", cases, partial(case, options.scale))
    results.write(
        "soft_intro/speed",
        "Speed of SoftIntroVAE relative to a hand-written loop",
        [each_row(rows)],
        [rows],
        note=(
            f"Medians of {REPEATS[options.scale]} fits of two to six seconds, which alternate, "
            "without warm-up. The loop has the same networks, losses, batches, forward passes and "
            "fused Adam; the InteLVAE has the same networks and batches and a normal prior. "
            "quartiles: those of the ratio of two fits next to each other."
        ),
    )


if __name__ == "__main__":
    main()
