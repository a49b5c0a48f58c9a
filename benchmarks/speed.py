"""Speed beside hand-written PyTorch, in one run: fit, transform, import time, peak memory.

Prints ratios of medians; the runs to be compared alternate, so that a slow moment of the machine
falls on both. Set the number of threads with ``--threads``.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _report import write
from torch import nn

from sklearn_intelvae import InteLVAE

N_COMPONENTS, BATCH_SIZE = 16, 256
CASES = {
    "20000 x 64, hidden (32,)": (20000, 64, (32,), 3, 1.10),
    "60000 x 784, hidden (512, 512)": (60000, 784, (512, 512), 1, 1.00),
}


def mlp(*sizes: int) -> nn.Sequential:
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def bare_loop(X: np.ndarray, hidden: tuple[int, ...], epochs: int, fused: bool) -> nn.Module:
    """Train the same networks on the same batches by hand; return the encoder."""
    n_features = X.shape[1]
    encoder = mlp(n_features, *hidden, 2 * N_COMPONENTS)
    decoder = mlp(N_COMPONENTS, *hidden[::-1], n_features)
    log_scale = nn.Parameter(torch.zeros(()))
    parameters = [*encoder.parameters(), *decoder.parameters(), log_scale]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=fused)
    data = torch.from_numpy(X)
    for _ in range(epochs):
        for index in torch.randperm(len(data)).split(BATCH_SIZE):
            x = data[index]
            mean, log_variance = encoder(x).chunk(2, dim=1)
            y = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            squared = ((decoder(y) - x) / log_scale.exp()) ** 2
            reconstruction = (0.5 * squared + log_scale).sum(dim=1)
            kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(dim=1)
            optimizer.zero_grad()
            (reconstruction + kl).mean().backward()
            optimizer.step()
    return encoder


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def alternate(repeats: int, **runs: Callable[[], object]) -> dict[str, float]:
    """Return the median seconds of each run, after one round that does not count."""
    rounds = [{name: seconds(run) for name, run in runs.items()} for _ in range(repeats + 1)]
    return {name: float(np.median([r[name] for r in rounds[1:]])) for name in runs}


def fit_and_transform(repeats: int) -> pd.DataFrame:
    rows = {}
    for name, (n, d, hidden, epochs, bar) in CASES.items():
        X = np.random.default_rng(0).random((n, d), dtype=np.float32)
        vae = InteLVAE(
            N_COMPONENTS,
            hidden_layer_sizes=hidden,
            batch_size=BATCH_SIZE,
            max_iter=epochs,
            random_state=0,
        )
        fit = alternate(
            repeats,
            ours=lambda: vae.fit(X),  # noqa: B023
            bare=lambda: bare_loop(X, hidden, epochs, fused=False),  # noqa: B023
            fused=lambda: bare_loop(X, hidden, epochs, fused=True),  # noqa: B023
        )
        encoder = bare_loop(X[:512], hidden, 1, fused=True)

        @torch.no_grad()
        def encode(X: np.ndarray = X, encoder: nn.Module = encoder) -> list[torch.Tensor]:
            batches = torch.from_numpy(X).split(8192)
            return [encoder(batch)[:, :N_COMPONENTS] for batch in batches]

        transform = alternate(
            4 * repeats,
            ours=lambda: vae.transform(X),  # noqa: B023
            bare=encode,
            joined=lambda: torch.cat(encode()).numpy(),
        )
        rows[name] = {
            "fit over bare loop": fit["ours"] / fit["bare"],
            "bar": bar,
            "fit over fused loop": fit["ours"] / fit["fused"],
            "transform over encoder": transform["ours"] / transform["bare"],
            "over encoder, joined": transform["ours"] / transform["joined"],
            "transform, ms": 1e3 * transform["ours"],
        }
        print(name, {k: round(v, 2) for k, v in rows[name].items()}, flush=True)
    return pd.DataFrame(rows).T


def imports(repeats: int) -> pd.DataFrame:
    """Return the seconds that importing takes, beside what it imports."""

    def run(modules: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)

    times = alternate(
        repeats,
        **{
            "torch, scikit-learn, skorch": run("torch, sklearn.decomposition, skorch"),
            "sklearn_intelvae": run("sklearn_intelvae"),
        },
    )
    frame = pd.DataFrame({"seconds": times})
    frame.loc["difference (bar 0.3)"] = times["sklearn_intelvae"] - times[next(iter(times))]
    return frame


def _peak(fit: bool, queue: multiprocessing.Queue) -> None:
    X = np.random.default_rng(0).random((60000, 784), dtype=np.float32)
    if fit:
        InteLVAE(16, hidden_layer_sizes=(512, 512), max_iter=1, random_state=0).fit(X)
    status = Path("/proc/self/status").read_text(encoding="utf8")
    queue.put(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024)


def memory() -> pd.DataFrame:
    """Return the peak resident memory of a process that makes 188 MB of data, and fits them."""
    context = multiprocessing.get_context("spawn")
    peaks = {}
    for name, fit in (("data and imports", False), ("data, imports and fit", True)):
        queue = context.Queue()
        process = context.Process(target=_peak, args=(fit, queue))
        process.start()
        peaks[name] = queue.get()
        process.join()
    frame = pd.DataFrame({"peak MB": peaks})
    frame.loc["difference (bar 400)"] = frame.iloc[1] - frame.iloc[0]
    return frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    write(
        "speed",
        "Speed beside hand-written PyTorch",
        fit_and_transform(arguments.repeats).round(3),
        imports(arguments.repeats).round(3),
        memory().round(0),
        note=(
            f"Median of {arguments.repeats} alternating runs. The bare loop has the same networks, "
            "batches and Adam, not fused; the fused loop Adam(fused=True). The encoder runs in "
            "batches of 8192 rows without gradients, its results left in pieces, or joined to one "
            "array as transform's are; transform adds the check of the input."
        ),
    )


if __name__ == "__main__":
    main()
