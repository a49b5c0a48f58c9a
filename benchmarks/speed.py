"""Speed relative to hand-written PyTorch: fit, transform, import time, peak memory.

Run ``python -m benchmarks.speed``. The figures are ratios of medians. The runs to be compared
alternate, so that a slow moment of the machine affects both.
"""

from __future__ import annotations

import itertools
import multiprocessing
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks._report import command_line, each_row
from sklearn_intelvae import InteLVAE

N_COMPONENTS, BATCH_SIZE = 16, 256
CASES = {
    "quick": {"2000 x 64, hidden (32,)": (2000, 64, (32,), 1, 1.10)},
    "small": {
        "20000 x 64, hidden (32,)": (20000, 64, (32,), 3, 1.10),
        "60000 x 784, hidden (512, 512)": (60000, 784, (512, 512), 1, 1.00),
    },
}
"""Rows, columns, hidden units, epochs, and the bar of the first ratio."""
REPEATS = {"quick": 1, "small": 5}
N_ROWS_OF_MEMORY = {"quick": 1000, "small": 60_000}
_N_IN_BATCHES = 8192


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
    """Return the median seconds of each run; of more than one round the first is not counted."""
    n_rounds = repeats + 1 if repeats > 1 else 1
    rounds = [{name: seconds(run) for name, run in runs.items()} for _ in range(n_rounds)]
    return {name: float(np.median([r[name] for r in rounds[-repeats:]])) for name in runs}


@torch.no_grad()
def encode(encoder: nn.Module, X: np.ndarray) -> list[torch.Tensor]:
    """Return the means of q(y | X) in batches."""
    batches = torch.from_numpy(X).split(_N_IN_BATCHES)
    return [encoder(batch)[:, :N_COMPONENTS] for batch in batches]


def fit_and_transform(scale: str, case: str) -> dict[str, float]:
    """Time fit and transform, and the same by hand."""
    n, d, hidden, epochs, bar = CASES[scale][case]
    X = np.random.default_rng(0).random((n, d), dtype=np.float32)
    sizes = {"hidden_layer_sizes": hidden, "batch_size": BATCH_SIZE, "max_iter": epochs}
    vae = InteLVAE(N_COMPONENTS, random_state=0, **sizes)
    fit = alternate(
        REPEATS[scale],
        ours=partial(vae.fit, X),
        bare=partial(bare_loop, X, hidden, epochs, fused=False),
        fused=partial(bare_loop, X, hidden, epochs, fused=True),
    )
    encoder = bare_loop(X[:512], hidden, 1, fused=True)
    transform = alternate(
        4 * REPEATS[scale],
        ours=partial(vae.transform, X),
        bare=partial(encode, encoder, X),
        joined=lambda: torch.cat(encode(encoder, X)).numpy(),
    )
    return {
        "fit over bare loop": fit["ours"] / fit["bare"],
        "bar": bar,
        "fit over fused loop": fit["ours"] / fit["fused"],
        "transform over encoder": transform["ours"] / transform["bare"],
        "over encoder, joined": transform["ours"] / transform["joined"],
        "transform, ms": 1e3 * transform["ours"],
    }


def imports(scale: str) -> dict[str, float]:
    """Return the seconds that importing takes, and those of importing only the dependencies."""

    def run(modules: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)

    times = alternate(
        REPEATS[scale],
        dependencies=run("torch, sklearn.decomposition, skorch"),
        ours=run("sklearn_intelvae"),
    )
    return {
        "import torch, scikit-learn, skorch, s": times["dependencies"],
        "import sklearn_intelvae, s": times["ours"],
        "difference (bar 0.3)": times["ours"] - times["dependencies"],
    }


def _peak(fit: bool, n_rows: int, queue: multiprocessing.Queue) -> None:
    X = np.random.default_rng(0).random((n_rows, 784), dtype=np.float32)
    if fit:
        InteLVAE(16, hidden_layer_sizes=(512, 512), max_iter=1, random_state=0).fit(X)
    status = Path("/proc/self/status").read_text(encoding="utf8")
    queue.put(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024)


def memory(scale: str) -> dict[str, float]:
    """Return the peak resident memory of processes that create data, without and with a fit."""
    context = multiprocessing.get_context("spawn")
    peaks = []
    for fit in (False, True):
        queue = context.Queue()
        process = context.Process(target=_peak, args=(fit, N_ROWS_OF_MEMORY[scale], queue))
        process.start()
        peaks.append(queue.get())
        process.join()
    return {
        "data and imports, MB": peaks[0],
        "data, imports and fit, MB": peaks[1],
        "difference (bar 400)": peaks[1] - peaks[0],
    }


def main(argv: Sequence[str] | None = None) -> None:
    options, results = command_line(__doc__, REPEATS, argv, threads=2)
    scale = options.scale
    fits = results.rows(
        "speed_fits", [{"case": name} for name in CASES[scale]], partial(fit_and_transform, scale)
    )
    imported = results.rows("speed_imports", [{}], partial(imports, scale))
    used = results.rows("speed_memory", [{}], partial(memory, scale))
    results.write(
        "speed",
        "Speed relative to hand-written PyTorch",
        [each_row(fits), each_row(imported), each_row(used, digits=0)],
        [fits, imported, used],
        note=(
            f"Medians of {REPEATS[scale]} alternating runs. The bare loop has the same networks, "
            "batches and Adam, not fused; the fused loop has Adam(fused=True). The encoder runs in "
            f"batches of {_N_IN_BATCHES} rows without gradients; its outputs are left as they are "
            "or joined to one array, as transform's are. transform also validates the input. "
            "Memory: peak resident memory of a process with "
            f"{N_ROWS_OF_MEMORY[scale]} rows of 784 columns, float32."
        ),
    )


if __name__ == "__main__":
    main()
