"""What the linear path and the start at the linear model give, each alone and together.

Run ``python -m benchmarks.league.start``; it resumes where it stopped. Held-out log p(x) after
several numbers of steps, each a training of its own, of

- "both": the default;
- "path without start": networks with linear paths, from random weights, with one learning rate
  for all and a warm-up of the KL term, which this needs;
- "start without path": networks without linear paths whose weights compute the linear model;
- "neither": random weights and their own recipe, the default of ``linear_path=False``.

The defaults were chosen on the first two tables and not on the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pandas as pd
import torch
from torch import nn

from benchmarks._report import command_line, some
from benchmarks.league.tables import n_components, standardized
from sklearn_intelvae import InteLVAE
from sklearn_intelvae.estimators import _parameters
from sklearn_intelvae.networks import LinearPath
from sklearn_intelvae.training import _fit

SCALES = ("quick", "small")
TABLES = ("mortgage", "skillcraft", "breast_cancer", "vehicle")
VARIANTS = ("both", "path without start", "start without path", "neither")
SHARES = {"quick": (0.25,), "small": (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)}
SEEDS = range(2)


class Replaced(nn.Module):
    """Networks without a linear path, whose first units compute the linear function at the start.

    Pairs of rectified units carry each value: relu(a) - relu(-a) = a. The weights of the other
    units of the last layer are zero.
    """

    def __init__(self, path: LinearPath) -> None:
        super().__init__()
        self.network = path.network
        layers = [m for m in self.network.modules() if isinstance(m, nn.Linear)]
        matrix, bias = path.weight.detach(), path.bias.detach()
        # The smaller of the two sizes passes through the hidden layers.
        inside = min(matrix.shape)
        first, last = (matrix, None) if len(matrix) == inside else (None, matrix)
        with torch.no_grad():
            eye = torch.eye(inside)
            for layer in layers[:-1]:
                inner = eye if first is None else first
                if layer is not layers[0]:
                    inner = torch.cat([eye, -eye], dim=1)
                layer.weight[: 2 * inside] = 0
                layer.bias[: 2 * inside] = 0
                layer.weight[: 2 * inside, : inner.shape[1]] = torch.cat([inner, -inner])
            outer = eye if last is None else last
            layers[-1].weight.zero_()
            layers[-1].weight[: len(outer), : 2 * inside] = torch.cat([outer, -outer], dim=1)
            layers[-1].bias.copy_(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        return self.network(x)

    def linear_parameters(self) -> list[nn.Parameter]:
        """Return no parameters: all learn at one rate."""
        return []


@contextmanager
def variant(name: str) -> Iterator[dict[str, Any]]:
    """Change how fits start, for a while; yields settings of the estimator."""
    start = _fit.start_at_linear_model

    def without_path(model: Any, *arguments: Any, **settings: Any) -> Any:
        found = start(model, *arguments, **settings)
        for role in ("encoder", "decoder"):
            setattr(model, role, Replaced(getattr(model, role)))
        return found

    def without_start(*arguments: Any, **settings: Any) -> Any:
        return mock.Mock(excess_nonlinearity=lambda: math.inf)  # the full learning rate

    other = {"path without start": without_start, "start without path": without_path}.get(name)
    settings = {"linear_path": False} if name == "neither" else {}
    if name == "path without start":
        settings = {"kl_warmup": 0.5}  # without it some fits collapse
    uncorrected = mock.patch.object(_fit._Fit, "_noise_correction", return_value=[])
    if other is None:
        with uncorrected:
            yield settings
        return
    recipe = _parameters._RECIPE_FROM_LINEAR
    if name == "path without start":
        recipe = recipe._replace(linear_rate=1.0, noise_rates=(1.0, 1.0))
    with (
        uncorrected,
        mock.patch.object(_fit, "start_at_linear_model", other),
        mock.patch.object(_parameters, "_RECIPE_FROM_LINEAR", recipe),
    ):
        yield settings


def case(table: str, form: str, share: float, seed: int) -> dict[str, float]:
    """Fit one variant with a share of the default's steps."""
    rows = standardized(table, seed)
    k, n = n_components(table, rows.train.shape[1]), len(rows.train)
    own, from_linear = InteLVAE()._recipes
    steps = (
        share
        * from_linear.n_epochs(n, from_linear.batch_size(n))
        * math.ceil(n / from_linear.batch_size(n))
    )
    recipe = own if form == "neither" else from_linear
    epochs = max(1, round(steps / math.ceil(n / recipe.batch_size(n))))
    with variant(form) as settings:
        vae = InteLVAE(k, max_iter=epochs, random_state=seed, **settings).fit(rows.train)
        return {"log_p": float(vae.score(rows.test)), "steps": steps}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the rows that are missing, and write the tables."""
    options, results = command_line(__doc__, SCALES, argv)
    scale = options.scale
    cases = [
        {"table": table, "form": name, "share": share, "seed": seed}
        for table in some(scale, TABLES)
        for seed in some(scale, SEEDS)
        for name in VARIANTS
        for share in SHARES[scale]
    ]
    rows = results.rows(f"league/start_{scale}", cases, case)
    results.write(
        f"league/start_{scale}",
        "The linear path and the start at the linear model",
        [by_share(rows, table) for table in some(scale, TABLES)],
        [rows],
        note=(
            "Mean held-out nats per row of standardized columns, by the share of the default's "
            "steps; in a fit of so many steps, the schedule of the learning rate spans them."
        ),
    )


def by_share(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return the means over seeds for one table: variants in rows, shares of steps in columns."""
    own = rows[rows["table"] == table]
    means = own.pivot_table("log_p", "form", "share", sort=False)
    means.columns = [f"{share:.3g}" for share in means.columns]
    return means.reindex(VARIANTS).round(2).reset_index(names=table)


if __name__ == "__main__":
    main()
