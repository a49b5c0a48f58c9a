"""What the docstrings of all estimators say alike: parameters, attributes."""

from __future__ import annotations

import inspect
from typing import Any

_PRIOR = """
prior : {"normal", "laplace", "mixture", "vamp", "vamp-mixture", "spike-and-slab"} or \
torch.nn.Module, default="normal"
    Distribution p(y) of the intermediary latent; see :mod:`sklearn_intelvae.priors`.
"""

_LIKELIHOOD = """
likelihood : {"gaussian", "bernoulli", "laplace"} or torch.nn.Module, default="gaussian"
    Distribution p(X | z); see :mod:`sklearn_intelvae.likelihoods`. "gaussian" and "laplace"
    learn one scale for all features; ``Gaussian("per_feature")`` learns one for each, which
    often suits a table better. "bernoulli" needs X in [0, 1].
"""

_OBJECTIVE = """
objective : {"elbo", "annealed-capacity", "beta-tc", "factor", "dip", "slow", "autoencoder", \
"soft-intro"} or torch.nn.Module, default="elbo"
    What is minimised; see :mod:`sklearn_intelvae.objectives`.
beta : float or callable, default=1.0
    Weight of the KL term, if ``objective`` is "elbo": above 1 that of the beta-VAE. A function
    of the share of the warm-up that is over is a schedule.
kl_warmup : float, default=0.5
    Fraction of ``max_iter`` over which the weight of the KL term, and of what else an objective
    asks of y, grows from 0 to its full value. Without it, models with a learned scale may
    collapse: nothing of X reaches y. Of "soft-intro" it is the fraction in which the game has not
    fully set in; that objective wants a longer training, which :class:`SoftIntroVAE` has by
    default.
"""

_TRAINING = """
encoder, decoder : {"auto", "mlp", "conv"} or torch.nn.Module, default="auto"
    Networks; see :mod:`sklearn_intelvae.networks`. "auto" is "conv" if ``image_shape`` is
    given, else "mlp". A module of your own may have any width: a linear layer adapts it.
hidden_layer_sizes : sequence of int, default=%(hidden layers)s
    Hidden layers of the encoder; the decoder has them in the opposite order. A "conv" network
    takes the last one.
activation : str, default="relu"
    One of "identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh",
    "logistic".
image_shape : (int, int, int) or None, default=None
    Channels, height and width of the image that each row of X holds.
codes : {"z", "intermediary", "both"}, default="z"
    What ``transform`` returns: z = g(mean of q(y | X)), the mean of q(y | X) itself, or z and
    then that mean. The mean of q(y | X) keeps what g leaves out. Where labels are few, a
    classifier may do better with a z that has structure, such as a sparse one; where they are
    many, with the mean or with both. The model is the same whatever this is, so that
    ``set_params(codes=...)`` takes effect at once, without another fit.
"""

_LOOP = """
learning_rate : {"cosine", "constant"}, default="cosine"
    Schedule over the epochs of a fit: a half cosine down to zero, or none.
learning_rate_init : float, default=%(learning rate)s
    Learning rate of Adam at the start.
batch_size : int or "auto", default="auto"
    Rows in a batch; "auto" takes about a sixteenth of them, from 32 to 256.
max_iter : int or "auto", default="auto"
    Epochs; "auto" takes those of %(steps for each row)s steps for each row, or of
    %(steps at most)s steps if that is less, and no fewer than 20. For ``partial_fit``, whose
    epochs nobody has counted, it takes the warm-up of %(steps, open)s steps.
n_init : int, default=1
    Number of fits from different weights, orders of the rows and noise. The one whose
    objective is lowest is kept: fully warmed up and with the same noise for all, on the rows
    set aside or, without such rows, on at most some 10,000 of the training rows. The first is
    the fit of ``n_init=1``. One that diverges is passed over unless all do. Going on, by
    ``warm_start`` or ``partial_fit``, is always one fit.
early_stopping : bool, default=False
    Whether to set rows aside, to stop when the loss on them no longer falls, and to return to
    the best weights. The loss is taken fully warmed up and with the same noise each time; that of
    a game is its loss of real rows. Epochs of the warm-up do not count.
validation_fraction : float, default=0.1
    Fraction of the rows to set aside if no ``X_val`` is passed to ``fit``: of a series, for an
    objective of pairs, its last rows, and of other rows some at random.
n_iter_no_change : int, default=10
    Epochs without an improvement by ``tol`` before training stops.
tol : float, default=1e-4
    Smallest improvement of that loss that counts; a bound is in nats per row.
warm_start : bool, default=False
    Whether ``fit`` goes on from the weights and the optimizer's state of the last one.
callbacks : list of skorch callbacks or None, default=None
    They see the skorch net that trains. For scikit-learn's callbacks use ``set_callbacks``.
net_params : dict or None, default=None
    Further parameters of ``skorch.NeuralNet``, such as ``{"optimizer": torch.optim.SGD}`` or
    ``{"optimizer__weight_decay": 1e-4, "compile": True}``.
device : str, default="auto"
    "cpu", "cuda", "cuda:1", ...; "auto" is a GPU if torch finds one.
random_state : int, RandomState instance or None, default=None
    Seeds weights, order of rows, and noise. torch's and NumPy's global generators are neither
    used nor moved.
verbose : int, default=0
    1 prints a line for each epoch, and one for each start if there are several.
"""

_MODULE = """
module_ : sklearn_intelvae.model.Model
    The fitted torch module, in evaluation mode.
"""

_OF_THE_LOOP = """
n_iter_ : int
    Epochs run, over all calls that continued one another.
history_ : list of dict
    A row for each epoch: loss, its terms per row (those of a bound in nats), duration in
    seconds.
loss_curve_ : list of float
    Training loss at each epoch.
validation_scores_ : list of float
    Minus the loss on the rows set aside at each epoch; empty without such rows.
n_features_in_ : int
    Number of features of X.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the features, if X has string names.
"""

_OF_THE_SENTENCE = """
kl_per_component_ : ndarray of shape (n_components,)
    What each component of y says about X, in nats, on at most 2048 training rows; near zero
    for one that has collapsed. It is the mean KL divergence of q(y_j | X) from the prior, or,
    for a prior without ``kl_per_component``, from the Gaussian with the moments of all q.
active_components_ : ndarray of int
    Indices of the components whose posterior mean has a variance over X above 0.01.
density_ : object
    The density of the codes that ``fit_density`` fitted, until the next fit.
"""

_PLACES = {
    "%(prior)s": _PRIOR,
    "%(likelihood)s": _LIKELIHOOD,
    "%(objective)s": _OBJECTIVE,
    "%(parameters of the training)s": _TRAINING + _LOOP.lstrip(),
    "%(parameters of the loop)s": _LOOP,
    "%(attributes)s": _MODULE + _OF_THE_LOOP.lstrip() + _OF_THE_SENTENCE.lstrip(),
    "%(attributes of the loop)s": _OF_THE_LOOP,
}


def with_shared_docs(estimator: Any) -> Any:
    """Put the shared entries into the places that an estimator's docstring has for them."""
    doc = inspect.cleandoc(estimator.__doc__ or "")  # python -OO leaves none
    for place, entries in _PLACES.items():
        doc = doc.replace(place, entries.strip())
    defaults, auto = inspect.signature(estimator).parameters, estimator._auto_steps
    numbers = {
        "%(hidden layers)s": defaults["hidden_layer_sizes"].default,
        "%(learning rate)s": defaults["learning_rate_init"].default,
        "%(steps for each row)s": auto.per_row,
        "%(steps at most)s": auto.most,
        "%(steps, open)s": auto.open_ended,
    }
    for place, number in numbers.items():
        doc = doc.replace(place, str(number))
    estimator.__doc__ = doc
    return estimator
