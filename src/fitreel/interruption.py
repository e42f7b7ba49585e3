"""Signals held back where an interruption would leave a run that nobody closes."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HANGUP = getattr(signal, "SIGHUP", signal.SIGTERM)  # Windows has none
SIGNALS = {signal.SIGINT, signal.SIGTERM, HANGUP}


@contextmanager
def held() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C, SIGTERM and SIGHUP back until the block ends, or what it gives is called."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # signals interrupt the main thread only
        return
    came = list[int]()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, lambda number, _: came.append(number))

    def release() -> None:
        while before:
            signal.signal(*before.popitem())
        while came:
            signal.raise_signal(came.pop())

    try:
        yield release
    finally:
        release()
