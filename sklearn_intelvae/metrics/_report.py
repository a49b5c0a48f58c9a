"""Do the axes of a fitted VAE mean anything: what can be said with and without the factors."""

import copy
import warnings
from dataclasses import dataclass, field, fields, replace

import numpy as np
from scipy.stats import rankdata
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_intelvae.metrics._active_units import active_units, polarization_gap
from sklearn_intelvae.metrics._alignment import mean_correlation, pca_alignment
from sklearn_intelvae.metrics._dci import dci_scores
from sklearn_intelvae.metrics._information import modularity_score, mutual_info_gap
from sklearn_intelvae.metrics._jacobians import decoder_jacobian
from sklearn_intelvae.metrics._orthogonality import distance_to_orthogonality, orthogonality_gap
from sklearn_intelvae.metrics._validation import standardize as standardised

_ROWS_OF_JACOBIANS = 500
_TIE = 1.2
_TURNED = 0.9
_FEWEST_ROWS = 100
_CERTAIN, _MENDED = 4.0, 0.5
_NEGLIGIBLE = 0.01


@dataclass(frozen=True)
class DisentanglementReport:
    """What :func:`disentanglement_report` returns; printed, it is a table with advice."""

    n_components: int
    """Size of y."""
    active: np.ndarray
    """Indices of components whose mean posterior variance is below .8; of an autoencoder, which
    trains none, of those whose mean varies."""
    kl_per_component: np.ndarray
    """What each component says of X, in nats; nan of an autoencoder."""
    polarization_gap: float
    """Share of the KL that is not as in the polarised regime; theory speaks of small ones, of
    diagonal posteriors and the normal prior; nan of an autoencoder."""
    pca_alignment: float
    """How far the columns of z that vary are principal components of X."""
    ica_alignment: float
    """How far they are as independent as a turn makes them; 1 also if none is sure to do better."""
    distance_to_orthogonality: float
    """Of the decoder's Jacobians, with respect to active components; nan if these are more than
    features."""
    orthogonality_gap: float
    """Of the same, in nats: what a diagonal posterior loses by these axes."""
    length_ratios: np.ndarray
    """Ratios of the effects that neighbours among the decoder's local directions have, from the
    largest on. Below 1.2 nothing of the variance tells the two apart."""
    scores: dict[str, float] = field(default_factory=dict)
    """Of codes and factors, if these were given."""
    advice: tuple[str, ...] = ()
    """What follows, in sentences."""

    def __str__(self):
        names = [f.name for f in fields(self) if f.name not in ("scores", "advice")]
        values = {name: getattr(self, name) for name in names} | self.scores
        width = max(map(len, values))
        rows = [f"{name:<{width}}  {_shown(value)}" for name, value in values.items()]
        return "\n".join([*rows, *(f"- {sentence}" for sentence in self.advice)])


def disentanglement_report(estimator, X, factors=None):
    r"""Tell whether the axes of a fitted VAE mean anything.

    A VAE with a diagonal posterior settles on axes along which its decoder changes X by locally
    orthogonal amounts: local principal directions. They are factors if the factors' effects are
    orthogonal and of different sizes. If sizes coincide, any turn of the axes is as good; if small
    changes of the data have turned the principal directions, the axes are mixtures of factors. The
    first can be seen from the decoder; the second often from the codes, which a turn then makes
    more independent.

    Parameters
    ----------
    estimator : object
        A fitted VAE of this package.
    X : array-like of shape (n_samples, n_features)
        Rows, some hundreds at least.
    factors : array-like of shape (n_samples, n_factors), default=None
        The factors that X was made from, where these are known.

    Returns
    -------
    report : DisentanglementReport
        ``n_components``, ``active``, ``kl_per_component``, ``polarization_gap``,
        ``pca_alignment``, ``ica_alignment``, ``distance_to_orthogonality``,
        ``orthogonality_gap``, ``length_ratios``, ``scores`` (with factors: MIG, MCC, DCI and
        modularity) and ``advice``. All is said of the intermediary latent, before a mapping, but
        for the scores and the two alignments, which are those of z = g(mean of q(y | X)).

    Warns
    -----
    UserWarning
        If two local directions have effects of nearly the same size, so that axes between them
        mean nothing; of models whose axes follow from the variance alone, with a diagonal
        posterior, the normal prior and no mapping.

    Raises
    ------
    TypeError
        If the estimator is no VAE.

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
    >>> from sklearn_intelvae.likelihoods import Gaussian
    >>> from sklearn_intelvae.metrics import disentanglement_report
    >>> X, W, *_ = make_entangled_factors(2000, n_factors=2, perturbation=1.4, random_state=0)
    >>> vae = InteLVAE(2, likelihood=Gaussian(0.5), random_state=0).fit(X)
    >>> report = disentanglement_report(vae, X, W)
    >>> report.pca_alignment > 0.9, report.scores["MCC"] < 0.8
    (True, True)
    """
    if not hasattr(estimator, "encode"):
        raise TypeError(
            f"{type(estimator).__name__} is no VAE of this package: for other representations "
            "there are pca_alignment, and the scores of codes and factors."
        )
    check_is_fitted(estimator)
    table = check_array(X, dtype=np.float64, ensure_min_samples=3, input_name="X")
    if factors is not None:
        check_consistent_length(table, factors)
    means, variances = estimator.encode(X)
    of_draws = estimator._objective.of_draws
    criterion = "posterior_variance" if of_draws else "variance"
    active = np.flatnonzero(active_units(means, variances=variances, criterion=criterion))
    gap = polarization_gap(means, variances, criterion=criterion)
    kl = estimator.kl_per_component_
    Z, J = _codes(estimator, X), _jacobians(estimator, means)[:, :, active]
    ratios = _length_ratios(J)
    turned = _independent(Z)
    known = 0 < len(active) <= J.shape[1]
    report = DisentanglementReport(
        n_components=means.shape[1],
        active=active,
        kl_per_component=kl if of_draws else np.full_like(kl, np.nan),
        polarization_gap=gap if of_draws else np.nan,
        pca_alignment=pca_alignment(Z, table),
        ica_alignment=1.0 if turned is None else mean_correlation(Z, turned),
        distance_to_orthogonality=distance_to_orthogonality(J) if known else np.nan,
        orthogonality_gap=orthogonality_gap(J) if known else np.nan,
        length_ratios=ratios,
        scores={} if factors is None else _scores(Z, factors),
    )
    ties = _ties(ratios) if _follows_the_variance(estimator) else ""
    if ties:
        warnings.warn(ties, UserWarning, stacklevel=2)
    return replace(report, advice=tuple(_advice(report, factors, ties, _turns(estimator))))


def _turns(estimator):
    """Whether the mapping turns codes to independent components already."""
    return type(estimator.module_.mapping).__name__ == "ICA"


def _follows_the_variance(estimator):
    """Whether nothing but the variance of X gives the axes of the model a meaning."""
    model, objective = estimator.module_, estimator._objective
    if objective.of_pairs or not objective.of_draws:
        return False
    parts = model.posterior, model.mapping, model.prior
    return [type(part).__name__ for part in parts] == ["DiagonalGaussian", "Identity", "Normal"]


def _ties(ratios):
    """Return a sentence about directions that nothing tells apart, if there are any."""
    pairs = [f"{i} and {i + 1} (ratio {ratios[i]:.2f})" for i in np.flatnonzero(ratios < _TIE)]
    if not pairs:
        return ""
    return (
        f"Of the decoder's local directions, by falling size, {', '.join(pairs)} have effects of "
        "nearly the same size: nothing in the variance of X says which axes to take between them. "
        "Those of this model are arbitrary there, and another random_state may give others."
    )


def _codes(estimator, X):
    """Return the columns of z that vary, beside the largest."""
    estimator = copy.copy(estimator)  # the user's own keeps its codes
    estimator.codes = "z"
    Z = np.asarray(estimator.set_output(transform="default").transform(X), dtype=np.float64)
    variances = Z.var(axis=0)
    return Z[:, variances > _NEGLIGIBLE * variances.max()]


def _jacobians(estimator, means):
    """Return the decoder's derivatives with respect to the intermediary, of some rows."""
    estimator = copy.copy(estimator)
    estimator.codes = "intermediary"
    return decoder_jacobian(estimator, means[:: -(-len(means) // _ROWS_OF_JACOBIANS)])


def _length_ratios(J):
    if not 0 < J.shape[2] <= J.shape[1]:
        return np.ones(0)
    lengths = np.linalg.svd(J, compute_uv=False)
    typical = np.exp(np.log(np.maximum(lengths, 1e-12)).mean(axis=0))
    return typical[:-1] / typical[1:]


def _independent(Z):
    """Return codes turned to independent components, if this makes them less dependent."""
    Z = standardised(np.asarray(Z, dtype=np.float64))
    Z = Z[:, Z.any(axis=0)]
    if Z.shape[1] < 2 or len(Z) < _FEWEST_ROWS or np.linalg.matrix_rank(Z) < Z.shape[1]:
        return None
    dependence = _dependence(Z)
    if dependence * np.sqrt(len(Z)) < _CERTAIN:
        return None
    ica = FastICA(whiten="unit-variance", max_iter=500, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        turned = ica.fit_transform(Z)
    return turned if _dependence(turned) < _MENDED * dependence else None


def _dependence(Z):
    """Return the largest rank correlation of two components' magnitudes.

    Turned factors are uncorrelated, but large together or apart.
    """
    ranks = standardised(rankdata(np.abs(standardised(Z)), axis=0))
    correlation = np.abs(ranks.T @ ranks) / len(Z)
    return float((correlation - np.diag(np.diag(correlation))).max())


def _scores(Z, W):
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


def _advice(report, factors, ties, turns):
    n_active = len(report.active)
    if not n_active:
        yield "No component is active: there are no axes to speak of. Lower beta, or train longer."
        return
    n_wanted = report.n_components if factors is None else np.shape(factors)[1]
    if n_active < n_wanted:
        yield (
            f"{n_active} of {n_wanted} components are active: the model is over-pruned, and some "
            "factors share a component or are lost. Lower beta, or a Gaussian likelihood's scale."
        )
    if ties:
        yield ties
    if report.ica_alignment < _TURNED:
        remedy = "Train longer" if turns else "Try mapping='ica'"
        yield (
            "A turn makes the codes more independent: these axes are mixtures of what moves "
            f"independently. {remedy}, or, if rows come in an order, try PCL."
        )
    elif report.pca_alignment > _TURNED:
        yield (
            "The axes are principal components of X, as PCA finds them: they mean what these mean, "
            "and change where a small change of the data turns these."
        )


def _shown(value):
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=3, separator=", ")
    return f"{value:.3f}" if isinstance(value, float) else str(value)
