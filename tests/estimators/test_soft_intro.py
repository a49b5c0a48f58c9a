"""SoftIntroVAE: modes of the prior, phases of the training, and warnings of a fit."""

import warnings

import numpy as np
import pytest
import torch
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
from sklearn_intelvae.priors import Vamp, VampInitMixture
from tests.estimators.shelf import SMALL

MIXTURE = dict(prior=VampInitMixture(n_modes=4), **SMALL)
GAME = {"kl_real", "kl_fake", "kl_rec", "exp_elbo_fake", "exp_elbo_rec"}
MODES = {"responsibility_entropy", "inactive_modes", "mode_separation", "largest_prior_variance"}


class Widths(Likelihood):
    """A Gaussian with a log-scale for each feature from the decoder."""

    outputs_per_feature = 2

    def forward(self, h):
        return Normal(*h.chunk(2, -1))


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs([200, 200, 200], n_features=5, random_state=0)
    return scale(X).astype(np.float32), y


@pytest.fixture(scope="module")
def fitted(blobs):
    settings = dict(hidden_layer_sizes=(64, 64), batch_size=64, max_iter=60, random_state=0)
    return SoftIntroVAE(prior=VampInitMixture(n_modes=12), **settings).fit(blobs[0])


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

    def test_a_mode_generates_rows_like_those_that_belong_to_it(self, blobs, fitted):
        X, y = blobs
        modes = fitted.predict(X)
        largest = np.bincount(modes, minlength=12).argsort()[-3:]
        for k in largest:
            rows = fitted.sample(200, mode=k)
            own = np.bincount(y[modes == k]).argmax()
            off = np.linalg.norm(np.median(rows, axis=0) - np.median(X[y == own], axis=0))
            others = [np.median(X[y == c], axis=0) for c in range(3) if c != own]
            assert off < min(np.linalg.norm(np.median(rows, axis=0) - m) for m in others)

    def test_samples_of_a_mode_are_repeatable(self, fitted):
        first = fitted.sample(20, mode=1, random_state=3)
        assert np.array_equal(first, fitted.sample(20, mode=np.int64(1), random_state=3))
        assert not np.array_equal(first, fitted.sample(20, mode=2, random_state=3))

    @pytest.mark.parametrize("mode", [12, -1, 0.5, "a"])
    def test_a_mode_that_does_not_exist_is_refused(self, fitted, mode):
        with pytest.raises(ValueError, match=r"mode=.* is not a mode of the prior, 0 to 11"):
            fitted.sample(5, mode=mode)

    def test_the_name_of_a_prior_means_its_default(self, blobs):
        named, given = (
            SoftIntroVAE(**MIXTURE | {"prior": prior}).fit(blobs[0]).transform(blobs[0])
            for prior in ("vamp-init-mixture", VampInitMixture())
        )
        assert np.array_equal(named, given)

    def test_a_prior_without_modes_has_none(self, blobs):
        vae = SoftIntroVAE(**SMALL)
        assert not hasattr(vae, "predict_proba")
        with pytest.raises(ValueError, match="needs a prior that is a mixture"):
            vae.fit(blobs[0]).sample(5, mode=0)
        assert not hasattr(vae, "predict")

    @pytest.mark.parametrize("prior", ["mixture", "vamp", "vamp-init-mixture"])
    def test_every_mixture_has_them_in_every_estimator(self, blobs, prior):
        vae = InteLVAE(prior=prior, **SMALL).fit(blobs[0])
        n_modes = vae.predict_proba(blobs[0]).shape[1]
        assert vae.sample(7, mode=n_modes - 1).shape == (7, 5)

    def test_predict_returns_the_regions_of_the_mapping_if_it_has_any(self, blobs):
        vae = SoftIntroVAE(mapping="clusters", **MIXTURE).fit(blobs[0])
        assert not hasattr(vae, "predict_proba")
        assert vae.sample(5, cluster=1, mode=2).shape == (5, 5)


class TestPhases:
    def test_the_game_begins_at_its_start(self, blobs):
        prior = VampInitMixture(n_modes=4)
        vae = SoftIntroVAE(game_start=0.5, prior=prior, max_iter=6, random_state=0)
        playing = [set(row) >= GAME for row in vae.fit(blobs[0]).history_]
        assert playing == [False] * 4 + [True] * 2  # at the first step of the fourth epoch it is 0
        assert all(set(row) >= MODES for row in vae.history_)
        at_once = SoftIntroVAE(game_start=0, **SMALL).fit(blobs[0])
        assert all(set(row) >= GAME for row in at_once.history_)

    def test_its_weight_grows_over_as_long_again(self, blobs):
        weights = []

        class See(Callback):
            def on_epoch_end(self, net, **kwargs):
                start = net.criterion_.game_start
                weights.append(np.clip((net.progress - start) / (1 - start), 0, 1))

        settings = SMALL | {"max_iter": 10, "skorch_callbacks": [See()]}
        SoftIntroVAE(game_start=0.2, **settings).fit(blobs[0])
        np.testing.assert_allclose(weights, [0, 0, 0.5, *[1.0] * 7], atol=1e-6)

    def test_a_prior_that_is_not_learned_stays_as_the_warm_up_leaves_it(self, blobs):
        prior = VampInitMixture(n_modes=4, learn=False)
        vae = SoftIntroVAE(game_start=0.3, **MIXTURE | {"max_iter": 8, "prior": prior})
        for _ in range(3):  # the game starts in the third epoch
            vae.partial_fit(blobs[0])
        before = [p.clone() for p in vae.module_.prior.parameters()]
        vae.partial_fit(blobs[0])
        for old, new in zip(before, vae.module_.prior.parameters(), strict=True):
            assert torch.equal(old, new)
        learned = vae.set_params(prior__learn=True).fit(blobs[0]).module_.prior.means
        assert not torch.equal(learned, before[1])

    def test_clipped_variances_stay_in_the_range_that_they_had(self, blobs):
        settings = MIXTURE | {"max_iter": 20, "learning_rate_init": 0.1}
        vae = SoftIntroVAE(**settings).fit(blobs[0])
        limits = vae.module_.prior.limits
        variance = 2 * vae.module_.prior_distribution().log_scale
        assert limits.holds
        assert (variance <= limits.high + 1e-5).all()
        assert (variance >= limits.low - 1e-5).all()
        free = vae.set_params(prior=VampInitMixture(n_modes=4, clip_variance=False))
        assert not free.fit(blobs[0]).module_.prior.limits.holds

    def test_equal_weights_stay_equal(self, blobs):
        prior = VampInitMixture(n_modes=4, learn_weights=False)
        vae = SoftIntroVAE(**MIXTURE | {"prior": prior}).fit(blobs[0])
        assert not vae.module_.prior.logits.any()

    @pytest.mark.parametrize("epochs", [1, 4, 7])
    def test_training_continues_after_load_in_the_same_phase(self, blobs, tmp_path, epochs):
        vae = SoftIntroVAE(game_start=0.3, **MIXTURE | {"max_iter": 8})
        for _ in range(epochs):
            vae.partial_fit(blobs[0])
        vae.save(tmp_path / "model")
        again = SoftIntroVAE.load(tmp_path / "model").partial_fit(blobs[0])
        assert np.array_equal(
            vae.partial_fit(blobs[0]).transform(blobs[0]), again.transform(blobs[0])
        )
        assert np.array_equal(vae.sample(9), again.sample(9))

    def test_the_progress_of_the_warm_up_never_decreases(self, blobs):
        """Epochs of partial_fit, and then a fit for which they are a small part of the warm-up."""
        progress = []

        class See(Callback):
            def on_epoch_end(self, net, **kwargs):
                progress.append(net.progress)

        settings = MIXTURE | {"max_iter": 2, "skorch_callbacks": [See()]}
        vae = SoftIntroVAE(warm_start=True, **settings)
        for _ in range(2):
            vae.partial_fit(blobs[0])
        vae.set_params(max_iter=20).fit(blobs[0])
        assert progress == [1.0] * len(progress)
        assert all(set(row) >= GAME for row in vae.history_[2:])

    @pytest.mark.parametrize(
        ("change", "parameter"),
        [
            ({"game_start": 0.5}, "game_start"),
            ({"prior__release": 0.2}, "prior"),
            ({"prior__hold": 0.9}, "prior"),
            ({"prior": "mixture"}, "prior"),
        ],
    )
    def test_the_phases_of_a_training_cannot_change(self, blobs, change, parameter):
        prior = VampInitMixture(n_modes=4)
        vae = SoftIntroVAE(**MIXTURE | {"prior": prior}).partial_fit(blobs[0]).set_params(**change)
        with pytest.raises(ValueError, match=f"another {parameter} than the fitted"):
            vae.partial_fit(blobs[0])

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"game_start": 0.6}, "'game_start' parameter of SoftIntroVAE must be"),
            ({"game_start": 0, "prior": "vamp-init-mixture"}, "game_start=0 would release"),
            (
                {"prior": VampInitMixture(release=0.9)},
                "release=0.9 of VampInitMixture is later than hold=0.5",
            ),
            ({"prior": VampInitMixture(release=0.5, hold=0.4)}, "is later than hold=0.4"),
            ({"likelihood": Widths()}, "Widths needs more than one output of the decoder"),
            ({"responsibility_weight": 1.0}, "responsibility_weight=1.0 has no effect"),
        ],
    )
    def test_parameters_that_contradict_one_another_are_refused(self, blobs, params, message):
        with pytest.raises(ValueError, match=message):
            SoftIntroVAE(**SMALL | params).fit(blobs[0])

    def test_the_mixture_is_held_when_the_game_starts(self, blobs):
        """Unless its ``hold`` is set; in another estimator it is held at the end of the warm-up."""
        held = []

        class See(Callback):
            def on_train_begin(self, net, **kwargs):
                held.append(None)

            def on_epoch_end(self, net, **kwargs):
                if net.module_.prior.limits.holds and held[-1] is None:
                    held[-1] = round(net.progress, 2)

        settings = SMALL | {"max_iter": 20, "batch_size": 200, "skorch_callbacks": [See()]}
        unset, later = (VampInitMixture(4, release=0.2, hold=hold) for hold in (None, 0.8))
        SoftIntroVAE(prior=unset, game_start=0.5, **settings).fit(blobs[0])
        SoftIntroVAE(prior=later, game_start=0.5, **settings).fit(blobs[0])
        InteLVAE(objective=SoftIntro(), prior=unset, kl_warmup=0.5, **settings).fit(blobs[0])
        assert held == [0.55, 0.85, 1.0]
        assert unset.hold is None

    def test_a_mixture_is_not_released_from_an_untrained_encoder(self, blobs):
        with pytest.raises(ValueError, match="VampInitMixture would be released from an untrained"):
            InteLVAE(prior="vamp-init-mixture", kl_warmup=0, **SMALL).fit(blobs[0])
        prior = VampInitMixture(release=0)
        InteLVAE(prior=prior, kl_warmup=0, **SMALL).fit(blobs[0])
        SoftIntroVAE(prior=prior, game_start=0, **SMALL).fit(blobs[0])


class TestValidation:
    """The loss of real rows is lowest before the game, at weights that must not be restored."""

    SETTINGS = MIXTURE | dict(game_start=0.25, max_iter=12)

    def test_early_stopping_does_not_restore_the_vae_before_the_game(self, blobs):
        settings = self.SETTINGS | dict(early_stopping=True, tol=1e6)
        stopped = SoftIntroVAE(n_iter_no_change=2, **settings).fit(blobs[0])
        assert stopped.n_iter_ == 6 + 2
        assert stopped.module_.prior.limits.holds
        later = SoftIntroVAE(n_iter_no_change=4, **settings).fit(blobs[0])
        assert np.array_equal(stopped.sample(5), later.sample(5))

    def test_validation_rows_change_only_the_history(self, blobs):
        X = blobs[0]
        vae = SoftIntroVAE(**self.SETTINGS).fit(X[:400], X_val=X[400:])
        assert len(vae.validation_scores_) == 12
        assert np.array_equal(vae.sample(5), SoftIntroVAE(**self.SETTINGS).fit(X[:400]).sample(5))

    def test_a_loaded_model_does_not_warn_again(self, blobs, tmp_path):
        vae = SoftIntroVAE(beta_neg=0.5, **SMALL)
        with pytest.warns(UserWarning, match="SoftIntroVAE: fake_weight"):
            vae.fit(blobs[0]).save(tmp_path / "model")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SoftIntroVAE.load(tmp_path / "model")


class TestGame:
    @pytest.mark.slow
    def test_samples_are_nearer_to_the_data_than_those_of_a_vae(self):
        X, _ = make_eight_gaussians(2000, random_state=0)
        real, _ = make_eight_gaussians(2000, random_state=1)
        size = dict(hidden_layer_sizes=(64, 64), max_iter=200, batch_size=128, random_state=0)
        blurred, sharp = (
            energy_distance(estimator(linear_path=False, **size).fit(X).sample(2000), real)
            for estimator in (InteLVAE, SoftIntroVAE)
        )
        assert sharp < 0.5 * blurred

    def test_weights_and_lengths_can_be_searched(self, blobs):
        grid = [{"beta_neg": [0.1, 0.3], "game_start": [0.2, 0.5]}, {"prior": ["normal", Vamp(3)]}]
        search = GridSearchCV(SoftIntroVAE(**SMALL), grid, cv=2, error_score="raise")
        assert np.isfinite(search.fit(blobs[0]).best_score_)

    def test_the_settings_of_the_prior_can_be_searched(self, blobs):
        grid = {"prior__n_modes": [2, 5], "prior__learn": [True, False]}
        search = GridSearchCV(SoftIntroVAE(**MIXTURE), grid, cv=2, error_score="raise")
        best = search.fit(blobs[0]).best_estimator_
        n_modes = search.best_params_["prior__n_modes"]
        assert best.predict_proba(blobs[0]).shape == (600, n_modes)
        assert MIXTURE["prior"].n_modes == 4

    def test_it_is_the_objective_in_any_estimator(self, blobs):
        """SoftIntroVAE is InteLVAE with this objective, to the bit."""
        ours = SoftIntroVAE(game_start=0.3, **SMALL).fit(blobs[0])
        settings = dict(kl_warmup=0.6, learning_rate="cosine", learning_rate_init=1e-3)
        theirs = InteLVAE(objective=SoftIntro(), **settings, **SMALL).fit(blobs[0])
        assert np.array_equal(ours.transform(blobs[0]), theirs.transform(blobs[0]))


class Dissatisfied(ELBO):
    def check_history(self, history):
        return [f"{len(history)} epochs, and no better", "a second warning"]


class TestWarnings:
    def test_a_fit_issues_the_warnings_of_the_objective(self, blobs):
        small = dict(hidden_layer_sizes=(16,), batch_size=1, max_iter=2, random_state=0)
        vae = InteLVAE(objective=Dissatisfied(), **small)
        with pytest.warns(ConvergenceWarning) as warned:
            vae.fit(blobs[0][:510])
        messages = [str(w.message) for w in warned]
        assert messages == ["InteLVAE: 2 epochs, and no better", "InteLVAE: a second warning"]
        assert {w.filename for w in warned} == {__file__}

    def test_a_short_fit_issues_none(self, blobs):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            vae = InteLVAE(objective=Dissatisfied(), **SMALL).fit(blobs[0])
        assert len(vae.history_) == SMALL["max_iter"]
