"""The autoencoder, a VAE without noise and without cost."""

from __future__ import annotations

from torch import Tensor

from sklearn_intelvae.model import Model, Pass
from sklearn_intelvae.objectives._base import (
    Batch,
    Objective,
    notify_mapping,
    terms_of_mapping,
)


class Autoencoder(Objective):
    r"""The errors alone, with the mean of q(y | x) in place of a draw.

    .. math:: -\log p(x \mid g(\mu(x))) + \mathrm{penalty}_g(\mu(x), g(\mu(x)))

    Nothing asks for any shape of the codes or for any meaning of their axes: a control, or a
    compression. The variance of q is not trained, so that ``score_samples`` is a bound that says
    little, and codes are not where the prior draws from: after ``fit_density`` new rows can be
    sampled.

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

    of_draws = False

    def loss(self, player: str, model: Model, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the errors of each row."""
        q = model.encode(batch.x)
        y = q.mean
        z = model.mapping(y)
        run = Pass(q, y, z, model.decode(z))
        notify_mapping(model, batch, y)
        terms = {"reconstruction": -run.p.log_prob(batch.x)}
        extra = terms_of_mapping(model, batch, run)
        return sum(extra.values(), terms["reconstruction"]), terms | extra
