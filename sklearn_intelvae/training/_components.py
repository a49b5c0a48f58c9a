"""Which components of the linear model a fit starts at: their sizes and their axes."""

from __future__ import annotations

from sklearn_intelvae._random import OwnRandomness, Stream, generator_from, seed_of
from sklearn_intelvae.models import VAE
from sklearn_intelvae.models._linear_model import MAX_ROWS
from sklearn_intelvae.models._linear_start import (
    LinearStart,
    can_have_covariance,
    changes_under_rotation,
    size_under,
)
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.training._rows import Rows
from sklearn_intelvae.training._starts import evaluation_rows, mean_objective

_CLEAR_GAIN = 0.01
"""In nats per component. Less may be due to rounding, if the prior follows the codes."""


def choose_components(
    model: VAE, objective: Objective, start: LinearStart, rows: Rows, *, batch_size: int, seed: int
) -> None:
    """Start at components that suit the prior and the objective.

    Components become as large as under a prior without modes that is wider or narrower than
    N(0, I), if the objective is lower then. They become independent if the prior, or an objective
    for pairs, asks for it: those of the rows, or of the changes between the rows of a pair. In
    independent components the exact posterior is correlated. A posterior that cannot be correlated
    starts there only if the objective is lower. For others the objective at the start tells little:
    networks change the shape of the components' distributions, but hardly the axes.

    Parameters
    ----------
    model : VAE
        It has started at principal components.
    objective : Objective
        Built.
    start : LinearStart
        The start of the model.
    rows : Rows
        The training rows.
    batch_size : int
        Number of rows that are evaluated at a time.
    seed : int
        That of the fit.
    """
    size, has_axes = _size_and_axes_of_prior(model, rows, seed)
    asks_for_independence = has_axes or objective.uses_pairs
    if size == 1 and not asks_for_independence:
        return

    def objective_at(candidate: LinearStart) -> float:
        candidate.apply(model)
        evaluated, noise = evaluation_rows(rows, None), seed_of(seed, Stream.AXES, 1)
        return mean_objective(model, objective, evaluated, batch_size=batch_size, seed=noise)

    def is_better(candidate: LinearStart, other: LinearStart, by: float = 0.0) -> bool:
        return objective_at(other) - objective_at(candidate) > by

    best = start
    if size != 1:
        sized = start._replace(size=size)
        if is_better(sized, start, by=_CLEAR_GAIN * model.n_components):
            best = sized
    if asks_for_independence:
        generator = generator_from(seed_of(seed, Stream.AXES), rows.device)
        taken = rows.take(rows.some(MAX_ROWS, generator))
        x = taken["x"] - taken["previous"] if objective.uses_pairs else taken["x"]
        turned = best.with_independent_components(x)
        if turned.solution is not best.solution and (
            can_have_covariance(model.posterior, turned.posterior()[1]) or is_better(turned, best)
        ):
            best = turned
    best.apply(model)
    model.train()
    objective.train()


def _size_and_axes_of_prior(model: VAE, rows: Rows, seed: int) -> tuple[float, bool]:
    """Return the size of y under a prior without modes, and whether a rotation changes it."""
    if model.prior.has_modes:
        return 1.0, False
    generator = generator_from(seed_of(seed, Stream.AXES, 2), rows.device)
    with OwnRandomness(generator):
        density = model.prior_distribution()
        size = size_under(density, generator)
        return size, changes_under_rotation(density, model.n_components, rows.device)
