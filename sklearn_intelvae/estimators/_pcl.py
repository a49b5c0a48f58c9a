"""Permutation-contrastive learning: a representation from the order of rows alone."""

from __future__ import annotations

import torch
from sklearn.utils import check_consistent_length

from sklearn_intelvae._part import device_of
from sklearn_intelvae._random import generator_from, own_torch_state
from sklearn_intelvae.estimators._base import BaseModel
from sklearn_intelvae.estimators._parameters import (
    ENCODER_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
    network,
)
from sklearn_intelvae.models import PCLParts
from sklearn_intelvae.models._pcl import log_odds
from sklearn_intelvae.objectives import PermutationContrast
from sklearn_intelvae.training import Recipe


class PCL(BaseModel):
    """Permutation-contrastive learning: independent factors from the order of rows.

    A network learns to distinguish consecutive rows from random pairs. If the factors behind the
    rows are independent processes with temporal dependence, and are not Gaussian processes with the
    same autocorrelation, each component of the representation is one factor, up to their order and
    a monotonic transformation. A small network for each component, which depends on that component
    alone, learns how the factor evolves. Unlike a VAE it does not depend on variances, which can be
    misleading; but it needs the order of the rows, is sensitive to noise in X, and generates no
    rows.

    Parameters
    ----------
    n_components : int, default=2
        Number of factors.
    encoder : {"auto", "mlp", "conv"} or torch.nn.Module, default="auto"
        The network; see :mod:`sklearn_intelvae.networks`. "auto" means "conv" if ``image_shape`` is
        given, otherwise "mlp".
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Widths of its hidden layers; a "conv" network uses the last one.
    activation : str, default="relu"
        One of "identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh",
        "logistic".
    image_shape : (int, int, int) or None, default=None
        Channels, height and width of the image in each row of X.
    linear_path : bool, default=False
        Whether a linear function is added to the network, and the fit starts at independent
        component analysis of X instead of at random weights. Where X is nearly a linear function of
        the factors, few epochs are then enough; elsewhere a fit more often stays at mixtures of
        factors.
    learning_rate : {"auto", "one-cycle", "cosine", "constant"}, default="auto"
        Schedule over the steps of a fit: a linear rise during the first 30 % and then a half cosine
        down to zero, the half cosine alone, or none. "auto" means "cosine".
    learning_rate_init : float or "auto", default="auto"
        Largest learning rate of Adam. "auto" means 3e-3.
    batch_size : int or "auto", default="auto"
        Rows in a batch; "auto" means about a sixteenth of them, from 32 to 256.
    max_iter : int or "auto", default="auto"
        Number of epochs; "auto" means 3 steps for each row, at most 6000 steps, and at least 20
        epochs. ``partial_fit`` has no fixed length; its warm-up refers to 1000 steps.
    n_init : int, default=1
        Number of fits from different initial weights, orders of the rows and noise. The fit with
        the lowest objective is kept: at full warm-up and with the same noise for all, on the
        validation rows or, without these, on at most some 10,000 of the training rows. The first
        fit is that of ``n_init=1``. Diverged fits are skipped unless all diverge. Continued
        training, by ``warm_start`` or ``partial_fit``, is always one fit.
    early_stopping : bool, default=False
        Whether to set rows aside, to stop when the loss on them no longer decreases, and to restore
        the best weights. The loss is that at full warm-up, with the same noise in each epoch; in a
        game it is the loss of real rows. Epochs of the warm-up do not count.
    validation_fraction : float, default=0.1
        Fraction of the rows to set aside if no ``X_val`` is passed to ``fit``: the last rows of a
        series, for an objective of pairs, otherwise random rows.
    n_iter_no_change : int, default=10
        Number of epochs without an improvement by ``tol`` before training stops.
    tol : float, default=1e-4
        Smallest improvement of that loss that counts; for a bound in nats per row.
    warm_start : bool, default=False
        Whether ``fit`` continues from the weights and the optimizer's state of the last fit.
    skorch_callbacks : list of skorch callbacks or None, default=None
        Callbacks of the skorch net that trains the model, classes of them, or pairs of a name and
        one of these. Pass scikit-learn's callbacks to ``set_callbacks``.
    skorch_params : dict or None, default=None
        Further parameters of ``skorch.NeuralNet``, such as ``{"optimizer": torch.optim.SGD}`` or
        ``{"optimizer__weight_decay": 1e-4, "compile": True}``.
    device : str, default="auto"
        "cpu", "cuda", "cuda:1", ...; "auto" means a GPU if torch finds one.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the order of the rows and the noise. The global generators of
        torch and NumPy are neither used nor changed.
    verbose : int, default=0
        1 prints a line for each epoch, and one for each start if there are several.

    Attributes
    ----------
    module_ : sklearn_intelvae.models.PCLModel
        The fitted torch module, in evaluation mode.
    objective_ : sklearn_intelvae.objectives.Objective
        The objective, with its own weights if it has any.
    n_iter_ : int
        Number of epochs, over all calls that continued one another.
    history_ : list of dict
        A row for each epoch: the loss, its terms per row (those of a bound in nats), the duration
        in seconds.
    loss_curve_ : list of float
        Training loss of each epoch.
    validation_scores_ : list of float
        Minus the loss on the validation rows in each epoch; empty without such rows.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has string names.

    Raises
    ------
    ValueError
        By ``fit``, if a parameter or the data cannot be used.
    DivergenceError
        By ``fit``, if the loss stops being finite.

    See Also
    --------
    InteLVAE : With ``objective=SlowVAE()``, a generative model of such pairs.
    sklearn.decomposition.FastICA : For linearly mixed factors, without any order.

    Notes
    -----
    A component has about unit variance over the training rows; ``transform`` uses the running
    statistics of the training, whatever rows are passed.

    If the autocorrelations differ, a fit may converge to mixtures of factors. Its score is lower
    then, and ``n_init=4`` keeps the best of four.

    ``X_prev`` is scikit-learn metadata. In a search, request it with
    ``set_fit_request(X_prev=True)`` and ``set_score_request(X_prev=True)``; in a pipeline,
    ``Pipeline(transform_input=["X_prev"])`` transforms it too.

    References
    ----------
    Hyvärinen and Morioka, "Nonlinear ICA of Temporally Dependent Stationary Sources", AISTATS 2017.
    Zietlow, Rolinek and Martius, "Demystifying Inductive Biases for (Beta-)VAE Based
    Architectures", ICML 2021, where it withstands the perturbations.

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

    _recipes = (Recipe(3, 6000, open_ended_steps=1000, learning_rate_init=3e-3),) * 2

    _parameter_constraints = {
        **ENCODER_CONSTRAINTS,
        **TRAINING_CONSTRAINTS,
        "linear_path": ["boolean"],
    }

    def __init__(
        self,
        n_components=2,
        *,
        encoder="auto",
        hidden_layer_sizes=(64, 64),
        activation="relu",
        image_shape=None,
        linear_path=False,
        learning_rate="auto",
        learning_rate_init="auto",
        batch_size="auto",
        max_iter="auto",
        n_init=1,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        skorch_callbacks=None,
        skorch_params=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.encoder = encoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.image_shape = image_shape
        self.linear_path = linear_path
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
        self.skorch_callbacks = skorch_callbacks
        self.skorch_params = skorch_params
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _parts(self):
        return PCLParts(network(self._all_params(), "encoder"), self.linear_path)

    def _objective(self):
        return PermutationContrast()

    def transform(self, X):
        """Return the representation of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to represent.

        Returns
        -------
        H : ndarray of shape (n_samples, n_components), float32
            The estimated factors.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X has another number of features, or values that are not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_intelvae import PCL
        >>> X = np.random.default_rng(0).normal(size=(100, 3)).cumsum(axis=0)
        >>> PCL(2, max_iter=2, random_state=0).fit(X).transform(X).shape
        (100, 2)
        """
        return self._representation(X)

    def _representation(self, X):
        """Return the representation as an array, whatever ``set_output`` sets for transform."""
        X = self._validated(X)
        return self._apply(self.module_.transform, X)

    @property
    def _n_features_out(self):
        return self.module_.n_components

    def score(self, X, y=None, *, X_prev=None):
        """Return the accuracy of distinguishing consecutive rows from random pairs.

        Half of the pairs are rows and the rows before them, the other half rows and the rows before
        other rows, in a fixed random order.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.
        y : Ignored
            Present for API consistency.
        X_prev : array-like of shape (n_samples, n_features), default=None
            The row before each row. None means that X is a series in its order.

        Returns
        -------
        accuracy : float
            0.5 for a representation without temporal dependence.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If there are fewer than two pairs, or ``X_prev`` is missing after a fit to pairs.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_intelvae import PCL
        >>> X = np.random.default_rng(0).normal(size=(100, 3)).cumsum(axis=0)
        >>> 0 <= PCL(2, max_iter=2, random_state=0).fit(X).score(X) <= 1
        True
        """
        H = torch.from_numpy(self._representation(X))
        if X_prev is None and self._fitted_to_pairs:
            raise ValueError(
                "this PCL was fitted to pairs: score needs X_prev too, in a search by "
                "set_score_request(X_prev=True)."
            )
        if X_prev is None:
            H, before = H[1:], H[:-1]
        else:
            before = torch.from_numpy(self._representation(X_prev))
            check_consistent_length(H, before)
        if len(H) < 2:
            raise ValueError(
                f"there are {len(H)} pairs to distinguish, and at least 2 are needed: pass more "
                "rows."
            )
        device = device_of(self.module_)
        H, before = H.to(device), before.to(device)
        with own_torch_state(), torch.inference_mode():
            generator = generator_from(0, device)
            real, other = log_odds(self.module_.regression, H, before, generator)
            return float(0.5 * ((real > 0).double().mean() + (other < 0).double().mean()))
