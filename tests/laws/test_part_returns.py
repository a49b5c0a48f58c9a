"""What a user's part returns is checked before training, and errors name part and remedy."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import minmax_scale
from torch import nn

from sklearn_intelvae import PCL, ClusteredInteLVAE, InteLVAE, SoftIntroVAE, SparseInteLVAE
from sklearn_intelvae.distributions import Density, MixtureDensity, Normal
from sklearn_intelvae.likelihoods import Likelihood
from sklearn_intelvae.mappings import (
    Clusters,
    Compose,
    Flow,
    Glue,
    Hierarchy,
    Mapping,
    OnComponents,
    StraightThrough,
)
from sklearn_intelvae.networks import ConvEncoder, Network
from sklearn_intelvae.objectives import BetaTC, Objective, VariationalObjective
from sklearn_intelvae.posteriors import FullGaussian, Posterior
from sklearn_intelvae.priors import Normal as NormalPrior
from sklearn_intelvae.priors import Prior, VampInitMixture

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
        (lambda b: (b.x.sum(1).requires_grad_(), [1]), "dict of tensors"),
        (lambda b: (b.x.sum(1).requires_grad_(), {"a": b.x}), "'a' must have shape"),
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


# Gradients, training mode, and values for the rows of X


def by_numpy(y):
    return torch.from_numpy(np.tanh(y.detach().numpy()))


def without_grad(y):
    with torch.no_grad():
        return y.tanh()


def in_inference_mode(y):
    with torch.inference_mode():
        return y.tanh()


NO_GRADIENT = {
    "NumPy": by_numpy,
    "no_grad": without_grad,
    "inference_mode": in_inference_mode,
    "detach": lambda y: y.tanh().detach(),
    "a step": lambda y: (y > 0).float(),
}


@pytest.mark.parametrize("name", NO_GRADIENT)
@pytest.mark.parametrize("place", PLACES)
def test_mappings_without_a_gradient(place, name, X):
    make, part = PLACES[place]
    if place in ("second of two", "on components") and name not in ("NumPy", "detach"):
        pytest.skip("one of two is enough")
    if place == "on components":
        pytest.skip("the other components have a gradient")
    with pytest.raises(ValueError, match=f"{part}.* without a gradient.*torch's functions"):
        InteLVAE(2, **make(NO_GRADIENT[name]), **SMALL).fit(X)


def test_a_function_of_numpy_is_named(X):
    with pytest.raises(ValueError, match=r"mapping Function failed.*compute with torch"):
        InteLVAE(2, mapping=np.tanh, **SMALL).fit(X)


def network(run):
    """Return a trainable network whose ``forward`` is a function of its layer and its input."""
    own = module(lambda x: x)
    own.layer = nn.LazyLinear(4)
    type(own).forward = lambda self, x: run(self, x)
    return own


@pytest.mark.parametrize("name", ["no_grad", "inference_mode", "detach"])
@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_trainable_networks_without_a_gradient(role, name, X):
    own = network(lambda self, x: NO_GRADIENT[name](self.layer(x)))
    with pytest.raises(ValueError, match=f"{role} Own returned a tensor without a gradient"):
        InteLVAE(2, **{role: own}, **SMALL).fit(X)


def test_a_frozen_encoder_needs_no_gradient(X):
    own = network(lambda self, x: without_grad(self.layer(x)))
    own.layer = nn.Linear(5, 4).requires_grad_(False)
    assert np.isfinite(InteLVAE(2, encoder=own, **SMALL).fit(X).transform(X)).all()


IN_TRAINING = {
    "a tuple": (lambda h: (h, h), "tuple"),
    "other columns": (lambda h: h[:, :1], "1 columns, and 4 in evaluation mode"),
    "float64": (lambda h: h.double(), "torch.float64"),
    "sparse": (lambda h: h.to_sparse(), "sparse"),
}


@pytest.mark.parametrize("name", IN_TRAINING)
@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_what_a_network_returns_in_training_mode_is_checked(role, name, X):
    function, problem = IN_TRAINING[name]

    def run(self, x):
        h = self.layer(x)
        return function(h) if self.training else h

    with pytest.raises(ValueError, match=f"{role} Own, in training mode, .*{problem}"):
        InteLVAE(2, **{role: network(run)}, **SMALL).fit(X)


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_networks_that_are_not_finite_are_named(role, X):
    own = network(lambda self, x: self.layer(x).square().neg().sqrt())
    with pytest.raises(ValueError, match=f"{role} (Own|Sequential) returned values that are not"):
        InteLVAE(2, **{role: own}, **SMALL).fit(X)


def test_a_network_for_positive_numbers_is_taken(X):
    """The likelihood decides whether the model sees X itself."""
    own, X = network(lambda self, x: self.layer(x.log1p())), minmax_scale(X).astype(np.float32)
    vae = InteLVAE(2, encoder=own, likelihood="bernoulli", **SMALL).fit(X)
    assert np.isfinite(vae.transform(X)).all()


# Further returns


class Narrow(Posterior):
    """Its scale is one number for each row."""

    def n_outputs(self, n_components):
        return n_components + 1

    def forward(self, h):
        return Normal(h[:, :-1], h[:, -1:].clamp(-6, 2))


class AnotherMean(FullGaussian):
    def mean(self, h):
        return super().mean(h) + 1


class HalfNumber(FullGaussian):
    def n_outputs(self, n_components):
        return n_components + n_components * (n_components + 1) / 2


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Narrow(), r"posterior Narrow: its variance must have shape \(3, 2\)"),
        (AnotherMean(), r"posterior AnotherMean: mean\(h\) is not the mean"),
        (HalfNumber(), "HalfNumber.n_outputs must be a positive integer, got 5.0"),
    ],
    ids=["variance", "mean", "number"],
)
def test_posteriors_that_disagree_with_themselves(part, message, X):
    with pytest.raises((ValueError, TypeError), match=message):
        InteLVAE(2, posterior=part, **SMALL).fit(X)


@pytest.mark.parametrize("number", [2.0, "2", None, 0, True])
def test_numbers_of_outputs_of_a_likelihood(number, X):
    own = module(lambda h: Normal(h, torch.zeros(())), Likelihood, outputs_per_feature=number)
    with pytest.raises(TypeError, match="Own.outputs_per_feature must be a positive integer"):
        InteLVAE(2, likelihood=own, **SMALL).fit(X)


class Draws(Normal):
    """A distribution whose ``sample`` is replaced."""

    draw = None

    def sample(self, generator):
        return type(self).draw(super().sample(generator))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda x: x[:1], r"sample must have shape \(3, 5\).*\(1, 5\)"),
        (lambda x: x[:, :1], r"sample must have shape \(3, 5\)"),
        (lambda x: x.double(), "sample returned torch.float64"),
        (lambda x: x.numpy(), "sample must have shape .* ndarray"),
        (lambda x: None, "sample must have shape .* NoneType"),
    ],
)
def test_draws_of_a_likelihood(draw, message, X):
    drawing = type("Drawing", (Draws,), {"draw": staticmethod(draw)})
    own = module(lambda h: drawing(h, torch.zeros(())), Likelihood)
    with pytest.raises(ValueError, match=f"likelihood Own: {message}"):
        InteLVAE(2, likelihood=own, **SMALL).fit(X)


class Modes(MixtureDensity):
    """A mixture of three modes; each test replaces one of its methods."""

    n_modes = 3

    def log_prob(self, y):
        return -0.5 * y.square().sum(1)

    def sample(self, n_samples, generator):
        return torch.randn(n_samples, 2, generator=generator)

    def responsibilities(self, y):
        return torch.full((len(y), 3), 1 / 3)

    def mode(self, k):
        return self


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample": lambda s, n, g: torch.randn(3, 2)}, r"sample must have shape \(4, 2\)"),
        ({"sample": lambda s, n, g: torch.full((n, 2), torch.inf)}, "sample .* not finite"),
        ({"responsibilities": lambda s, y: y[:, 0]}, r"responsibilities\(y\) must .*\(3, 3\)"),
        ({"responsibilities": lambda s, y: y}, r"responsibilities\(y\) must have shape \(3, 3\)"),
        ({"mode": lambda s, k: None}, r"mode\(k\) must return .* NoneType"),
        ({"n_modes": 0}, "n_modes must be a positive integer"),
        ({"n_modes": None}, "n_modes must be a positive integer"),
    ],
)
def test_mixtures(changes, message, X):
    density = type("Own", (Modes,), changes)
    own = type("Own", (Prior,), {"has_modes": True, "density": lambda self, encode: density()})
    with pytest.raises((ValueError, TypeError), match=message):
        InteLVAE(2, prior=own(), **SMALL).fit(X)


@pytest.mark.parametrize("name", ["epoch", "train_loss", "valid_loss", "dur", "batches"])
@pytest.mark.parametrize("hook", ["loss_terms", "cost", "epoch_stats"])
def test_reserved_names_of_terms(hook, name, X):
    if hook == "loss_terms":
        own = module(lambda y: y, Mapping, loss_terms=lambda s, x, m, y, z: {name: y.sum(1)})
        settings = {"mapping": own}
    elif hook == "cost":

        def cost(self, model, batch, run, terms):
            terms[name] = terms["kl"]
            return terms["kl"]

        settings = {"objective": type("Own", (VariationalObjective,), {"cost": cost})()}
    else:
        stats = {"epoch_stats": lambda self, model: {name: 1.0}}
        settings = {"objective": type("Own", (BetaTC,), stats)()}
    with pytest.raises(ValueError, match=f"(?s)Own.*'{name}'.*(rename|a name other)"):
        InteLVAE(2, **settings, **SMALL).fit(X)


@pytest.mark.parametrize("name", ["kl", "reconstruction"])
def test_a_mapping_cannot_replace_a_term_of_the_objective(name, X):
    own = module(lambda y: y, Mapping, loss_terms=lambda s, x, m, y, z: {name: y.sum(1)})
    with pytest.raises(ValueError, match=rf"\['{name}'\], which the objective records too"):
        InteLVAE(2, mapping=own, **SMALL).fit(X)


@pytest.mark.parametrize("term", [lambda kl: kl > 0, lambda kl: kl.long()])
def test_terms_are_floating(term, X):
    def cost(self, model, batch, run, terms):
        terms["mine"] = term(terms["kl"])
        return terms["kl"]

    own = type("Own", (VariationalObjective,), {"cost": cost})()
    with pytest.raises(ValueError, match=r"'mine' is torch.*\.float\(\)"):
        InteLVAE(2, objective=own, **SMALL).fit(X)


@pytest.mark.parametrize("returned", [None, [1.0], {"a": "b"}, {"a": np.ones(2)}])
def test_what_epoch_stats_returns_is_checked(returned, X):
    own = type("Own", (BetaTC,), {"epoch_stats": lambda self, model: returned})()
    with pytest.raises((TypeError, ValueError), match=r"Own\.epoch_stats"):
        InteLVAE(2, objective=own, **SMALL).fit(X)


def test_numbers_of_epoch_stats_may_be_tensors(X):
    stats = {"epoch_stats": lambda self, model: {"a": torch.tensor(1.5), "b": np.float32(2)}}
    vae = InteLVAE(2, objective=type("Own", (BetaTC,), stats)(), **SMALL).fit(X)
    assert (vae.history_[-1]["a"], vae.history_[-1]["b"]) == (1.5, 2.0)


@pytest.mark.parametrize("loss", [None, torch.zeros(())])
def test_the_loss_by_which_starts_are_compared_is_checked(loss, X):
    own = type("Own", (BetaTC,), {"validation_loss": lambda self, model, batch: loss})()
    with pytest.raises(ValueError, match=r"Own\.validation_loss must have shape"):
        InteLVAE(2, objective=own, n_init=2, **SMALL).fit(X)


@pytest.mark.parametrize("value", [None, "one", np.ones(2)])
def test_schedules_of_beta(value, X):
    with pytest.raises(TypeError, match=r"beta\(0.0\) must return a number"):
        InteLVAE(2, beta=lambda fraction: value, **SMALL).fit(X)


@pytest.mark.parametrize("number", [np.float64, np.asarray, torch.tensor])
def test_schedules_of_beta_may_return_any_number(number, X):
    settings = SMALL | {"max_iter": 3}
    plain = InteLVAE(2, beta=lambda fraction: fraction, **settings).fit(X)
    vae = InteLVAE(2, beta=lambda fraction: number(fraction), **settings).fit(X)
    assert vae.loss_curve_ == plain.loss_curve_


# Numbers of NumPy


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint64])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: InteLVAE(n(2)),
        lambda n: InteLVAE(n(100)),
        lambda n: SparseInteLVAE(n(3)),
        lambda n: SoftIntroVAE(n(2), prior=VampInitMixture(n(3))),
        lambda n: PCL(n(2)),
        lambda n: ClusteredInteLVAE(n(3)),
        lambda n: InteLVAE(mapping=Glue(n(2))),
        lambda n: InteLVAE(n(4), mapping=Clusters((n(3), n(2)))),
        lambda n: InteLVAE(n(4), mapping=Hierarchy(n(2)), batch_size=n(10), n_init=n(2)),
        lambda n: InteLVAE(n(2), mapping=Flow(n(2)), n_iter_no_change=n(2), early_stopping=True),
        lambda n: InteLVAE(encoder=ConvEncoder(np.array([1, 2, 2]).astype(n), (n(4),), n(8))),
    ],
)
def test_small_integers_of_numpy_are_taken(make, dtype, X, tmp_path):
    if isinstance(getattr(make(int), "encoder", None), ConvEncoder):
        X = X[:, [0, 1, 2, 3]]
    models = [make(kind).set_params(max_iter=kind(2), random_state=0) for kind in (int, dtype)]
    expected, found = (model.fit(X).transform(X) for model in models)
    np.testing.assert_array_equal(found, expected)
    if hasattr(models[1], "sample"):
        assert models[1].score_samples(X, n_particles=dtype(40)).shape == (len(X),)
        assert models[1].sample(dtype(7)).shape == (7, X.shape[1])
    models[1].save(tmp_path / "model")
    np.testing.assert_array_equal(type(models[0]).load(tmp_path / "model").transform(X), expected)


class Fixed(InteLVAE):
    """A subclass whose constructor takes fewer parameters."""

    def __init__(self, n_components=2, max_iter=2):
        super().__init__(n_components, mapping="sphere", max_iter=max_iter, random_state=0)


def test_a_subclass_with_fewer_parameters(X, tmp_path):
    expected = InteLVAE(2, mapping="sphere", max_iter=2, random_state=0).fit(X).transform(X)
    vae = clone(Fixed()).fit(X)
    np.testing.assert_array_equal(vae.transform(X), expected)
    vae.save(tmp_path / "model")
    again = Fixed.load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(X), expected)
    assert again.partial_fit(X).n_iter_ == 3


# Gradients through likelihoods and posteriors, and NaN


class Detaching(Normal):
    def log_prob(self, y):
        return Normal(self.mean.detach(), self.log_scale).log_prob(y)

    def reparameterize(self, noise):
        return self.mean.detach() + noise


@pytest.mark.parametrize(
    "forward",
    [
        lambda h: Normal(h.detach(), torch.zeros(())),
        lambda h: Detaching(h, torch.zeros(())),
        lambda h: Normal(torch.zeros_like(h), torch.zeros(())),
    ],
)
def test_likelihoods_that_drop_the_gradient(forward, X):
    with pytest.raises(ValueError, match=r"likelihood Own: log_prob\(x\) does not depend on"):
        InteLVAE(2, likelihood=module(forward, Likelihood), **SMALL).fit(X)


@pytest.mark.parametrize("cls", [Normal, Detaching])
def test_posteriors_that_drop_the_gradient(cls, X):
    def forward(h):
        mean, log_scale = (h.detach() if cls is Normal else h).chunk(2, dim=1)
        return cls(mean, log_scale)

    own = module(forward, Posterior, n_outputs=lambda self, n: 2 * n)
    with pytest.raises(ValueError, match=r"posterior Own: reparameterize\(noise\) does not depend"):
        InteLVAE(2, posterior=own, **SMALL).fit(X)


Q = {
    "marginals": (lambda s: None, "the mean of marginals"),
    "log_prob": (lambda s, y: (y - s.mean).square(), r"log_prob\(y\) must have shape \(3,\)"),
    "reparameterize": (lambda s, noise: s.mean.double(), "reparameterize.* torch.float64"),
}


@pytest.mark.parametrize("name", Q)
def test_methods_of_a_posterior_distribution(name, X):
    method, message = Q[name]
    cls = type("Own", (Normal,), {name: method})
    own = module(lambda h: cls(*h.chunk(2, dim=1)), Posterior, n_outputs=lambda self, n: 2 * n)
    with pytest.raises(ValueError, match=f"posterior Own: .*{message}"):
        InteLVAE(2, posterior=own, **SMALL).fit(X)


def nan(value):
    return value * float("nan")


NOT_A_NUMBER = {
    "log_prob of a likelihood": lambda: dict(
        likelihood=module(
            lambda h: type("P", (Normal,), {"log_prob": lambda s, x: nan((x - s.mean).sum(1))})(
                h, torch.zeros(())
            ),
            Likelihood,
        )
    ),
    "log_prob of a density": lambda: dict(
        prior=of(type("D", (Modes,), {"log_prob": lambda s, y: nan(y.sum(1))}))
    ),
    "kl of a density": lambda: dict(
        prior=of(type("D", (Modes,), {"kl": lambda s, q, y: nan(y.sum(1))}))
    ),
}


def of(cls):
    """Return a prior of a density without arguments."""
    return type("Own", (Prior,), {"density": lambda self, encode: cls()})()


@pytest.mark.parametrize("name", NOT_A_NUMBER)
def test_nan_is_named_before_training(name, X):
    with pytest.raises(ValueError, match="Own: .* returned NaN"):
        InteLVAE(2, **NOT_A_NUMBER[name](), **SMALL).fit(X)


@pytest.mark.parametrize("returned", ["double", "round"])
def test_kl_per_component_is_float32(returned, X):
    def terms(self, q):
        kl = q.kl_from_standard()
        return kl.double() if returned == "double" else kl.round().long()

    with pytest.raises(ValueError, match=r"kl_per_component\(q\) returned torch"):
        InteLVAE(2, prior=of(type("D", (Modes,), {"kl_per_component": terms})), **SMALL).fit(X)


@pytest.mark.parametrize("value", [False, True, np.zeros(3, bool)])
def test_check_support_raises_and_returns_nothing(value, X):
    own = module(
        lambda h: Normal(h, torch.zeros(())), Likelihood, check_support=lambda self, X: value
    )
    with pytest.raises(TypeError, match=r"Own\.check_support must return nothing, and raise"):
        InteLVAE(2, likelihood=own, **SMALL).fit(X)


@pytest.mark.parametrize("cost", [lambda kl: None, lambda kl: kl[:2], lambda kl: kl[:, None]])
def test_costs(cost, X):
    own = type("Own", (VariationalObjective,), {"cost": lambda s, m, b, r, t: cost(t["kl"])})()
    with pytest.raises(ValueError, match=r"Own\.cost must have shape \(20,\) or \(\)"):
        InteLVAE(2, objective=own, batch_size=20, **SMALL).fit(X)


@pytest.mark.parametrize("name", ["train", "valid"])
def test_reserved_names_of_players(name, X):
    def players(self, model):
        return {"first": model.encoder.parameters(), name: model.decoder.parameters()}

    own = type("Own", (BetaTC,), {"players": players})()
    with pytest.raises(ValueError, match=rf"Own\.players calls a player '{name}'"):
        InteLVAE(2, objective=own, **SMALL).fit(X)


def test_a_cost_may_be_a_number(X):
    own = type("Own", (VariationalObjective,), {"cost": lambda s, m, b, r, t: 0.0})()
    assert np.isfinite(InteLVAE(2, objective=own, **SMALL).fit(X).transform(X)).all()


def test_terms_that_are_undefined_for_few_rows_are_taken(X):
    """A correlation is NaN if a column is constant over the few rows of the check."""

    def terms(self, x, mean, y, z):
        x = x - x.mean(0)
        return {"penalty": (x[:, 0] * y[:, 0]).mean() / x[:, 0].square().mean().sqrt()}

    X = X.copy()
    X[:5, 0] = 0
    own = module(lambda y: y, Mapping, loss_terms=terms)
    assert np.isfinite(InteLVAE(2, mapping=own, **SMALL).fit(X).transform(X)).all()


def test_an_input_that_is_detached_before_a_layer_is_noticed(X):
    own = module(lambda y: y)
    own.layer = nn.Linear(2, 2)
    type(own).forward = lambda self, y: self.layer(y.detach())
    for role in ("mapping", "decoder"):
        with pytest.raises(ValueError, match=f"{role} .* without a gradient"):
            InteLVAE(2, **{role: own}, **SMALL).fit(X)


class Further(InteLVAE):
    """A subclass with a parameter of its own, which has no constraint."""

    def __init__(self, size=1.0, n_components=2):
        super().__init__(n_components, max_iter=2, random_state=0)
        self.size = size


def test_a_further_parameter_of_a_subclass_defines_the_model(X):
    vae = Further().fit(X)
    with pytest.raises(ValueError, match="cannot continue with another size"):
        vae.set_params(size=2.0).partial_fit(X)
