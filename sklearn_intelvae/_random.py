"""Randomness and torch's settings, both independent of the caller's."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri
from sklearn.utils import check_random_state
from torch.overrides import TorchFunctionMode

_INITIALIZERS = frozenset(
    function
    for function in vars(torch.nn.init).values()
    if inspect.isfunction(function) and "generator" in inspect.signature(function).parameters
)
_RANDOM_FUNCTIONS = _INITIALIZERS | {
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


_LIKE: dict[Any, Any] = {
    torch.rand_like: torch.rand,
    torch.randn_like: torch.randn,
    torch.randint_like: torch.randint,
}
_OF_GLOBAL_GENERATOR = {
    torch.alpha_dropout,
    torch.binomial,
    torch.dropout,
    torch.feature_alpha_dropout,
    torch.feature_dropout,
    torch.rrelu,
    torch._sample_dirichlet,
    torch._standard_gamma,
    torch.alpha_dropout_,
    torch.dropout_,
    torch.feature_alpha_dropout_,
    torch.feature_dropout_,
    torch.gru,
    torch.lstm,
    torch.rnn_relu,
    torch.rnn_tanh,
    torch.rrelu_,
    torch.nn.functional.alpha_dropout,
    torch.nn.functional.dropout,
    torch.nn.functional.dropout1d,
    torch.nn.functional.dropout2d,
    torch.nn.functional.dropout3d,
    torch.nn.functional.fractional_max_pool2d,
    torch.nn.functional.fractional_max_pool3d,
    torch.nn.functional.multi_head_attention_forward,
    torch.nn.functional.scaled_dot_product_attention,
    torch.nn.functional.feature_alpha_dropout,
    torch.nn.functional.gumbel_softmax,
    torch.nn.functional.rrelu,
}
"""Functions that can only draw from torch's global generator."""


class OwnRandomness(TorchFunctionMode):
    """Inside this context torch's random functions draw from one given generator.

    ``nn.Linear`` and similar layers initialize themselves from torch's global generator. This
    context passes them another one, so that building a network neither changes the global
    generator nor depends on it, in this thread or in any other. Few functions take no generator;
    for the time of their call the global one is seeded, and then restored.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = dict(kwargs or {})
        if func in _LIKE:
            return self._drawn_like(func, args, kwargs)
        if func in _OF_GLOBAL_GENERATOR:
            return self._drawn_globally(func, args, kwargs)
        if func in _RANDOM_FUNCTIONS and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)

    def _drawn_like(self, func: Any, args: Any, kwargs: dict[str, Any]) -> torch.Tensor:
        """Draw numbers in the shape of the first argument."""
        like, *bounds = (*args, kwargs.pop("input")) if "input" in kwargs else args
        bounds += [kwargs.pop(name) for name in ("low", "high") if name in kwargs]
        kwargs.pop("memory_format", None)
        if kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        settings = {"dtype": like.dtype, "device": like.device} | kwargs
        return _LIKE[func](*bounds, like.shape, **settings)

    def _drawn_globally(self, func: Any, args: Any, kwargs: dict[str, Any]) -> torch.Tensor:
        """Draw with the global generator seeded from the given one."""
        before = torch.get_rng_state()
        seed = torch.randint(2**31, (), generator=self.generator, device=self.generator.device)
        torch.default_generator.manual_seed(int(seed))
        try:
            return func(*args, **kwargs)
        finally:
            torch.set_rng_state(before)


class Stream(IntEnum):
    """The independent streams of random numbers that follow from one seed."""

    FIT = 0
    """Initial weights, the order of the rows, and the noise of the training steps."""
    VALIDATION_NOISE = 1
    """Noise of the loss on the validation rows, the same in each epoch."""
    VALIDATION_SPLIT = 2
    """Which rows are set aside for validation."""
    COMPARISON = 3
    """Noise of the loss by which several starts are compared."""
    PRETRAINING = 4
    """Order of the rows while the encoder is pretrained."""
    SAMPLING = 5
    """Draws from a density that was fitted to the codes; the number is that of the attempt."""
    DROPOUT = 6
    """Dropout, for which torch has only the global generator; the number is that of the step."""
    CLASSES = 7
    """Weights that a class of the user draws in its constructor, if the class itself is passed."""
    CODES = 8
    """Draws from q(y | x) that a prior is fitted to; the number is that of the step."""
    AXES = 9
    """The choice between principal and independent components at the start of a fit."""


def seed_of(seed: int, stream: Stream, number: int = 0) -> int:
    """Return the seed of a stream that is independent of all other streams and numbers."""
    if stream is Stream.FIT:
        return seed
    sequence = np.random.SeedSequence(seed, spawn_key=(int(stream), number))
    return int(sequence.generate_state(1)[0])


def seeds_of_starts(seed: int, n_init: int) -> list[int]:
    """Return a seed for each start; the first is ``seed``, as in a fit from one start."""
    later = np.random.default_rng(seed).integers(2**31, size=n_init - 1)
    return [seed, *map(int, later)]


def seeds_of_trials(seed: int, n_trials: int) -> list[int]:
    """Return a seed for each trial of a start; the first is the seed of the start."""
    return [seed, *map(int, np.random.default_rng([seed, 1]).integers(2**31, size=n_trials - 1))]


def generator_from(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator on ``device`` that starts at ``seed``."""
    return torch.Generator(device=device).manual_seed(seed)


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return a seed from ``random_state``; ``None`` uses the operating system's entropy."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31))


def draws_by_weight(weight: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
    """Draw n positions in proportion to non-negative weights, with replacement.

    The inverse of the cumulative distribution, for any number of weights; ``torch.multinomial``
    takes at most 2^24. Positions of weight 0 are never drawn, unless all weights are 0: then all
    positions are equally likely.
    """
    weight = torch.where(weight.any(), weight, torch.ones_like(weight))
    cumulative = weight.double().cumsum(0)
    uniform = torch.rand(n, generator=generator, dtype=torch.float64, device=weight.device)
    drawn = torch.searchsorted(cumulative, uniform * cumulative[-1], right=True)
    return drawn.clamp(max=int(weight.nonzero().max()))


def noise_of_rows(X: np.ndarray, n_particles: int, n_components: int) -> np.ndarray:
    """Return standard normal noise that is a fixed function of each row's values.

    The noise of a row does not depend on the other rows or on their order, and the noise of
    different rows is independent. A Monte Carlo score built on it is deterministic, and the errors
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
    """Hash 64-bit words (the output function of the SplitMix64 generator)."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return words ^ (words >> np.uint64(31))


_FLOATING = frozenset(
    {
        torch.bartlett_window,
        torch.blackman_window,
        torch.empty,
        torch.empty_permuted,
        torch.empty_strided,
        torch.eye,
        torch.fft.fftfreq,
        torch.fft.rfftfreq,
        torch.hamming_window,
        torch.hann_window,
        torch.kaiser_window,
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
        elif _has_no_dtype(args, kwargs):
            return _with_numbers_in_float32(func, args, kwargs)
        return func(*args, **kwargs)


def _has_no_dtype(args: Any, kwargs: dict[str, Any]) -> bool:
    """Return whether a function of tensors is given neither a floating tensor nor a dtype."""
    given = [*args, *kwargs.values()]
    dtypes = [a.dtype for a in given if isinstance(a, torch.Tensor)]
    dtypes += [a for a in given if isinstance(a, torch.dtype)]
    return bool(dtypes) and not any(d.is_floating_point or d.is_complex for d in dtypes)


_OF_FIXED_DTYPE = {"double", "half", "bfloat16", "type", "float_power"}


def _with_numbers_in_float32(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute what has the default dtype as torch does if float32 is the default.

    Such as ``torch.where(y > 0, 1.0, 0.5)``, ``(y > 0) * 0.3`` and ``torch.arange(3) / 2``.
    """
    result = func(*args, **kwargs)
    is_default = isinstance(result, torch.Tensor) and result.dtype == torch.get_default_dtype()
    if not is_default or func.__name__ in _OF_FIXED_DTYPE:
        return result
    if func.__name__ == "where":  # its condition stays boolean
        float32: Any = {"dtype": torch.float32, "device": "cpu"}
        args = [torch.tensor(a, **float32) if type(a) is float else a for a in args]
    else:
        args = [a.float() if isinstance(a, torch.Tensor) else a for a in args]
    return func(*args, **kwargs).float()


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


def _subnormals_are_zero() -> bool:
    """Return whether this thread computes with subnormal numbers as zero; torch does not tell."""
    return sys.float_info.min / 2 == 0


_process = os.getpid()


def _use_one_thread_after_fork() -> None:
    """Compute in one thread in a forked process, where a parallel loop of OpenMP would hang."""
    global _process
    if os.getpid() != _process:
        torch.set_num_threads(1)
        _process = os.getpid()


@contextmanager
def own_torch_state() -> Iterator[None]:
    """Run with gradients on, no autocast, float32 and the CPU as defaults; then restore.

    Subnormal numbers count as zero. Probabilities of distant modes are subnormal, and a processor
    needs up to a hundred times longer for them.
    """
    _use_one_thread_after_fork()
    with ExitStack() as stack:
        if not _subnormals_are_zero():
            torch.set_flush_denormal(True)
            stack.callback(torch.set_flush_denormal, False)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_dtype() != torch.float32 or torch.get_default_device().type != "cpu":
            stack.enter_context(FactoryDefaults())
        yield
