"""What the league measures of a fitted method on held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from sklearn_intelvae.metrics import energy_distance, frechet_distance, hoyer_sparsity

N_LABELS = (20, 50, 100, 500)
_N_DRAWS = 10
_MAX_GENERATED = 3000


def measures(model: Any, split: Any, seed: int) -> dict[str, float]:
    """Return all measures that a method has."""
    row: dict[str, float] = {}
    if hasattr(model, "score_samples"):
        row["log_p"] = float(np.mean(model.score_samples(split.test)))
    if hasattr(model, "sample"):
        row |= of_samples(model, split.test, seed)
    if hasattr(model, "transform"):
        codes = [np.asarray(model.transform(X)) for X in (split.train, split.test)]
        row["hoyer"] = float(hoyer_sparsity(codes[1])) if codes[1].shape[1] > 1 else np.nan
        if split.y_train is not None:
            row |= of_codes(codes[0], split.y_train, codes[1], split.y_test)
    return row


def of_samples(model: Any, test: np.ndarray, seed: int) -> dict[str, float]:
    """Return distances of as many generated rows as there are held-out ones."""
    real = test[:_MAX_GENERATED]
    generated = np.asarray(model.sample(len(real), random_state=seed), dtype=np.float64)
    return {
        "frechet": float(frechet_distance(real, generated)),
        "energy": float(energy_distance(real, generated)),
        "auc": distinguishability(real, generated, seed),
    }


def distinguishability(real: np.ndarray, generated: np.ndarray, seed: int) -> float:
    """Return the cross-validated AUC of a booster that tells generated from real rows."""
    X = np.concatenate([real, generated])
    y = np.repeat([0, 1], [len(real), len(generated)])
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    booster = HistGradientBoostingClassifier(max_iter=60, random_state=seed)
    p = cross_val_predict(booster, X, y, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(y, p))


def of_codes(Z: np.ndarray, y: np.ndarray, Z_test: np.ndarray, y_test: np.ndarray) -> dict:
    """Return accuracies with few labels; nothing is scaled between codes and classifier."""
    row = {}
    for n in N_LABELS:
        if n >= len(Z):
            continue
        for name in ("logistic", "neighbors"):
            found = [_accuracy(name, Z, y, Z_test, y_test, n, draw) for draw in range(_N_DRAWS)]
            row[f"{name}_{n}"] = float(np.nanmean(found))
    return row


def _accuracy(
    name: str,
    Z: np.ndarray,
    y: np.ndarray,
    Z_test: np.ndarray,
    y_test: np.ndarray,
    n: int,
    draw: int,
) -> float:
    rows = np.random.RandomState(draw).permutation(len(Z))[:n]
    if len(np.unique(y[rows])) < 2:
        return np.nan
    probe = LogisticRegression(max_iter=2000) if name == "logistic" else KNeighborsClassifier(5)
    return probe.fit(Z[rows], y[rows]).score(Z_test, y_test)
