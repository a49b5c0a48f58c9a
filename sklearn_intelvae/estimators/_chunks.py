"""Applying a network to a table, some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_intelvae.estimators import _inputs

_CHUNK_NUMBERS = 2**21
_CHUNK_ROWS = (256, 4096)


class ChunksMixin:
    """Methods that read ``module_`` and never change it."""

    def _validated(self, X):
        check_is_fitted(self)
        return _inputs.validated(self, X)

    def _in_chunks(
        self, function: Callable[[Tensor], Tensor], X: np.ndarray, width: int = 1
    ) -> np.ndarray:
        """Apply ``function`` to some thousand rows at a time, without gradients."""
        size = int(np.clip(_CHUNK_NUMBERS // max(X.shape[1], width), *_CHUNK_ROWS))
        device = self._device()
        outputs = None
        with torch.inference_mode():
            for start in range(0, len(X), size):
                rows = torch.from_numpy(X[start : start + size])
                _inputs.refuse_nonfinite(rows, self)
                output = function(rows.to(device))
                if outputs is None:
                    outputs = torch.empty((len(X), *output.shape[1:]), dtype=output.dtype)
                outputs[start : start + size] = output
        return outputs.numpy()

    def _device(self) -> torch.device:
        return next(self.module_.parameters()).device
