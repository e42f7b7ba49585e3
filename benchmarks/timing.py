"""The timing: two sides, measured in turn, compared by their medians."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Side = Callable[[], float]  # does its work once and gives the seconds it took


def seconds(work: Callable[[], object]) -> float:
    """Time one call, with the garbage of those before it out of the way."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Times:
    """Hold the seconds of both sides, an entry a pair."""

    ours: list[float]
    theirs: list[float]

    @property
    def medians(self) -> tuple[float, float]:
        return statistics.median(self.ours), statistics.median(self.theirs)


def alternate(ours: Side, theirs: Side, pairs: int) -> Times:
    """Measure both sides in turn, after one call each that does not count."""
    ours(), theirs()
    measured = [(ours(), theirs()) for _ in range(pairs)]
    return Times([pair[0] for pair in measured], [pair[1] for pair in measured])
