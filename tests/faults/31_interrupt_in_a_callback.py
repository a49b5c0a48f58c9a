"""A real Ctrl-C while an epoch-end callback runs is taken for the callback's wish to stop: fit returns as if it were done, and a search goes on."""
import sys
import numpy as np
from sklearn_intelvae import *
X = np.random.RandomState(0).randn(200, 6).astype(np.float32)
small = dict(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
import os, signal, time
from skorch.callbacks import Callback
class Slow(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
try:
    vae = InteLVAE(2, skorch_callbacks=[Slow()], **small | {"max_iter": 50}).fit(X)
except KeyboardInterrupt:
    print("interrupted"); sys.exit(0)
print("fit returned after", vae.n_iter_, "of 50 epochs"); sys.exit(1)
