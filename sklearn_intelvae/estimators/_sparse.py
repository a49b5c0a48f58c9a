"""The VAE whose rows choose their dimensions."""

from __future__ import annotations

from sklearn_intelvae.estimators._base import BaseInteLVAE, OnTheBoundMixin
from sklearn_intelvae.estimators._docs import with_shared_docs
from sklearn_intelvae.estimators._inputs import layer_sizes
from sklearn_intelvae.mappings import DimensionSelector


@with_shared_docs
class SparseInteLVAE(OnTheBoundMixin, BaseInteLVAE):
    """A variational autoencoder in which each row uses few components of the latent.

    ::

        X -> encoder -> q(y | X) -> y -> z = y * gates(y) -> decoder -> p(X | z)

    A small network, the dimension selector, computes from y a gate between ``floor`` and 1 for
    each component. A penalty on the gates asks that each row open few of them and that different
    rows open different ones, so that a component comes to stand for an attribute that some rows
    have and others lack.

    Parameters
    ----------
    n_components : int, default=2
        Size of y and of z.
    gamma : float, default=3.0
        Weight of the sparsity penalty, in nats per row; 0 leaves the selector free. Useful values
        grow with what there is to reconstruct, from about 1 to 30: raise it until the
        log-likelihood begins to suffer.
    floor : float, default=0.0
        Smallest gate, from 0 to below 1. Above zero it bounds the sparsity that can be reached.
    selector_layer_sizes : sequence of int, default=(64,)
        Hidden layers of the selector.
    regularise : {"abs", "gates"}, default="abs"
        Whether the penalty looks at the magnitudes of z or at the gates.
    %(prior)s
    %(likelihood)s
    %(objective)s
    %(parameters of the training)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    InteLVAE : The same with any mapping.
    sklearn.decomposition.SparsePCA : A linear map with sparse components, not sparse codes.

    References
    ----------
    Miao, Mathieu, Siddharth, Teh and Rainforth, "On Incorporating Inductive Biases into VAEs",
    ICLR 2022, section 6.3.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae import SparseInteLVAE
    >>> from sklearn_intelvae.metrics import hoyer_sparsity
    >>> X = load_digits().data / 16
    >>> vae = SparseInteLVAE(10, gamma=10, max_iter=60, random_state=0).fit(X)
    >>> hoyer_sparsity(vae.transform(X)) > 0.4
    True
    """

    _parameter_constraints = {
        "selector_layer_sizes": ["array-like"],
        **DimensionSelector._parameter_constraints,
        **OnTheBoundMixin._parameter_constraints,
        **BaseInteLVAE._parameter_constraints,
    }

    def __init__(
        self,
        n_components=2,
        *,
        gamma=3.0,
        floor=0.0,
        selector_layer_sizes=(64,),
        regularise="abs",
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
        self.gamma = gamma
        self.floor = floor
        self.selector_layer_sizes = selector_layer_sizes
        self.regularise = regularise
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
        return DimensionSelector(
            gamma=self.gamma,
            hidden_layer_sizes=layer_sizes("selector_layer_sizes", self.selector_layer_sizes),
            floor=self.floor,
            regularise=self.regularise,
        )
