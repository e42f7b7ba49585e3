"""The clock for logged times: the wall clock, but it never goes back."""

import time


class Clock:
    """A clock that follows the wall clock forward, never back.

    So nothing ends before it started, and durations are correct.
    """

    def __init__(self) -> None:
        self._ahead = self._difference()

    def now(self) -> int:
        """Return milliseconds since 1970, never less than before."""
        # The larger difference stays: a wall clock that is set back is ignored until it has caught
        # up.
        self._ahead = max(self._ahead, self._difference())
        return (time.monotonic_ns() + self._ahead) // 1_000_000

    def _difference(self) -> int:
        """Return by how much the wall clock is ahead of the clock that is never set."""
        return time.time_ns() - time.monotonic_ns()


# One for the whole process: times of different threads and runs have to agree.
CLOCK = Clock()
now = CLOCK.now
