"""The VAE that judges what it generates."""

from __future__ import annotations

from numbers import Integral

from sklearn.utils._param_validation import Interval

from sklearn_intelvae.estimators._base import BaseInteLVAE
from sklearn_intelvae.estimators._docs import with_shared_docs
from sklearn_intelvae.estimators._inputs import Steps
from sklearn_intelvae.estimators._shelves import resolve
from sklearn_intelvae.objectives import SoftIntro
from sklearn_intelvae.priors import Vamp, VampMixture

_OF_THE_OBJECTIVE = ("beta_rec", "beta_kl", "beta_neg", "responsibility")
_OF_THE_MIXTURE = (
    "n_prior_components",
    "learn_prior",
    "learn_weights",
    "clip_prior_variance",
    "vamp_warmup",
)


@with_shared_docs
class SoftIntroVAE(BaseInteLVAE):
    """A variational autoencoder whose encoder learns to tell its samples from real rows.

    ::

        X -> encoder -> q(y | X) -> y -> mapping -> z -> decoder -> p(X | z)
               ^                                                      |
               +--------------- generated and reconstructed rows -----+

    A plain VAE blurs: nothing in its loss speaks of what it generates. Here the encoder also
    codes generated rows, and is trained to code them far from the prior; the decoder, and a prior
    that is a mixture, are trained to be coded near it. No further network is needed. Samples come
    out sharper and the score of rows unlike the data falls; an epoch takes about four times as long
    as one of :class:`InteLVAE`. The first part of the training is that of a VAE.

    Errors are measured in units of the total variance of X, so that the weights mean the same for
    all data. Networks still learn best from values of about 1, and the fit warns if those of X are
    far from it; features that are to count alike are best scaled alike. ``StandardScaler`` does
    both.

    Parameters
    ----------
    n_components : int, default=2
        Size of y. The size of z follows from the mapping.
    mapping : {"identity", "sphere", "clusters", "sparse", "glue", "hierarchy", "flow", \
"ica"}, torch.nn.Module or callable, default="identity"
        The map g; see :mod:`sklearn_intelvae.mappings`. One that learns plays with the decoder.
    prior : {"normal", "laplace", "mixture", "vamp", "spike-and-slab"} or torch.nn.Module, \
default="normal"
        Distribution p(y) of the intermediary latent. "mixture" is a
        :class:`~sklearn_intelvae.priors.VampMixture`, which starts at the codes of training rows
        and then plays with the decoder; elsewhere, as in :class:`InteLVAE`, that is "vamp-mixture",
        a name that is understood here too, and "mixture" one whose modes start at random, here
        ``Mixture()``. "vamp" stays tied to the encoder. A parameter below that is said to be of
        one name is ignored with the others, so that a search can run over priors.
    n_prior_components : int, default=10
        Number of modes of "mixture" and "vamp".
    learn_prior : bool, default=True
        Whether "mixture" goes on being trained when the game begins. "vamp" always does, and
        refuses False.
    learn_weights : bool, default=True
        Whether the weights of the modes of "mixture" are trained; else all are equal.
    clip_prior_variance : bool, default=True
        Whether the variances of "mixture" are kept within the range that they have when the game
        begins; see :class:`~sklearn_intelvae.priors.AdaptiveVarianceClip`.
    responsibility : float, default=0.0
        Weight of a term that spreads the rows over the modes of the prior.
    beta_rec : float or "auto", default="auto"
        Weight of the errors. "auto" takes 5 with "mixture" and "vamp", else 0.15, or 0.9 where X
        has more columns than ``n_components``.
    beta_kl, beta_neg : float, default=0.09, 0.3
        Weights of the KL of real rows, and of the KL of generated rows in the encoder's loss; see
        :class:`~sklearn_intelvae.objectives.SoftIntro`.
    vae_warmup : float, default=0.13
        Fraction of ``max_iter`` for which the model is trained as a VAE.
    game_warmup : float, default=0.13
        Fraction of ``max_iter`` after that, over which the game sets in.
    vamp_warmup : float, default=0.8
        Fraction of ``vae_warmup`` for which "mixture" follows the encoder.
    %(likelihood)s
    %(parameters of the training)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    InteLVAE : The same model, trained on the evidence lower bound.

    Notes
    -----
    Rows of ``history_`` hold, beside the terms of every VAE, how the game stands: ``kl_real``,
    ``kl_fake`` and ``kl_rec``, the KL of real, generated and reconstructed rows;
    ``exp_elbo_fake`` and ``exp_elbo_rec``, which are near each other in the end; and of a prior
    that is a mixture ``responsibility_entropy``, 1 if all modes are used alike,
    ``inactive_modes``, those with a share below 1 / K^2, ``mode_separation``, the mean distance of
    two modes in units of their width, near 0 if all coincide, and ``largest_prior_variance``. Where
    generated rows stay far nearer to the prior than real ones, the fit warns.

    The other settings of the game, as ``beta_judged`` or those of the papers, are open in
    :class:`InteLVAE` with ``objective=SoftIntro(...)``, which this class is with the priors above,
    ``kl_warmup`` the sum of ``vae_warmup`` and ``game_warmup``, and ``onset`` the share of the
    first in it.

    ``score_samples`` bounds the log-likelihood as for any other model here; the game does not
    maximise it. ``early_stopping`` and ``n_init`` go by the loss of real rows after the warm-up. It
    tells a fit that has failed from one that has not, but not how good samples are: they gain until
    the learning rate has fallen, so that a fixed ``max_iter`` serves them better.

    References
    ----------
    Daniel and Tamar, "Soft-IntroVAE: Analyzing and Improving the Introspective Variational
    Autoencoder", CVPR 2021.
    Athanasiadis, Lindsten and Felsberg, "Prior Learning in Introspective VAEs", TMLR 2025.

    Examples
    --------
    >>> from sklearn_intelvae import SoftIntroVAE
    >>> from sklearn_intelvae.datasets import make_eight_gaussians
    >>> X, _ = make_eight_gaussians(1000, random_state=0)
    >>> vae = SoftIntroVAE(prior="mixture", n_prior_components=16, max_iter=30, random_state=0)
    >>> vae.fit(X).predict_proba(X).shape
    (1000, 16)
    >>> vae.sample(5, component=3).shape
    (5, 2)
    """

    _parameter_constraints = {
        "mapping": [str, callable],
        "n_prior_components": [Interval(Integral, 1, None, closed="left")],
        "learn_prior": ["boolean"],
        "learn_weights": VampMixture._parameter_constraints["learn_weights"],
        "clip_prior_variance": ["boolean"],
        **{name: SoftIntro._parameter_constraints[name] for name in _OF_THE_OBJECTIVE},
        "vae_warmup": VampMixture._parameter_constraints["release"],
        "game_warmup": VampMixture._parameter_constraints["release"],
        "vamp_warmup": VampMixture._parameter_constraints["release"],
        **BaseInteLVAE._parameter_constraints,
    }

    def __init__(
        self,
        n_components=2,
        *,
        mapping="identity",
        prior="normal",
        n_prior_components=10,
        learn_prior=True,
        learn_weights=True,
        clip_prior_variance=True,
        responsibility=0.0,
        beta_rec="auto",
        beta_kl=0.09,
        beta_neg=0.3,
        vae_warmup=0.13,
        game_warmup=0.13,
        vamp_warmup=0.8,
        likelihood="gaussian",
        encoder="auto",
        decoder="auto",
        hidden_layer_sizes=(128, 128, 128),
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
        self.n_prior_components = n_prior_components
        self.learn_prior = learn_prior
        self.learn_weights = learn_weights
        self.clip_prior_variance = clip_prior_variance
        self.responsibility = responsibility
        self.beta_rec = beta_rec
        self.beta_kl = beta_kl
        self.beta_neg = beta_neg
        self.vae_warmup = vae_warmup
        self.game_warmup = game_warmup
        self.vamp_warmup = vamp_warmup
        super().__init__(
            n_components=n_components,
            prior=prior,
            likelihood=likelihood,
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

    _auto_steps = Steps(per_row=10, most=15_000, open_ended=8000)
    _against_collapse = "or smaller beta_kl and beta_neg"

    def _mapping_part(self):
        return resolve("mapping", self.mapping)

    def _prior_part(self):
        if self.prior in ("mixture", "vamp-mixture"):
            if not self.vae_warmup:
                raise ValueError(
                    "vae_warmup=0 leaves prior='mixture' at the codes of an encoder that has "
                    "learned nothing: set it to a positive share of the training."
                )
            return VampMixture(
                n_modes=self.n_prior_components,
                learn=self.learn_prior,
                learn_weights=self.learn_weights,
                clip_variance=self.clip_prior_variance,
                release=self.vamp_warmup * self._onset,
            )
        if self.prior == "vamp":
            if not self.learn_prior:
                raise ValueError(
                    "learn_prior=False has no effect on prior='vamp', which follows the encoder: "
                    "leave it at True, or take prior='mixture'."
                )
            return Vamp(n_pseudo_inputs=self.n_prior_components)
        if not isinstance(self.prior, str):
            self._refuse_settings_of_the_mixture()
        return resolve("prior", self.prior)

    def _refuse_settings_of_the_mixture(self):
        """Refuse what is said of "mixture" where the prior is an object, with its own settings."""
        usual = SoftIntroVAE()
        said = [n for n in _OF_THE_MIXTURE if getattr(self, n) != getattr(usual, n)]
        if said:
            raise ValueError(
                f"{', '.join(said)} has no effect on a prior that is an object, {self.prior!r}: "
                "set its own parameters, or take prior='mixture'."
            )

    def _objective_part(self):
        if self._warmup > 1 + 1e-9:
            raise ValueError(
                f"vae_warmup={self.vae_warmup} and game_warmup={self.game_warmup} are more than 1 "
                "together, so that the game would never have set in: lower one of them."
            )
        weights = {name: getattr(self, name) for name in _OF_THE_OBJECTIVE}
        return SoftIntro(onset=self._onset, **weights)

    @property
    def _warmup(self):
        return self.vae_warmup + self.game_warmup

    @property
    def _onset(self):
        return self.vae_warmup / self._warmup if self._warmup else 0.0
