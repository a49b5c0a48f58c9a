"""The caller's torch settings change no bit, and are as before afterwards."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_intelvae import InteLVAE, SoftIntroVAE
from sklearn_intelvae.datasets import perturb_dataset
from sklearn_intelvae.mappings import Clusters, Compose, DimensionSelector, Mapping
from sklearn_intelvae.networks import ConvDecoder, ConvEncoder
from sklearn_intelvae.objectives import VariationalObjective
from sklearn_intelvae.posteriors import DiagonalGaussian
from sklearn_intelvae.priors import VampInitMixture
from tests.estimators.shelf import ESTIMATORS, marks_of

SMALL = dict(hidden_layer_sizes=(8,), max_iter=3, random_state=0)


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def subnormals_as_zero():
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


SETTINGS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "gradients off": lambda: torch.set_grad_enabled(False),
    "float64 by default": lambda: default_dtype(torch.float64),
    "float16 by default": lambda: default_dtype(torch.float16),
    "another device by default": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "deterministic algorithms": deterministic,
    "subnormal numbers as zero": subnormals_as_zero,
}
FURTHER = {
    "convolutions": InteLVAE(
        2,
        encoder=ConvEncoder((1, 2, 3), channels=(4,), n_hidden=8),
        decoder=ConvDecoder((1, 2, 3), channels=(4,), n_hidden=8),
        **SMALL,
    ),
    "bernoulli": InteLVAE(2, likelihood="bernoulli", **SMALL),
    "learned proportions": InteLVAE(
        mapping=Compose(Clusters(3, learn_proportions=True), DimensionSelector()), **SMALL
    ),
    "game": SoftIntroVAE(prior=VampInitMixture(3, learn_weights=False), game_start=0.2, **SMALL),
}
SHELF = ESTIMATORS | FURTHER
NAMES = [pytest.param(name, marks=marks_of(name)) for name in ESTIMATORS] + [*FURTHER]


def table():
    return np.random.default_rng(0).random((60, 6)).astype(np.float32)


@pytest.fixture
def X():
    return table()


def use(estimator, X, path):
    """Call everything that computes; return the numbers."""
    model = clone(estimator).fit(X)
    found = {"codes": model.transform(X), "score": model.score(X)}
    found["history"] = [{k: v for k, v in r.items() if k != "dur"} for r in model.history_]
    if hasattr(model, "sample"):
        model.fit_density(X) if len(X) > 10 else None
        found |= {
            "scores": model.score_samples(X, n_particles=4),
            "encoded": np.concatenate(model.encode(X)),
            "samples": model.sample(5, noise=True),
            "from the density": model.sample(5, source="density"),
            "decoded": model.inverse_transform(model.transform(X)),
            "reconstruction": model.reconstruct(X),
            "nats": model.kl_per_component_,
        }
    if hasattr(model, "predict"):
        found["labels"] = model.predict(X)
    model.save(path)
    again = type(model).load(path, **objects_of(estimator))
    found["loaded"] = again.transform(X)
    found["after partial_fit"] = again.partial_fit(X).transform(X)
    return found


def objects_of(estimator):
    """Return the parameters that a file does not hold."""
    mapping = getattr(estimator, "mapping", None)
    own = isinstance(mapping, nn.Module) and (
        not type(mapping).__module__.startswith("sklearn_intelvae") or "unction" in repr(mapping)
    )
    return {"mapping": mapping} if own else {}


def state():
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_autocast_enabled("cpu"),
        torch.are_deterministic_algorithms_enabled(),
        sys.float_info.min / 2 == 0,
    )


@cache
def numbers_without_a_setting(name):
    """Return what ``use`` finds, which is the same in each call, as other tests show."""
    with tempfile.TemporaryDirectory() as folder:
        return use(SHELF[name], table(), Path(folder) / "plain")


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_setting_of_the_caller_changes_no_bit(name, setting, X, tmp_path):
    expected = numbers_without_a_setting(name)
    with SETTINGS[setting]():
        before = state()
        found = use(SHELF[name], X, tmp_path / "set")
        assert state() == before
    for name, value in expected.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, found[name], err_msg=name)
            assert found[name].dtype == value.dtype
        else:
            assert value == found[name], name


@pytest.mark.parametrize("setting", SETTINGS)
def test_parts_made_under_a_setting_and_tensors_of_it_are_taken(setting, X):
    class Ring(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones((), dtype=torch.float32, device="cpu"))

        def forward(self, y):
            return self.scale * y / (y.norm(dim=1, keepdim=True) + 1e-6)

    expected = InteLVAE(2, mapping=Ring(), **SMALL).fit(X).transform(X)
    with SETTINGS[setting]():
        mapping, rows = Ring(), torch.tensor(X, device="cpu")
        np.testing.assert_array_equal(
            InteLVAE(2, mapping=mapping, **SMALL).fit(rows).transform(rows), expected
        )
    np.testing.assert_array_equal(
        InteLVAE(2, mapping=mapping, **SMALL).fit(X).transform(X), expected
    )


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_pickle_is_read_under_a_setting(setting, X):
    vae = InteLVAE(2, prior="laplace", **SMALL).fit(X)
    data = pickle.dumps(vae)
    with SETTINGS[setting]():
        again = pickle.loads(data)
        np.testing.assert_array_equal(again.sample(3), vae.sample(3))
        np.testing.assert_array_equal(again.transform(X), vae.transform(X))


def _codes(vae, X, connection):
    connection.send((vae.transform(X).sum(), torch.get_num_threads()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_process_forked_after_a_fit_with_threads_computes(tmp_path):
    """In a process of its own, since the tests have one thread."""
    script = tmp_path / "fork.py"
    script.write_text(
        """
import multiprocessing, sys
import numpy as np, torch
from sklearn_intelvae import InteLVAE
X = np.random.RandomState(0).randn(3000, 300).astype(np.float32)
vae = InteLVAE(2, max_iter=1, random_state=0, hidden_layer_sizes=(256,)).fit(X)
def job(i):
    shape = vae.transform(X).shape
    vae.partial_fit(X[:300])
    return shape, torch.get_num_threads()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(job, range(2)) == [((3000, 2), 1)] * 2
assert torch.get_num_threads() == 2
"""
    )
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], env=environment, timeout=100, check=False
    )
    assert done.returncode == 0


def test_spawned_processes_keep_their_threads(X):
    vae = InteLVAE(2, **SMALL).fit(X)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    process = context.Process(target=_codes, args=(vae, X, sender))
    process.start()
    total, _ = receiver.recv()
    process.join()
    assert total == vae.transform(X).sum()


FROM_PYTHON = {
    "where": lambda y: y * torch.where(y > 0, 1.0, 0.3),
    "booleans": lambda y: ((y > 0) * 2.0 - 1.0) * y,
    "integers": lambda y: y * (1 + torch.arange(2) / 2),
    "a window": lambda y: y * torch.hann_window(4)[1:3],
    "frequencies": lambda y: y + torch.fft.fftfreq(2),
    "roots of integers": lambda y: y * torch.arange(1, 3).sqrt() ** -0.5,
    "sines of integers": lambda y: y + torch.arange(2).sin(),
    "remainders": lambda y: y * (torch.arange(2, 4) % 1.7),
}


def numbers(model):
    X = table()
    return model.transform(X), model.score_samples(X), model.sample(5)


@cache
def with_numbers_of_python(name):
    vae = InteLVAE(2, mapping=FROM_PYTHON[name], **SMALL).fit(table())
    return vae, numbers(vae)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", FROM_PYTHON)
def test_a_mapping_that_computes_with_numbers_of_python(name, setting, X):
    vae, expected = with_numbers_of_python(name)
    with SETTINGS[setting]():
        again = numbers(clone(vae).fit(X))
        found = numbers(vae)
    for a, b, c in zip(expected, again, found, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
        assert c.dtype == np.float32


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_perturbed_data_set(setting, rng):
    W, A = rng.uniform(-1, 1, (60, 2)), rng.standard_normal((2, 6))

    def render(w):
        return 1 / (1 + np.exp(-w @ A))

    expected = perturb_dataset(render, W, max_iter=5, random_state=0)
    with SETTINGS[setting]():
        found = perturb_dataset(render, W, max_iter=5, random_state=0)
        rows = found.render(W)
    np.testing.assert_array_equal(found.X, expected.X)
    np.testing.assert_array_equal(rows, expected.render(W))


class DroppingCritic(VariationalObjective):
    """An objective whose own network has dropout."""

    def build(self, model):
        super().build(model)
        self.critic = nn.Sequential(nn.Dropout(), nn.Linear(model.n_components, 1))

    def players(self, model):
        return super().players(model) | {"critic": self.critic.parameters()}

    def cost(self, model, batch, run, terms):
        batch.cache["y"] = run.y.detach()
        return batch.progress * (terms["kl"] + self.critic(run.y)[:, 0])

    def loss(self, player, model, batch):
        if player == "model":
            return super().loss(player, model, batch)
        return self.critic(batch.cache["y"])[:, 0].square(), {}


class DroppingPosterior(DiagonalGaussian):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout()

    def forward(self, h):
        return super().forward(self.dropout(h))


@pytest.mark.parametrize(
    "part", [dict(objective=DroppingCritic()), dict(posterior=DroppingPosterior())], ids=str
)
def test_dropout_anywhere_is_seeded_and_leaves_the_global_generator_alone(part, X):
    vae = InteLVAE(2, prior="vamp", **part, **SMALL)
    curves = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        curves.append(clone(vae).fit(X).loss_curve_)
        assert torch.equal(torch.get_rng_state(), before)
    assert curves[0] == curves[1]


def test_numpy_that_raises_on_underflow(X):
    X[0, 0] = 1e-50
    wide = X.astype(np.float64)
    wide[0, 0] = 1e-50
    with np.errstate(all="raise"):
        vae = InteLVAE(2, **SMALL).fit(wide, X_val=wide).fit_density(wide)
        Z = vae.transform(wide).astype(np.float64)
        Z[0, 0] = 1e-50
        assert np.isfinite(vae.inverse_transform(Z)).all()


def test_numpy_that_raises_on_underflow_of_a_column_with_one_other_value():
    X = np.random.default_rng(0).normal(size=(3000, 3))
    X[:, 0] = np.arange(3000) == 0
    with np.errstate(all="raise"):
        vae = InteLVAE(2, **SMALL | {"max_iter": 20, "batch_size": 500}).fit(X)
    assert np.isfinite(vae.score(X))


DRAWS = {
    "Dirichlet": lambda: torch.distributions.Dirichlet(torch.ones(2)).sample(),
    "Gamma": lambda: torch.distributions.Gamma(torch.ones(2), 1.0).sample(),
    "Beta": lambda: torch.distributions.Beta(torch.ones(2), 1.0).sample(),
    "StudentT": lambda: torch.distributions.StudentT(torch.full((2,), 3.0)).sample(),
    "Binomial": lambda: torch.distributions.Binomial(9, torch.full((2,), 0.5)).sample(),
    "randint_like": lambda: torch.randint_like(torch.zeros(2), 1000),
    "randint_like from": lambda: torch.randint_like(torch.zeros(2), low=5, high=1000),
    "randint_like to": lambda: torch.randint_like(torch.zeros(2), 5, high=1000),
    "dropout1d": lambda: nn.functional.dropout1d(torch.rand(2, 3))[:, 0],
    "attention": lambda: nn.functional.scaled_dot_product_attention(
        *torch.rand(3, 1, 2, 4), dropout_p=0.5
    )[0, :, 0],
    "rand_like": lambda: torch.rand_like(input=torch.zeros(2)),
    "randn_like": lambda: torch.randn_like(torch.zeros(2), memory_format=torch.preserve_format),
    "gumbel_softmax": lambda: nn.functional.gumbel_softmax(torch.zeros(2)),
    "dropout": lambda: nn.functional.dropout(torch.rand(2)),
    "rrelu": lambda: nn.functional.rrelu(-torch.ones(2), training=True),
    "binomial": lambda: torch.binomial(torch.full((2,), 9.0), torch.full((2,), 0.5)),
}


class Drawing(Mapping):
    def __init__(self, name="Gamma"):
        super().__init__()
        self.name = name

    def build(self, n_components):
        super().build(n_components)
        self.register_buffer("shift", DRAWS[self.name]())

    def forward(self, y):
        return y + self.shift


@pytest.mark.parametrize("name", DRAWS)
def test_whatever_build_draws_follows_from_random_state(name, X):
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        vae = InteLVAE(2, mapping=Drawing(name), **SMALL).fit(X)
        found.append(vae.module_.mapping.shift)
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*found)
    other = InteLVAE(2, mapping=Drawing(name), **SMALL | {"random_state": 7}).fit(X)
    if name not in ("dropout", "dropout1d"):
        assert not torch.equal(other.module_.mapping.shift, found[0])


@pytest.mark.parametrize("layer", [nn.RReLU(), nn.AlphaDropout(), nn.Dropout1d()], ids=str)
def test_layers_that_draw_are_seeded(layer, X):
    encoder = nn.Sequential(nn.Linear(6, 8), layer)
    curves = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        curves.append(InteLVAE(2, encoder=encoder, **SMALL).fit(X).loss_curve_)
        assert torch.equal(torch.get_rng_state(), before)
    assert curves[0] == curves[1]
