"""skorch's scoring callbacks and Checkpoint fail inside skorch, though callbacks takes 'those of skorch'."""
import sys
import numpy as np
from sklearn_intelvae import *
X = np.random.RandomState(0).randn(200, 6).astype(np.float32)
small = dict(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
import tempfile
from skorch.callbacks import Checkpoint, EpochScoring, PassthroughScoring
def score(net, X, y):
    return 1.0
folder = tempfile.mkdtemp()
callbacks = {
    "EpochScoring": EpochScoring(score, name="mine"),
    "PassthroughScoring": PassthroughScoring("train_loss", on_train=True),
    "Checkpoint of the training loss": Checkpoint(monitor="train_loss_best", dirname=folder),
    "Checkpoint as it comes": Checkpoint(dirname=folder),
}
bad = 0
for name, callback in callbacks.items():
    try:
        InteLVAE(2, skorch_callbacks=[(name, callback)], **small).fit(X); print(name, "works")
    except (ValueError, TypeError) as error:
        ours = "callbacks holds" in str(error)  # a refusal of the package's own would do
        print(name, type(error).__name__, error); bad += not ours
    except Exception as error:
        print(name, type(error).__name__, error); bad += 1
sys.exit(int(bool(bad > 0)))
