"""SoftIntroVAE: modes of the prior, phases of the training, and what a fit has to say."""

import warnings

import numpy as np
import pytest
import torch
from shelf import SMALL
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale
from skorch.callbacks import Callback

from sklearn_intelvae import InteLVAE, SoftIntroVAE
from sklearn_intelvae.datasets import make_eight_gaussians
from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.likelihoods import Likelihood
from sklearn_intelvae.metrics import energy_distance
from sklearn_intelvae.objectives import ELBO, SoftIntro
from sklearn_intelvae.priors import Mixture, VampMixture

MIXTURE = dict(prior="mixture", n_prior_components=4, **SMALL)
GAME = {"kl_real", "kl_fake", "kl_rec", "exp_elbo_fake", "exp_elbo_rec"}
MODES = {"responsibility_entropy", "inactive_modes", "mode_separation", "largest_prior_variance"}


class Widths(Likelihood):
    """A Gaussian whose decoder gives a log-scale for each feature too."""

    outputs_per_feature = 2

    def forward(self, h):
        return Normal(*h.chunk(2, -1))


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs([200, 200, 200], n_features=5, random_state=0)
    return scale(X).astype(np.float32), y


@pytest.fixture(scope="module")
def fitted(blobs):
    vae = SoftIntroVAE(prior="mixture", n_prior_components=12, max_iter=60, random_state=0)
    return vae.fit(blobs[0])


class TestModes:
    def test_responsibilities_are_probabilities_and_predict_takes_the_largest(self, blobs, fitted):
        shares = fitted.predict_proba(blobs[0])
        assert shares.shape == (600, 12)
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
        assert np.array_equal(shares.argmax(1), fitted.predict(blobs[0]))

    def test_modes_belong_to_blobs(self, blobs, fitted):
        X, y = blobs
        modes = fitted.predict(X)
        majority = np.array([np.bincount(y[modes == k], minlength=3).argmax() for k in range(12)])
        assert adjusted_rand_score(y, majority[modes]) > 0.95

    def test_a_mode_generates_what_is_coded_in_it(self, blobs, fitted):
        X, y = blobs
        modes = fitted.predict(X)
        busiest = np.bincount(modes, minlength=12).argsort()[-3:]
        for k in busiest:
            rows = fitted.sample(200, component=k)
            own = np.bincount(y[modes == k]).argmax()
            off = np.linalg.norm(np.median(rows, axis=0) - np.median(X[y == own], axis=0))
            others = [np.median(X[y == c], axis=0) for c in range(3) if c != own]
            assert off < min(np.linalg.norm(np.median(rows, axis=0) - m) for m in others)

    def test_samples_of_a_mode_are_repeatable(self, fitted):
        first = fitted.sample(20, component=1, random_state=3)
        assert np.array_equal(first, fitted.sample(20, component=np.int64(1), random_state=3))
        assert not np.array_equal(first, fitted.sample(20, component=2, random_state=3))

    @pytest.mark.parametrize("component", [12, -1, 0.5, "a"])
    def test_a_mode_that_does_not_exist_is_refused(self, fitted, component):
        with pytest.raises(ValueError, match=r"is none of the prior's modes, 0 to 11"):
            fitted.sample(5, component=component)

    def test_the_mixture_goes_by_its_name_elsewhere_too(self, blobs):
        here = SoftIntroVAE(**MIXTURE).fit(blobs[0])
        there = SoftIntroVAE(**MIXTURE | {"prior": "vamp-mixture"}).fit(blobs[0])
        assert np.array_equal(here.transform(blobs[0]), there.transform(blobs[0]))

    def test_a_prior_without_modes_has_none(self, blobs):
        vae = SoftIntroVAE(**SMALL)
        assert not hasattr(vae, "predict_proba")
        with pytest.raises(ValueError, match="needs a prior that is a mixture"):
            vae.fit(blobs[0]).sample(5, component=0)
        assert not hasattr(vae, "predict")

    @pytest.mark.parametrize("prior", ["mixture", "vamp", "vamp-mixture"])
    def test_every_mixture_has_them_in_every_estimator(self, blobs, prior):
        vae = InteLVAE(prior=prior, **SMALL).fit(blobs[0])
        n_modes = vae.predict_proba(blobs[0]).shape[1]
        assert vae.sample(7, component=n_modes - 1).shape == (7, 5)

    def test_regions_of_the_mapping_come_first(self, blobs):
        vae = SoftIntroVAE(mapping="clusters", **MIXTURE).fit(blobs[0])
        assert not hasattr(vae, "predict_proba")
        assert vae.sample(5, cluster=1, component=2).shape == (5, 5)


class TestPhases:
    def test_the_game_begins_when_the_warm_up_is_over(self, blobs):
        vae = SoftIntroVAE(
            vae_warmup=0.5, game_warmup=0.0, prior="mixture", max_iter=6, random_state=0
        )
        playing = [set(row) >= GAME for row in vae.fit(blobs[0]).history_]
        assert playing == [False] * 3 + [True] * 3
        assert all(set(row) >= MODES for row in vae.history_)
        assert not any(
            set(row) >= GAME for row in vae.set_params(vae_warmup=1).fit(blobs[0]).history_
        )

    def test_a_prior_that_is_not_learned_stays_as_the_warm_up_leaves_it(self, blobs):
        vae = SoftIntroVAE(
            learn_prior=False, vae_warmup=0.2, game_warmup=0.5, **MIXTURE | {"max_iter": 8}
        )
        for _ in range(3):  # of which the first two are a VAE's, and the game is setting in
            vae.partial_fit(blobs[0])
        before = [p.clone() for p in vae.module_.prior.parameters()]
        vae.partial_fit(blobs[0])
        for old, new in zip(before, vae.module_.prior.parameters(), strict=True):
            assert torch.equal(old, new)
        learned = vae.set_params(learn_prior=True).fit(blobs[0]).module_.prior.means
        assert not torch.equal(learned, before[1])

    def test_clipped_variances_stay_in_the_range_that_they_had(self, blobs):
        settings = MIXTURE | {"max_iter": 20, "learning_rate_init": 0.1}
        vae = SoftIntroVAE(**settings).fit(blobs[0])
        limits = vae.module_.prior.limits
        variance = 2 * vae.module_.p_y().log_scale
        assert limits.holds
        assert (variance <= limits.high + 1e-5).all()
        assert (variance >= limits.low - 1e-5).all()
        assert (
            not vae.set_params(clip_prior_variance=False).fit(blobs[0]).module_.prior.limits.holds
        )

    def test_equal_weights_stay_equal(self, blobs):
        vae = SoftIntroVAE(learn_weights=False, **MIXTURE).fit(blobs[0])
        assert not vae.module_.prior.logits.any()

    @pytest.mark.parametrize("epochs", [1, 4, 7])
    def test_a_file_goes_on_in_the_phase_it_was_saved_in(self, blobs, tmp_path, epochs):
        vae = SoftIntroVAE(vae_warmup=0.3, game_warmup=0.3, **MIXTURE | {"max_iter": 8})
        for _ in range(epochs):
            vae.partial_fit(blobs[0])
        vae.save(tmp_path / "model")
        again = SoftIntroVAE.load(tmp_path / "model").partial_fit(blobs[0])
        assert np.array_equal(
            vae.partial_fit(blobs[0]).transform(blobs[0]), again.transform(blobs[0])
        )
        assert np.array_equal(vae.sample(9), again.sample(9))

    def test_what_the_warm_up_has_done_stays_done(self, blobs):
        """Epochs of partial_fit, and then a fit for which they are a small part of the warm-up."""
        shares = []

        class See(Callback):
            def on_epoch_end(self, net, **kwargs):
                shares.append(net.warmup)

        vae = SoftIntroVAE(warm_start=True, callbacks=[See()], **MIXTURE | {"max_iter": 2})
        for _ in range(2):
            vae.partial_fit(blobs[0])
        vae.set_params(max_iter=20).fit(blobs[0])
        assert shares == [1.0] * len(shares)
        assert all(set(row) >= GAME for row in vae.history_[2:])

    @pytest.mark.parametrize("length", ["vae_warmup", "game_warmup", "vamp_warmup"])
    def test_lengths_of_a_warm_up_under_way_cannot_change(self, blobs, length):
        vae = SoftIntroVAE(**MIXTURE).partial_fit(blobs[0]).set_params(**{length: 0.5})
        with pytest.raises(ValueError, match=f"another {length} than the fitted"):
            vae.partial_fit(blobs[0])

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"vae_warmup": 0.6, "game_warmup": 0.5}, "game would never have set in"),
            ({"vae_warmup": 0, "prior": "mixture"}, "vae_warmup=0 leaves prior='mixture'"),
            ({"learn_prior": False, "prior": "vamp"}, "learn_prior=False has no effect on"),
            (
                {"learn_prior": False, "prior": Mixture()},
                "learn_prior has no effect on a prior that",
            ),
            ({"n_prior_components": 3, "prior": VampMixture()}, "n_prior_components has no effect"),
            (
                {"prior": VampMixture(release=0.9)},
                "release=0.9 .* later than the game begins at 0.5",
            ),
            ({"prior": VampMixture(), "vae_warmup": 0}, "later than the game begins at 0"),
            ({"prior": VampMixture(release=0.5, hold=0.4)}, "release=0.5 .* later than hold 0.4"),
            ({"likelihood": Widths()}, "Widths takes more than a mean"),
            ({"responsibility": 1.0}, "responsibility=1.0 has no effect"),
        ],
    )
    def test_parameters_that_contradict_one_another_are_refused(self, blobs, params, message):
        with pytest.raises(ValueError, match=message):
            SoftIntroVAE(**SMALL | params).fit(blobs[0])

    def test_a_game_tells_the_prior_of_every_estimator_when_it_begins(self, blobs):
        settings = dict(prior=VampMixture(4, release=0.2), kl_warmup=1.0, **SMALL)
        shares = {}

        class See(Callback):
            def on_epoch_end(self, net, **kwargs):
                if net.module_.prior.limits.holds:
                    shares.setdefault(type(net.criterion_), net.warmup)

        for objective in (ELBO(), SoftIntro(onset=0.5)):
            InteLVAE(objective=objective, **settings, callbacks=[See()]).fit(blobs[0])
        assert list(shares) == [SoftIntro]
        assert 0.5 < shares[SoftIntro] < 0.8

    def test_a_prior_that_has_nothing_to_follow_says_so(self, blobs):
        with pytest.raises(ValueError, match="VampMixture would leave an encoder that has learned"):
            InteLVAE(prior="vamp-mixture", kl_warmup=0, **SMALL).fit(blobs[0])
        InteLVAE(prior=VampMixture(release=0), kl_warmup=0, **SMALL).fit(blobs[0])


class TestValidation:
    """The loss of real rows is lowest before the game, which is not what is wanted back."""

    SETTINGS = MIXTURE | dict(vae_warmup=0.25, game_warmup=0.25, max_iter=12)

    def test_early_stopping_does_not_go_back_to_the_vae_before_the_game(self, blobs):
        settings = self.SETTINGS | dict(early_stopping=True, tol=1e6)
        stopped = SoftIntroVAE(n_iter_no_change=2, **settings).fit(blobs[0])
        assert stopped.n_iter_ == 6 + 2
        assert stopped.module_.prior.limits.holds
        later = SoftIntroVAE(n_iter_no_change=4, **settings).fit(blobs[0])
        assert np.array_equal(stopped.sample(5), later.sample(5))

    def test_rows_to_validate_on_change_nothing_but_the_record(self, blobs):
        X = blobs[0]
        vae = SoftIntroVAE(**self.SETTINGS).fit(X[:400], X_val=X[400:])
        assert len(vae.validation_scores_) == 12
        assert np.array_equal(vae.sample(5), SoftIntroVAE(**self.SETTINGS).fit(X[:400]).sample(5))

    def test_a_loaded_model_does_not_warn_again(self, blobs, tmp_path):
        vae = SoftIntroVAE(beta_neg=0.5, **SMALL)
        with pytest.warns(UserWarning, match="SoftIntroVAE: suspicion"):
            vae.fit(blobs[0]).save(tmp_path / "model")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SoftIntroVAE.load(tmp_path / "model")


class TestGame:
    def test_samples_are_nearer_to_the_data_than_a_vaes(self):
        X, _ = make_eight_gaussians(2000, random_state=0)
        real, _ = make_eight_gaussians(2000, random_state=1)
        size = dict(hidden_layer_sizes=(64, 64), max_iter=200, batch_size=128, random_state=0)
        blurred, sharp = (
            energy_distance(estimator(**size).fit(X).sample(2000), real)
            for estimator in (InteLVAE, SoftIntroVAE)
        )
        assert sharp < 0.5 * blurred

    def test_weights_and_lengths_can_be_searched(self, blobs):
        grid = {"beta_neg": [0.1, 0.3], "prior": ["normal", "mixture"], "vae_warmup": [0.2, 0.5]}
        search = GridSearchCV(SoftIntroVAE(n_prior_components=3, **SMALL), grid, cv=2)
        assert np.isfinite(search.fit(blobs[0]).best_score_)

    def test_it_is_the_objective_that_plays(self, blobs):
        """SoftIntroVAE is InteLVAE with this objective, to the bit."""
        ours = SoftIntroVAE(vae_warmup=0.3, game_warmup=0.3, **SMALL).fit(blobs[0])
        theirs = InteLVAE(objective=SoftIntro(), mapping="identity", kl_warmup=0.6, **SMALL).fit(
            blobs[0]
        )
        assert np.array_equal(ours.transform(blobs[0]), theirs.transform(blobs[0]))


class Grumbling(SoftIntro):
    def advice(self, history):
        return f"{len(history)} epochs, and no better"


class TestAdvice:
    def test_a_fit_warns_as_the_objective_advises(self, blobs):
        small = dict(hidden_layer_sizes=(16,), batch_size=1, max_iter=2, random_state=0)
        vae = InteLVAE(objective=Grumbling(), **small)
        with pytest.warns(ConvergenceWarning, match="InteLVAE: 2 epochs, and no better"):
            vae.fit(blobs[0][:510])

    def test_a_fit_too_short_to_tell_is_left_alone(self, blobs):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            vae = InteLVAE(objective=Grumbling(), **SMALL).fit(blobs[0])
        assert len(vae.history_) == SMALL["max_iter"]

    def test_data_on_an_odd_scale_are_warned_of(self, blobs):
        for factor in (1e-3, 1e3):
            with pytest.warns(UserWarning, match="StandardScaler"):
                SoftIntroVAE(**SMALL).fit(factor * blobs[0])
