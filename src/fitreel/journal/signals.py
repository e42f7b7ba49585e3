"""Signals, held back while an interruption would leave a run open."""

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HANGUP = getattr(signal, "SIGHUP", signal.SIGTERM)  # Windows has none
SIGNALS = {signal.SIGINT, signal.SIGTERM, HANGUP}


@contextmanager
def held(longest: float = math.inf) -> Iterator[Callable[[], None]]:
    """Defer Ctrl-C, SIGTERM and SIGHUP until the block ends, or calls what this yields.

    After ``longest`` seconds they interrupt the block, which may wait for something that never
    comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # signals interrupt the main thread only
        return
    came = list[int]()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    has_timer = math.isfinite(longest) and hasattr(signal, "setitimer")
    if has_timer:
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, lambda *_: release())

    def hold(number: int, _: object) -> None:
        came.append(number)
        # The time counts from the first signal: without one the block may take as long as it needs.
        if has_timer and len(came) == 1:
            signal.setitimer(signal.ITIMER_REAL, longest)

    for number in SIGNALS:
        signal.signal(number, hold)

    def release() -> None:
        if before and has_timer:
            signal.setitimer(signal.ITIMER_REAL, 0)
        # Handlers first: what is raised below must reach those of the command. Emptied as they are
        # restored, so that a second release does nothing.
        while before:
            signal.signal(*before.popitem())
        while came:
            signal.raise_signal(came.pop())

    try:
        yield release
    finally:
        release()
