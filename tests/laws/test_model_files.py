"""The content of a model file, messages about other versions, and how the file is written."""

import copy
import json
import os
import pickle
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import sklearn
import torch
from safetensors import safe_open
from safetensors.numpy import save
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_intelvae import PCL, InteLVAE, __version__
from sklearn_intelvae.distributions import Normal
from sklearn_intelvae.estimators._files import _checksum
from sklearn_intelvae.likelihoods import Likelihood
from sklearn_intelvae.mappings import Clusters, Linear, Mapping, Sphere
from sklearn_intelvae.networks import MLP
from tests.estimators.shelf import ESTIMATORS, marks_of

SMALL = dict(hidden_layer_sizes=(8,), max_iter=2, random_state=0)


@pytest.fixture
def X(rng):
    return rng.standard_normal((40, 5)).astype(np.float32)


@pytest.fixture
def vae(X):
    return InteLVAE(2, **SMALL).fit(X)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# What a file keeps


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if "own" not in n and "unction" not in n])
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_is_kept(name, container, X, path):
    model = clone(ESTIMATORS[name]).set_output(transform=container).fit(X)
    model.save(path)
    again = type(model).load(path)
    assert type(again.transform(X)) is type(model.transform(X))
    assert list(again.transform(X).columns) == list(model.transform(X).columns)


@pytest.mark.parametrize("value", [True, False, None, "weights"])
def test_metadata_requests_are_kept(value, X, path, routing):
    model = InteLVAE(2, **SMALL).set_fit_request(sample_weight=value, X_val=True)
    model.set_partial_fit_request(X_prev=value).fit(X).save(path)
    again = InteLVAE.load(path)
    requests = [m.get_metadata_routing() for m in (model, again)]
    for method in ("fit", "partial_fit", "score"):
        assert len({str(getattr(r, method).requests) for r in requests}) == 1


def test_requests_are_kept_where_routing_is_off_at_loading(X, path):
    with sklearn.config_context(enable_metadata_routing=True):
        InteLVAE(2, **SMALL).set_fit_request(sample_weight=True).fit(X).save(path)
    again = InteLVAE.load(path)
    with sklearn.config_context(enable_metadata_routing=True):
        assert again.get_metadata_routing().fit.requests["sample_weight"] is True


def test_every_fitted_attribute_is_kept(vae, X, path):
    vae.fit_density(X).save(path)
    again = InteLVAE.load(path)
    public = {name for name in vars(vae) if name.endswith("_")}
    assert public == {name for name in vars(again) if name.endswith("_")}


# Files of other versions


def rewritten(path, change):
    """Write a file again after a change of its content, as another version would."""
    with safe_open(path, "np") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    content = json.loads(header["content"])
    change(header, content)
    header["content"] = json.dumps(content)
    header["sha256"] = _checksum(header, tensors)
    path.write_bytes(save(tensors, header))


MODEL = {"mapping", "posterior", "prior", "likelihood", "objective", "beta", "activation"}


@pytest.mark.parametrize("name", sorted(InteLVAE().get_params(deep=False)))
def test_a_file_without_one_of_the_parameters_has_the_default(name, vae, X, path):
    vae.save(path)

    def without(header, content):
        header["version"] = "0.0.9"
        content["params"].pop(name)
        content["attributes"]["_description"]["dict"].pop(name, None)

    rewritten(path, without)
    again = InteLVAE.load(path)
    assert repr(getattr(again, name)) == repr(getattr(InteLVAE(), name))
    np.testing.assert_array_equal(again.transform(X), vae.transform(X))
    if name not in ("hidden_layer_sizes", "n_components"):
        again.partial_fit(X)


def test_a_file_with_an_unknown_parameter_names_it_and_the_version(vae, path):
    vae.save(path)
    rewritten(path, lambda header, content: content["params"].update(novelty=3))
    match = rf"written by sklearn_intelvae {__version__}, has the parameters \['novelty'\]"
    with pytest.raises(ValueError, match=match):
        InteLVAE.load(path)


@pytest.mark.parametrize(
    "part",
    [
        {"part": "Torus", "params": {}},
        {"part": "Sphere", "params": {"radius": 3}},
        {"class": "Torus"},
    ],
    ids=["unknown part", "unknown hyper-parameter", "unknown class"],
)
def test_a_file_with_an_unknown_part_says_so(part, vae, path):
    vae.save(path)
    rewritten(path, lambda header, content: content["params"].update(mapping=part))
    with pytest.raises(ValueError, match="describes a part that version .* does not have"):
        InteLVAE.load(path)


def test_a_file_of_a_newer_format_says_so(vae, path):
    vae.save(path)
    rewritten(path, lambda header, content: header.update(format="sklearn_intelvae 99"))
    with pytest.raises(ValueError, match=r"in format 99; .* Upgrade"):
        InteLVAE.load(path)


# How a file is written


def test_threads_that_save_to_one_path_do_not_disturb_each_other(vae, X, path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: vae.save(path), range(40)))
    np.testing.assert_array_equal(InteLVAE.load(path).transform(X), vae.transform(X))
    assert os.listdir(path.parent) == [path.name]


def test_a_reader_never_sees_an_unfinished_file(vae, X, path):
    vae.save(path)
    codes = vae.transform(X)
    done = threading.Event()

    def write():
        for _ in range(20):
            vae.save(path)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        np.testing.assert_array_equal(InteLVAE.load(path).transform(X), codes)
    writer.join()


@pytest.mark.parametrize("relative", [False, True])
def test_a_symbolic_link_is_kept_and_its_target_replaced(relative, vae, X, tmp_path):
    (tmp_path / "models").mkdir()
    target, link = tmp_path / "models" / "v1", tmp_path / "current"
    target.write_text("old")
    link.symlink_to("models/v1" if relative else target)
    vae.save(link)
    assert link.is_symlink()
    np.testing.assert_array_equal(InteLVAE.load(target).transform(X), vae.transform(X))


def test_a_dangling_link_gets_its_target(vae, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "new")
    vae.save(link)
    assert link.is_symlink()
    assert (tmp_path / "new").is_file()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_an_existing_file_keeps_its_mode(mode, vae, path):
    path.write_text("old")
    path.chmod(mode)
    vae.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_has_the_mode_of_new_files(mask, mode, vae, path):
    before = os.umask(mask)
    try:
        vae.save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_failed_save_leaves_the_old_file_and_nothing_else(vae, path, monkeypatch):
    vae.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(type(path), "replace", lambda *args: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        vae.save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_the_representatives_are_known():
    assert any(marks_of(name) == () for name in ESTIMATORS)


# Parts that were replaced after the fit


class Tanh(nn.Module):
    def forward(self, y):
        return y.tanh()


@pytest.mark.parametrize("fitted", ["sphere", "hierarchy"])
def test_the_model_of_the_fit_is_kept_if_the_mapping_was_replaced(fitted, X, path):
    vae = InteLVAE(2, mapping=fitted, **SMALL).fit(X)
    expected = vae.transform(X)
    vae.set_params(mapping=Tanh()).save(path)
    again = InteLVAE.load(path, mapping=Tanh())
    np.testing.assert_array_equal(again.transform(X), expected)
    assert isinstance(again.mapping, Tanh)
    with pytest.raises(ValueError, match="cannot continue with another mapping"):
        again.partial_fit(X)


@pytest.mark.parametrize("parameter", ["mapping", "encoder"])
def test_a_part_that_was_replaced_by_one_of_ours_is_asked_for(parameter, X, path):
    module = Tanh() if parameter == "mapping" else nn.Linear(5, 4)
    vae = InteLVAE(2, **{parameter: module}, **SMALL).fit(X)
    expected = vae.transform(X)
    vae.set_params(**{parameter: getattr(InteLVAE(), parameter)}).save(path)
    with pytest.raises(ValueError, match=rf"fitted with {parameter} set to .*{parameter}=\.\.\."):
        InteLVAE.load(path)
    again = InteLVAE.load(path, **{parameter: module})
    np.testing.assert_array_equal(again.transform(X), expected)
    assert getattr(again, parameter) == getattr(InteLVAE(), parameter)


@pytest.mark.parametrize("given", [Tanh(), "identity", Clusters(2)])
def test_an_object_in_the_place_of_one_that_the_file_holds_is_refused(given, X, path):
    InteLVAE(2, mapping="sphere", **SMALL).fit(X).save(path)
    with pytest.raises(ValueError, match="holds mapping='sphere': do not pass mapping to load"):
        InteLVAE.load(path, mapping=given)
    assert InteLVAE.load(path, mapping=Sphere(), verbose=0).mapping == "sphere"


# Values


def test_arrays_of_another_byte_order(X, path):
    mapping = Linear(np.array([[1.0, 0.5], [0.0, 2.0]]).astype(">f8"))
    vae = InteLVAE(2, mapping=mapping, hidden_layer_sizes=np.array([8], ">i4"), max_iter=2).fit(X)
    vae.save(path)
    again = InteLVAE.load(path)
    np.testing.assert_array_equal(again.transform(X), vae.transform(X))
    np.testing.assert_array_equal(again.mapping.matrix, mapping.matrix)


@pytest.mark.parametrize("cls", [np.longdouble, np.float16, np.int8, np.uint64, np.bool_, np.str_])
def test_numbers_of_numpy(cls, X, path):
    name, value = {np.bool_: ("early_stopping", 0), np.str_: ("learning_rate", "constant")}.get(
        cls, ("beta", 2)
    )
    vae = InteLVAE(2, **{name: cls(value)}, **SMALL).fit(X)
    vae.save(path)
    assert getattr(InteLVAE.load(path), name) == value


def test_a_random_state_of_another_generator_is_asked_for(X, path):
    state = np.random.RandomState(np.random.PCG64(3))
    vae = InteLVAE(2, hidden_layer_sizes=(8,), max_iter=2, random_state=state).fit(X)
    vae.save(path)
    with pytest.raises(ValueError, match=r"random_state set to .*RandomState.*random_state=\.\.\."):
        InteLVAE.load(path)
    again = InteLVAE.load(path, random_state=0)
    np.testing.assert_array_equal(again.transform(X), vae.transform(X))


ATTRIBUTES = {
    "an object": (StandardScaler(), None),
    "a list of objects": ([1, StandardScaler()], None),
    "dates": (np.array(["2020-01-01"], "datetime64[D]"), None),
    "complex numbers": (np.ones(2, complex), None),
    "quadruple precision": (np.ones(2, np.longdouble), None),
    "strings": (np.array(["a", "bc"]), np.array(["a", "bc"])),
    "numbers": ({"a": (1, 2.5, None)}, {"a": (1, 2.5, None)}),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_of_the_user(name, vae, X, path):
    """They are kept, or omitted with a warning."""
    value, expected = ATTRIBUTES[name]
    vae.extra_ = value
    if expected is None:
        with pytest.warns(UserWarning, match="extra_ holds an .* which is omitted: set it again"):
            vae.save(path)
        assert not hasattr(InteLVAE.load(path), "extra_")
    else:
        vae.save(path)
        np.testing.assert_equal(InteLVAE.load(path).extra_, expected)


def test_entries_of_the_history_that_a_file_does_not_hold(vae, X, path):
    vae.history_[0]["extra"] = StandardScaler()
    with pytest.warns(UserWarning, match="history_ holds an object of class StandardScaler"):
        vae.save(path)
    again = InteLVAE.load(path)
    assert "extra" not in again.history_[0]
    assert again.history_[1] == vae.history_[1]


class Expanded(nn.Module):
    """Has a buffer whose numbers share memory, and a state that is no tensor."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor([2.0]).expand(2))

    def forward(self, y):
        return y * self.scale

    def get_extra_state(self):
        return {"numbers": [1, 2]}

    def set_extra_state(self, state):
        assert state == {"numbers": [1, 2]}


def test_buffers_that_share_memory_and_extra_states(X, path):
    vae = InteLVAE(2, mapping=Expanded(), **SMALL).fit(X)
    vae.save(path)
    copies = InteLVAE.load(path, mapping=Expanded()), pickle.loads(pickle.dumps(vae))
    for again in (*copies, copy.deepcopy(vae)):
        np.testing.assert_array_equal(again.transform(X), vae.transform(X))
        assert again.partial_fit(X).n_iter_ == 3


@dataclass(slots=True)
class Slotted:
    values: object

    def __post_init__(self):
        self.values = self.values.detach()


class Gate(Mapping):
    """Keeps activations in several ways, as many torch modules do."""

    def build(self, n_components):
        super().build(n_components)
        self.layer = nn.Linear(n_components, n_components)

    def forward(self, y):
        self.gates = self.layer(y).sigmoid()
        self.kept = [self.gates, {"both": (y, self.gates)}]
        self.last = Normal(self.gates, self.gates)
        self.shape, self.largest = y.shape, self.gates.max(1)
        self.slotted = Slotted(self.gates)
        self.cycle = [self.gates]
        self.cycle.append(self.cycle)
        return y * self.gates


def test_a_part_that_keeps_an_activation_can_be_copied_and_trained_further(X, path):
    vae = InteLVAE(2, mapping=Gate(), warm_start=True, **SMALL).fit(X)
    vae.partial_fit(X).fit(X).save(path)
    again = InteLVAE.load(path, mapping=Gate())
    np.testing.assert_array_equal(again.transform(X), copy.deepcopy(vae).transform(X))


# Paths


def test_a_pipe_is_written_to(vae, path):
    os.mkfifo(path)
    found = []
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    vae.save(path)
    reader.join()
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert b"sklearn_intelvae" in found[0]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: p, IsADirectoryError, "folder"),
        (lambda p: p / "none" / "model", FileNotFoundError, "there is no folder .*none"),
        (lambda p: "", IsADirectoryError, "folder"),
        (lambda p: "/", IsADirectoryError, "/"),
    ],
)
def test_paths_that_cannot_be_written(make, error, message, vae, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=message):
        vae.save(make(folder))
    assert not list(folder.iterdir())


def test_a_loop_of_links_is_refused(vae, tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match=r"symbolic links|no folder"):
        vae.save(tmp_path / "a")


def test_a_name_of_the_largest_length(vae, X, tmp_path):
    path = tmp_path / ("m" * 255)
    vae.save(path)
    np.testing.assert_array_equal(InteLVAE.load(path).transform(X), vae.transform(X))


# Models that are unusual


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["InteLVAE objective factor", "SoftIntroVAE", "PCL"])
def test_compiled_modules_and_objectives(name, X, path):
    params = {"compile": True, "compile__backend": "eager"}
    model = clone(ESTIMATORS[name]).set_params(skorch_params=params).fit(X).partial_fit(X)
    model.save(path)
    again = type(model).load(path)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert not any("_orig_mod" in key for key in model.objective_.state_dict())
    assert again.partial_fit(X).n_iter_ == 5


class Progressing(Mapping):
    """Depends on the warm-up, by an attribute that is no buffer."""

    progress = 1.0

    def set_progress(self, fraction):
        self.progress = fraction

    def forward(self, y):
        return y * (1 + self.progress)


def test_copies_know_how_much_of_the_warm_up_has_passed(X, path):
    vae = InteLVAE(2, mapping=Progressing(), hidden_layer_sizes=(8,), max_iter=10, random_state=0)
    vae.partial_fit(X).save(path)
    copies = InteLVAE.load(path, mapping=Progressing()), pickle.loads(pickle.dumps(vae))
    for again in (*copies, copy.deepcopy(vae)):
        np.testing.assert_array_equal(again.transform(X), vae.transform(X))


class Late(Mapping):
    """Creates or resizes its state in a hook."""

    def __init__(self, hook="initialize"):
        super().__init__()
        self.hook = hook

    def build(self, n_components):
        super().build(n_components)
        self.register_buffer("rows", torch.zeros(0, n_components))

    def initialize(self, X, generator):
        if self.hook == "initialize":
            self.center = nn.Parameter(X[0, :2].clone())

    def observe(self, mean, y, weight):
        if self.hook == "observe":
            self.rows = torch.cat([self.rows, y])

    def forward(self, y):
        return y


@pytest.mark.parametrize(("hook", "names"), [("initialize", "center"), ("observe", "rows")])
def test_state_that_a_copy_could_not_hold_is_refused(hook, names, X):
    with pytest.raises(ValueError, match=rf"Late\.{hook} creates or resizes {names}.* in build"):
        InteLVAE(2, mapping=Late(hook), **SMALL).fit(X)


class LateEncoder(MLP):
    """Creates a buffer in ``initialize``, in float64 or too late."""

    def __init__(self, known=True):
        super().__init__((8,))
        self.known = known

    def build(self, n_inputs, n_outputs):
        super().build(n_inputs, n_outputs)
        if self.known:
            self.register_buffer("center", torch.zeros(n_inputs))

    def initialize(self, X, generator):
        self.register_buffer("center", X.double().mean(0))

    def forward(self, x):
        return super().forward(x - self.center if hasattr(self, "center") else x)


@pytest.mark.parametrize("cls", [PCL, InteLVAE])
def test_networks_are_initialized_alike_in_every_model(cls, X):
    with pytest.raises(ValueError, match=r"LateEncoder\.initialize creates or resizes center"):
        cls(2, encoder=LateEncoder(known=False), max_iter=2, random_state=0).fit(X)
    model = cls(2, encoder=LateEncoder(), max_iter=2, random_state=0).fit(X)
    encoder = getattr(model.module_.encoder, "network", model.module_.encoder)
    assert encoder.center.dtype == torch.float32
    np.testing.assert_array_equal(copy.deepcopy(model).transform(X), model.transform(X))


class Centered(Likelihood):
    """Its buffer is float64 after ``initialize``."""

    def build(self, n_features):
        super().build(n_features)
        self.register_buffer("center", torch.zeros(n_features))

    def initialize(self, X, generator):
        self.center = X.double().mean(0)

    def forward(self, h):
        return Normal(h + self.center, torch.zeros(()))


def test_buffers_are_float32_after_initialize(X):
    vae = InteLVAE(2, likelihood=Centered(), **SMALL).fit(X)
    Z = vae.transform(X)
    assert vae.inverse_transform(Z).dtype == np.float32
    again = copy.deepcopy(vae)
    np.testing.assert_array_equal(again.inverse_transform(Z), vae.inverse_transform(Z))


class Scale(Mapping):
    def __init__(self, size=1.0):
        super().__init__()
        self.size = size

    def forward(self, y):
        return self.size * y


@pytest.mark.parametrize("given", [Scale(1.0), Gate(), "identity"])
def test_another_object_than_the_fitted_one_is_refused(given, X, path):
    vae = InteLVAE(2, mapping=Scale(3.0), **SMALL).fit(X)
    vae.save(path)
    with pytest.raises(ValueError, match=r"fitted with mapping=Scale of \{'size': 3.0\}"):
        InteLVAE.load(path, mapping=given)
    again = InteLVAE.load(path, mapping=Scale(3.0))
    np.testing.assert_array_equal(again.transform(X), vae.transform(X))


@pytest.mark.parametrize("value", [{"missing": 3}, {"a": {"missing": "x"}}, [{"missing": None}]])
def test_values_that_resemble_a_marker(value, vae, path):
    vae.extra_ = value
    vae.save(path)
    assert InteLVAE.load(path).extra_ == value


@pytest.mark.parametrize("name", ["_description", "objective_", "module_", "history_"])
def test_a_file_that_lacks_an_attribute_names_it(name, vae, path):
    vae.save(path)
    rewritten(path, lambda header, content: content["attributes"].pop(name))
    with pytest.raises(ValueError, match=f"lacks {name}"):
        InteLVAE.load(path)


@pytest.mark.parametrize("value", [{"optimizer": "FutureOptimizer"}, {"unknown": [1]}])
def test_a_value_of_another_version_is_named(value, vae, path):
    vae.save(path)
    rewritten(path, lambda header, content: content["params"].update(skorch_params=value))
    with pytest.raises(ValueError, match="written by sklearn_intelvae"):
        InteLVAE.load(path)
