"""A fit goes down once as a spec and comes back once as a result."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_intelvae import InteLVAE
from sklearn_intelvae.estimators._standardization import standardization_of
from sklearn_intelvae.mappings import Clusters
from sklearn_intelvae.objectives import ELBO
from sklearn_intelvae.training import FitData, FitResult, train
from sklearn_intelvae.training._rows import weights_in_training
from tests.estimators.shelf import ESTIMATORS, SMALL, Ring, cases

every_estimator = pytest.mark.parametrize("estimator", cases(ESTIMATORS))


class Counted(np.random.RandomState):
    """A random state that counts how often it is used."""

    def __init__(self, seed):
        super().__init__(seed)
        self.used = 0

    def randint(self, *args, **kwargs):
        self.used += 1
        return super().randint(*args, **kwargs)


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def assert_frozen(instance):
    for field in fields(instance):
        with pytest.raises(FrozenInstanceError):
            setattr(instance, field.name, None)
    with pytest.raises(FrozenInstanceError):
        instance.something = None


@every_estimator
def test_training_needs_the_spec_and_the_tables_only(estimator, X):
    """Without an estimator the result is that of ``fit``, to the bit."""
    spec = clone(estimator)._spec()
    weight = weights_in_training(FitData({"x": X}), spec, one_epoch=False)
    table = standardization_of(X, weight, spec.parts.standardization).apply(X)
    result = train(spec, FitData({"x": table}))
    fitted = clone(estimator).fit(X)
    assert isinstance(result, FitResult)
    assert same_weights(result.model, fitted.module_)
    assert same_weights(result.objective, fitted.objective_)
    assert [row["train_loss"] for row in result.history] == fitted.loss_curve_


def test_specs_tables_and_results_are_frozen(X):
    spec, data = InteLVAE(**SMALL)._spec(), FitData({"x": X})
    assert_frozen(spec)
    assert_frozen(data)
    assert_frozen(train(spec, data))


def test_a_spec_can_be_trained_again_and_does_not_change(X):
    spec = InteLVAE(mapping=Clusters(2), objective=ELBO(2.0), **SMALL)._spec()
    before = repr(spec)
    first, second = (train(spec, FitData({"x": X})) for _ in range(2))
    assert same_weights(first.model, second.model)
    assert repr(spec) == before
    assert not list(spec.parts.mapping.parameters())


def test_a_result_can_be_continued_and_does_not_change(X):
    spec, data = InteLVAE(**SMALL | {"learning_rate": "constant", "kl_warmup": 0})._spec(), None
    data = FitData({"x": X})
    first = train(spec, data)
    weights = {name: value.clone() for name, value in first.model.state_dict().items()}
    second = train(spec, data, previous=first, one_epoch=True)
    assert len(first.history) == 3
    assert [row["epoch"] for row in second.history] == [1, 2, 3, 4]
    assert all(torch.equal(weights[k], v) for k, v in first.model.state_dict().items())
    assert not same_weights(first.model, second.model)


def test_a_spec_holds_resolved_values():
    spec = InteLVAE(3, mapping=Ring(), max_iter=7, random_state=0)._spec()
    assert (spec.n_components, spec.max_iter, spec.batch_size) == (3, 7, None)
    assert isinstance(spec.device, torch.device)
    assert isinstance(spec.objective, ELBO)
    assert spec.skorch_callbacks == ()
    assert spec.skorch_params == {}
    assert spec.seed == np.random.RandomState(0).randint(2**31)


def test_a_spec_holds_copies_of_what_was_passed():
    mapping, objective, params = Clusters(2), ELBO(2.0), {"optimizer__weight_decay": 0.1}
    spec = InteLVAE(mapping=mapping, objective=objective, skorch_params=params)._spec()
    mapping.n_clusters, objective.beta, params["optimizer__weight_decay"] = 5, 9.0, 0.9
    assert spec.parts.mapping.n_clusters == 2
    assert spec.objective.beta == 2.0
    assert spec.skorch_params == {"optimizer__weight_decay": 0.1}


@pytest.mark.parametrize("n_init", [1, 3])
def test_a_random_state_is_used_once_for_each_fit(n_init, X):
    random_state = Counted(0)
    vae = InteLVAE(n_init=n_init, **SMALL | {"random_state": random_state})
    for number, fit in enumerate((vae.fit, vae.partial_fit, vae.fit), 1):
        fit(X)
        assert random_state.used == number


def test_parameters_that_are_set_during_a_fit_have_no_effect_on_it(X):
    class Change(Callback):
        def on_epoch_end(self, net, **kwargs):
            vae.set_params(max_iter=1, learning_rate_init=1.0, n_init=5, mapping="sphere", beta=9.0)

    vae = InteLVAE(skorch_callbacks=[Change()], **SMALL)
    expected = InteLVAE(**SMALL).fit(X)
    assert same_weights(vae.fit(X).module_, expected.module_)
    assert vae.loss_curve_ == expected.loss_curve_
    with pytest.raises(ValueError, match="cannot continue with another beta, mapping"):
        vae.partial_fit(X)
