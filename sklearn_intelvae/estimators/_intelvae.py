"""The VAE with a mapping."""

from __future__ import annotations

from sklearn_intelvae.estimators._base import BaseInteLVAE
from sklearn_intelvae.estimators._shelves import resolve


class InteLVAE(BaseInteLVAE):
    """x"""

    _parameter_constraints = {"mapping": [str, callable], **BaseInteLVAE._parameter_constraints}

    def __init__(
        self,
        n_components=2,
        *,
        mapping="identity",
        prior="normal",
        likelihood="gaussian",
        objective="elbo",
        beta=1.0,
        kl_warmup=0.25,
        encoder="auto",
        decoder="auto",
        hidden_layer_sizes=(128, 128),
        activation="relu",
        image_shape=None,
        learning_rate="cosine",
        learning_rate_init=1e-3,
        batch_size="auto",
        max_iter="auto",
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
        super().__init__(
            n_components,
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
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            max_iter=max_iter,
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
