"""The methods that are compared, and what is measured for each."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA, FastICA
from sklearn.exceptions import ConvergenceWarning

from benchmarks._report import mean_and_spread
from sklearn_intelvae import PCL, InteLVAE
from sklearn_intelvae.diagnostics import decoder_jacobian
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.metrics import (
    active_units,
    dci_scores,
    distance_to_orthogonality,
    mean_correlation,
    modularity_score,
    mutual_info_gap,
    orthogonality_gap,
    pca_alignment,
    sap_score,
)
from sklearn_intelvae.objectives import DIP, BetaTC, FactorVAE, SlowVAE

_VARIANCE_03 = {"likelihood": Gaussian(scale=0.3**0.5)}
_VARIANCE_01 = {"likelihood": Gaussian(scale=0.1**0.5)}

_SLOW = {"objective": SlowVAE(gamma=1, rate=2), **_VARIANCE_01}
_ICA = {"mapping": "ica", **_VARIANCE_03}

METHODS: dict[str, dict[str, Any]] = {
    "PCA": {},
    "FastICA": {},
    "autoencoder": {"objective": "autoencoder", **_VARIANCE_03},
    "beta-VAE": dict(_VARIANCE_03),
    "beta-TC-VAE": {"objective": BetaTC(beta=4), **_VARIANCE_01},
    "FactorVAE": {"objective": FactorVAE(gamma=4), **_VARIANCE_01},
    "DIP-VAE-II": {"objective": DIP(lambda_od=1, covariance_of="samples"), **_VARIANCE_01},
    "SlowVAE": _SLOW,
    "full covariance": {"posterior": "full", **_VARIANCE_03},
    "autoencoder, random weights": {
        "objective": "autoencoder",
        "linear_path": False,
        **_VARIANCE_03,
    },
    "SlowVAE, random weights": _SLOW | {"linear_path": False},
    "ICA mapping, random weights": _ICA | {"linear_path": False},
    "full covariance, random weights": {
        "posterior": "full",
        "linear_path": False,
        **_VARIANCE_03,
    },
    "full covariance, Laplace prior": {"posterior": "full", "prior": "laplace", **_VARIANCE_03},
    "ICA mapping": _ICA,
    "PCL": {},
}
"""The parameters of each method, besides networks and length of the training.

With a Gaussian likelihood of scale s and a weight beta of the KL, only beta s^2 matters. Fits start
at the linear model, so that models without axes of their own keep the principal ones; for some
methods fits from random weights are compared.
"""

PAIRS = ("SlowVAE", "SlowVAE, random weights", "PCL")
"""Methods that are fitted to pairs of rows."""


def estimator_of(method: str, n_components: int, seed: int, **settings: Any) -> Any:
    """Return an unfitted estimator."""
    if method == "PCA":
        return PCA(n_components, whiten=True)
    if method == "FastICA":
        return FastICA(n_components, whiten="unit-variance", max_iter=1000, random_state=seed)
    if method == "PCL":
        return PCL(n_components, random_state=seed, **settings)
    return InteLVAE(
        n_components,
        random_state=seed,
        **{"prior": "normal", "kl_warmup": 0.1} | METHODS[method] | settings,
    )


def fitted(estimator: Any, method: str, X: np.ndarray, X_prev: np.ndarray | None) -> Any:
    """Fit, to pairs if the method needs them; without ``X_prev`` the rows are a series."""
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
    return row | of_model(model, X) if isinstance(model, InteLVAE) else row


def of_model(model: InteLVAE, X: np.ndarray) -> dict[str, float]:
    """Return the number of active components and the orthogonality of the decoder."""
    means, variances = model.encode(X)
    # an autoencoder trains no variance
    criterion = "variance" if model.objective == "autoencoder" else "posterior_variance"
    active = active_units(means, variances=variances, criterion=criterion)
    model.set_params(output="posterior_mean", whiten=True)
    J = decoder_jacobian(model, means[:: max(1, len(X) // 500)])
    return {
        "active": float(active.sum()),
        "DtO": distance_to_orthogonality(J),
        "gap": orthogonality_gap(J),
    }


def wide(rows: pd.DataFrame, value: str = "MIG") -> pd.DataFrame:
    """Return a table of one value: methods down, data sets across."""
    cells = mean_and_spread(rows, ["method", "data"])
    table = cells.pivot(index="method", columns="data", values=value)
    return table.loc[rows["method"].unique(), rows["data"].unique()].fillna("").reset_index()
