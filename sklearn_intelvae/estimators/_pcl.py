"""Permutation-contrastive learning: a representation from the order of rows alone."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions

from sklearn_intelvae._random import generator_from
from sklearn_intelvae.contrast import Contrast, ContrastParts, build_contrast, log_odds
from sklearn_intelvae.estimators import _inputs
from sklearn_intelvae.estimators._callbacks import CallbackSupportMixin
from sklearn_intelvae.estimators._chunks import ChunksMixin
from sklearn_intelvae.estimators._description import network
from sklearn_intelvae.estimators._docs import with_shared_docs
from sklearn_intelvae.estimators._kind import Kind
from sklearn_intelvae.estimators._persistence import PersistenceMixin
from sklearn_intelvae.estimators._training import TrainingMixin
from sklearn_intelvae.networks import ACTIVATIONS
from sklearn_intelvae.objectives import PermutationContrast


class _Pairs(Kind):
    """The kind of model that looks at pairs of rows, and generates nothing."""

    def parts(self, estimator: Any) -> ContrastParts:
        return ContrastParts(network(estimator, "encoder"))

    def build(
        self, parts: ContrastParts, n_features: int, n_components: int, generator: torch.Generator
    ) -> Contrast:
        return build_contrast(parts, n_features, n_components, generator)


@with_shared_docs
class PCL(
    TrainingMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ChunksMixin,
    PersistenceMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Permutation-contrastive learning: independent factors from the order of rows.

    A network learns to tell rows that follow one another from pairs put together at random. If
    the factors behind the rows move independently, each with a memory of its own, and not like
    Gaussian processes of the same memory, what it then knows of a row are these factors, each in
    a component, but for their order and a scale that may bend. How each moves is learned as well,
    by a small network that sees that component alone. Unlike a VAE it does not look at variances,
    and so is not misled where these are; but it needs the order, noise in X hurts it, and it
    generates nothing.

    Parameters
    ----------
    n_components : int, default=2
        Number of factors to look for.
    encoder : {"auto", "mlp", "conv"} or torch.nn.Module, default="auto"
        The network; see :mod:`sklearn_intelvae.networks`. "auto" is "conv" if ``image_shape`` is
        given, else "mlp".
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Its hidden layers; a "conv" network takes the last one.
    activation : str, default="relu"
        One of "identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh",
        "logistic".
    image_shape : (int, int, int) or None, default=None
        Channels, height and width of the image that each row of X holds.
    %(parameters of the loop)s

    Attributes
    ----------
    module_ : sklearn_intelvae.contrast.Contrast
        The fitted torch module, in evaluation mode.
    %(attributes of the loop)s

    See Also
    --------
    InteLVAE : With ``objective=SlowVAE()``, a generative model of such pairs.
    sklearn.decomposition.FastICA : When factors are mixed linearly, without any order.

    Notes
    -----
    The scale of a component is about that of unit variance over the training rows; ``transform``
    uses the averages that training has gathered, whatever rows are passed. X is best scaled to a
    common unit beforehand, for instance by ``StandardScaler``.

    Where memories differ a fit may come to rest with factors that are mixed. Its score is lower
    then, and ``n_init=4`` keeps the best of four.

    ``X_prev`` is scikit-learn metadata. In a search, ask for it with
    ``set_fit_request(X_prev=True)`` and ``set_score_request(X_prev=True)``; in a pipeline, have
    ``Pipeline(transform_input=["X_prev"])`` scale it too.

    References
    ----------
    Hyvärinen and Morioka, "Nonlinear ICA of Temporally Dependent Stationary Sources", AISTATS 2017.
    Zietlow, Rolinek and Martius, "Demystifying Inductive Biases for (Beta-)VAE Based
    Architectures", ICML 2021, where it is what survives.

    Examples
    --------
    >>> from sklearn_intelvae import PCL
    >>> from sklearn_intelvae.datasets import make_entangled_factors
    >>> from sklearn_intelvae.metrics import mean_correlation
    >>> X, W, *_ = make_entangled_factors(4000, perturbation=1.4, random_state=0)
    >>> pcl = PCL(4, max_iter=60, random_state=0).fit(X)
    >>> mean_correlation(pcl.transform(X), W) > 0.9
    True
    """

    _kind = _Pairs()
    _auto_steps = _inputs.Steps(per_row=3, most=6000, open_ended=1000)

    _parameter_constraints = {
        "encoder": [str, callable],
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "image_shape": ["array-like", None],
        **TrainingMixin._parameter_constraints,
    }

    def __init__(
        self,
        n_components=2,
        *,
        encoder="auto",
        hidden_layer_sizes=(64, 64),
        activation="relu",
        image_shape=None,
        learning_rate="cosine",
        learning_rate_init=3e-3,
        batch_size="auto",
        max_iter="auto",
        n_init=1,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        callbacks=None,
        net_params=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.encoder = encoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.image_shape = image_shape
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.n_init = n_init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.net_params = net_params
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _objective_part(self):
        return PermutationContrast()

    def transform(self, X):
        """Return the representation of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        H : ndarray of shape (n_samples, n_components), float32
        """
        return self._represented(X)

    def _represented(self, X):
        """Return the representation as an array, whatever ``set_output`` asks of transform."""
        X = self._validated(X)
        return self._in_chunks(self.module_.represent, X)

    @property
    def _n_features_out(self):
        return self.module_.n_components

    def score(self, X, y=None, *, X_prev=None):
        """Return the share of pairs that are told rightly to belong together, or not to.

        Half of them are rows and those before them, the other half rows and those before other
        rows, in a fixed random order.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored
        X_prev : array-like of shape (n_samples, n_features), default=None
            For each row the one before it. None takes X as a series in its order.

        Returns
        -------
        accuracy : float
            .5 for a representation that knows nothing of what lasts.
        """
        H = torch.from_numpy(self._represented(X))
        if X_prev is None and self._given_pairs:
            raise ValueError(
                "this PCL was fitted to pairs: score needs X_prev too, in a search by "
                "set_score_request(X_prev=True)."
            )
        if X_prev is None:
            H, before = H[1:], H[:-1]
        else:
            before = torch.from_numpy(self._represented(X_prev))
            _inputs.check_consistent_length(H, before)
        if len(H) < 2:
            raise ValueError(
                f"there are {len(H)} pairs to tell apart, where at least 2 are needed: pass more "
                "rows."
            )
        H, before = H.to(self._device()), before.to(self._device())
        with torch.inference_mode():
            generator = generator_from(0, H.device)
            real, other = log_odds(self.module_.regression, H, before, generator)
            return float(0.5 * ((real > 0).double().mean() + (other < 0).double().mean()))
