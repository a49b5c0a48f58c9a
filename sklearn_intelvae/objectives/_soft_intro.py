"""The soft-introspective game: the encoder against the decoder and the prior."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.model import Model, Pass
from sklearn_intelvae.objectives._base import (
    Batch,
    Objective,
    notify_mapping,
    terms_of_mapping,
)

Terms = dict[str, Tensor]

FULL, COMPRESSED, WITH_MODES = 0.15, 0.9, 5.0
"""Weights of the errors: of a y as wide as X, of a narrower one, and with a prior of modes."""

_LATE = 0.25
_FAR_NEARER, _RUN_AWAY = 0.8, 5.0
_SPREADS = 0.01, 100.0


class SoftIntro(Objective):
    r"""The encoder tells real rows from generated ones; decoder and prior play against it.

    With x a row, m(y) = E[x | g(y)] what y decodes to, d the number of components and V the total
    variance of the training data,

    .. math::

        L(x) = d\, |x - m(y)|^2 / V, \quad
        \mathrm{KL}(x) = \mathrm{KL}(q(y \mid x) \Vert p(y)), \\
        E(x) = s\, (\beta_{rec} L(x) + \beta_{kl} \mathrm{KL}(x)), \quad
        J(x) = s\, (\beta_{judged} L(x) + \beta_{neg} \mathrm{KL}(x)),

    and with :math:`\tilde x` running over the two rows that are made for each x, one generated from
    the prior and the reconstruction m(y), the players minimise

    .. math::

        \text{encoder:} \quad & E(x)
            + \frac{1}{2 \alpha} \sum_{\tilde x} w(\tilde x)
            + s\, \rho \sum_k c_k \log_K c_k, \\
        \text{decoder, mapping and prior:} \quad & E(x)
            + \frac{s \gamma}{2} \sum_{\tilde x} \big(
            \beta_{kl} \mathrm{KL}(\tilde x) + \gamma_r \beta_{rec} L(\tilde x) \big).

    What a made row costs the encoder falls with its energy,

    .. math::

        w(\tilde x) = \sigma\, \varphi\big(\alpha\, (\bar J - J(\tilde x))\big),
        \qquad \varphi(u) = e^u \text{ for } u < 0, \quad 1 + u \text{ for } u \ge 0,

    with :math:`\bar J` the median over the real rows of the batch. A mapping's penalty is a part of
    both losses, weighted like the KL of real rows, by s times ``beta_kl``.

    To the encoder the rows that it judges are given. The decoder's gradient passes through the
    encoder, which stays as it is; in the KL of generated rows the prior is the target and stays as
    it is too, so that it learns from the codes of real rows, and from generated rows only by
    what it draws. :math:`c_k` is the mean responsibility of the prior's mode k for the codes of the
    batch; the term spreads real rows over the modes, which are given to it.

    At first there are no made rows, and both players minimise :math:`E(x)`, as a VAE does. In the
    rest of the warm-up the weights of made rows grow from 0.

    Parameters
    ----------
    beta_rec : float or "auto", default="auto"
        Weight of the errors, :math:`\beta_{rec}`. "auto" takes 5 with a prior that has modes, else
        0.15, or 0.9 where X has more columns than y. ``beta_kl`` over twice of it is the variance
        of the noise, in units of the variance of X per component, that rows are coded with; where
        that is not well below 1, nothing reaches y.
    beta_kl : float, default=0.09
        Weight of the KL of real rows, and for the decoder of generated ones,
        :math:`\beta_{kl}`.
    beta_neg : float, default=0.3
        Weight of the KL of generated rows in the encoder's exponential, :math:`\beta_{neg}`. The
        larger, the farther from the prior the encoder codes what is generated; too large, and real
        rows go with it.
    beta_judged : float, default=0.15
        Weight of the errors in that exponential, :math:`\beta_{judged}`; the papers' is
        ``beta_rec``. What the decoder has made has smaller errors than real rows, however it is
        coded. If they weigh much, all of it looks better than what is real, and the encoder can
        only answer by coding it wrongly.
    responsibility : float, default=0.0
        Weight :math:`\rho` of the term that spreads real rows over the modes of the prior.
    suspicion : float or None, default=0.25
        What a made row costs the encoder that is as good as the median real one, :math:`\sigma`.
        None takes the papers' :math:`w = e^{-\alpha J}`, whose size depends on how well the
        data can be reconstructed, so that each data set needs weights of its own.
    onset : float, default=0.5
        Share of the warm-up at which made rows begin to count. With 1 they count in full at once,
        as in the papers, and the decoder may answer that shock by giving up parts of the data.
    alpha : float, default=2.0
        Sharpness :math:`\alpha` of the exponential.
    gamma : float, default=0.15
        Weight :math:`\gamma` of made rows in the decoder's loss. The papers' 1 lets the decoder
        chase the encoder's verdict, and it may give up a group of rows on the way.
    gamma_r : float, default=0.0
        Weight :math:`\gamma_r` of their errors in it. The papers' 1e-8 costs two more passes
        through the decoder and cannot be told from 0, which spares them.
    scale : float or None, default=None
        The scale s. None takes 1 / n_components.

    Notes
    -----
    A normal prior asks for more noise than one with modes: it has no gaps, and without noise the
    encoder cannot spread rows that are in groups over all of it. Modes go where the codes are, and
    noise only makes them overlap. Where y is narrower than X, the variance of X along its last
    components is small, and noise must be smaller still.

    The papers' errors are squared distances in the units of X, and their s is one over the number
    of features, so that each data set needs betas of its own. In units of the variance of X per
    component, and with s one over their number, one setting serves the plane and images alike. A
    setting of the papers' is that of ``scale=1 / n_features``, ``beta_rec`` and ``beta_judged``
    both times V / d, ``suspicion=None``, ``onset=1``, ``gamma=1`` and ``gamma_r=1e-8``.

    A mapping that learns plays with the decoder, since it makes rows with it. With the encoder it
    would be free to turn against them: rings with a flow then had samples four times as far from
    real rows, digits with a selector of components as far as with the decoder.

    The likelihood has no part in the game: errors are squared whatever it is. A scale that it
    learns follows the errors of real rows, for ``score_samples``; that loss is a part of
    ``decoder_loss`` in ``history_``. A likelihood to which the decoder gives more than means is
    refused.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "beta_rec": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "beta_kl": [Interval(Real, 0, None, closed="neither")],
        "beta_neg": [Interval(Real, 0, None, closed="left")],
        "beta_judged": [Interval(Real, 0, None, closed="left")],
        "responsibility": [Interval(Real, 0, None, closed="left")],
        "suspicion": [Interval(Real, 0, None, closed="neither"), None],
        "onset": [Interval(Real, 0, 1, closed="both")],
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
        beta_judged: float = 0.15,
        responsibility: float = 0.0,
        suspicion: float | None = 0.25,
        onset: float = 0.5,
        alpha: float = 2.0,
        gamma: float = 0.15,
        gamma_r: float = 0.0,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.beta_rec = beta_rec
        self.beta_kl = beta_kl
        self.beta_neg = beta_neg
        self.beta_judged = beta_judged
        self.responsibility = responsibility
        self.suspicion = suspicion
        self.onset = onset
        self.alpha = alpha
        self.gamma = gamma
        self.gamma_r = gamma_r
        self.scale = scale

    def build(self, model: Model) -> None:
        """Check the parameters and take the size of y."""
        self._validate()
        if self.responsibility and not _has_modes(model):
            raise ValueError(
                f"responsibility={self.responsibility} has no effect on a prior without modes, "
                f"{type(model.prior).__name__}; leave it at 0, or take prior='mixture'."
            )
        if getattr(model.likelihood, "outputs_per_feature", 1) > 1:
            raise ValueError(
                f"likelihood {type(model.likelihood).__name__} takes more than a mean from the "
                "decoder for each feature, and the game trains no more: take one that does not, "
                "such as Gaussian()."
            )
        prior: Any = model.prior
        if hasattr(prior, "expect_game"):
            prior.expect_game(self.onset)
        self.error_weight = self._auto(model) if self.beta_rec == "auto" else self.beta_rec
        self.n_components = model.n_components
        self.step_scale = 1 / model.n_components if self.scale is None else self.scale
        self.register_buffer("unit", torch.ones(()))
        self._assigned: Tensor | None = None

    @staticmethod
    def _auto(model: Model) -> float:
        """Return the weight of the errors where it is not said."""
        if _has_modes(model):
            return WITH_MODES
        return COMPRESSED if model.n_features > model.n_components else FULL

    def caution(self, X: Tensor) -> list[str]:
        """Say so if the encoder could gain without end, or if networks learn badly from X."""
        self._validate()
        cautions = []
        if self.suspicion is not None and self.suspicion * self.beta_neg >= self.beta_kl:
            cautions.append(
                f"suspicion * beta_neg = {self.suspicion * self.beta_neg:.3g} is not below "
                f"beta_kl = {self.beta_kl:.3g}: once generated rows look like real ones, the "
                "encoder gains by coding all of them ever farther from the prior. Lower beta_neg."
            )
        spread = math.sqrt(float(_total_variance(X)) / X.shape[1])
        if spread and not _SPREADS[0] <= spread <= _SPREADS[1]:
            cautions.append(
                f"the features of X have a standard deviation of {spread:.3g} on average. The game "
                "has no unit, but networks learn well only from values of about 1: scale X first, "
                "for instance with StandardScaler."
            )
        return cautions

    def initialise(self, X: Tensor) -> None:
        """Take d / V, the unit of errors, from the training rows."""
        total = _total_variance(X)
        self.unit.copy_(self.n_components / torch.where(total > 0, total, 1.0))

    def players(self, model: Model) -> dict[str, list[nn.Parameter]]:
        """Return the encoder's parameters, then those of decoder, mapping and prior."""
        encoder = [*model.encoder.parameters(), *model.posterior.parameters()]
        own = set(map(id, encoder))
        others = [p for p in model.parameters() if id(p) not in own]
        return {
            "encoder": [p for p in encoder if p.requires_grad],
            "decoder": [p for p in others if p.requires_grad],
        }

    def loss(self, player: str, model: Model, batch: Batch) -> tuple[Tensor, Terms]:
        """Return what the player minimises, and what its turn tells of how the game stands."""
        if player == "encoder":
            return self._of_encoder(model, batch)
        return self._of_decoder(model, batch)

    def validation_loss(self, model: Model, batch: Batch) -> Tensor:
        """Return the energy of real rows, since how the game stands is no measure of progress."""
        run = model(batch.x, batch.generator)
        return self._energy(self._error(run.p.mean, batch.x), model.kl(run.q, run.y))

    def _of_encoder(self, model: Model, batch: Batch) -> tuple[Tensor, Terms]:
        x, stakes = batch.x, self._stakes(batch)
        p_y = self._target(model) if stakes else model.p_y()
        run = model(x, batch.generator)
        if batch.memo is not None:
            batch.memo["codes"] = run.q.detached(), run.y.detach()
        notify_mapping(model, batch, run.y)
        kl = model.kl(run.q, run.y, p_y)
        terms = {"kl": kl}
        error = self._error(run.p.mean, x)
        loss = self._energy(error, kl)
        loss = loss + self._of_modes(model, p_y, run.y, batch.weight)
        extra = terms_of_mapping(model, batch, run)
        loss = sum((self.step_scale * self.beta_kl * term for term in extra.values()), loss)
        if stakes:
            real = _median(self._judged(error.detach(), kl.detach()), batch.weight)
            of_game = self._of_made_rows(model, p_y, run.p.mean.detach(), real, batch.generator)
            cost = of_game["exp_elbo_fake"] + of_game["exp_elbo_rec"]
            loss = torch.add(loss, cost, alpha=stakes / (2 * self.alpha))
            terms |= {"kl_real": kl} | of_game
        return loss, terms | extra

    def _of_made_rows(
        self,
        model: Model,
        p_y: Any,
        reconstructed: Tensor,
        real: Tensor,
        generator: torch.Generator,
    ) -> Terms:
        """Return KL and w of generated and of reconstructed rows."""
        with torch.no_grad():
            generated = _decoded(model, p_y.sample(len(reconstructed), generator))
        judged = torch.cat([generated, reconstructed])
        q = model.encode(judged)
        y = q.sample(generator)
        kl = model.kl(q, y, p_y)
        exp_elbo = self._exp_elbo(self._judged(self._error(_decoded(model, y), judged), kl), real)
        kl_fake, kl_rec = kl.chunk(2)
        of_fake, of_rec = exp_elbo.chunk(2)
        return {
            "kl_fake": kl_fake,
            "kl_rec": kl_rec,
            "exp_elbo_fake": of_fake,
            "exp_elbo_rec": of_rec,
        }

    def _exp_elbo(self, energy: Tensor, real: Tensor) -> Tensor:
        """Return w, which goes on as a straight line where a row is better than the real ones."""
        if self.suspicion is None:
            return (-self.alpha * energy).exp()
        return self.suspicion * (1 + F.elu(self.alpha * (real - energy)))

    def _of_decoder(self, model: Model, batch: Batch) -> tuple[Tensor, Terms]:
        x, n, stakes = batch.x, len(batch.x), self._stakes(batch)
        q, y = self._codes_of_real_rows(model, batch)
        p_y = model.p_y()
        z = model.mapping(torch.cat([y, p_y.sample(n, batch.generator)]) if stakes else y)
        h = model.decoder_output(z)
        p = model.likelihood(h)
        loss = self._energy(self._error(p.mean[:n], x), model.kl(q, y, p_y))
        extra = terms_of_mapping(model, batch, Pass(q, y, z[:n], p))
        loss = sum((self.step_scale * self.beta_kl * term for term in extra.values()), loss)
        surprise = -model.likelihood(h[:n].detach()).log_prob(x)
        if surprise.requires_grad:
            loss = loss + surprise
        if stakes:
            cost = self._seen_through(model, p_y, p.mean, batch.generator)
            loss = torch.add(loss, cost, alpha=0.5 * stakes * self.gamma * self.step_scale)
        return loss, {"reconstruction": surprise}

    @staticmethod
    @torch.no_grad()
    def _target(model: Model) -> Any:
        """Return p(y) as the encoder takes it in the game: as given."""
        return _frozen(model.p_y())

    def _seen_through(
        self, model: Model, p_y: Any, made: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return what the encoder's view of reconstructed and generated rows costs the decoder."""
        q = model.encode(made)
        y = q.sample(generator)
        cost = self.beta_kl * model.kl(q, y, _frozen(p_y))
        if self.gamma_r:
            error = self._error(_decoded(model, y.detach()), made.detach())
            cost = torch.add(cost, error, alpha=self.gamma_r * self.error_weight)
        of_rec, of_fake = cost.chunk(2)
        return of_rec + of_fake

    def _stakes(self, batch: Batch) -> float:
        """Return how much made rows count: nothing before the onset, all after the warm-up."""
        if batch.warmup >= 1:
            return 1.0
        return max(0.0, (batch.warmup - self.onset) / (1 - self.onset)) if self.onset < 1 else 0.0

    def _nats_of_codes(self) -> float:
        """Return about the KL of real rows in a VAE: of codes with the noise that pays best."""
        noise = self.beta_kl / (2 * self.error_weight)
        return 0.5 * self.n_components * math.log1p(1 / noise)

    def _codes_of_real_rows(self, model: Model, batch: Batch) -> tuple[Normal, Tensor]:
        """Return q and y of the rows, which the encoder has just made of them."""
        if batch.memo and "codes" in batch.memo:
            return batch.memo["codes"]
        with torch.no_grad():
            q = model.encode(batch.x)
            return q, q.sample(batch.generator)

    def _energy(self, error: Tensor, kl: Tensor) -> Tensor:
        s = self.step_scale
        return torch.add(s * self.error_weight * error, kl, alpha=s * self.beta_kl)

    def _judged(self, error: Tensor, kl: Tensor) -> Tensor:
        s = self.step_scale
        return torch.add(s * self.beta_judged * error, kl, alpha=s * self.beta_neg)

    def _error(self, mean: Tensor, x: Tensor) -> Tensor:
        return (mean - x).square().sum(-1) * self.unit

    def _of_modes(
        self, model: Model, p_y: Any, y: Tensor, weight: Tensor | None = None
    ) -> Tensor | float:
        """Note which modes real codes belong to, and return what their unequal use costs.

        The modes are given, for those that are codes themselves would draw together for it.
        """
        p_y = _frozen(p_y)
        if not hasattr(p_y, "responsibilities"):
            return 0.0
        with torch.set_grad_enabled(self.responsibility > 0 and torch.is_grad_enabled()):
            of_rows = p_y.responsibilities(y)
            assigned = (of_rows if weight is None else weight[:, None] * of_rows).sum(0)
        if model.training:
            noted = assigned.detach()
            self._assigned = noted if self._assigned is None else self._assigned + noted
        if not self.responsibility:
            return 0.0
        shares = assigned / assigned.sum().clamp(min=1e-8)
        return -self.responsibility * self.step_scale * normalised_entropy(shares)

    def summary(self, model: Model) -> dict[str, float]:
        """Return how the prior's modes were used in an epoch, if it has any.

        Their entropy is 1 if all are used alike, which they also are if they coincide: the mean
        distance between two of them, in units of their width, tells.
        """
        if self._assigned is None:
            return {}
        shares, self._assigned = self._assigned / self._assigned.sum(), None
        summary = {
            "responsibility_entropy": float(normalised_entropy(shares)),
            "inactive_modes": float((shares < 1 / len(shares) ** 2).sum()),
        }
        with torch.no_grad():
            p_y = _frozen(model.p_y())
            if hasattr(p_y, "mean") and hasattr(p_y, "log_scale"):
                variance = (2 * p_y.log_scale).exp()
                apart = torch.pdist(p_y.mean).mean() if len(shares) > 1 else torch.zeros(())
                summary["mode_separation"] = float(apart / variance.mean().sqrt())
                summary["largest_prior_variance"] = float(variance.max())
        return summary

    def advice(self, history: list[dict[str, Any]]) -> str | None:
        """Say so if, late in the game, the encoder codes the wrong rows far from the prior.

        A little nearer to it than real rows generated ones are to a mixture in many dimensions even
        without a game, since they lack what the decoder cannot say; and so they stay if nothing
        drives them away.
        """
        game = [row for row in history if "kl_fake" in row]
        if not game:
            return None
        late, first = game[-max(1, math.ceil(_LATE * len(game))) :], game[0]["kl_real"]
        fake, real = late[-1]["kl_fake"], late[-1]["kl_real"]
        expected = max(first, self._nats_of_codes())
        if all(row["kl_real"] > _RUN_AWAY * expected for row in late):
            found = (
                "the encoder has driven real rows from the prior together with generated ones "
                f"(history_: kl_real {real:.3g}, {first:.3g} when the game began)"
            )
        elif self.beta_neg and all(row["kl_fake"] < _FAR_NEARER * row["kl_real"] for row in late):
            found = (
                f"in the last {len(late)} epochs the encoder found generated rows nearer to the "
                f"prior than real ones (history_: kl_fake {fake:.3g}, kl_real {real:.3g})"
            )
        else:
            return None
        return f"{found}, and samples are poor then. Lower beta_neg, now {self.beta_neg}."


def normalised_entropy(shares: Tensor) -> Tensor:
    """Return the entropy of the shares of K modes, divided by log K; 0 for a single one."""
    if len(shares) == 1:
        return torch.zeros_like(shares[0])
    return -(shares * (shares + 1e-8).log()).sum() / math.log(len(shares))


def _total_variance(X: Tensor) -> Tensor:
    return (X - X.mean(0)).square().sum() / len(X)


def _has_modes(model: Model) -> bool:
    return getattr(model.prior, "has_modes", False)


def _median(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the value with half of the rows' weight below it."""
    if weight is None:
        return values.median()
    order = values.argsort()
    below = weight[order].cumsum(0)
    return values[order[(below < 0.5 * below[-1]).sum()]]


def _decoded(model: Model, y: Tensor) -> Tensor:
    return model.decoded_mean(model.mapping(y))


def _frozen(p_y: Any) -> Any:
    """Return p(y), of which no gradient is known if it can do without."""
    return p_y.detached() if hasattr(p_y, "detached") else p_y
