"""A density of the codes to sample from: closer to the data, repeatable, deleted by a fit."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from sklearn_intelvae import DivergenceError, InteLVAE, SparseInteLVAE
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.metrics import frechet_distance
from tests.estimators.shelf import GENERATIVE, SMALL, cases

every_estimator = pytest.mark.parametrize("estimator", cases(GENERATIVE))


class Normal:
    """A density without scikit-learn's parameters; ``sample`` has a random state."""

    def fit(self, Y):
        self.mean, self.std = Y.mean(axis=0), Y.std(axis=0)

    def sample(self, n_samples, random_state=None):
        rng = np.random.default_rng(random_state)
        return rng.normal(self.mean, self.std, (n_samples, len(self.mean)))


class Seeded(Normal):
    """The random state is an attribute, and samples are a list."""

    random_state = None

    def sample(self, n_samples):
        return super().sample(n_samples, self.random_state).tolist()


DENSITIES = {
    "default": None,
    "full": GaussianMixture(3),
    "tied": GaussianMixture(3, covariance_type="tied", random_state=1),
    "diagonal": GaussianMixture(2, covariance_type="diag", means_init=np.eye(2)),
    "spherical": GaussianMixture(2, covariance_type="spherical"),
    "bayesian": BayesianGaussianMixture(n_components=2, max_iter=500),
    "kernels": KernelDensity(bandwidth=0.2),
    "own": Normal(),
    "own, seeded": Seeded(),
}
MIXTURES = {k: d for k, d in DENSITIES.items() if d is None or type(d) is GaussianMixture}
every_density = pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)
every_mixture = pytest.mark.parametrize("density", MIXTURES.values(), ids=MIXTURES)
every_other = pytest.mark.parametrize(
    "density", [d for k, d in DENSITIES.items() if k not in MIXTURES]
)


@pytest.fixture
def vae(X):
    return InteLVAE(**SMALL).fit(X)


@pytest.mark.slow
def test_samples_from_the_default_density_are_closer_to_the_data():
    X = (load_digits().data / 16).astype(np.float32)
    """With random starting weights, from which codes fill the prior less, and one unit."""
    settings = dict(linear_path=False, likelihood=Gaussian("learned"), max_iter=150)
    vae = InteLVAE(10, random_state=0, **settings).fit(X).fit_density(X)
    prior, density, floor = (
        frechet_distance(X, rows)
        for rows in (
            vae.sample(len(X)),
            vae.sample(len(X), source="density"),
            vae.reconstruct(X),
        )
    )
    print(f"Frechet distance: prior {prior:.3f}, density {density:.3f}, reconstructed {floor:.3f}")
    assert density < 0.5 * prior
    assert density < 1.5 * floor


def test_it_does_not_change_scores_codes_and_samples_from_the_prior(X, vae):
    before = vae.score(X), vae.transform(X), vae.sample(20)
    vae.fit_density(X)
    assert before[0] == vae.score(X)
    assert np.array_equal(before[1], vae.transform(X))
    assert np.array_equal(before[2], vae.sample(20))


@every_estimator
def test_every_estimator_samples_from_it(estimator, X):
    vae = clone(estimator).fit(X)
    assert vae.fit_density(X) is vae
    rows = vae.sample(50, source="density")
    assert rows.shape == (50, X.shape[1])
    assert rows.dtype == np.float32
    assert not np.array_equal(rows, vae.sample(50))
    assert not np.array_equal(rows, vae.sample(50, source="density", noise=True))


@every_density
def test_samples_are_repeatable_and_leave_the_global_generator_alone(density, X, vae):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    vae.fit_density(X, density)
    first = vae.sample(30, source="density")
    assert np.array_equal(first, vae.sample(30, source="density"))
    assert not np.array_equal(first, vae.sample(30, source="density", random_state=1))
    noisy = [vae.sample(30, source="density", random_state=2, noise=True) for _ in range(2)]
    assert np.array_equal(*noisy)
    assert np.array_equal(before, np.random.get_state()[1])
    again = InteLVAE(**SMALL).fit(X).fit_density(X, density)
    assert np.array_equal(first, again.sample(30, source="density"))


@pytest.fixture
def undecoded(X):
    """A VAE whose samples are the codes themselves, and its training rows."""
    X = StandardScaler().fit_transform(X[:, :2])
    settings = SMALL | {"max_iter": 60, "linear_path": False}
    return InteLVAE(2, decoder=torch.nn.Identity(), **settings).fit(X), X


@every_density
def test_draws_have_the_moments_of_the_codes(density, undecoded):
    """A kernel adds its own variance to that of the codes; a ball has one for all axes."""
    vae, X = undecoded
    vae.fit_density(X, density)
    codes, _ = vae.encode(X)
    added = getattr(density, "bandwidth", 0.0) ** 2
    drawn = vae.sample(50_000, source="density", random_state=0)
    np.testing.assert_allclose(drawn.mean(axis=0), codes.mean(axis=0), atol=0.03)
    spread, expected = drawn.var(axis=0), codes.var(axis=0) + added
    if getattr(density, "covariance_type", None) == "spherical":
        spread, expected = spread.sum(), expected.sum()
    np.testing.assert_allclose(spread, expected, rtol=0.04)


def test_a_few_samples_are_not_all_of_one_gaussian(undecoded):
    """scikit-learn's mixture draws from one of its components after another."""
    vae, X = undecoded
    density = GaussianMixture(2, covariance_type="spherical")
    vae.fit_density(X, density)
    vae.density_.weights_ = np.array([0.5, 0.5])
    vae.density_.means_ = np.array([[-50.0, 0.0], [50.0, 0.0]])
    sides = vae.sample(400, source="density", random_state=0)[:, 0] > 0
    assert 0.3 < sides[:200].mean() < 0.7


@every_density
def test_the_density_that_is_passed_is_copied_and_never_fitted(density, X, vae):
    before = repr(density), dict(vars(density)) if density else None
    vae.fit_density(X, density)
    assert vae.density_ is not density
    assert type(vae.density_) is type(density or GaussianMixture())
    assert before == (repr(density), dict(vars(density)) if density else None)
    state = {name: np.copy(value) for name, value in vars(vae.density_).items()}
    vae.sample(3, source="density", random_state=9)
    assert state.keys() == vars(vae.density_).keys()
    assert all(np.array_equal(state[k], v) for k, v in vars(vae.density_).items() if k != "tree_")


def test_the_default_is_a_mixture_of_ten_with_a_floor_proportional_to_the_variance(X):
    vae = InteLVAE(**SMALL | {"max_iter": 30}).fit(X).fit_density(X)
    assert type(vae.density_) is GaussianMixture
    assert vae.density_.means_.shape == (10, 2)
    codes = vae.encode(X)[0]
    assert vae.density_.reg_covar == pytest.approx(1e-3 * codes.var(axis=0).mean(), rel=1e-4)


def test_each_fit_of_the_model_deletes_it(X, vae):
    for fit in (vae.fit, vae.partial_fit):
        vae.fit_density(X)
        assert hasattr(vae, "density_")
        fit(X)
        assert not hasattr(vae, "density_")
        with pytest.raises(NotFittedError, match="has no density to sample from: call fit_density"):
            vae.sample(source="density")


def test_a_fit_that_fails_keeps_it(X, vae):
    rows = vae.fit_density(X).sample(5, source="density")
    with pytest.raises(ValueError, match="NaN"):
        vae.partial_fit(np.full_like(X, np.nan))
    with pytest.raises(DivergenceError) as caught:
        vae.set_params(learning_rate_init=1e30).fit(X)
    assert not hasattr(caught.value.estimator, "density_")
    assert np.array_equal(rows, vae.sample(5, source="density"))


def test_a_second_density_replaces_the_first(X, vae):
    vae.fit_density(X).fit_density(X, KernelDensity())
    assert isinstance(vae.density_, KernelDensity)
    with pytest.raises(ValueError, match="too few"):
        vae.fit_density(X[:5])
    assert isinstance(vae.density_, KernelDensity)
    assert not hasattr(clone(vae), "density_")


@pytest.mark.parametrize("output", ["representation", "posterior_mean", "both"])
def test_it_is_the_density_of_the_posterior_means_whatever_transform_returns(output, X, vae):
    rows = vae.fit_density(X).sample(5, source="density")
    other = InteLVAE(output=output, **SMALL).fit(X).fit_density(X)
    assert np.array_equal(rows, other.sample(5, source="density"))


@every_density
def test_a_pickle_keeps_it(density, X, vae):
    vae.fit_density(X, density)
    again = pickle.loads(pickle.dumps(vae))
    assert np.array_equal(again.sample(5, source="density"), vae.sample(5, source="density"))


@every_mixture
@pytest.mark.parametrize("cls", [InteLVAE, SparseInteLVAE])
def test_a_file_keeps_a_mixture(density, cls, X, tmp_path):
    vae = cls(**SMALL).fit(X).fit_density(X, density)
    vae.save(tmp_path / "model")
    again = cls.load(tmp_path / "model")
    assert np.array_equal(again.sample(9, source="density"), vae.sample(9, source="density"))
    assert repr(again.density_) == repr(vae.density_)
    codes = vae.encode(X)[0].astype(float)
    assert np.array_equal(again.density_.score_samples(codes), vae.density_.score_samples(codes))
    assert vars(again.density_).keys() == vars(vae.density_).keys()
    again.save(tmp_path / "again")
    assert hasattr(cls.load(tmp_path / "again"), "density_")


@every_other
def test_a_file_omits_any_other_density_with_a_warning(density, X, vae, tmp_path):
    vae.fit_density(X, density)
    name = type(density).__name__
    with pytest.warns(UserWarning, match=f"of class {name}, which a file does not hold.*again"):
        vae.save(tmp_path / "model")
    again = InteLVAE.load(tmp_path / "model")
    assert not hasattr(again, "density_")
    assert np.array_equal(again.transform(X), vae.transform(X))
    assert hasattr(vae, "density_")


class Broken(Normal):
    def sample(self, n_samples, random_state=None):
        return super().sample(n_samples, random_state)[:, :1]


class Infinite(Normal):
    def sample(self, n_samples, random_state=None):
        return super().sample(n_samples, random_state) + np.inf


def test_bad_input(X, vae):
    for density in (GaussianMixture, "gaussian", 10, np.random.default_rng(0), [GaussianMixture()]):
        with pytest.raises(TypeError, match=r"density must be an object with fit\(Y\) and sample"):
            vae.fit_density(X, density)
    with pytest.raises(ValueError, match="X has 9 rows, too few for a density of 10 Gaussians"):
        vae.fit_density(X[:9])
    with pytest.raises(ValueError, match="X has 9 rows, too few for a density of 30 Gaussians"):
        vae.fit_density(X[:9], BayesianGaussianMixture(n_components=30))
    with pytest.raises(ValueError, match="X has 4 features, but InteLVAE is expecting 6"):
        vae.fit_density(X[:, :4])
    with pytest.raises(ValueError, match="contains NaN"):
        vae.fit_density(np.where(X[0, 0] == X, np.nan, X))
    with pytest.raises(NotFittedError):
        InteLVAE().fit_density(X)
    with pytest.raises(NotFittedError):
        InteLVAE().sample(source="density")
    for source in ("codes", None, 3, ["prior"]):
        with pytest.raises(ValueError, match="source must be 'prior' or 'density', got"):
            vae.sample(source=source)
    assert not hasattr(vae, "density_")
    for density in (Broken(), Infinite()):
        with pytest.raises(ValueError, match=r"finite numbers of shape \(7, 2\); .* returned"):
            vae.fit_density(X, density).sample(7, source="density")


def test_equal_rows_have_a_density_too(vae, X):
    alike = np.repeat(X[:1], 20, axis=0)
    rows = vae.fit_density(alike, GaussianMixture(1)).sample(10, source="density")
    np.testing.assert_allclose(rows, vae.reconstruct(alike[:10]), atol=0.05)
