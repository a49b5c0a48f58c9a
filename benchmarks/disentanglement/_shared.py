"""What the benchmarks of disentanglement share: methods, metrics, and the table."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from _report import mean_and_spread, resumed, scale_and_flags, write
from sklearn.decomposition import PCA, FastICA
from sklearn.exceptions import ConvergenceWarning

from sklearn_intelvae import PCL, InteLVAE
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.metrics import (
    active_units,
    dci_scores,
    decoder_jacobian,
    distance_to_orthogonality,
    mean_correlation,
    modularity_score,
    mutual_info_gap,
    orthogonality_gap,
    pca_alignment,
    sap_score,
)
from sklearn_intelvae.objectives import DIP, BetaTC, FactorVAE, SlowVAE

__all__ = [
    "METHODS",
    "PAIRS",
    "estimator_of",
    "mean_and_spread",
    "measured",
    "resumed",
    "scale_and_flags",
    "wide",
    "write",
]

_ETA = 0.3
_OF_ETA = {"likelihood": Gaussian(scale=_ETA**0.5)}
_OF_TENTH = {"likelihood": Gaussian(scale=0.1**0.5)}

METHODS: dict[str, dict[str, Any]] = {
    "PCA": {},
    "FastICA": {},
    "autoencoder": {"objective": "autoencoder", **_OF_ETA},
    "beta-VAE": dict(_OF_ETA),
    "beta-TC-VAE": {"objective": BetaTC(beta=4), **_OF_TENTH},
    "FactorVAE": {"objective": FactorVAE(gamma=4), **_OF_TENTH},
    "DIP-VAE-II": {"objective": DIP(lambda_od=1, of="samples"), **_OF_TENTH},
    "SlowVAE": {"objective": SlowVAE(gamma=1, rate=2), **_OF_TENTH},
    "full covariance": {"posterior": "full", **_OF_ETA},
    "full covariance, Laplace prior": {"posterior": "full", "prior": "laplace", **_OF_ETA},
    "ICA mapping": {"mapping": "ica", **_OF_ETA},
    "PCL": {},
}
"""What each method is, beside the networks and the length of the training.

With a Gaussian likelihood of scale s and a weight of the KL of beta, all that matters is beta s^2.
"""

PAIRS = ("SlowVAE", "PCL")


def estimator_of(method: str, n_components: int, seed: int, **settings: Any) -> Any:
    """Return an unfitted estimator."""
    if method == "PCA":
        return PCA(n_components, whiten=True)
    if method == "FastICA":
        return FastICA(n_components, whiten="unit-variance", max_iter=1000, random_state=seed)
    cls = PCL if method == "PCL" else InteLVAE
    if method != "PCL":
        settings = {"kl_warmup": 0.1} | settings
    return cls(n_components, random_state=seed, **METHODS[method] | settings)


def fitted(estimator: Any, method: str, X: np.ndarray, X_prev: np.ndarray | None) -> Any:
    """Fit, to pairs if the method needs them; without ``X_prev`` rows are a series."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if method in PAIRS:
            return estimator.fit(X, X_prev=X_prev)
        return estimator.fit(X)


def measured(
    method: str,
    X: np.ndarray,
    W: np.ndarray,
    seed: int,
    X_prev: np.ndarray | None = None,
    **settings: Any,
) -> dict[str, float]:
    """Fit one method and measure its codes, and its decoder if it has one."""
    model = fitted(estimator_of(method, W.shape[1], seed, **settings), method, X, X_prev)
    Z = model.transform(X)
    dci = dci_scores(Z, W, random_state=0)
    row = {
        "MIG": mutual_info_gap(Z, W),
        "MCC": mean_correlation(Z, W),
        "DCI-D": dci.disentanglement,
        "DCI-I": dci.informativeness,
        "SAP": sap_score(Z, W, random_state=0),
        "modularity": modularity_score(Z, W),
        "PCA alignment": pca_alignment(Z, X),
    }
    if isinstance(model, InteLVAE):
        means, variances = model.encode(X)
        # an autoencoder trains no variance
        criterion = "variance" if model.objective == "autoencoder" else "posterior_variance"
        active = active_units(means, variances=variances, criterion=criterion)
        J = decoder_jacobian(model.set_params(codes="intermediary"), means[:: len(X) // 500])
        row["active"] = float(active.sum())
        row["DtO"], row["gap"] = distance_to_orthogonality(J), orthogonality_gap(J)
    return row


def wide(rows: pd.DataFrame, value: str = "MIG") -> pd.DataFrame:
    """Return a table of one value: methods down, data sets across."""
    cells = mean_and_spread(rows, ["method", "data"], error=False)
    table = cells.pivot(index="method", columns="data", values=value)
    return table.loc[rows["method"].unique(), rows["data"].unique()].fillna("").reset_index()
