"""The timing: two sides, measured alternately, compared by their medians."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Side = Callable[[], float]  # does its work once and returns the seconds it took


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of one call; collect the garbage of earlier calls first."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Times:
    """The seconds of both sides, one entry per pair."""

    ours: list[float]
    theirs: list[float]

    @property
    def medians(self) -> tuple[float, float]:
        return statistics.median(self.ours), statistics.median(self.theirs)


def alternate(ours: Side, theirs: Side, pairs: int) -> Times:
    """Measure both sides alternately, after one warm-up call of each."""
    ours(), theirs()
    measured = [(ours(), theirs()) for _ in range(pairs)]
    return Times([pair[0] for pair in measured], [pair[1] for pair in measured])
