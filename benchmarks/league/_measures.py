"""What the league measures of a fitted method on held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from sklearn_intelvae.metrics import (
    energy_distance,
    few_label_curve,
    frechet_distance,
    hoyer_sparsity,
)

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
    """Return distances of as many generated rows as there are held-out ones.

    Distances from few rows depend on the draw, so several draws are averaged then.
    """
    real = test[:_MAX_GENERATED]
    n_draws = int(np.clip(_MAX_GENERATED // len(real), 1, _N_DRAWS))
    draws = [
        np.asarray(model.sample(len(real), random_state=1000 * seed + i), dtype=np.float64)
        for i in range(n_draws)
    ]
    return {
        "frechet": float(np.mean([frechet_distance(real, X) for X in draws])),
        "energy": float(np.mean([energy_distance(real, X) for X in draws])),
        "auc": distinguishability(real, draws[0], seed),
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
    """Return accuracies with few labels; nothing is scaled between codes and classifier.

    The labeled rows are stratified. With two labels for each class, more than one neighbor would
    take rows of other classes into account, so the nearest one decides.
    """
    probes = {
        "logistic": LogisticRegression(max_iter=2000),
        "neighbors": KNeighborsClassifier(n_neighbors=1),
    }
    sizes = [n for n in N_LABELS if n < len(Z)]
    row = {}
    for name, probe in probes.items():
        curve = few_label_curve(Z, y, Z_test, y_test, sizes, probe, _N_DRAWS, random_state=0)
        row |= {f"{name}_{n}": found for n, found in zip(sizes, curve["mean"], strict=True)}
    return row
