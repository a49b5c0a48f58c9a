"""A user's part that works in place changes nothing outside itself.

Every part is tried in two versions: one that changes its arguments, and one that changes copies of
them. All results must be equal, and the user's arrays unchanged.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from sklearn_intelvae import PCL, InteLVAE, SoftIntroVAE
from sklearn_intelvae.datasets import perturb_dataset
from sklearn_intelvae.diagnostics import decoder_jacobian, plot_traversals
from sklearn_intelvae.distributions import Density, Normal
from sklearn_intelvae.likelihoods import Likelihood
from sklearn_intelvae.mappings import Compose, Flow, Mapping, OnComponents, Sphere, StraightThrough
from sklearn_intelvae.metrics import few_label_curve
from sklearn_intelvae.networks import Network
from sklearn_intelvae.objectives import ELBO, VariationalObjective, importance_weighted_bound
from sklearn_intelvae.posteriors import Posterior
from sklearn_intelvae.priors import Prior

SMALL = dict(hidden_layer_sizes=(8,), max_iter=3, random_state=0)
N, D = 90, 6


def changed(tensor, copies):
    """Double the first column and return the tensor, in place or not."""
    if copies:
        tensor = tensor.clone()
    tensor[:, 0].mul_(2)
    return tensor


class Layer(nn.Module):
    def __init__(self, copies):
        super().__init__()
        self.copies = copies

    def forward(self, x):
        return changed(x, self.copies)


class Encoder(Network):
    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def build(self, n_inputs, n_outputs):
        self.layer = nn.Linear(n_inputs, n_outputs)

    def forward(self, x):
        return self.layer(changed(x, self.copies))

    def initialize(self, X, generator):
        changed(X, self.copies)


class Hooks(Mapping):
    has_regions = True

    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def initialize(self, X, generator):
        changed(X, self.copies)

    def forward(self, y):
        return changed(y, self.copies)

    def to_decoder(self, z):
        return changed(z, self.copies)

    def loss_terms(self, x, mean, y, z):
        for tensor in (x, mean, y):
            changed(tensor, self.copies)
        return {"penalty": 0.1 * changed(z, self.copies).abs().sum(1)}

    def observe(self, mean, y, weight):
        changed(mean, self.copies)
        changed(y, self.copies)
        if weight is not None and not self.copies:
            weight.zero_()

    def regions(self, y):
        return (changed(y, self.copies)[:, 0] > 0).long()


class Rows(Normal):
    """A distribution whose ``log_prob`` works in place."""

    copies = True

    def log_prob(self, y):
        return super().log_prob(changed(y, self.copies))


class RowsInPlace(Rows):
    copies = False


class OwnLikelihood(Likelihood):
    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def check_support(self, X):
        X = X.copy() if self.copies else X
        X[:] = 0

    def forward(self, h):
        h = changed(h, self.copies)
        return (Rows if self.copies else RowsInPlace)(h, h.new_zeros(()))

    def mean(self, h):
        return changed(h, self.copies)


class OwnPosterior(Posterior):
    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def n_outputs(self, n_components):
        return 2 * n_components

    def forward(self, h):
        mean, log_scale = changed(h, self.copies).chunk(2, dim=1)
        return Normal(mean, log_scale.clamp(-5, 2))

    def mean(self, h):
        return changed(h, self.copies).chunk(2, dim=1)[0]


class OwnDensity(Density):
    def __init__(self, n_components, copies):
        self.n_components, self.copies = n_components, copies

    def log_prob(self, y):
        return -0.5 * changed(y, self.copies).square().sum(-1)

    def sample(self, n_samples, generator):
        return torch.randn(n_samples, self.n_components, generator=generator)


class OwnPrior(Prior):
    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def initialize(self, X, generator):
        changed(X, self.copies)

    def density(self, encode):
        return OwnDensity(self.n_components, self.copies)


class OwnObjective(VariationalObjective):
    """Two players, of whom the first changes the rows of the batch."""

    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def check_data(self, X):
        changed(X, self.copies)
        return []

    def initialize(self, X, generator):
        changed(X, self.copies)

    def players(self, model):
        encoder = list(model.encoder.parameters())
        own = set(map(id, encoder))
        return {"one": encoder, "two": [p for p in model.parameters() if id(p) not in own]}

    def loss(self, player, model, batch):
        return super().loss(player, model, replace(batch, x=changed(batch.x, self.copies)))

    def cost(self, model, batch, run, terms):
        return terms["kl"]


def encoder(copies):
    torch.manual_seed(0)
    return nn.Sequential(nn.ReLU(inplace=not copies), nn.Linear(D, 8))


def linear(n_inputs, n_outputs):
    torch.manual_seed(0)
    return nn.Linear(n_inputs, n_outputs)


CASES = {
    "encoder": lambda c: dict(encoder=encoder(c)),
    "encoder with a network's hooks": lambda c: dict(encoder=Encoder(c)),
    "decoder": lambda c: dict(decoder=nn.Sequential(Layer(c), linear(2, D))),
    "mapping module": lambda c: dict(mapping=Layer(c)),
    "mapping function": lambda c: dict(mapping=lambda y: changed(y, c)),
    "mapping with hooks": lambda c: dict(mapping=Hooks(c)),
    "first of two": lambda c: dict(mapping=Compose(Layer(c), Flow())),
    "second of two": lambda c: dict(mapping=Compose(Sphere(), Layer(c))),
    "hooks inside a composition": lambda c: dict(mapping=Compose(Hooks(c), Hooks(c))),
    "on components": lambda c: dict(mapping=OnComponents(Layer(c), (1,))),
    "hooks on components": lambda c: dict(mapping=OnComponents(Hooks(c), (1, 0))),
    "straight through": lambda c: dict(mapping=StraightThrough(Layer(c), Layer(c))),
    "straight through functions": lambda c: dict(
        mapping=StraightThrough(lambda y: changed(y, c).round(), lambda y: changed(y, c).tanh())
    ),
    "likelihood": lambda c: dict(likelihood=OwnLikelihood(c)),
    "posterior": lambda c: dict(posterior=OwnPosterior(c)),
    "prior": lambda c: dict(prior=OwnPrior(c)),
    "objective": lambda c: dict(objective=OwnObjective(c)),
}
PRIORS = ["normal", "mixture", "vamp", "spike-and-slab"]


def results(vae, X, weight):
    """Fit, call every method, and check that no argument has changed."""
    mine, weights, before = X.copy(), weight.copy(), X.copy()
    vae.fit(mine, sample_weight=weights)
    Z = vae.transform(mine)
    codes = Z.copy()
    found = {
        "codes": Z,
        "scores": vae.score_samples(mine),
        "encoded": np.concatenate(vae.encode(mine)),
        "reconstruction": vae.reconstruct(mine),
        "decoded": vae.inverse_transform(codes),
        "samples": vae.sample(20, noise=True),
        "history": [r for r in vae.history_ if r.pop("dur")],
    }
    if hasattr(vae, "predict"):
        found["labels"] = vae.predict(mine)
    np.testing.assert_array_equal(codes, Z, err_msg="codes of the caller")
    np.testing.assert_array_equal(mine, before, err_msg="X of the caller")
    np.testing.assert_array_equal(weights, weight, err_msg="weights of the caller")
    return found


@pytest.fixture
def table(rng):
    return rng.standard_normal((N, D)).astype(np.float32), rng.uniform(0.5, 2, N)


def assert_same(a, b):
    for name in a:
        if name == "history":
            assert a[name] == b[name]
        else:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("name", CASES)
def test_a_part_in_place_gives_the_numbers_of_one_that_copies(name, prior, table):
    parameters = {True: CASES[name](True), False: CASES[name](False)}
    if "prior" in parameters[True] and prior != "normal":
        pytest.skip("the case has a prior of its own")
    found = [
        results(InteLVAE(2, **{"prior": prior} | parameters[copies], **SMALL), *table)
        for copies in (True, False)
    ]
    assert_same(*found)


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("objective", "posterior")])
def test_in_a_game(name, table):
    found = [
        results(SoftIntroVAE(2, game_start=0.2, **CASES[name](c), **SMALL), *table)
        for c in (True, False)
    ]
    assert_same(*found)


def test_of_pairs(table):
    X, _ = table
    codes = []
    for copies in (True, False):
        mine = X.copy()
        pcl = PCL(2, encoder=encoder(copies), **SMALL).fit(mine)
        codes.append(pcl.transform(mine))
        pcl.score(mine)
        np.testing.assert_array_equal(mine, X)
    np.testing.assert_array_equal(*codes)


def test_the_part_that_was_passed_is_not_trained(table):
    X, _ = table
    module = encoder(copies=False)
    weights = [p.detach().clone() for p in module.parameters()]
    vae = InteLVAE(2, encoder=module, **SMALL).fit(X)
    clone(vae).fit(X).partial_fit(X)
    for before, after in zip(weights, module.parameters(), strict=True):
        assert torch.equal(before, after)
        assert after.grad is None


# Distributions, objectives and callables of the user


class InPlaceNormal(Normal):
    """Works in place on the draws, the noise and the weights that it receives."""

    copies = False

    def log_prob(self, y):
        y = y.clone() if self.copies else y
        return super().log_prob(y.sub_(0.5).add_(0.5))

    def reparameterize(self, noise):
        noise = noise.clone() if self.copies else noise
        return noise.mul_(self.log_scale.exp()).add_(self.mean)

    def mixture_log_prob(self, y, weight=None):
        if weight is not None:
            weight = weight.clone() if self.copies else weight
            weight.div_(weight.sum())
        return super().mixture_log_prob(y, weight)


class CopyingNormal(InPlaceNormal):
    copies = True


class PosteriorOf(Posterior):
    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def n_outputs(self, n_components):
        return 2 * n_components

    def forward(self, h):
        return (CopyingNormal if self.copies else InPlaceNormal)(*h.chunk(2, dim=1))


class ClosedForm(Density):
    """Has a KL divergence of its own, which works in place on the draws."""

    def __init__(self, copies):
        self.copies = copies

    def log_prob(self, y):
        return -0.5 * y.square().sum(-1)

    def sample(self, n_samples, generator):
        return torch.randn(n_samples, 2, generator=generator)

    def kl(self, q, y):
        return q.log_prob(y) + 0.5 * changed(y, self.copies).square().sum(-1)


class PriorOf(Prior):
    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def density(self, encode):
        return ClosedForm(self.copies)


class CostInPlace(VariationalObjective):
    """Works in place on draws and terms, and records a buffer that it updates."""

    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def build(self, model):
        super().build(model)
        self.register_buffer("mean", torch.zeros(()))

    def cost(self, model, batch, run, terms):
        with torch.no_grad():
            changed(run.y, self.copies)
            now = 0.1 * terms["kl"].mean()
            self.mean = 0.9 * self.mean + now if self.copies else self.mean.mul_(0.9).add_(now)
        terms["mean"] = self.mean
        kl = terms["kl"].clone() if self.copies else terms["kl"]
        return kl.mul_(batch.progress)


@pytest.mark.parametrize("objective", ["elbo", "beta-tc", "factor", "dip"])
@pytest.mark.parametrize("mapping", ["identity", "clusters"])
@pytest.mark.parametrize(
    "part",
    [
        lambda c: dict(posterior=PosteriorOf(c)),
        lambda c: dict(prior=PriorOf(c)),
        lambda c: dict(objective=CostInPlace(c)),
    ],
    ids=["posterior", "prior", "objective"],
)
def test_distributions_in_place(part, mapping, objective, table):
    if "objective" in part(True) and objective != "elbo":
        pytest.skip("the case has an objective of its own")
    settings = {"mapping": mapping, "objective": objective} | SMALL
    assert_same(*(results(InteLVAE(2, **settings | part(c)), *table) for c in (True, False)))


def test_the_bound_leaves_the_noise_alone(table):
    X, _ = table
    vae = InteLVAE(2, posterior=PosteriorOf(copies=False), **SMALL).fit(X)
    noise = torch.randn(4, N, 2)
    before = noise.clone()
    importance_weighted_bound(vae.module_, torch.from_numpy(X), noise)
    assert torch.equal(noise, before)


class Sorting(ELBO):
    def check_history(self, history):
        history.sort(key=lambda row: row.pop("train_loss"))
        return []


def test_the_history_is_not_that_which_an_objective_checks(table):
    X, _ = table
    vae = InteLVAE(1, objective=Sorting(), hidden_layer_sizes=(), max_iter=400, random_state=0)
    history = vae.fit(X).history_
    assert [row["epoch"] for row in history] == list(range(1, 401))
    assert [row["train_loss"] for row in history] == vae.loss_curve_


def test_a_callback_cannot_change_the_recorded_loss(table):
    class Scales(Callback):
        def on_batch_end(self, net, loss=None, **kwargs):
            loss.mul_(100)

    X, _ = table
    plain = InteLVAE(2, **SMALL).fit(X)
    vae = InteLVAE(2, skorch_callbacks=[Scales()], **SMALL).fit(X)
    assert vae.loss_curve_ == plain.loss_curve_


@pytest.mark.parametrize("copy", [True, False])
def test_a_probe_in_place_leaves_the_codes_alone(copy, rng):
    Z = 3 + 5 * rng.standard_normal((300, 4))
    y = (Z[:, 0] > 3).astype(int)
    train, test = Z[:200].copy(), Z[200:].copy()
    probe = make_pipeline(StandardScaler(copy=copy), LogisticRegression())
    curve = few_label_curve(
        train, y[:200], test, y[200:], n_labels=(20, 50), n_repeats=3, random_state=0, probe=probe
    )
    assert curve["mean"].min() > 0.85
    np.testing.assert_array_equal(np.vstack([train, test]), Z)


def test_a_renderer_in_place_leaves_the_factors_alone(rng):
    W, A = rng.uniform(-1, 1, (100, 2)), rng.standard_normal((2, 6))

    def render(w, out=None):
        w = np.multiply(w, 2, out=out)
        return 1 / (1 + np.exp(-w @ A))

    mine = W.copy()
    settings = dict(max_iter=20, random_state=0)
    expected = perturb_dataset(render, W.copy(), **settings).X
    found = perturb_dataset(lambda w: render(w, out=w), mine, **settings).X
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(mine, W)


class CostOfAttributes(VariationalObjective):
    """Changes the means of q(y | x) and p(x | z) in place; other terms are computed from them."""

    def __init__(self, copies=True):
        super().__init__()
        self.copies = copies

    def cost(self, model, batch, run, terms):
        mean = run.q.mean.detach()
        changed(mean.clone() if self.copies else mean, copies=False)
        p = run.p.mean.detach()
        changed(p.clone() if self.copies else p, copies=False)
        return batch.progress * terms["kl"]


class DivergenceOfAttributes(ClosedForm):
    def kl(self, q, y):
        mean = q.mean.detach()
        changed(mean.clone() if self.copies else mean, copies=False)
        return 0.5 * y.square().sum(-1)

    def kl_per_component(self, q):
        scale = q.log_scale.clone() if self.copies else q.log_scale
        scale.sub_(5)


class PriorOfAttributes(PriorOf):
    def density(self, encode):
        return DivergenceOfAttributes(self.copies)


@pytest.mark.parametrize("posterior", ["diagonal", "full", PosteriorOf()], ids=str)
@pytest.mark.parametrize("mapping", ["identity", "clusters"])
@pytest.mark.parametrize(
    "part",
    [lambda c: dict(prior=PriorOfAttributes(c)), lambda c: dict(objective=CostOfAttributes(c))],
    ids=["prior", "objective"],
)
def test_attributes_of_distributions_in_place(part, mapping, posterior, table):
    settings = {"mapping": mapping, "posterior": posterior} | SMALL
    vaes = [InteLVAE(2, **settings | part(c)) for c in (True, False)]
    assert_same(*(results(vae, *table) for vae in vaes))
    np.testing.assert_array_equal(vaes[0].kl_per_component_, vaes[1].kl_per_component_)


def test_callbacks_receive_rows_of_their_own(table):
    class Changes(Callback):
        def on_train_begin(self, net, X=None, **kwargs):
            X.tensors["x"].zero_()

        def on_epoch_end(self, net, dataset_valid=None, **kwargs):
            dataset_valid.tensors["x"].zero_()

    X, _ = table
    mine, valid = X.copy(), X[:20].copy()
    InteLVAE(2, skorch_callbacks=[Changes()], **SMALL).fit(mine, X_val=valid)
    np.testing.assert_array_equal(mine, X)
    np.testing.assert_array_equal(valid, X[:20])


def test_a_scorer_in_place_changes_nothing(table):
    callback = pytest.importorskip("sklearn.callback")

    def score(model, X, y):
        X *= 2
        y *= 0
        return 0.0

    X, y = table
    mine, target = X.copy(), y.copy()
    vae = InteLVAE(2, **SMALL)
    expected = clone(vae).fit(X).transform(X)
    vae.set_callbacks(callback.ScoringMonitor(scoring={"score": score})).fit(mine, target)
    np.testing.assert_array_equal(mine, X)
    np.testing.assert_array_equal(target, y)
    np.testing.assert_array_equal(vae.transform(X), expected)


def test_a_function_that_returns_one_buffer_has_a_jacobian(rng):
    Z, A, out = rng.standard_normal((10, 2)), rng.standard_normal((2, 5)), np.empty((10, 5))
    expected = decoder_jacobian(lambda z: z @ A, Z)
    found = decoder_jacobian(lambda z: np.matmul(z, A, out=out), Z)
    np.testing.assert_array_equal(found, expected)


def test_traversals_leave_rows_and_start_alone(rng):
    X = rng.standard_normal((40, 6))
    pipe = make_pipeline(StandardScaler(copy=False), PCA(2)).fit(X.copy())
    mine, start = X.copy(), X[0].copy()
    plot_traversals(pipe, mine, (2, 3), start=start)
    np.testing.assert_array_equal(mine, X)
    np.testing.assert_array_equal(start, X[0])


def test_a_renderer_of_a_table_has_arrays_of_its_own(rng):
    W = rng.uniform(-1, 1, (100, 2))
    rows = (1 / (1 + np.exp(-W @ rng.standard_normal((2, 6))))).astype(np.float32)
    before = W.copy()
    render = perturb_dataset(rows, W, max_iter=3, delta=0.9, random_state=0).render
    expected = render(before)
    rows[:], W[:] = 0, 0
    np.testing.assert_array_equal(render(before), expected)
