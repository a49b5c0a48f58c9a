"""A file from a version without one of today's parameters loads, but cannot be trained further: KeyError."""
import sys
import numpy as np
from sklearn_intelvae import *
X = np.random.RandomState(0).randn(200, 6).astype(np.float32)
small = dict(hidden_layer_sizes=(8,), max_iter=4, random_state=0)
import json, pathlib, tempfile
from safetensors import safe_open
from safetensors.numpy import save
from sklearn_intelvae.estimators._files import _checksum
path = pathlib.Path(tempfile.mkdtemp(), "model.safetensors")
InteLVAE(2, **small).fit(X).save(path)
with safe_open(path, "np") as file:
    header, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
content = json.loads(header["content"])

content["params"].pop("posterior"); content["attributes"]["_description"]["dict"].pop("posterior")
header |= {"version": "0.0.9", "content": json.dumps(content)}
header["sha256"] = _checksum(header, tensors)
path.write_bytes(save(tensors, header))
vae = InteLVAE.load(path)
print("loads:", vae.transform(X).shape)
try:
    vae.partial_fit(X)
except KeyError as error:
    print("partial_fit: KeyError", error); sys.exit(1)
except ValueError as error:
    print("refused:", error)
sys.exit(0)
