"""The scores of a search, as plain arrays, for its pictures."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitreel.settings.metrics import SQUARES, higher_is_better
from fitreel.sweep.pictures.axes import score_scale
from fitreel.sweep.pictures.scales import Scale
from fitreel.sweep.results import Results

OFF_SCALE = "finished, off scale"
Numbers = NDArray[np.int64]  # of trials
Places = NDArray[np.float64]  # from 0 to 1, on a scale


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of all trials on a scale, and why some trials are not on it."""

    metric: str
    count: int
    scale: Scale
    numbers: Numbers  # of the trials that are on the scale, in order
    values: NDArray[np.float64]
    others: dict[str, Numbers]  # diverged, pruned, off scale; only those with trials
    best_so_far: tuple[Numbers, NDArray[np.float64]]  # where it changed, and to what
    floor: float | None  # the noise floor, if it is in view

    @property
    def places(self) -> Places:
        """The places of the scores on their scale."""
        return self.scale.places(self.values)

    @property
    def higher(self) -> bool:
        """Whether the best score is the highest."""
        return higher_is_better(self.metric)


def scores(results: Results) -> Scores:
    """Return the scores of a sweep's trials."""
    metric, count = results.settings.metric, len(results.trials)
    values = np.array([results.score(number) for number in range(count)], np.float64)
    floor = _floor(metric, results.noise_floor)
    scale = score_scale(values[np.isfinite(values)], metric, floor)
    if floor is not None and not scale.low <= floor <= scale.high:
        floor = None
    on_scale = (scale.low <= values) & (values <= scale.high)
    numbers = np.flatnonzero(on_scale)
    return Scores(
        metric=metric,
        count=count,
        scale=scale,
        numbers=numbers,
        values=values[numbers],
        others=_others(results, on_scale),
        best_so_far=_best_so_far(numbers, values[numbers], higher_is_better(metric)),
        floor=floor,
    )


def _floor(metric: str, noise_floor: float | None) -> float | None:
    """Return the least value of an error; of r² the noise says nothing."""
    if noise_floor is None or metric.endswith("r2"):
        return None
    return noise_floor**2 if metric in SQUARES else noise_floor


def _others(results: Results, on_scale: NDArray[np.bool_]) -> dict[str, Numbers]:
    ends = np.array([each.end for each in results.outcomes])
    others = {end: np.flatnonzero(ends == end) for end in ("diverged", "pruned")}
    others[OFF_SCALE] = np.flatnonzero((ends == "finished") & ~on_scale)
    return {kind: numbers for kind, numbers in others.items() if len(numbers)}


def _best_so_far(
    numbers: Numbers, values: NDArray[np.float64], higher: bool
) -> tuple[Numbers, NDArray[np.float64]]:
    best = np.maximum.accumulate(values) if higher else np.minimum.accumulate(values)
    # NaN in front: the first score is a change, too.
    changed = np.flatnonzero(np.diff(best, prepend=math.nan) != 0)
    return numbers[changed], best[changed]
