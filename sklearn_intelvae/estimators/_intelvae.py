"""The VAE with a mapping."""

from __future__ import annotations

from sklearn_intelvae.estimators._base import BaseInteLVAE, OnTheBoundMixin
from sklearn_intelvae.estimators._docs import with_shared_docs
from sklearn_intelvae.estimators._shelves import resolve


@with_shared_docs
class InteLVAE(OnTheBoundMixin, BaseInteLVAE):
    """A variational autoencoder whose latent has the structure that you ask for.

    ::

        X -> encoder -> q(y | X) -> y -> mapping -> z -> decoder -> p(X | z)

    The intermediary latent y is Gaussian, as in a plain VAE. A mapping g turns it into the
    representation z = g(y) and gives it its structure: a circle, clusters, sparsity, or whatever
    your own module does. Fitting maximises the evidence lower bound of log p(X).

    Parameters
    ----------
    n_components : int, default=2
        Size of y. The size of z follows from the mapping.
    mapping : {"identity", "sphere", "clusters", "sparse", "glue", "hierarchy", "flow", \
"ica"}, torch.nn.Module or callable, default="identity"
        The map g; see :mod:`sklearn_intelvae.mappings`. "identity" makes a plain VAE. A module is
        copied, never trained in place. A function of a tensor will do.
    posterior : {"diagonal", "full"} or torch.nn.Module, default="diagonal"
        The shape of the Gaussian q(y | X): independent components, or a covariance for each row.
        Independent components draw the axes of y towards local principal directions of X; with
        "full" only prior and objective give them a meaning. See
        :mod:`sklearn_intelvae.posteriors`.
    %(prior)s
    %(likelihood)s
    %(objective)s
    %(parameters of the training)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    SparseInteLVAE : The same with the sparse mapping and its settings as parameters.
    sklearn.decomposition.PCA : When a linear map is enough.

    Notes
    -----
    X is best scaled to a common unit beforehand, for instance by ``StandardScaler``.

    References
    ----------
    Miao, Mathieu, Siddharth, Teh and Rainforth, "On Incorporating Inductive Biases into VAEs",
    ICLR 2022.

    Examples
    --------
    A ring of points, its angle, and new points on it:

    >>> import numpy as np
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.mappings import Sphere
    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 500)
    >>> X = np.c_[np.cos(angle), np.sin(angle)]
    >>> vae = InteLVAE(2, mapping=Sphere(), random_state=0).fit(X)
    >>> bool(np.allclose(np.linalg.norm(vae.transform(X), axis=1), 1))
    True
    >>> radius = np.linalg.norm(vae.sample(1000), axis=1)
    >>> bool(radius.min() > 0.5)
    True
    """

    _parameter_constraints = {
        "mapping": [str, callable],
        "posterior": [str, callable],
        **OnTheBoundMixin._parameter_constraints,
        **BaseInteLVAE._parameter_constraints,
    }

    def __init__(
        self,
        n_components=2,
        *,
        mapping="identity",
        posterior="diagonal",
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
        self.mapping = mapping
        self.posterior = posterior
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
        return resolve("mapping", self.mapping)

    def _posterior_part(self):
        return resolve("posterior", self.posterior)
