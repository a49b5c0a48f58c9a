"""The Soft-IntroVAE game: the encoder against the decoder and the prior."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, ClassVar, Literal

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from sklearn_intelvae._part import call
from sklearn_intelvae.distributions import (
    Density,
    GaussianMixture,
    MixtureDensity,
    PosteriorDistribution,
)
from sklearn_intelvae.models import VAE, Forward
from sklearn_intelvae.objectives._base import (
    Batch,
    Objective,
    Terms,
    joined,
    observe_and_terms_of_mapping,
    terms_of_mapping,
)
from sklearn_intelvae.objectives._game import (
    energy,
    expected_kl,
    fake_loss,
    game_weight,
    normalized_entropy,
    squared_error,
    total_variance,
    weighted_median,
)

BETA_REC_FULL, BETA_REC_COMPRESSED, BETA_REC_MODES = 0.15, 0.9, 5.0
"""Default weights of the errors: for y as wide as X, for a narrower y, for a prior with modes."""

_LATE = 0.25
_NEARER, _RUN_AWAY = 0.8, 5.0


class SoftIntro(Objective):
    r"""The encoder distinguishes real from generated rows; decoder and prior play against it.

    With x a row as the model sees it, that is in units that the likelihood chooses, m(y) = E[x |
    g(y)] its reconstruction from y, d the number of components and V the total variance of the
    training rows,

    .. math::

        L(x) = d\, |x - m(y)|^2 / V, \quad
        \mathrm{KL}(x) = \mathrm{KL}(q(y \mid x) \Vert p(y)), \\
        E(x) = s\, (\beta_{rec} L(x) + \beta_{kl} \mathrm{KL}(x)), \quad
        J(x) = s\, (\beta_{fake} L(x) + \beta_{neg} \mathrm{KL}(x)),

    and with :math:`\tilde x` running over the two generated rows for each x, one decoded from a
    draw from the prior and the other the reconstruction m(y), the players minimize

    .. math::

        \text{encoder:} \quad & E(x)
            + \frac{1}{2 \alpha} \sum_{\tilde x} w(\tilde x)
            + s\, \rho \sum_k c_k \log_K c_k, \\
        \text{decoder, mapping and prior:} \quad & E(x)
            + \frac{s \gamma}{2} \sum_{\tilde x} \big(
            \beta_{kl} \mathrm{KL}(\tilde x) + \gamma_r \beta_{rec} L(\tilde x) \big).

    The encoder's loss of a generated row decreases with the energy of the row,

    .. math::

        w(\tilde x) = \sigma\, \varphi\big(\alpha\, (\bar J - J(\tilde x))\big),
        \qquad \varphi(u) = e^u \text{ for } u < 0, \quad 1 + u \text{ for } u \ge 0,

    with :math:`\bar J` the median over the real rows of the batch. A mapping's penalty is a term of
    both losses, weighted like the KL of real rows, by s times ``beta_kl``.

    Generated rows are detached in the encoder's loss. The decoder's gradient passes through the
    encoder, which is not updated; in the KL of generated rows the prior is detached too, so that it
    learns from the codes of real rows, and from generated rows only through its draws. :math:`c_k`
    is the mean responsibility of mode k of the prior for the codes of the batch; this term spreads
    real rows over the modes, which are detached in it.

    At first no rows are generated, and both players minimize :math:`E(x)`, as in a VAE. In the rest
    of the warm-up the weights of generated rows grow from 0.

    Parameters
    ----------
    beta_rec : float or "auto", default="auto"
        Weight of the errors, :math:`\beta_{rec}`. "auto" means 5 for a prior with modes, otherwise
        0.15, or 0.9 if X has more columns than y. ``beta_kl`` / (2 ``beta_rec``) is the variance of
        the noise of the codes, in units of the variance of X per component; if it is not well below
        1, nothing is encoded.
    beta_kl : float, default=0.09
        Weight of the KL of real rows, and for the decoder of generated ones,
        :math:`\beta_{kl}`.
    beta_neg : float, default=0.3
        Weight of the KL of generated rows in the encoder's loss of them, :math:`\beta_{neg}`. With
        a larger value the encoder places generated rows farther from the prior; if it is too large,
        real rows follow.
    beta_fake_rec : float, default=0.15
        Weight of the errors of generated rows in that loss, :math:`\beta_{fake}`; the papers use
        ``beta_rec``. Generated rows have smaller errors than real rows, however they are encoded.
        With a large weight all of them have lower energies than real rows, and the encoder can
        raise their energies only by encoding them wrongly.
    responsibility_weight : float, default=0.0
        Weight :math:`\rho` of the term that spreads real rows over the modes of the prior.
    fake_weight : float or None, default=0.25
        Encoder loss :math:`\sigma` of a generated row whose energy equals the median of the real
        rows. None means the papers' :math:`w = e^{-\alpha J}`, whose size depends on how well the
        data can be reconstructed, so that each data set needs its own weights.
    game_start : float, default=0.5
        Fraction of the warm-up at which generated rows begin to contribute. With 1 they contribute
        fully from the end of the warm-up, as in the papers; the sudden change can make the decoder
        lose parts of the data.
    alpha : float, default=2.0
        Sharpness :math:`\alpha` of the exponential.
    gamma : float, default=0.15
        Weight :math:`\gamma` of generated rows in the decoder's loss. With the papers' 1 the
        decoder follows every change of the encoder, and can lose a group of rows.
    gamma_r : float, default=0.0
        Weight :math:`\gamma_r` of their errors in that loss. The papers' 1e-8 costs two more passes
        through the decoder and has the same results as 0, which costs none.
    scale : float or None, default=None
        The scale s. None means 1 / n_components.

    Raises
    ------
    ValueError
        By ``build``, if a parameter is outside its range, ``responsibility_weight`` is given for a
        prior without modes, or the likelihood needs more than one output per feature.

    Notes
    -----
    A normal prior needs more noise than one with modes: it has no gaps, and without noise the
    encoder cannot spread rows that form groups over the whole prior. Modes are placed at the codes,
    and noise only makes them overlap. If y is narrower than X, the variance of X along its last
    components is small, and the noise must be smaller still.

    The papers' errors are squared distances in the units of X, and their s is one over the number
    of features, so that each data set needs its own betas. In units of the variance of X per
    component, and with s one over their number, one setting serves data in the plane and images. A
    setting of the papers corresponds to ``scale=1 / n_features``, ``beta_rec`` and
    ``beta_fake_rec`` both times V / d, ``fake_weight=None``, ``game_start=1``, ``gamma=1`` and
    ``gamma_r=1e-8``.

    A mapping with weights belongs to the decoder's player, since it takes part in generating rows.
    As part of the encoder's player it can act against them: samples of rings with a flow were then
    four times as far from real rows, those of digits with a dimension selector as far as before.

    The likelihood does not enter the game: errors are squared for any likelihood. A learned scale
    is fitted to the errors of real rows, for ``score_samples``; this loss is a part of
    ``decoder_loss`` in ``history_``.

    References
    ----------
    Daniel and Tamar, "Soft-IntroVAE: Analyzing and Improving the Introspective Variational
    Autoencoder", CVPR 2021.
    Athanasiadis, Lindsten and Felsberg, "Prior Learning in Introspective VAEs", TMLR 2025.

    Examples
    --------
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.datasets import make_rings
    >>> from sklearn_intelvae.objectives import SoftIntro
    >>> X, _ = make_rings(500, random_state=0)
    >>> vae = InteLVAE(2, objective=SoftIntro(), max_iter=30, random_state=0).fit(X)
    >>> bool({"kl_real", "kl_fake", "exp_elbo_fake"} <= set(vae.history_[-1]))
    True
    """

    needs_warmup = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "beta_rec": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "beta_kl": [Interval(Real, 0, None, closed="neither")],
        "beta_neg": [Interval(Real, 0, None, closed="left")],
        "beta_fake_rec": [Interval(Real, 0, None, closed="left")],
        "responsibility_weight": [Interval(Real, 0, None, closed="left")],
        "fake_weight": [Interval(Real, 0, None, closed="neither"), None],
        "game_start": [Interval(Real, 0, 1, closed="both")],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "gamma_r": [Interval(Real, 0, None, closed="left")],
        "scale": [Interval(Real, 0, None, closed="neither"), None],
    }

    unit: Tensor

    def __init__(
        self,
        beta_rec: float | Literal["auto"] = "auto",
        beta_kl: float = 0.09,
        beta_neg: float = 0.3,
        beta_fake_rec: float = 0.15,
        responsibility_weight: float = 0.0,
        fake_weight: float | None = 0.25,
        game_start: float = 0.5,
        alpha: float = 2.0,
        gamma: float = 0.15,
        gamma_r: float = 0.0,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.beta_rec = beta_rec
        self.beta_kl = beta_kl
        self.beta_neg = beta_neg
        self.beta_fake_rec = beta_fake_rec
        self.responsibility_weight = responsibility_weight
        self.fake_weight = fake_weight
        self.game_start = game_start
        self.alpha = alpha
        self.gamma = gamma
        self.gamma_r = gamma_r
        self.scale = scale

    def build(self, model: VAE) -> None:
        """Check the parameters and the parts of the model, and resolve the defaults."""
        self._validate()
        if self.responsibility_weight and not model.prior.has_modes:
            raise ValueError(
                f"responsibility_weight={self.responsibility_weight} has no effect on a prior "
                f"without modes, {type(model.prior).__name__}; leave it at 0, or use "
                "prior='vamp-init-mixture'."
            )
        if model.likelihood.outputs_per_feature > 1:
            raise ValueError(
                f"likelihood {type(model.likelihood).__name__} needs more than one output of the "
                "decoder per feature, and the game trains only means: use one with a single "
                "output, such as Gaussian()."
            )
        self.error_weight = _default_beta_rec(model) if self.beta_rec == "auto" else self.beta_rec
        self.n_components = model.n_components
        self.step_scale = 1 / model.n_components if self.scale is None else self.scale
        self.register_buffer("unit", torch.ones(()))
        self._mode_counts: Tensor | None = None

    def check_data(self, X: Tensor) -> list[str]:
        """Warn if the encoder's loss is unbounded."""
        self._validate()
        warnings = []
        if self.fake_weight is not None and self.fake_weight * self.beta_neg >= self.beta_kl:
            warnings.append(
                f"fake_weight * beta_neg = {self.fake_weight * self.beta_neg:.3g} is not below "
                f"beta_kl = {self.beta_kl:.3g}: once generated rows resemble real ones, the "
                "encoder gains by moving all codes ever farther from the prior. Lower beta_neg."
            )
        return warnings

    def initialize(self, X: Tensor, generator: torch.Generator) -> None:
        """Set the unit of the errors, d / V, from the training rows."""
        total = total_variance(X)
        self.unit.copy_(self.n_components / torch.where(total > 0, total, 1.0))

    def players(self, model: VAE) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of the encoder, and those of decoder, mapping and prior."""
        encoder = [*model.encoder.parameters(), *model.posterior.parameters()]
        own = set(map(id, encoder))
        others = [p for p in model.parameters() if id(p) not in own]
        return {
            "encoder": [p for p in encoder if p.requires_grad],
            "decoder": [p for p in others if p.requires_grad],
        }

    def loss(self, player: str, model: VAE, batch: Batch) -> tuple[Tensor, Terms]:
        """Return the player's loss of each row, and the terms to record."""
        if player == "encoder":
            return self._encoder_loss(model, batch)
        return self._decoder_loss(model, batch)

    def validation_loss(self, model: VAE, batch: Batch) -> Tensor:
        """Return the energy of real rows; the losses of a game do not measure progress."""
        run = model(batch.x, batch.generator)
        return self._energy(
            squared_error(run.p.mean, batch.x, self.unit),
            call(model.prior_distribution().kl, run.q, run.y),
        )

    def _encoder_loss(self, model: VAE, batch: Batch) -> tuple[Tensor, Terms]:
        x, weight = batch.x, game_weight(batch.progress, self.game_start)
        p_y = _detached_prior(model) if weight else model.prior_distribution()
        run = model(x, batch.generator)
        batch.cache["codes"] = run.q.detached(), run.y.detach()
        extra = observe_and_terms_of_mapping(model, batch, run)
        kl = call(p_y.kl, run.q, run.y)
        terms = {"kl": kl}
        error = squared_error(run.p.mean, x, self.unit)
        loss = self._energy(error, kl)
        loss = loss + self._mode_entropy(model, p_y, run.y, batch.weight)
        loss = sum((self.step_scale * self.beta_kl * term for term in extra.values()), loss)
        if weight:
            real = weighted_median(self._judge_energy(error.detach(), kl.detach()), batch.weight)
            fake = self._fake_terms(model, p_y, run.p.mean.detach(), real, batch.generator)
            cost = fake["exp_elbo_fake"] + fake["exp_elbo_rec"]
            loss = torch.add(loss, cost, alpha=weight / (2 * self.alpha))
            terms |= {"kl_real": kl} | fake
        return loss, joined(terms, extra)

    def _fake_terms(
        self,
        model: VAE,
        p_y: Density,
        reconstructed: Tensor,
        real: Tensor,
        generator: torch.Generator,
    ) -> Terms:
        """Return KL and w of generated and of reconstructed rows."""
        with torch.no_grad():
            generated = _decoded(model, p_y.sample(len(reconstructed), generator))
        fake = torch.cat([generated, reconstructed])
        q = model.encode(fake)
        y = q.sample(generator)
        kl = call(p_y.kl, q, y)
        error = squared_error(_decoded(model, y), fake, self.unit)
        loss = fake_loss(self._judge_energy(error, kl), real, self.alpha, self.fake_weight)
        kl_fake, kl_rec = kl.chunk(2)
        loss_fake, loss_rec = loss.chunk(2)
        return {
            "kl_fake": kl_fake,
            "kl_rec": kl_rec,
            "exp_elbo_fake": loss_fake,
            "exp_elbo_rec": loss_rec,
        }

    def _decoder_loss(self, model: VAE, batch: Batch) -> tuple[Tensor, Terms]:
        x, n, weight = batch.x, len(batch.x), game_weight(batch.progress, self.game_start)
        q, y = _cached_codes(model, batch)
        p_y = model.prior_distribution()
        z = model.map(torch.cat([y, p_y.sample(n, batch.generator)]) if weight else y)
        h = model.decoder_output(z)
        p = call(model.likelihood, h)
        loss = self._energy(squared_error(p.mean[:n], x, self.unit), call(p_y.kl, q, y))
        extra = terms_of_mapping(model, batch, Forward(q, y, z[:n], p))
        loss = sum((self.step_scale * self.beta_kl * term for term in extra.values()), loss)
        reconstruction = -call(call(model.likelihood, h[:n].detach()).log_prob, x)
        if reconstruction.requires_grad:
            loss = loss + reconstruction
        if weight:
            cost = self._decoder_fake_loss(model, p_y, p.mean, batch.generator)
            loss = torch.add(loss, cost, alpha=0.5 * weight * self.gamma * self.step_scale)
        return loss, {"reconstruction": reconstruction}

    def _decoder_fake_loss(
        self, model: VAE, p_y: Density, fake: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return the decoder's loss of reconstructed and generated rows, as the encoder sees them.

        The first half of ``fake`` are reconstructions, the second half generated rows.
        """
        q = model.encode(fake)
        y = q.sample(generator)
        cost = self.beta_kl * call(p_y.detached().kl, q, y)
        if self.gamma_r:
            error = squared_error(_decoded(model, y.detach()), fake.detach(), self.unit)
            cost = torch.add(cost, error, alpha=self.gamma_r * self.error_weight)
        reconstructed, generated = cost.chunk(2)
        return reconstructed + generated

    def _energy(self, error: Tensor, kl: Tensor) -> Tensor:
        s = self.step_scale
        return energy(error, kl, s * self.error_weight, s * self.beta_kl)

    def _judge_energy(self, error: Tensor, kl: Tensor) -> Tensor:
        s = self.step_scale
        return energy(error, kl, s * self.beta_fake_rec, s * self.beta_neg)

    def _mode_entropy(
        self, model: VAE, p_y: Density, y: Tensor, weight: Tensor | None = None
    ) -> Tensor | float:
        """Count the responsibilities of the modes, and return the weighted negative entropy."""
        p_y = p_y.detached()  # modes that are codes themselves would otherwise move together
        if not isinstance(p_y, MixtureDensity):
            return 0.0
        with torch.set_grad_enabled(self.responsibility_weight > 0 and torch.is_grad_enabled()):
            per_row = call(p_y.responsibilities, y)
            counts = (per_row if weight is None else weight[:, None] * per_row).sum(0)
        if model.training:
            total = counts.detach()
            self._mode_counts = total if self._mode_counts is None else self._mode_counts + total
        if not self.responsibility_weight:
            return 0.0
        shares = counts / counts.sum().clamp(min=1e-8)
        return -self.responsibility_weight * self.step_scale * normalized_entropy(shares)

    def epoch_stats(self, model: VAE) -> dict[str, float]:
        """Return how the modes of the prior were used in an epoch, if it has any.

        The entropy of their shares is 1 if all are used equally, which is also the case if they
        coincide: then the mean distance of two modes, in units of their width, is near 0.
        """
        if self._mode_counts is None:
            return {}
        shares, self._mode_counts = self._mode_counts / self._mode_counts.sum(), None
        stats = {
            "responsibility_entropy": float(normalized_entropy(shares)),
            "inactive_modes": float((shares < 1 / len(shares) ** 2).sum()),
        }
        with torch.no_grad():
            p_y = model.prior_distribution()
            if isinstance(p_y, GaussianMixture):
                variance = (2 * p_y.log_scale).exp()
                apart = torch.pdist(p_y.mean).mean() if len(shares) > 1 else torch.zeros(())
                stats["mode_separation"] = float(apart / variance.mean().sqrt())
                stats["largest_prior_variance"] = float(variance.max())
        return stats

    def check_history(self, history: list[dict[str, Any]]) -> list[str]:
        """Warn if, late in the game, the encoder places the wrong rows far from the prior.

        In many dimensions generated rows are a little nearer to a mixture than real ones even
        without a game, since they lack what the decoder does not represent.
        """
        game = [row for row in history if "kl_fake" in row]
        if not game:
            return []
        late, first = game[-max(1, math.ceil(_LATE * len(game))) :], game[0]["kl_real"]
        fake, real = late[-1]["kl_fake"], late[-1]["kl_real"]
        usual = max(first, expected_kl(self.n_components, self.beta_kl, self.error_weight))
        if all(row["kl_real"] > _RUN_AWAY * usual for row in late):
            found = (
                "the encoder has moved real rows away from the prior together with generated ones "
                f"(history_: kl_real {real:.3g}, {first:.3g} at the start of the game)"
            )
        elif self.beta_neg and all(row["kl_fake"] < _NEARER * row["kl_real"] for row in late):
            found = (
                f"in the last {len(late)} epochs the encoder placed generated rows nearer to the "
                f"prior than real ones (history_: kl_fake {fake:.3g}, kl_real {real:.3g})"
            )
        else:
            return []
        return [f"{found}; samples are poor then. Lower beta_neg, now {self.beta_neg}."]


def _default_beta_rec(model: VAE) -> float:
    """Return the weight of the errors that "auto" means for this model."""
    if model.prior.has_modes:
        return BETA_REC_MODES
    return BETA_REC_COMPRESSED if model.n_features > model.n_components else BETA_REC_FULL


@torch.no_grad()
def _detached_prior(model: VAE) -> Density:
    """Return p(y) as a detached copy (no gradients), for the encoder in the game."""
    return model.prior_distribution().detached()


def _cached_codes(model: VAE, batch: Batch) -> tuple[PosteriorDistribution, Tensor]:
    """Return q and y of the rows as the encoder's turn left them, or new ones."""
    if "codes" in batch.cache:
        return batch.cache["codes"]
    with torch.no_grad():
        q = model.encode(batch.x)
        return q, q.sample(batch.generator)


def _decoded(model: VAE, y: Tensor) -> Tensor:
    """Return the mean of p(x | g(y)), of shape (n, n_features)."""
    return model.decode_mean(model.map(y))
