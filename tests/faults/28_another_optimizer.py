"""Going on with another optimizer: a KeyError from torch."""
import sys
import numpy as np
from sklearn_intelvae import *
X = np.random.RandomState(0).randn(200, 6).astype(np.float32)
small = dict(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
import torch
bad = 0
for first, second in ((torch.optim.Adam, torch.optim.RMSprop), (torch.optim.RMSprop, torch.optim.Adam)):
    vae = InteLVAE(2, warm_start=True, skorch_params={"optimizer": first}, **small).fit(X)
    try:
        vae.set_params(skorch_params={"optimizer": second}).fit(X)
    except KeyError as error:
        print(first.__name__, "->", second.__name__, "KeyError", error); bad += 1
    except ValueError as error:
        print("refused:", error)
sys.exit(int(bool(bad > 0)))
