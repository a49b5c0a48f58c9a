"""One thread for a while: the last bits of sums depend on the number of threads."""

from __future__ import annotations

from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread() -> Any:
    """Return a context in which the libraries of NumPy and scikit-learn use one thread."""
    return _threadpools().limit(limits=1)


@cache
def _threadpools() -> ThreadpoolController:
    """Return a controller of the libraries that are loaded; to find them takes milliseconds."""
    return ThreadpoolController()
