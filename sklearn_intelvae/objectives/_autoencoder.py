"""The autoencoder: a VAE without noise and without KL term."""

from __future__ import annotations

from torch import Tensor

from sklearn_intelvae._part import call
from sklearn_intelvae.models import VAE, Forward
from sklearn_intelvae.objectives._base import (
    Batch,
    Objective,
    Terms,
    joined,
    observe_and_terms_of_mapping,
)


class Autoencoder(Objective):
    r"""The reconstruction alone, at the mean of q(y | x) in place of a draw.

    .. math:: -\log p(x \mid g(\mu(x))) + \mathrm{penalty}_g(\mu(x), g(\mu(x)))

    No term shapes the distribution of the codes or their axes: a control, or a compression. The
    variance of q is not trained, so that the bound of ``score_samples`` is loose, and the codes do
    not follow the prior: call ``fit_density`` before sampling.

    References
    ----------
    Ghosh, Sajjadi, Vergari, Black and Schölkopf, "From Variational to Deterministic Autoencoders",
    ICLR 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_intelvae import InteLVAE
    >>> X = load_digits().data[:200] / 16
    >>> ae = InteLVAE(5, objective="autoencoder", max_iter=3, random_state=0).fit(X).fit_density(X)
    >>> ae.sample(10, source="density").shape
    (10, 64)
    """

    trains_variance = False

    def loss(self, player: str, model: VAE, batch: Batch) -> tuple[Tensor, Terms]:
        """Return -log p(x | z) + terms of the mapping of each row, and the terms."""
        q = model.encode(batch.x)
        y = q.mean
        z = model.map(y)
        run = Forward(q, y, z, model.decode(z))
        terms = {"reconstruction": -call(run.p.log_prob, batch.x)}
        extra = observe_and_terms_of_mapping(model, batch, run)
        return sum(extra.values(), terms["reconstruction"]), joined(terms, extra)
