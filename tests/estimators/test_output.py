"""What transform returns: z, the mean of q(y | X), or both; the model is the same."""

import pickle

import numpy as np
import pytest
import torch
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
from tests.estimators.shelf import GENERATIVE, SMALL, Ring, cases

OUTPUTS = ["representation", "posterior_mean", "both"]
every_estimator = pytest.mark.parametrize("estimator", cases(GENERATIVE))


class Wide(nn.Module):
    def forward(self, y):
        return torch.cat([y, y**2, y[:, :1]], dim=1)


OF_OTHER_WIDTH = {
    "wider": InteLVAE(mapping=Wide(), **SMALL),
    "narrower": InteLVAE(3, mapping=Linear([[1.0, 0.5, 0.1]]), **SMALL),
}
every_width = pytest.mark.parametrize("name", OF_OTHER_WIDTH)


def all_outputs(vae, X):
    return [vae.set_params(output=output).transform(X) for output in OUTPUTS]


@every_estimator
def test_the_outputs_are_z_and_the_mean_of_the_posterior(estimator, X):
    vae = clone(estimator).set_params(whiten=True).fit(X)
    z, posterior_mean, both = all_outputs(vae, X)
    mean, _ = vae.encode(X)
    assert np.array_equal(posterior_mean, mean)
    assert np.array_equal(both[:, z.shape[1] :], mean)
    np.testing.assert_allclose(both[:, : z.shape[1]], z, rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        mapped = vae.module_.map(torch.from_numpy(mean)).numpy()
    np.testing.assert_allclose(z, mapped, rtol=1e-4, atol=1e-5)
    assert z.dtype == posterior_mean.dtype == both.dtype == np.float32


@every_width
def test_the_columns_follow_from_the_output(name, X):
    vae = clone(OF_OTHER_WIDTH[name]).fit(X)
    widths = [codes.shape[1] for codes in all_outputs(vae, X)]
    assert widths == {"wider": [5, 2, 7], "narrower": [1, 3, 4]}[name]
    for output, width in zip(OUTPUTS, widths, strict=True):
        names = vae.set_params(output=output).get_feature_names_out()
        assert list(names) == [f"intelvae{i}" for i in range(width)]
        table = vae.set_output(transform="pandas").transform(X)
        assert list(table.columns) == list(names)
        vae.set_output(transform="default")


@every_width
@pytest.mark.parametrize("output", OUTPUTS)
def test_inverse_transform_undoes_each_output(name, output, X):
    vae = clone(OF_OTHER_WIDTH[name]).fit(X).set_params(output=output)
    back = vae.inverse_transform(vae.transform(X))
    np.testing.assert_allclose(back, vae.reconstruct(X), rtol=1e-4, atol=1e-5)


@every_estimator
def test_inverse_transform_undoes_each_output_of_every_mapping(estimator, X):
    vae = clone(estimator).fit(X)
    for output in OUTPUTS:
        back = vae.set_params(output=output).inverse_transform(vae.transform(X))
        np.testing.assert_allclose(back, vae.reconstruct(X), rtol=1e-4, atol=1e-5)


def test_of_both_the_posterior_mean_is_not_decoded(X):
    vae = InteLVAE(mapping=Wide(), output="both", **SMALL).fit(X)
    codes = vae.transform(X)
    codes[:, 5:] = 99.0
    np.testing.assert_allclose(vae.inverse_transform(codes), vae.reconstruct(X), rtol=1e-5)


@pytest.mark.parametrize("output", OUTPUTS)
def test_codes_of_another_width_are_refused(output, X):
    vae = InteLVAE(mapping=Wide(), output=output, **SMALL).fit(X)
    width = {"representation": 5, "posterior_mean": 2, "both": 7}[output]
    with pytest.raises(ValueError, match=f"Z has 6 columns, but the codes of .* have {width}"):
        vae.inverse_transform(X)


@pytest.mark.parametrize("cls", [InteLVAE, SparseInteLVAE])
def test_the_model_is_the_same_whatever_the_output(cls, X):
    fits = [cls(output=output, **SMALL).fit(X) for output in OUTPUTS]
    for method in ("reconstruct", "score_samples"):
        first, *others = (getattr(vae, method)(X) for vae in fits)
        assert all(np.array_equal(first, other) for other in others)
    assert fits[0].loss_curve_ == fits[1].loss_curve_ == fits[2].loss_curve_
    assert np.array_equal(fits[0].sample(5), fits[2].sample(5))


def test_set_after_the_fit_it_takes_effect_at_once_and_training_can_continue(X):
    vae = InteLVAE(mapping="sphere", warm_start=True, **SMALL).fit(X)
    fitted_so = InteLVAE(mapping="sphere", output="both", **SMALL).fit(X)
    assert np.array_equal(vae.set_params(output="both").transform(X), fitted_so.transform(X))
    assert vae.partial_fit(X).n_iter_ == 4
    assert vae.set_params(output="posterior_mean").fit(X).n_iter_ == 7
    assert vae.transform(X).shape == (len(X), 2)


@pytest.mark.parametrize("output", OUTPUTS)
def test_files_and_pickles_keep_it(output, X, tmp_path):
    vae = InteLVAE(mapping=Ring(), output=output, **SMALL).fit(X)
    vae.save(tmp_path / "model")
    from_file = InteLVAE.load(tmp_path / "model", mapping=Ring())
    for again in (from_file, pickle.loads(pickle.dumps(vae))):
        assert again.output == output
        assert np.array_equal(again.transform(X), vae.transform(X))
        assert again.get_feature_names_out().tolist() == vae.get_feature_names_out().tolist()


def test_a_search_may_choose_it_for_the_classifier_that_follows():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    pipe = make_pipeline(
        SparseInteLVAE(8, gamma=10, max_iter=40, random_state=0),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    search = GridSearchCV(pipe, {"sparseintelvae__output": OUTPUTS}, cv=2, error_score="raise")
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    assert len(set(scores)) > 1
    assert scores.min() > 0.5
    best = search.best_estimator_
    n_columns = 16 if best[0].output == "both" else 8
    assert best[-1].coef_.shape[1] == n_columns


@pytest.mark.parametrize("output", ["y", "z", None, 1, ["both"], ("representation", "both")])
def test_an_unknown_output_is_refused(output, X):
    with pytest.raises(ValueError, match="'output' parameter of InteLVAE must be a str among"):
        InteLVAE(output=output, **SMALL).fit(X)
    vae = InteLVAE(**SMALL).fit(X)
    Z = vae.transform(X)
    vae.set_params(output=output)
    for refused in (
        lambda: vae.transform(X),
        lambda: vae.inverse_transform(Z),
        lambda: vae.get_feature_names_out(),
    ):
        with pytest.raises(ValueError, match=r"output=.* is unknown. Choose one of \['representat"):
            refused()
    assert vae.reconstruct(X).shape == X.shape


def test_before_the_fit_there_are_no_columns():
    with pytest.raises(NotFittedError):
        InteLVAE(output="both").get_feature_names_out()
    assert not hasattr(InteLVAE(), "_n_features_out")
