"""Distinguish Ctrl-C from callbacks that raise KeyboardInterrupt to stop the training."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def recorded_interrupts() -> Iterator[list[int]]:
    """Yield a list to which each SIGINT is added before its handler runs.

    The handler is replaced by one that records and calls it, in the main thread only, where Python
    runs handlers. If there is no handler of Python's, nothing is replaced.
    """
    recorded: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield recorded
        return

    def record(number: int, frame: Any) -> None:
        recorded.append(number)
        handler(number, frame)

    signal.signal(signal.SIGINT, record)
    try:
        yield recorded
    finally:
        if signal.getsignal(signal.SIGINT) is record:
            signal.signal(signal.SIGINT, handler)
