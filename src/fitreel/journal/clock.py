"""The time that is logged: the wall clock's, but it never goes back."""

import time

_ahead = time.time_ns() - time.monotonic_ns()  # of the clock that nobody sets


def now() -> int:
    """Return milliseconds since 1970, never less than before in this process.

    A clock that is put forward is followed. One that is put back is not, so that nothing ends
    before it began, and what lasted a minute lasts a minute.
    """
    global _ahead
    _ahead = max(_ahead, time.time_ns() - time.monotonic_ns())
    return (time.monotonic_ns() + _ahead) // 1_000_000
