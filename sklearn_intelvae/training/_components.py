"""Which components of the linear model a fit starts at: their sizes and their axes."""

from __future__ import annotations

from sklearn_intelvae._random import OwnRandomness, Stream, generator_from, seed_of
from sklearn_intelvae.models import VAE
from sklearn_intelvae.models._linear_model import MAX_ROWS
from sklearn_intelvae.models._linear_start import (
    LinearStart,
    can_have_covariance,
    changes_under_rotation,
    sizes_under,
)
from sklearn_intelvae.objectives import Objective
from sklearn_intelvae.training._rows import Rows
from sklearn_intelvae.training._starts import evaluation_rows, mean_objective


def choose_components(
    model: VAE, objective: Objective, start: LinearStart, rows: Rows, *, batch_size: int, seed: int
) -> None:
    """Start at components that suit the prior and the objective.

    Components become as large as under a prior without modes, if that is not N(0, I). They become
    independent if the prior, or an objective for pairs, asks for it: those of the rows, or of the
    changes between the rows of a pair. In independent components the exact posterior is correlated.
    A posterior that cannot be correlated starts there only if the objective is lower. For others
    the objective at the start tells little: networks change the shape of the components'
    distributions, but hardly the axes.

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
    if not model.prior.has_modes:
        start = _with_sizes_of_prior(model, start, rows, seed)
        start.apply(model)
    if not _asks_for_independence(model, objective, seed):
        return
    generator = generator_from(seed_of(seed, Stream.AXES), rows.device)
    taken = rows.take(rows.some(MAX_ROWS, generator))
    x = taken["x"] - taken["previous"] if objective.uses_pairs else taken["x"]
    turned = start.with_independent_components(x)
    if turned.solution is start.solution:
        return

    def objective_at(candidate: LinearStart) -> float:
        candidate.apply(model)
        evaluated, noise = evaluation_rows(rows, None), seed_of(seed, Stream.AXES, 1)
        return mean_objective(model, objective, evaluated, batch_size=batch_size, seed=noise)

    _, covariance = turned.solution.posterior()
    is_better = can_have_covariance(model.posterior, covariance) or (
        objective_at(turned) < objective_at(start)
    )
    (turned if is_better else start).apply(model)
    model.train()
    objective.train()


def _with_sizes_of_prior(model: VAE, start: LinearStart, rows: Rows, seed: int) -> LinearStart:
    generator = generator_from(seed_of(seed, Stream.AXES, 3), rows.device)
    with OwnRandomness(generator):
        density = model.prior_distribution()
    return start._replace(sizes=sizes_under(density, model.n_components, generator))


def _asks_for_independence(model: VAE, objective: Objective, seed: int) -> bool:
    if objective.uses_pairs or model.prior.has_modes:
        return objective.uses_pairs
    with OwnRandomness(generator_from(seed_of(seed, Stream.AXES, 2))):
        return changes_under_rotation(model.prior_distribution(), model.n_components)
