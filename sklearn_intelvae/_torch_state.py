"""torch's settings: the package computes the same whatever the caller has set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_FLOATING = frozenset(
    {
        torch.empty,
        torch.empty_strided,
        torch.eye,
        torch.linspace,
        torch.logspace,
        torch.normal,
        torch.ones,
        torch.rand,
        torch.randn,
        torch.zeros,
    }
)
_INTEGER = frozenset({torch.randint, torch.randperm, torch.tril_indices, torch.triu_indices})
_INFERRING = frozenset(
    {torch.arange, torch.as_tensor, torch.asarray, torch.full, torch.scalar_tensor, torch.tensor}
)


class FactoryDefaults(TorchFunctionMode):
    """Inside this context torch creates tensors as float32 and on the CPU unless told otherwise.

    ``torch.set_default_dtype`` and ``torch.set_default_device`` would do the same, but for every
    thread of the process.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = dict(kwargs or {})
        if func in _FLOATING:
            kwargs = {"dtype": torch.float32, "device": "cpu"} | _given(kwargs)
        elif func in _INTEGER:
            kwargs = {"device": "cpu"} | _given(kwargs)
        elif func in _INFERRING:
            return _inferred(func, args, kwargs)
        return func(*args, **kwargs)


def _given(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if value is not None}


def _inferred(func: Any, args: Any, kwargs: dict[str, Any]) -> torch.Tensor:
    """Create a tensor: of float32 from Python's floats, of their own dtype from arrays."""
    source = args[0] if args else None
    device = source.device if isinstance(source, torch.Tensor) else "cpu"
    kwargs = {"device": device} | _given(kwargs)
    result = func(*args, **kwargs)
    has_dtype = "dtype" in kwargs or any(hasattr(value, "dtype") for value in args)
    if has_dtype or not result.dtype.is_floating_point or result.dtype == torch.float32:
        return result
    return func(*args, **kwargs, dtype=torch.float32)


_process = os.getpid()


def _use_one_thread_after_fork() -> None:
    """Compute in one thread in a forked process, where a parallel loop of OpenMP would hang."""
    global _process
    if os.getpid() != _process:
        torch.set_num_threads(1)
        _process = os.getpid()


@contextmanager
def own_torch_state() -> Iterator[None]:
    """Run with gradients on, no autocast, float32 and the CPU as defaults; then restore."""
    _use_one_thread_after_fork()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_dtype() != torch.float32 or torch.get_default_device().type != "cpu":
            stack.enter_context(FactoryDefaults())
        yield
