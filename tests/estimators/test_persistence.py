"""Pickle, joblib, skops, and the package's own files."""

import copy
import json
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from skorch.callbacks import EpochTimer

from sklearn_intelvae import PCL, InteLVAE, SparseInteLVAE, __version__
from sklearn_intelvae.likelihoods import Gaussian
from sklearn_intelvae.mappings import Clusters
from tests.estimators.shelf import ESTIMATORS, SMALL, Ring, marks_of

OBJECTS = {"InteLVAE of one's own": {"mapping": Ring()}}


def by_pickle(estimator, path, **objects):
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator, path, **objects):
    joblib.dump(estimator, path)
    return joblib.load(path)


def by_skops(estimator, path, **objects):
    data = skops.io.dumps(estimator)
    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


def by_file(estimator, path, **objects):
    estimator.save(path)
    return type(estimator).load(path, **objects)


WAYS = [by_pickle, by_joblib, by_skops, by_file]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks_of(name)) for name in ESTIMATORS])
def test_a_restored_model_is_the_model(way, name, X, tmp_path):
    holds_function = name.endswith(("Function()", "function"))
    if way is by_skops and holds_function:
        pytest.skip("skops does not carry functions of torch")
    objects = {"mapping": ESTIMATORS[name].mapping} if holds_function else {}
    vae = copy.deepcopy(ESTIMATORS[name]).fit(X)
    again = way(vae, tmp_path / "model", **OBJECTS.get(name, objects))
    assert type(again) is type(vae)
    assert repr(again) == repr(vae)
    assert np.array_equal(again.transform(X), vae.transform(X))
    assert again.score(X) == vae.score(X)
    if hasattr(vae, "sample"):
        assert np.array_equal(again.sample(5), vae.sample(5))
    assert again.history_ == vae.history_
    again.partial_fit(X)
    vae.partial_fit(X)
    assert np.array_equal(again.transform(X), vae.transform(X))
    assert again.n_iter_ == vae.n_iter_ == len(vae.loss_curve_)


@pytest.mark.parametrize("way", WAYS[:3])
def test_an_unfitted_estimator_is_restored_too(way, tmp_path):
    again = way(InteLVAE(3, mapping=Clusters(4)), tmp_path / "model")
    assert repr(again) == "InteLVAE(mapping=Clusters(n_clusters=4), n_components=3)"
    assert not hasattr(again, "module_")


def test_a_pickle_holds_the_weights_and_their_two_moments_and_little_else(X):
    vae = InteLVAE(**SMALL | {"hidden_layer_sizes": (128, 128)}).fit(X)
    weights = sum(p.numel() * 4 for p in vae.module_.parameters())
    assert len(pickle.dumps(vae)) < 3 * weights + 30_000


@pytest.mark.parametrize("way", WAYS)
def test_column_names_and_output_settings_are_restored(way, X, tmp_path):
    table = pd.DataFrame(X, columns=list("abcdef"))
    vae = InteLVAE(**SMALL).set_output(transform="pandas").fit(table)
    again = way(vae, tmp_path / "m")
    assert list(again.feature_names_in_) == list("abcdef")
    assert again.transform(table).equals(vae.transform(table))


@pytest.mark.parametrize("way", [by_pickle, by_joblib, by_file])
def test_metadata_requests_are_restored(way, X, tmp_path):
    """But not by skops, which fails for any estimator with requests, those of scikit-learn too."""
    with sklearn.config_context(enable_metadata_routing=True):
        pcl = PCL(**SMALL).set_fit_request(X_prev=True).set_score_request(X_prev=True).fit(X)
        again = way(pcl, tmp_path / "m")
        assert repr(again.get_metadata_routing()) == repr(pcl.get_metadata_routing())
        assert "X_prev" in repr(again.get_metadata_routing())


def test_parameters_of_every_plain_kind_are_restored(X, tmp_path):
    vae = InteLVAE(
        2,
        likelihood=Gaussian("per_feature", min_scale=0.05),
        image_shape=None,
        random_state=np.random.RandomState(5),
        skorch_params={"optimizer__weight_decay": 0.1},
        hidden_layer_sizes=[4, np.int64(3)],
        max_iter=2,
    ).fit(X)
    again = by_file(vae, tmp_path / "m")
    assert again.get_params()["likelihood__min_scale"] == 0.05
    assert again.hidden_layer_sizes == [4, 3]
    assert again.skorch_params == vae.skorch_params
    assert again.random_state.randint(1000) == vae.random_state.randint(1000)


def test_a_file_does_not_hold_callbacks(X, tmp_path):
    vae = InteLVAE(skorch_callbacks=[EpochTimer()], **SMALL).fit(X)
    assert by_file(vae, tmp_path / "m").skorch_callbacks is None
    again = by_file(vae, tmp_path / "m", skorch_callbacks=[EpochTimer()])
    assert len(again.skorch_callbacks) == 1


def test_an_object_of_the_users_class_has_to_be_passed_to_load(X, tmp_path):
    path = tmp_path / "m"
    InteLVAE(mapping=Ring(), **SMALL).fit(X).save(path)
    with pytest.raises(ValueError, match=r"mapping set to an object of class Ring.*mapping=\.\.\."):
        InteLVAE.load(path)
    with pytest.raises(ValueError, match="holds decoder='auto': do not pass decoder"):
        InteLVAE.load(path, mapping=Ring(), decoder=torch.nn.Linear(2, 9))
    InteLVAE(decoder=torch.nn.Linear(2, 8), **SMALL).fit(X).save(path)
    with pytest.raises(ValueError, match="do not fit"):
        InteLVAE.load(path, decoder=torch.nn.Linear(2, 9))


def test_the_file_is_safetensors_with_versions_and_no_code(X, tmp_path):
    path = tmp_path / "model.safetensors"
    InteLVAE(**SMALL).fit(X).save(path)
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    content = json.loads(metadata["content"])
    assert content["versions"]["torch"] == str(torch.__version__)
    assert content["versions"]["sklearn_intelvae"] == metadata["version"] == __version__
    assert b"pickle" not in path.read_bytes()


def test_saving_replaces_the_file_in_one_step_or_not_at_all(X, tmp_path, monkeypatch):
    path = tmp_path / "m"
    vae = InteLVAE(**SMALL).fit(X)
    vae.save(path)
    before = path.read_bytes()
    from sklearn_intelvae.estimators import _files

    monkeypatch.setattr(_files, "serialize", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vae.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def rewritten(path, change):
    """Write the file again with other metadata."""
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    save_file(tensors, path, change(metadata))


@pytest.fixture
def path(X, tmp_path):
    path = tmp_path / "model"
    InteLVAE(**SMALL).fit(X).save(path)
    return path


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(share, path):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="is damaged, or is not a model file"):
        InteLVAE.load(path)


def test_a_flipped_bit_is_noticed_wherever_it_is(path):
    data = path.read_bytes()
    for position in range(0, len(data), max(1, len(data) // 500)):
        flipped = bytearray(data)
        flipped[position] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match="damaged|not a model file|Upgrade"):
            InteLVAE.load(path)


def test_a_newer_file_is_refused_with_advice(path):
    rewritten(path, lambda m: m | {"format": "sklearn_intelvae 99", "version": "9.0"})
    with pytest.raises(ValueError, match=r"written by sklearn_intelvae 9\.0 in format 99.*Upgrade"):
        InteLVAE.load(path)


def test_a_foreign_file_is_refused(path):
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(ValueError, match="not a model file of sklearn_intelvae"):
        InteLVAE.load(path)
    path.write_bytes(pickle.dumps(InteLVAE()))
    with pytest.raises(ValueError, match="damaged, or is not a model file"):
        InteLVAE.load(path)


def test_a_file_of_another_class_is_refused(path):
    with pytest.raises(ValueError, match=r"holds a InteLVAE; load it with InteLVAE\.load"):
        SparseInteLVAE.load(path)


def test_a_class_is_not_imported_because_a_file_names_it(path):
    from sklearn_intelvae.estimators._files import _checksum

    def change(metadata):
        content = metadata["content"].replace('"part": "MLP"', '"part": "os.system"')
        assert content != metadata["content"]
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        changed = metadata | {"content": content}
        return changed | {"sha256": _checksum(changed, tensors)}

    rewritten(path, change)
    with pytest.raises(ValueError, match=r"names a part 'os\.system'"):
        InteLVAE.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model file"):
        InteLVAE.load(tmp_path / "nowhere")


def test_unfitted_estimators_have_nothing_to_save(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        InteLVAE().save(tmp_path / "m")


def test_unknown_objects_are_refused(path):
    with pytest.raises(TypeError, match="has no parameters"):
        InteLVAE.load(path, maping=Ring())


def test_an_optimizer_of_torch_is_restored_and_any_other_has_to_be_passed_to_load(X, tmp_path):
    params = {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}
    vae = InteLVAE(skorch_params=params, **SMALL).fit(X)
    again = by_file(vae, tmp_path / "m")
    assert again.skorch_params == params
    assert np.array_equal(again.partial_fit(X).transform(X), vae.partial_fit(X).transform(X))

    class Mine(torch.optim.SGD):
        pass

    params["optimizer"] = Mine
    InteLVAE(skorch_params=params, **SMALL).fit(X).save(tmp_path / "m")
    with pytest.raises(ValueError, match="skorch_params set to the class Mine"):
        InteLVAE.load(tmp_path / "m")
    assert InteLVAE.load(tmp_path / "m", skorch_params=params).partial_fit(X).n_iter_ == 4


@pytest.mark.parametrize("way", WAYS[:2])
def test_training_continues_with_the_restored_object_and_no_other(way, X, tmp_path):
    vae = InteLVAE(mapping=Ring(), **SMALL).fit(X)
    assert way(vae, tmp_path / "m").partial_fit(X).n_iter_ == 4
    vae.mapping = Ring()
    with pytest.raises(ValueError, match="cannot continue with another mapping"):
        vae.partial_fit(X)


def schedule(fraction):
    return 2 - fraction


def test_a_schedule_has_to_be_passed_to_load(X, tmp_path):
    vae = InteLVAE(beta=schedule, **SMALL).fit(X)
    vae.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"load\(path, beta=...\)"):
        InteLVAE.load(tmp_path / "model")
    again = InteLVAE.load(tmp_path / "model", beta=schedule)
    assert np.array_equal(again.transform(X), vae.transform(X))
    again.partial_fit(X)
