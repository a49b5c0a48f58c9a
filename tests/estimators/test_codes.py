"""What transform returns: z, the mean of the intermediary, or both, of one and the same model."""

import pickle

import numpy as np
import pytest
import torch
from shelf import GENERATIVE, SMALL, Ring
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_intelvae import InteLVAE, SparseInteLVAE
from sklearn_intelvae.mappings import Linear

CODES = ["z", "intermediary", "both"]
every_estimator = pytest.mark.parametrize("estimator", GENERATIVE.values(), ids=GENERATIVE)


class Wide(nn.Module):
    def forward(self, y):
        return torch.cat([y, y**2, y[:, :1]], dim=1)


OF_OTHER_WIDTH = {
    "wider": InteLVAE(mapping=Wide(), **SMALL),
    "narrower": InteLVAE(3, mapping=Linear([[1.0, 0.5, 0.1]]), **SMALL),
}
every_width = pytest.mark.parametrize("name", OF_OTHER_WIDTH)


def all_codes(vae, X):
    return [vae.set_params(codes=codes).transform(X) for codes in CODES]


@every_estimator
def test_the_three_codes_are_z_and_the_mean_of_the_posterior(estimator, X):
    vae = clone(estimator).fit(X)
    z, intermediary, both = all_codes(vae, X)
    mean, _ = vae.encode(X)
    assert np.array_equal(intermediary, mean)
    assert np.array_equal(both[:, z.shape[1] :], mean)
    np.testing.assert_allclose(both[:, : z.shape[1]], z, rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        mapped = vae.module_.mapping(torch.from_numpy(mean)).numpy()
    np.testing.assert_allclose(z, mapped, rtol=1e-4, atol=1e-5)
    assert z.dtype == intermediary.dtype == both.dtype == np.float32


@every_width
def test_columns_follow_the_codes(name, X):
    vae = clone(OF_OTHER_WIDTH[name]).fit(X)
    widths = [codes.shape[1] for codes in all_codes(vae, X)]
    assert widths == {"wider": [5, 2, 7], "narrower": [1, 3, 4]}[name]
    for codes, width in zip(CODES, widths, strict=True):
        names = vae.set_params(codes=codes).get_feature_names_out()
        assert list(names) == [f"intelvae{i}" for i in range(width)]
        table = vae.set_output(transform="pandas").transform(X)
        assert list(table.columns) == list(names)
        vae.set_output(transform="default")


@every_width
@pytest.mark.parametrize("codes", CODES)
def test_codes_go_back_to_what_they_came_from(name, codes, X):
    vae = clone(OF_OTHER_WIDTH[name]).fit(X).set_params(codes=codes)
    back = vae.inverse_transform(vae.transform(X))
    np.testing.assert_allclose(back, vae.reconstruct(X), rtol=1e-4, atol=1e-5)


@every_estimator
def test_codes_of_every_mapping_go_back(estimator, X):
    vae = clone(estimator).fit(X)
    for codes in CODES:
        back = vae.set_params(codes=codes).inverse_transform(vae.transform(X))
        np.testing.assert_allclose(back, vae.reconstruct(X), rtol=1e-4, atol=1e-5)


def test_beside_z_the_intermediary_is_not_looked_at(X):
    vae = InteLVAE(mapping=Wide(), codes="both", **SMALL).fit(X)
    codes = vae.transform(X)
    codes[:, 5:] = 99.0
    np.testing.assert_allclose(vae.inverse_transform(codes), vae.reconstruct(X), rtol=1e-5)


@pytest.mark.parametrize("codes", CODES)
def test_codes_of_another_layout_are_refused(codes, X):
    vae = InteLVAE(mapping=Wide(), codes=codes, **SMALL).fit(X)
    width = {"z": 5, "intermediary": 2, "both": 7}[codes]
    with pytest.raises(ValueError, match=f"Z has 6 columns, but the codes of .* have {width}"):
        vae.inverse_transform(X)


@pytest.mark.parametrize("cls", [InteLVAE, SparseInteLVAE])
def test_the_model_is_the_same_whatever_the_codes(cls, X):
    fits = [cls(codes=codes, **SMALL).fit(X) for codes in CODES]
    for method in ("reconstruct", "score_samples"):
        first, *others = (getattr(vae, method)(X) for vae in fits)
        assert all(np.array_equal(first, other) for other in others)
    assert fits[0].loss_curve_ == fits[1].loss_curve_ == fits[2].loss_curve_
    assert np.array_equal(fits[0].sample(5), fits[2].sample(5))


def test_set_after_the_fit_they_take_effect_at_once_and_training_goes_on(X):
    vae = InteLVAE(mapping="sphere", warm_start=True, **SMALL).fit(X)
    fitted_so = InteLVAE(mapping="sphere", codes="both", **SMALL).fit(X)
    assert np.array_equal(vae.set_params(codes="both").transform(X), fitted_so.transform(X))
    assert vae.partial_fit(X).n_iter_ == 4
    assert vae.set_params(codes="intermediary").fit(X).n_iter_ == 7
    assert vae.transform(X).shape == (len(X), 2)


@pytest.mark.parametrize("codes", CODES)
def test_they_travel(codes, X, tmp_path):
    vae = InteLVAE(mapping=Ring(), codes=codes, **SMALL).fit(X)
    vae.save(tmp_path / "model")
    from_file = InteLVAE.load(tmp_path / "model", mapping=Ring())
    for again in (from_file, pickle.loads(pickle.dumps(vae))):
        assert again.codes == codes
        assert np.array_equal(again.transform(X), vae.transform(X))
        assert again.get_feature_names_out().tolist() == vae.get_feature_names_out().tolist()


def test_a_search_may_choose_them_for_the_classifier_behind():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    pipe = make_pipeline(
        SparseInteLVAE(8, gamma=10, max_iter=30, random_state=0),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    search = GridSearchCV(pipe, {"sparseintelvae__codes": CODES}, cv=3, error_score="raise")
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    assert len(set(scores)) > 1
    assert scores.min() > 0.5
    best = search.best_estimator_
    n_columns = 16 if best[0].codes == "both" else 8
    assert best[-1].coef_.shape[1] == n_columns


@pytest.mark.parametrize("codes", ["y", "Z", None, 1, ["z"], ("z", "intermediary")])
def test_codes_without_a_meaning(codes, X):
    with pytest.raises(ValueError, match="'codes' parameter of InteLVAE must be a str among"):
        InteLVAE(codes=codes, **SMALL).fit(X)
    vae = InteLVAE(**SMALL).fit(X)
    Z = vae.transform(X)
    vae.set_params(codes=codes)
    for spoilt in (
        lambda: vae.transform(X),
        lambda: vae.inverse_transform(Z),
        lambda: vae.get_feature_names_out(),
    ):
        with pytest.raises(ValueError, match=r"codes=.* is not known. Choose one of \['z', 'inter"):
            spoilt()
    assert vae.reconstruct(X).shape == X.shape


def test_before_the_fit_there_are_no_columns():
    with pytest.raises(NotFittedError):
        InteLVAE(codes="both").get_feature_names_out()
    assert not hasattr(InteLVAE(), "_n_features_out")
