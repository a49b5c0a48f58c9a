"""The content of a model file, messages about other versions, and how the file is written."""

import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
from safetensors import safe_open
from safetensors.numpy import save
from sklearn.base import clone

from sklearn_intelvae import InteLVAE, __version__
from sklearn_intelvae.estimators._files import _checksum
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
