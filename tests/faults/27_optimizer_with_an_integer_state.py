"""An optimizer whose state holds a plain integer: AttributeError when all epochs are done, and the fit is lost."""
import sys
import numpy as np
from sklearn_intelvae import *
X = np.random.RandomState(0).randn(200, 6).astype(np.float32)
small = dict(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
import os, tempfile, torch
path = os.path.join(tempfile.mkdtemp(), "optimizer.safetensors")
class Plain(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3):
        super().__init__(params, dict(lr=lr))
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["step"] = state.get("step", 0) + 1
                if p.grad is not None:
                    p.add_(p.grad, alpha=-group["lr"])
try:
    vae = InteLVAE(2, skorch_params={"optimizer": Plain}, **small).fit(X)
    vae.partial_fit(X); vae.save(path)
    InteLVAE.load(path, skorch_params={"optimizer": Plain}).partial_fit(X)
except AttributeError as error:
    print(error); sys.exit(1)
print("works"); sys.exit(0)
