"""Randomness is owned: seeds, generators, and noise that belongs to a row."""

from __future__ import annotations

import inspect

import numpy as np
import torch
from scipy.special import ndtri
from sklearn.utils import check_random_state
from torch.overrides import TorchFunctionMode

_INITIALISERS = frozenset(
    function
    for function in vars(torch.nn.init).values()
    if inspect.isfunction(function) and "generator" in inspect.signature(function).parameters
)
_RANDOM_FUNCTIONS = _INITIALISERS | {
    torch.rand,
    torch.randn,
    torch.randint,
    torch.randperm,
    torch.normal,
    torch.bernoulli,
    torch.multinomial,
    torch.poisson,
    torch.Tensor.bernoulli,
    torch.Tensor.bernoulli_,
    torch.Tensor.cauchy_,
    torch.Tensor.geometric_,
    torch.Tensor.exponential_,
    torch.Tensor.log_normal_,
    torch.Tensor.multinomial,
    torch.Tensor.normal_,
    torch.Tensor.random_,
    torch.Tensor.uniform_,
}


_LIKE = {torch.rand_like: torch.rand, torch.randn_like: torch.randn}


class OwnRandomness(TorchFunctionMode):
    """Inside this context torch's random functions draw from one given generator.

    ``nn.Linear`` and its kin initialise themselves from torch's global generator. This context
    hands them ours instead, so that building a network neither moves the global generator nor
    depends on it, in this thread or in any other.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = dict(kwargs or {})
        if func in _LIKE:
            like = {"dtype": args[0].dtype, "device": args[0].device} | kwargs
            return _LIKE[func](args[0].shape, generator=self.generator, **like)
        if func in _RANDOM_FUNCTIONS and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)


def generator_from(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator of its own on ``device``, started at ``seed``."""
    return torch.Generator(device=device).manual_seed(seed)


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return a seed from ``random_state``; ``None`` asks the operating system, not a global."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31))


def noise_of_rows(X: np.ndarray, n_particles: int, n_components: int) -> np.ndarray:
    """Return standard normal noise that is a fixed function of each row's content.

    A row meets the same noise whatever rows come with it and in whatever order, while different
    rows meet independent noise. A Monte Carlo score built on it is deterministic, and the errors
    of its terms average out over the rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32
    n_particles, n_components : int

    Returns
    -------
    ndarray of shape (n_particles, n_samples, n_components), float32
    """
    words = np.ascontiguousarray(X + np.float32(0)).view(np.uint32).astype(np.uint64)
    multipliers = _mix(np.arange(1, X.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
    keys = _mix((words * multipliers).sum(axis=1, dtype=np.uint64))
    counters = _mix(np.arange(1, n_particles * n_components + 1, dtype=np.uint64))
    bits = _mix(keys[:, None] ^ counters[None, :])
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    noise = ndtri(uniform).astype(np.float32)
    return noise.reshape(len(X), n_particles, n_components).transpose(1, 0, 2)


def _mix(words: np.ndarray) -> np.ndarray:
    """Scramble 64-bit words (the finaliser of the SplitMix64 generator)."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return words ^ (words >> np.uint64(31))
