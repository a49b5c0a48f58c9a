"""The VAE that divides its rows into clusters."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.utils._param_validation import Interval

from sklearn_intelvae.estimators._fitted import apply
from sklearn_intelvae.estimators._parameters import (
    BOUND_CONSTRAINTS,
    VAE_CONSTRAINTS,
    bound_objective,
    bound_recipes,
    vae_parts,
)
from sklearn_intelvae.estimators._vae import BaseVAE
from sklearn_intelvae.mappings import Clusters
from sklearn_intelvae.posteriors import DiagonalGaussian

_MAPPING_PARAMETERS = "learn_proportions", "shift", "power", "guidance_weight"


class ClusteredInteLVAE(ClusterMixin, BaseVAE):
    """A variational autoencoder whose latent consists of clusters: a clusterer that generates.

    ::

        X -> encoder -> q(y | X) -> y -> z = sector of y, pushed away from the others
          -> decoder -> p(X | z)

    The mapping divides the plane of the first two components of y into sectors, one for each
    cluster, and pushes them apart, so that hardly any rows are generated between them. A row
    belongs to the cluster in whose sector it is encoded. Training starts from initial clusters,
    found in X by k-means with many centers, which are merged, and changes them if the likelihood
    improves.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters; more than two need at least two components.
    n_components : int, default=2
        Size of y and of z. Two components give the clearest clusters; further ones represent the
        variation within clusters, and improve the reconstructions.
    learn_proportions : bool, default=True
        Whether the clusters' shares of the generated rows follow their shares of the training rows;
        otherwise all are equal.
    shift : float, default=5.0
        How far the clusters are pushed apart, in the unit of y.
    power : float, default=0.2
        How sharply, between 0 and 1; see :class:`~sklearn_intelvae.mappings.Clusters`.
    guidance_weight : float, default=20.0
        Weight, in nats per row, of the pull towards the initial clusters, which decreases to a
        tenth; 0 for no initial clusters.
    prior : {"auto", "normal", "laplace", "mixture", "fitted-mixture", "vamp", \
"vamp-init-mixture", "spike-and-slab"} or sklearn_intelvae.priors.Prior, default="auto"
        Distribution p(y) of the intermediary latent; see :mod:`sklearn_intelvae.priors`. "auto"
        means "fitted-mixture", a mixture of Gaussians that follows the codes, if nothing else says
        how these should lie: with the mappings "identity" and "sparse", the objective "elbo",
        ``beta=1`` and a linear path. Otherwise it means "normal", N(0, I). The settings of an
        object are searched as ``prior__n_modes`` and so on.
    likelihood : {"gaussian", "bernoulli", "laplace"} or sklearn_intelvae.likelihoods.Likelihood, \
default="gaussian"
        Distribution p(X | z); see :mod:`sklearn_intelvae.likelihoods`. "gaussian" and "laplace"
        learn one scale for each feature; ``Gaussian("learned")`` learns one for all, as PCA has.
        "bernoulli" needs X in [0, 1].
    objective : {"elbo", "annealed-capacity", "beta-tc", "factor", "dip", "slow", "autoencoder", \
"soft-intro"} or sklearn_intelvae.objectives.Objective, default="elbo"
        The loss; see :mod:`sklearn_intelvae.objectives`.
    beta : float or callable, default=1.0
        Weight of the KL term if ``objective`` is "elbo"; above 1 that of the beta-VAE. A function
        of the fraction of the warm-up that has passed is a schedule.
    kl_warmup : float or "auto", default="auto"
        Fraction of ``max_iter`` during which the weight of the KL term, and of the other costs of y
        of an objective, grows from 0 to its full value. "auto" means 0.5 for a fit from random
        weights, which without it may collapse: no information about X reaches y. A fit from the
        linear model has the full weights from its first step; then only mapping and prior follow a
        warm-up of this length. For "soft-intro" it is the fraction during which the game does not
        have its full weight; that objective needs a longer training at a lower rate, the default of
        :class:`SoftIntroVAE`.
    encoder, decoder : {"auto", "mlp", "conv"} or torch.nn.Module, default="auto"
        Networks; see :mod:`sklearn_intelvae.networks`. "auto" means "conv" if ``image_shape`` is
        given, otherwise "mlp". A module may have any output width: a linear layer adapts it.
    hidden_layer_sizes : sequence of int, default=(128, 128)
        Widths of the hidden layers of the encoder; the decoder has them in the opposite order. A
        "conv" network uses the last one.
    activation : str, default="relu"
        One of "identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh",
        "logistic".
    image_shape : (int, int, int) or None, default=None
        Channels, height and width of the image in each row of X.
    linear_path : bool, default=True
        Whether a linear function is added to each network, and the fit starts at factor analysis,
        the linear model that the VAE generalizes, instead of at random weights. It has an effect if
        the mapping begins as a linear function and likelihood and posterior have a linear form: see
        the guide. Otherwise, and with False, training starts at random weights.
    whiten : bool, default=False
        As in PCA: by default each column of the codes is multiplied by the effect that it has on X,
        ``gain_``; with True each column that carries information has about unit variance. The
        columns of a mapping with a fixed geometry, such as a circle, are returned as they are. With
        the mapping "identity" and the prior "fitted-mixture" the axes of z have no meaning; there
        the codes of whiten=False are rotated as well: their distances are, on the average, those
        of the decoded rows, and their columns are uncorrelated and ordered by variance, as in PCA.
        The model does not depend on it, as on ``output``.
    output : {"representation", "posterior_mean", "both"}, default="representation"
        What ``transform`` returns: z = g(mean of q(y | X)), the mean of q(y | X) itself, or z and
        then that mean. The mean of q(y | X) has the information that g removes. With few labels a
        classifier may do better with a structured z, such as a sparse one; with many labels with
        the mean or both. The model does not depend on it, so that ``set_params(output=...)`` has
        an effect without another fit.
    learning_rate : {"auto", "one-cycle", "cosine", "constant"}, default="auto"
        Schedule over the steps of a fit: a linear rise during the first 30 % and then a half cosine
        down to zero, the half cosine alone, or none. "auto" means "one-cycle" for a fit from the
        linear model, otherwise "cosine".
    learning_rate_init : float or "auto", default="auto"
        Largest learning rate of Adam. "auto" means 5e-3 for a fit from the linear model, otherwise
        1e-3. From the linear model, the linear functions beside the networks have a tenth of it,
        and the noise of the likelihood 3 to 10 %, more if there are more rows for each column; all
        three learn more slowly, down to a twentieth, if a test of the training rows finds little
        that is not linear.
    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto" means a number from 32 to 256: about an eighth of the rows for a fit
        from the linear model, otherwise about a sixteenth.
    max_iter : int or "auto", default="auto"
        Number of epochs. "auto" means, for a fit from the linear model, 4 steps for 7 rows, at most
        1400; with more than 5000 rows, 7 steps for 25 rows, at most 5600. For other fits it means 3
        steps for each row, at most 8000. There are at least 20 epochs. ``partial_fit`` has no fixed
        length; its warm-up refers to 1000 steps.
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
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row; -1 for rows of weight 0 that are not finite.
    cluster_shares_ : ndarray of shape (n_clusters,)
        The clusters' shares of the generated rows.
    module_ : sklearn_intelvae.models.VAE
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
    kl_per_component_ : ndarray of shape (n_components,)
        Information about X in each component of y, in nats, on at most 2048 training rows; near
        zero for a collapsed component. The mean KL divergence of q(y_j | X) from the prior or, if
        the prior does not factorize, from the Gaussian with the moments of all q.
    active_components_ : ndarray of int
        Indices of the components whose posterior mean has a variance over X above 0.01.
    gain_ : ndarray of shape (n_latent,)
        The root mean squared change of a reconstructed row per unit of each column of z, over at
        most 512 training rows: in the unit of X if all features share one scale of the likelihood,
        otherwise in standard deviations of the features. Ones for mappings with a fixed geometry.
    density_ : object
        The density of the codes that ``fit_density`` fitted, until the next fit.

    Raises
    ------
    ValueError
        By ``fit``, if a parameter or the data cannot be used.
    DivergenceError
        By ``fit``, if the loss stops being finite.

    See Also
    --------
    InteLVAE : With ``mapping=Clusters(...)`` the same model, also with several divided planes.
    sklearn.mixture.GaussianMixture : Clusters that are ellipsoids in the space of X.

    References
    ----------
    Miao, Mathieu, Siddharth, Teh and Rainforth, "On Incorporating Inductive Biases into VAEs",
    ICLR 2022, section 6.2.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.metrics import adjusted_rand_score
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_intelvae import ClusteredInteLVAE
    >>> X, y = make_blobs(300, n_features=5, centers=3, random_state=0)
    >>> vae = ClusteredInteLVAE(n_clusters=3, random_state=0).fit(scale(X))
    >>> float(round(adjusted_rand_score(y, vae.labels_), 1))
    1.0
    >>> vae.sample(100, cluster=2).shape
    (100, 5)
    """

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        **{name: Clusters._parameter_constraints[name] for name in _MAPPING_PARAMETERS},
        **BOUND_CONSTRAINTS,
        **VAE_CONSTRAINTS,
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        n_components=2,
        learn_proportions=True,
        shift=5.0,
        power=0.2,
        guidance_weight=20.0,
        prior="auto",
        likelihood="gaussian",
        objective="elbo",
        beta=1.0,
        kl_warmup="auto",
        encoder="auto",
        decoder="auto",
        hidden_layer_sizes=(128, 128),
        activation="relu",
        image_shape=None,
        linear_path=True,
        whiten=False,
        output="representation",
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
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.learn_proportions = learn_proportions
        self.shift = shift
        self.power = power
        self.guidance_weight = guidance_weight
        self.prior = prior
        self.likelihood = likelihood
        self.objective = objective
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.encoder = encoder
        self.decoder = decoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.image_shape = image_shape
        self.linear_path = linear_path
        self.whiten = whiten
        self.output = output
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

    _collapse_advice = (
        "a longer kl_warmup, a smaller beta, or likelihood=Gaussian(scale=...) with a scale well "
        "below the spread of the features"
    )

    @property
    def _recipes(self):
        return bound_recipes(self.kl_warmup)

    def _objective(self):
        return bound_objective(self.objective, self.beta, self.kl_warmup)

    def _parts(self):
        settings = {name: getattr(self, name) for name in _MAPPING_PARAMETERS}
        clusters = Clusters(n_clusters=self.n_clusters, **settings)
        return vae_parts(self._all_params(), mapping=clusters, posterior=DiagonalGaussian())

    def _fitted_attributes(self, result, data):
        attributes = super()._fitted_attributes(result, data)
        model, X = result.model, data.train["x"]
        finite = np.isfinite(X).all(axis=1)
        labels = np.full(len(X), -1)
        labels[finite] = apply(
            lambda x: model.mapping.regions(model.posterior_mean(x)),
            X[finite],
            model,
            type(self).__name__,
        )
        return attributes | {"labels_": labels}

    @property
    def cluster_shares_(self):
        """The clusters' shares of the generated rows, (n_clusters,)."""
        return self.module_.mapping.proportions.numpy(force=True)
