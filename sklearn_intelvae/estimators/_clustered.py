"""The VAE that divides its rows into clusters."""

from __future__ import annotations

from numbers import Integral

from sklearn.base import ClusterMixin
from sklearn.utils._param_validation import Interval

from sklearn_intelvae.estimators._base import BaseInteLVAE, OnTheBoundMixin
from sklearn_intelvae.estimators._docs import with_shared_docs
from sklearn_intelvae.mappings import Clusters

_OF_THE_MAPPING = ("learn_proportions", "shift", "power", "guidance")


@with_shared_docs
class ClusteredInteLVAE(ClusterMixin, OnTheBoundMixin, BaseInteLVAE):
    """A variational autoencoder whose latent falls into clusters: a clusterer that generates.

    ::

        X -> encoder -> q(y | X) -> y -> z = sector of y, pushed away from the others
          -> decoder -> p(X | z)

    The plane of the first two components of y is cut into sectors, one for each cluster, which the
    mapping drives apart, so that hardly anything is generated between them. A row belongs to the
    cluster in whose sector it is encoded. Training begins from a first guess, made from X by
    k-means and Ward's method, and improves on it where the likelihood gains.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters; more than two need at least two components.
    n_components : int, default=2
        Size of y and of z. Two give the clearest clusters; further components describe what
        varies within clusters, and make reconstructions better.
    learn_proportions : bool, default=True
        Whether the clusters' shares of what is generated follow their shares of the rows; else all
        are equal.
    shift : float, default=5.0
        How far the clusters are driven apart.
    power : float, default=0.2
        How sharply, between 0 and 1; see :class:`~sklearn_intelvae.mappings.Clusters`.
    guidance : float, default=20.0
        Weight, in nats per row, of the pull towards the first guess, which fades to a tenth; 0 for
        no guess.
    %(prior)s
    %(likelihood)s
    %(objective)s
    %(parameters of the training)s

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row.
    cluster_shares_ : ndarray of shape (n_clusters,)
        The clusters' shares of what is generated.
    %(attributes)s

    See Also
    --------
    InteLVAE : With ``mapping=Clusters(...)`` the same model, and several cut planes.
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
        **{name: Clusters._parameter_constraints[name] for name in _OF_THE_MAPPING},
        **OnTheBoundMixin._parameter_constraints,
        **BaseInteLVAE._parameter_constraints,
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        n_components=2,
        learn_proportions=True,
        shift=5.0,
        power=0.2,
        guidance=20.0,
        prior="normal",
        likelihood="gaussian",
        objective="elbo",
        beta=1.0,
        kl_warmup=0.5,
        encoder="auto",
        decoder="auto",
        hidden_layer_sizes=(128, 128),
        activation="relu",
        image_shape=None,
        codes="z",
        learning_rate="cosine",
        learning_rate_init=1e-3,
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
        self.n_clusters = n_clusters
        self.learn_proportions = learn_proportions
        self.shift = shift
        self.power = power
        self.guidance = guidance
        super().__init__(
            n_components=n_components,
            prior=prior,
            likelihood=likelihood,
            objective=objective,
            beta=beta,
            kl_warmup=kl_warmup,
            encoder=encoder,
            decoder=decoder,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            image_shape=image_shape,
            codes=codes,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            max_iter=max_iter,
            n_init=n_init,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            warm_start=warm_start,
            callbacks=callbacks,
            net_params=net_params,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )

    def _mapping_part(self):
        settings = {name: getattr(self, name) for name in _OF_THE_MAPPING}
        return Clusters(n_clusters=self.n_clusters, **settings)

    def _attributes_of_rows(self, X):
        return {"labels_": self._in_chunks(self._region, X)}

    @property
    def cluster_shares_(self):
        """The clusters' shares of what is generated, (n_clusters,)."""
        return self.module_.mapping.proportions.numpy(force=True)
