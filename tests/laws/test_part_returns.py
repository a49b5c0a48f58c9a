"""What a user's part returns is checked before training, and errors name part and remedy."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_intelvae import PCL, InteLVAE
from sklearn_intelvae.distributions import Density, Normal
from sklearn_intelvae.likelihoods import Likelihood
from sklearn_intelvae.mappings import Compose, Mapping, OnComponents, StraightThrough
from sklearn_intelvae.networks import Network
from sklearn_intelvae.objectives import BetaTC, Objective, VariationalObjective
from sklearn_intelvae.posteriors import FullGaussian, Posterior
from sklearn_intelvae.priors import Normal as NormalPrior
from sklearn_intelvae.priors import Prior

SMALL = dict(hidden_layer_sizes=(8,), max_iter=2, random_state=0)


@pytest.fixture
def X(rng):
    return rng.standard_normal((40, 5)).astype(np.float32)


def module(function, base=nn.Module, **attributes):
    """Return an instance of a class Own whose ``forward`` is the function."""
    return type("Own", (base,), {"forward": lambda self, *args: function(*args)} | attributes)()


WRONG = {
    "integers": (lambda y: y.round().long(), r"torch.int64.*\.float\(\)"),
    "booleans": (lambda y: y > 0, r"torch.bool.*\.float\(\)"),
    "float64": (lambda y: y.double(), r"torch.float64.*\.float\(\)"),
    "half": (lambda y: y.half(), r"torch.float16.*\.float\(\)"),
    "complex": (lambda y: y.to(torch.complex64), "torch.complex64"),
    "an array": (lambda y: y.detach().numpy(), "ndarray"),
    "no columns": (lambda y: y[:, :0], "at least one column"),
    "a vector": (lambda y: y[:, 0], r"shape \(3,\)"),
    "fewer rows": (lambda y: y[:2], r"shape \(2, \d\)"),
    "a tuple": (lambda y: (y, y), "tuple"),
    "nothing": (lambda y: None, "NoneType"),
    "an error": (lambda y: 1 / 0, "failed on a batch"),
}
NAN = {"not finite": (lambda y: (y - y) / (y - y), "not finite")}
PLACES = {
    "mapping function": (lambda f: dict(mapping=f), "mapping Function"),
    "mapping module": (lambda f: dict(mapping=module(f)), "mapping (Function|Own)"),
    "Mapping": (lambda f: dict(mapping=module(f, Mapping)), "mapping Own"),
    "second of two": (lambda f: dict(mapping=Compose(module(torch.tanh), module(f))), "mapping"),
    "on components": (lambda f: dict(mapping=OnComponents(module(f), (0,))), "mapping"),
}
NETWORKS = {
    "encoder": (lambda f: dict(encoder=module(f)), "encoder Own"),
    "decoder": (lambda f: dict(decoder=module(f)), "decoder Own"),
    "Network": (
        lambda f: dict(encoder=module(f, Network, build=lambda self, n, m: None)),
        "encoder Own",
    ),
}


@pytest.mark.parametrize("wrong", WRONG | NAN)
@pytest.mark.parametrize("place", PLACES)
def test_mappings(place, wrong, X):
    make, name = PLACES[place]
    function, problem = (WRONG | NAN)[wrong]
    if place in ("second of two", "on components"):
        problem = ""  # the composition may fail where it joins columns
    with pytest.raises((ValueError, TypeError), match=f"(?s){name}.*{problem}"):
        InteLVAE(2, **make(function), **SMALL).fit(X)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("place", NETWORKS)
def test_networks(place, wrong, X):
    make, name = NETWORKS[place]
    function, problem = WRONG[wrong]
    with pytest.raises((ValueError, TypeError), match=f"(?s){name}.*{problem}"):
        InteLVAE(2, **make(function), **SMALL).fit(X)


@pytest.mark.parametrize("wrong", WRONG)
def test_encoders_of_pairs(wrong, X):
    function, problem = WRONG[wrong]
    with pytest.raises((ValueError, TypeError), match=f"(?s)encoder Own.*{problem}"):
        PCL(2, encoder=module(function), **SMALL).fit(X)


def test_a_network_of_another_width_than_it_was_built_for_is_refused(X):
    own = module(lambda x: x, Network, build=lambda self, n, m: None)
    with pytest.raises(ValueError, match=r"encoder Own returned 5 columns; after build\(5, 4\)"):
        InteLVAE(2, encoder=own, **SMALL).fit(X)


def test_functions_without_gradient_are_taken_by_straight_through(X):
    for function in (lambda y: y > 0, lambda y: y.round().long(), lambda y: y.sign().double()):
        vae = InteLVAE(2, mapping=StraightThrough(function), **SMALL).fit(X)
        assert vae.transform(X).dtype == np.float32


HOOKS = {
    "loss_terms": [
        (lambda s, x, m, y, z: y.sum(1), TypeError, "dict"),
        (lambda s, x, m, y, z: {"penalty": y}, ValueError, "'penalty' must have shape"),
        (lambda s, x, m, y, z: {"penalty": 1.0}, ValueError, "'penalty'.*float"),
        (lambda s, x, m, y, z: {"penalty": y.sum(1).double()}, ValueError, "torch.float64"),
        (lambda s, x, m, y, z: None, TypeError, "dict"),
    ],
    "to_decoder": [
        (lambda s, z: z[:, :1], ValueError, r"to_decoder\(z\) must have shape \(3, 2\)"),
        (lambda s, z: z.double(), ValueError, "torch.float64"),
    ],
    "regions": [
        (lambda s, y: y, ValueError, r"regions\(y\) must have shape \(3,\)"),
        (lambda s, y: y[:, 0], ValueError, "integers"),
        (lambda s, y: y[:, 0] > 0, ValueError, "integers"),
    ],
}


@pytest.mark.parametrize(
    ("hook", "method", "kind", "match"),
    [(hook, *case) for hook, cases in HOOKS.items() for case in cases],
)
def test_hooks_of_a_mapping(hook, method, kind, match, X):
    attributes = {hook: method, "has_regions": hook == "regions"}
    own = module(lambda y: y, Mapping, **attributes)
    with pytest.raises(kind, match=f"mapping Own.*{match}"):
        InteLVAE(2, mapping=own, **SMALL).fit(X)


@pytest.mark.parametrize(
    ("parameter", "own", "base"),
    [
        ("mapping", module(lambda y: y, penalty=None, loss_terms=lambda s, *a: {}), "Mapping"),
        ("mapping", module(lambda y: y, regions=lambda self, y: y), "Mapping"),
        ("encoder", module(lambda x: x, build=lambda self, *sizes: None), "Network"),
    ],
)
def test_a_plain_module_with_hooks_is_told_which_class_to_derive_from(parameter, own, base, X):
    with pytest.raises(TypeError, match=f"Own defines .*{base}: derive the class from it"):
        InteLVAE(2, **{parameter: own}, **SMALL).fit(X)


@pytest.mark.parametrize("parameter", ["prior", "likelihood", "posterior", "objective"])
def test_other_plain_modules_are_told_too(parameter, X):
    with pytest.raises(TypeError, match=f"{parameter} must be .*{parameter.title()}"):
        InteLVAE(2, **{parameter: module(lambda h: h)}, **SMALL).fit(X)


class OwnDensity(Density):
    def __init__(self, sample, log_prob, kl=None):
        self.sample, self.log_prob = sample, log_prob
        if kl is not None:
            self.kl = kl


def standard_normal(n, generator):
    return torch.randn(n, 2, generator=generator)


@pytest.mark.parametrize(
    ("density", "match"),
    [
        (lambda: torch.distributions.Normal(0, 1), "must return a .*Density, got Normal"),
        (lambda: None, "must return a .*Density, got NoneType"),
        (
            lambda: OwnDensity(lambda n, g: torch.zeros(n, 3), lambda y: y.sum(1)),
            r"sample must have shape \(3, 2\)",
        ),
        (
            lambda: OwnDensity(lambda n, g: torch.zeros(n, 2).double(), lambda y: y.sum(1)),
            "sample returned torch.float64",
        ),
        (lambda: OwnDensity(standard_normal, lambda y: y), r"log_prob\(y\) must have shape"),
        (lambda: OwnDensity(standard_normal, lambda y: y.sum()), r"log_prob\(y\) must have shape"),
        (
            lambda: OwnDensity(standard_normal, lambda y: y.sum(1), lambda q, y: y),
            r"kl\(q, y\) must have shape",
        ),
    ],
)
def test_densities(density, match, X):
    own = type("Own", (Prior,), {"density": lambda self, encode: density()})()
    with pytest.raises((TypeError, ValueError), match=f"prior Own.*{match}"):
        InteLVAE(2, prior=own, **SMALL).fit(X)


@pytest.mark.parametrize(
    ("forward", "match"),
    [
        (lambda h: h, "PosteriorDistribution"),
        (lambda h: torch.distributions.Normal(h[:, :2], h[:, 2:].exp()), "PosteriorDistribution"),
        (lambda h: Normal(h[:, :1], h[:, 1:2]), r"shape \(3, 2\)"),
    ],
)
def test_posteriors(forward, match, X):
    own = module(forward, Posterior, n_outputs=lambda self, n: 2 * n)
    with pytest.raises((TypeError, ValueError), match=f"posterior Own.*{match}"):
        InteLVAE(2, posterior=own, **SMALL).fit(X)


@pytest.mark.parametrize(
    ("forward", "match"),
    [
        (lambda h: h, "must return an object with mean, log_prob"),
        (lambda h: torch.distributions.Normal(h, 1.0), "global generator"),
        (lambda h: Normal(h[:, :2], h.new_zeros(())), "outputs_per_feature"),
        (lambda h: Normal(h.double(), h.new_zeros(()).double()), "torch.float64"),
    ],
)
def test_likelihoods(forward, match, X):
    with pytest.raises((TypeError, ValueError), match=f"likelihood Own.*{match}"):
        InteLVAE(2, likelihood=module(forward, Likelihood), **SMALL).fit(X)


def loss_of(function):
    return type("Own", (Objective,), {"loss": lambda self, player, model, batch: function(batch)})


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda b: (b.x.sum(), {}), r"Own.loss returned shape \(\) for"),
        (lambda b: (b.x, {}), r"Own.loss returned shape \(\d+, 5\) for"),
        (lambda b: b.x.sum(1), "loss of each row and a dict"),
        (lambda b: (1.0, {}), "float"),
        (lambda b: (b.x.sum(1), {}), "does not depend on the parameters"),
        (lambda b: (b.x.sum(1).requires_grad_(), [1]), "dict of terms"),
        (lambda b: (b.x.sum(1).requires_grad_(), {"a": b.x}), "term 'a' must have shape"),
    ],
)
def test_losses(function, match, X):
    with pytest.raises((TypeError, ValueError), match=match):
        InteLVAE(2, objective=loss_of(function)(), **SMALL).fit(X)


@pytest.mark.parametrize("method", ["check_data", "check_history"])
def test_warnings_of_an_objective_are_a_list_of_strings(method, X):
    own = type(
        "Own",
        (VariationalObjective,),
        {method: lambda self, *args: "a sentence", "cost": lambda s, m, b, r, terms: terms["kl"]},
    )()
    settings = SMALL | {"max_iter": 600}
    with pytest.raises(TypeError, match=f"Own.{method} must return a list of strings"):
        InteLVAE(2, objective=own, **settings).fit(X)


@pytest.mark.parametrize(
    "parameters",
    [
        dict(objective=BetaTC),
        dict(mapping=Compose(module(torch.tanh), module(torch.tanh))),
        dict(prior=NormalPrior),
        dict(posterior=FullGaussian),
    ],
    ids=str,
)
def test_classes_are_called(parameters, X):
    assert np.isfinite(InteLVAE(2, **parameters, **SMALL).fit_transform(X)).all()


@pytest.mark.parametrize("device", ["meta", "cuda:99", "tpu", "nothing"])
def test_devices_that_cannot_be_used_are_refused(device, X):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used here"):
        InteLVAE(2, device=device, **SMALL).fit(X)


# Tensors as tables

TENSORS = {
    "float32": lambda t: t,
    "float64": lambda t: t.double(),
    "bfloat16": lambda t: t.bfloat16(),
    "half": lambda t: t.half(),
    "integers": lambda t: (10 * t).long(),
    "with a gradient": lambda t: t.clone().requires_grad_(),
    "not contiguous": lambda t: t.T.contiguous().T,
    "negated view": lambda t: torch._neg_view(t),
    "inference": lambda t: _in_inference_mode(t),
}
REFUSED = {
    "sparse": lambda t: t.to_sparse(),
    "csr": lambda t: t.to_sparse_csr(),
    "meta": lambda t: t.to("meta"),
    "quantized": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
}


def _in_inference_mode(tensor):
    with torch.inference_mode():
        return tensor.clone()


@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_are_taken(kind, X):
    table = TENSORS[kind](torch.from_numpy(X))
    vae = InteLVAE(2, **SMALL).fit(table, sample_weight=torch.ones(len(X)).bfloat16())
    assert vae.transform(table).shape == (40, 2)
    vae.inverse_transform(torch.zeros(3, 2).bfloat16())


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta", "ignore:.*quantiz")
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", ["X", "X_val", "sample_weight"])
def test_tensors_that_numpy_does_not_have_are_refused(name, kind, X):
    tensor = torch.from_numpy(X)
    arguments = {"X": tensor, "X_val": tensor, "sample_weight": tensor[:, :1].abs()}
    arguments = {"X": X} | {name: REFUSED[kind](arguments[name])}
    with pytest.raises(TypeError, match=f"{name} is a tensor of a kind.*{name}.to_dense"):
        InteLVAE(2, **SMALL).fit(**arguments)
