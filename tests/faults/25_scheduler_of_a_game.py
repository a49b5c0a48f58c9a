"""skorch's LRScheduler moves the rate of the first player alone: the decoder of a game and a discriminator keep theirs."""
import sys
import numpy as np
from sklearn_intelvae import *
X = np.random.RandomState(0).randn(200, 6).astype(np.float32)
small = dict(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
try:
    import torch
    from skorch.callbacks import Callback, LRScheduler
    seen = {}
    class See(Callback):
        def on_epoch_end(self, net, **kwargs):
            for player in net.players_:
                seen[player] = net.optimizer_.param_groups[0]["lr"]
    decay = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    SoftIntroVAE(2, learning_rate="constant", skorch_callbacks=[decay, See()], **small).fit(X)
    print(seen); sys.exit(int(bool(len(set(seen.values())) > 1)))
except ValueError as error:
    print("refused:", error)
