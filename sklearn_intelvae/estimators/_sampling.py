"""Generation of rows: draw y from the prior or from another density."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from torch import Tensor

from sklearn_intelvae._part import call
from sklearn_intelvae._random import Stream, seed_of
from sklearn_intelvae.distributions import Density
from sklearn_intelvae.mappings import Mapping
from sklearn_intelvae.models import VAE

_N_GAUSSIANS = 10
_REGULARIZATION = 1e-3
_MIN_DRAWS, _MAX_EMPTY_ATTEMPTS, _MAX_ATTEMPTS = 1000, 9, 10_000


def fitted_density(means: np.ndarray, density: Any, seed: int) -> Any:
    """Return a fitted copy of a density of the posterior means.

    Parameters
    ----------
    means : ndarray of shape (n_samples, n_components), float64
    density : object with ``fit`` and ``sample``, or None
        None means a mixture of 10 Gaussians.
    seed : int
        Replaces random states that are None.
    """
    is_default = density is None
    density = _default_density(means) if is_default else _unfitted_copy(density)
    _check_number_of_rows(density, len(means))
    density = _seeded(density, seed)
    with _usual_settings() if is_default else nullcontext():
        density.fit(means)
    return density


@contextmanager
def _usual_settings() -> Iterator[None]:
    """Run without settings of the caller that GaussianMixture does not support."""
    with np.errstate(under="ignore"), config_context(array_api_dispatch=False):
        yield


def mode_of_prior(model: VAE, mode: Any) -> Density:
    """Return p(y), or one mode of it if ``mode`` is not None."""
    p_y = model.prior_distribution()
    if mode is None:
        return p_y
    if not p_y.n_modes:
        raise ValueError(
            f"mode={mode!r} needs a prior that is a mixture and source='prior'; for the regions of "
            "a mapping use cluster."
        )
    if not isinstance(mode, Integral) or not 0 <= mode < p_y.n_modes:
        raise ValueError(f"mode={mode!r} is not a mode of the prior, 0 to {p_y.n_modes - 1}.")
    return p_y.mode(int(mode))  # type: ignore[attr-defined]


def draws_in_cluster(
    draw: Callable[[int, int], Tensor], mapping: Mapping, cluster: Any, n_samples: int
) -> Tensor:
    """Return draws of y that lie in one region of the mapping, by rejection.

    Parameters
    ----------
    draw : callable
        Returns as many draws as its first argument says; the second is the number of the attempt.
    mapping : Mapping
    cluster : int
    n_samples : int
    """
    if not mapping.has_regions:
        raise ValueError(
            f"cluster={cluster!r} needs a mapping with regions, such as Clusters; "
            f"{type(mapping).__name__} has none."
        )
    kept, n_kept = [], 0
    for attempt in range(_MAX_ATTEMPTS):
        y = draw(max(n_samples, _MIN_DRAWS), attempt)
        kept.append(y[call(mapping.regions, y) == cluster])
        n_kept += len(kept[-1])
        if n_kept >= n_samples:
            return torch.cat(kept)[:n_samples]
        if not n_kept and attempt == _MAX_EMPTY_ATTEMPTS:
            break
    raise ValueError(
        f"cluster={cluster!r} is not a cluster of this model, or almost no draws lie in it: "
        f"{n_kept} of {(attempt + 1) * len(y)} did."
    )


def draws_from_density(
    density: Any, n_samples: int, n_components: int, seed: int, attempt: int
) -> np.ndarray:
    """Return draws of y from a fitted density, in random order.

    A mixture draws from one of its components after the other.
    """
    seed = seed_of(seed, Stream.SAMPLING, attempt)
    if "random_state" in inspect.signature(density.sample).parameters:
        drawn = density.sample(n_samples, random_state=seed)
    else:
        density = copy.copy(density)
        if hasattr(density, "random_state"):
            density.random_state = seed
        drawn = density.sample(n_samples)
    y = np.asarray(drawn[0] if isinstance(drawn, tuple) else drawn, dtype=np.float32)
    if y.shape != (n_samples, n_components) or not np.isfinite(y).all():
        found = "" if np.isfinite(y).all() else ", with values that are not finite"
        raise ValueError(
            f"density_.sample({n_samples}) must return finite numbers of shape "
            f"({n_samples}, {n_components}); {type(density).__name__} returned an array of shape "
            f"{y.shape}{found}."
        )
    return y[np.random.default_rng(seed).permutation(n_samples)]


def _default_density(means: np.ndarray) -> GaussianMixture:
    floor = max(_REGULARIZATION * float(means.var(axis=0).mean()), 1e-6)
    return GaussianMixture(_N_GAUSSIANS, reg_covar=floor, max_iter=500)


def _unfitted_copy(density: Any) -> Any:
    methods = (getattr(density, name, None) for name in ("fit", "sample"))
    if isinstance(density, type) or not all(map(callable, methods)):
        raise TypeError(
            "density must be an object with fit(Y) and sample(n_samples), such as "
            f"GaussianMixture(10) or KernelDensity(), got {density!r}."
        )
    return clone(density, safe=False)


def _check_number_of_rows(density: Any, n_samples: int) -> None:
    mixture = isinstance(density, GaussianMixture | BayesianGaussianMixture)
    if mixture and density.n_components > n_samples:
        raise ValueError(
            f"X has {n_samples} rows, too few for a density of {density.n_components} Gaussians: "
            "pass more rows, or a density with fewer, such as density=GaussianMixture(2)."
        )


def _seeded(density: Any, seed: int) -> Any:
    """Replace random states that are None, which would mean NumPy's global generator."""
    params = density.get_params() if hasattr(density, "get_params") else {}
    unset = [name for name, value in params.items() if _is_random_state(name) and value is None]
    return density.set_params(**dict.fromkeys(unset, seed)) if unset else density


def _is_random_state(parameter: str) -> bool:
    return parameter.split("__")[-1] == "random_state"
