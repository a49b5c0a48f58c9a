"""skorch's callbacks that freeze weights: an error from torch's autograd."""
import sys
import numpy as np
from sklearn_intelvae import *
X = np.random.RandomState(0).randn(200, 6).astype(np.float32)
small = dict(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
from skorch.callbacks import Freezer, ParamMapper
from skorch.utils import freeze_parameter
bad = 0
for callback in (Freezer("encoder*"), ParamMapper("decoder*", fn=freeze_parameter, at=2)):
    try:
        InteLVAE(2, skorch_callbacks=[callback], **small).fit(X)
    except RuntimeError as error:
        print(type(callback).__name__, error); bad += 1
    except (ValueError, TypeError) as error:
        print("refused:", error)
sys.exit(int(bool(bad > 0)))
