"""A report on whether the axes of a fitted VAE are meaningful."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_intelvae.estimators._codes import Codes
from sklearn_intelvae.estimators._fitted import apply
from sklearn_intelvae.estimators._vae import BaseVAE
from sklearn_intelvae.mappings import ICA, Identity
from sklearn_intelvae.metrics import (
    active_units,
    dci_scores,
    distance_to_orthogonality,
    mean_correlation,
    modularity_score,
    mutual_info_gap,
    orthogonality_gap,
    pca_alignment,
    polarization_gap,
)
from sklearn_intelvae.metrics._validation import standardize
from sklearn_intelvae.models import VAE
from sklearn_intelvae.posteriors import DiagonalGaussian
from sklearn_intelvae.priors import Normal

_ROWS_OF_JACOBIANS = 500
_TIE = 1.2
_LOW_ALIGNMENT = 0.9
_MIN_ROWS = 100
_SIGNIFICANT, _REDUCED = 4.0, 0.5
_NEGLIGIBLE = 0.01


_NO_AXES = (
    "The prior of this model has no axes of its own: any linear function of y fits as well, and "
    "the axes of y are where training ended. Fit with prior='normal' to study axes."
)


@dataclass(frozen=True)
class DisentanglementReport:
    """The result of :func:`disentanglement_report`; ``print`` shows it as a table with advice.

    Attributes
    ----------
    n_components : int
        Size of y.
    active : ndarray of int
        Indices of components whose mean posterior variance is below 0.8; for an objective that
        trains no variance, of those whose mean varies.
    kl_per_component : ndarray of shape (n_components,)
        Information about X in each component, in nats; nan if no variance is trained.
    polarization_gap : float
        Share of the KL that deviates from the polarized regime, for which the theory of diagonal
        posteriors with a normal prior holds; nan if no variance is trained.
    pca_alignment : float
        Correlation of the varying columns of z with principal components of X, from 0 to 1.
    ica_alignment : float
        Correlation of the varying columns of z with their independent components, from 0 to 1; 1
        if no rotation makes them significantly more independent.
    distance_to_orthogonality : float
        Of the Jacobians of the decoder with respect to the active components; nan if there are more
        components than features.
    orthogonality_gap : float
        Of the same Jacobians, in nats: the loss of a diagonal posterior due to these axes.
    length_ratios : ndarray
        Ratios of consecutive singular values of the Jacobians, largest first. Below 1.2 the
        variance of X does not distinguish the two directions.
    scores : dict of float
        Scores of codes against factors, if factors were given.
    advice : tuple of str
        Conclusions, as sentences.
    """

    n_components: int
    active: np.ndarray
    kl_per_component: np.ndarray
    polarization_gap: float
    pca_alignment: float
    ica_alignment: float
    distance_to_orthogonality: float
    orthogonality_gap: float
    length_ratios: np.ndarray
    scores: dict[str, float] = field(default_factory=dict)
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = [f.name for f in fields(self) if f.name not in ("scores", "advice")]
        values = {name: getattr(self, name) for name in names} | self.scores
        width = max(map(len, values))
        rows = [f"{name:<{width}}  {_formatted(value)}" for name, value in values.items()]
        return "\n".join([*rows, *(f"- {sentence}" for sentence in self.advice)])


def disentanglement_report(estimator, X, factors=None):
    r"""Report whether the axes of a fitted VAE are meaningful.

    The axes of a VAE with a diagonal posterior are those along which the decoder changes X in
    locally orthogonal directions: local principal directions. They are factors if the effects of
    the factors are orthogonal and of different sizes. If sizes coincide, any rotation of the axes
    is as good; if small changes of the data rotate the principal directions, the axes are mixtures
    of factors. The first case is visible in the decoder; the second often in the codes, which a
    rotation then makes more independent.

    Parameters
    ----------
    estimator : object
        A fitted VAE of this package.
    X : array-like of shape (n_samples, n_features)
        Rows, at least some hundreds.
    factors : array-like of shape (n_samples, n_factors), default=None
        The factors that generated X, if these are known.

    Returns
    -------
    report : DisentanglementReport
        All values refer to the intermediary latent, before a mapping, except the scores and the two
        alignments, which refer to z = g(mean of q(y | X)).

    Raises
    ------
    TypeError
        If the estimator is not a VAE of this package.
    ValueError
        If X or the factors cannot be used.

    Warns
    -----
    UserWarning
        If two local directions have effects of nearly the same size, so that the axes between them
        are arbitrary; for models whose axes follow from the variance alone, with a diagonal
        posterior, the normal prior and no mapping.

    References
    ----------
    .. [1] M. Rolinek, D. Zietlow, G. Martius. "Variational Autoencoders Pursue PCA Directions (by
           Accident)." Conference on Computer Vision and Pattern Recognition, 2019.
    .. [2] D. Zietlow, M. Rolinek, G. Martius. "Demystifying Inductive Biases for (Beta-)VAE Based
           Architectures." International Conference on Machine Learning, 2021.

    Examples
    --------
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.datasets import make_entangled_factors
    >>> from sklearn_intelvae.diagnostics import disentanglement_report
    >>> from sklearn_intelvae.likelihoods import Gaussian
    >>> X, W, *_ = make_entangled_factors(2000, n_factors=2, perturbation=1.4, random_state=0)
    >>> vae = InteLVAE(2, prior="normal", likelihood=Gaussian(0.5), random_state=0).fit(X)
    >>> report = disentanglement_report(vae, X, W)
    >>> report.pca_alignment > 0.9, report.scores["MCC"] < 0.8
    (True, True)
    """
    if not isinstance(estimator, BaseVAE):
        raise TypeError(
            f"{type(estimator).__name__} is not a VAE of this package: for other representations "
            "use pca_alignment, and the scores of codes and factors."
        )
    check_is_fitted(estimator)
    table = check_array(X, dtype=np.float64, ensure_min_samples=3, input_name="X")
    if factors is not None:
        check_consistent_length(table, factors)
    means, variances = estimator.encode(X)
    trains_variance = estimator.objective_.trains_variance
    criterion = "posterior_variance" if trains_variance else "variance"
    active = np.flatnonzero(active_units(means, variances=variances, criterion=criterion))
    gap = polarization_gap(means, variances, criterion=criterion)
    kl = estimator.kl_per_component_
    Z = _varying_columns(estimator.module_, means)
    J = _jacobians(estimator.module_, means)[:, :, active]
    ratios = _length_ratios(J)
    rotated = _independent(Z)
    defined = 0 < len(active) <= J.shape[1]
    report = DisentanglementReport(
        n_components=means.shape[1],
        active=active,
        kl_per_component=kl if trains_variance else np.full_like(kl, np.nan),
        polarization_gap=gap if trains_variance else np.nan,
        pca_alignment=pca_alignment(Z, table),
        ica_alignment=1.0 if rotated is None else mean_correlation(Z, rotated),
        distance_to_orthogonality=distance_to_orthogonality(J) if defined else np.nan,
        orthogonality_gap=orthogonality_gap(J) if defined else np.nan,
        length_ratios=ratios,
        scores={} if factors is None else _scores(Z, factors),
    )
    ties = _ties(ratios) if _axes_follow_variance(estimator) else ""
    if ties:
        warnings.warn(ties, UserWarning, stacklevel=2)
    rotates = isinstance(estimator.module_.mapping, ICA)
    advice = _advice(report, factors, ties, rotates)
    if not estimator.module_.prior_distribution().has_axes:
        advice = (_NO_AXES, *advice)
    return replace(report, advice=tuple(advice))


def _axes_follow_variance(estimator: BaseVAE) -> bool:
    """Return whether the variance of X alone determines the axes of the model."""
    model, objective = estimator.module_, estimator.objective_
    if objective.uses_pairs or not objective.trains_variance:
        return False
    parts = model.posterior, model.mapping, model.prior
    return [type(part) for part in parts] == [DiagonalGaussian, Identity, Normal]


def _ties(ratios: np.ndarray) -> str:
    """Return a sentence about directions that the variance does not distinguish, if any."""
    pairs = [f"{i} and {i + 1} (ratio {ratios[i]:.2f})" for i in np.flatnonzero(ratios < _TIE)]
    if not pairs:
        return ""
    return (
        f"Of the local directions of the decoder, by decreasing size, {', '.join(pairs)} have "
        "effects of nearly the same size: the variance of X does not determine the axes between "
        "them. Those of this model are arbitrary, and another random_state may give others."
    )


def _varying_columns(model: VAE, means: np.ndarray) -> np.ndarray:
    """Return the columns of z = g(means) whose variance is not negligible beside the largest."""
    Z = apply(model.map, means, model, "VAE").astype(np.float64)
    variances = Z.var(axis=0)
    return Z[:, variances > _NEGLIGIBLE * variances.max()]


def _jacobians(model: VAE, means: np.ndarray) -> np.ndarray:
    """Return the derivatives of the decoder with respect to the intermediary, for some rows."""
    rows = means[:: -(-len(means) // _ROWS_OF_JACOBIANS)].astype(np.float64)
    return Codes(model, "posterior_mean").jacobian(rows)


def _length_ratios(J: np.ndarray) -> np.ndarray:
    """Return the ratios of consecutive typical singular values."""
    if not 0 < J.shape[2] <= J.shape[1]:
        return np.ones(0)
    lengths = np.linalg.svd(J, compute_uv=False)
    typical = np.exp(np.log(np.maximum(lengths, 1e-12)).mean(axis=0))
    return typical[:-1] / typical[1:]


def _independent(Z: np.ndarray) -> np.ndarray | None:
    """Return the independent components of the codes, if these are significantly less dependent."""
    Z = standardize(np.asarray(Z, dtype=np.float64))
    Z = Z[:, Z.any(axis=0)]
    if Z.shape[1] < 2 or len(Z) < _MIN_ROWS or np.linalg.matrix_rank(Z) < Z.shape[1]:
        return None
    dependence = _dependence(Z)
    if dependence * np.sqrt(len(Z)) < _SIGNIFICANT:
        return None
    ica = FastICA(whiten="unit-variance", max_iter=500, random_state=0)
    ica.set_output(transform="default")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rotated = ica.fit_transform(Z)
    return rotated if _dependence(rotated) < _REDUCED * dependence else None


def _dependence(Z: np.ndarray) -> float:
    """Return the largest rank correlation between the magnitudes of two components.

    Rotated factors are uncorrelated, but their magnitudes are not.
    """
    ranks = standardize(rankdata(np.abs(standardize(Z)), axis=0))
    correlation = np.abs(ranks.T @ ranks) / len(Z)
    return float((correlation - np.diag(np.diag(correlation))).max())


def _scores(Z: np.ndarray, W: Any) -> dict[str, float]:
    dci = dci_scores(Z, W, random_state=0)
    scores = {
        "MIG": mutual_info_gap(Z, W),
        "MCC": mean_correlation(Z, W),
        "DCI disentanglement": dci.disentanglement,
        "DCI completeness": dci.completeness,
        "DCI informativeness": dci.informativeness,
    }
    if np.shape(W)[1] > 1:
        scores["modularity"] = modularity_score(Z, W)
    return scores


def _advice(report: DisentanglementReport, factors: Any, ties: str, rotates: bool) -> Iterator[str]:
    n_active = len(report.active)
    if not n_active:
        yield "No component is active, so there are no axes. Lower beta, or train longer."
        return
    n_wanted = report.n_components if factors is None else np.shape(factors)[1]
    if n_active < n_wanted:
        yield (
            f"{n_active} of {n_wanted} components are active: the model is over-pruned, and some "
            "factors share a component or are lost. Lower beta, or the scale of a Gaussian "
            "likelihood."
        )
    if ties:
        yield ties
    if report.ica_alignment < _LOW_ALIGNMENT:
        remedy = "Train longer" if rotates else "Try mapping='ica'"
        yield (
            "A rotation makes the codes more independent: these axes are mixtures of independent "
            f"factors. {remedy}, or, if the rows have an order in time, try PCL."
        )
    elif report.pca_alignment > _LOW_ALIGNMENT:
        yield (
            "The axes are principal components of X, as PCA finds them: they have the same "
            "meaning, and a small change of the data that rotates these rotates the axes too."
        )


def _formatted(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=3, separator=", ")
    return f"{value:.3f}" if isinstance(value, float) else str(value)
