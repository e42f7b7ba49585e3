"""The charts: what the pictures of a search show, as plain arrays."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitreel.comparison.runs import higher_is_better
from fitreel.settings import FILMED
from fitreel.sweep.results import Results
from fitreel.sweep.scales import Scale, dimension_scale, score_scale

MOST_LINES = 3000  # of the trials beside the best
MOST_BINS, BIN = 12, 5  # of a range, and the trials that one has at least on average
GOLDEN = (math.sqrt(5) - 1) / 2
Numbers = NDArray[np.int64]  # of trials
Places = NDArray[np.float64]  # from 0 to 1, on a scale


@dataclass(frozen=True, eq=False)
class Scores:
    """Hold what all trials came to: scores on a scale, and why the others have none there."""

    metric: str
    count: int
    scale: Scale
    numbers: Numbers  # of the trials that are on the scale, in order
    values: NDArray[np.float64]
    others: dict[str, Numbers]  # diverged, pruned, off scale; none without a trial
    best_so_far: tuple[Numbers, NDArray[np.float64]]  # where it changed, and to what
    floor: float | None  # of the noise, where it is in view

    @property
    def places(self) -> Places:
        """Say where they stand on their scale."""
        return self.scale.places(self.values)

    @property
    def higher(self) -> bool:
        """Tell whether the best is the highest."""
        return higher_is_better(self.metric)


@dataclass(frozen=True, eq=False)
class Panel:
    """Hold what a setting did: where the trials stand on its axis, and a line through bins."""

    name: str
    scale: Scale
    places: Places  # of the trials on the scale of scores
    others: dict[str, Places]
    best: Places  # (bins, 2): a place on its axis, one on the scale of scores
    median: Places  # (bins, 2), of all that finished


@dataclass(frozen=True, eq=False)
class Bundle:
    """Hold the lines of parallel coordinates, the worst first: an axis a column."""

    names: list[str]
    scales: list[Scale]
    lines: NDArray[np.float64]  # (trials, axes), places
    shades: Places  # 0 is the best
    thick: NDArray[np.bool_]


def scores(results: Results) -> Scores:
    """Sort the trials by what became of them."""
    metric, count = results.settings.metric, len(results.trials)
    values = np.array([results.score(number) for number in range(count)], np.float64)
    finite = np.isfinite(values)
    metrics = next((each.metrics for each in results.outcomes if each.metrics), {})
    floor = metrics.get("noise_floor") if metric.endswith("_mse") else None
    scale = score_scale(values[finite], metric, floor)
    if floor is not None and not scale.low <= floor <= scale.high:
        floor = None
    on_scale = (scale.low <= values) & (values <= scale.high)
    ends = np.array([each.end for each in results.outcomes])
    others = {end: np.flatnonzero(ends == end) for end in ("diverged", "pruned")}
    others["finished, off scale"] = np.flatnonzero((ends == "finished") & ~on_scale)
    numbers = np.flatnonzero(on_scale)
    return Scores(
        metric,
        count,
        scale,
        numbers,
        values[numbers],
        {kind: found for kind, found in others.items() if len(found)},
        _best_so_far(numbers, values[numbers], higher_is_better(metric)),
        floor,
    )


def _best_so_far(
    numbers: Numbers, values: NDArray[np.float64], higher: bool
) -> tuple[Numbers, NDArray[np.float64]]:
    best = np.maximum.accumulate(values) if higher else np.minimum.accumulate(values)
    changed = np.flatnonzero(np.diff(best, prepend=math.nan) != 0)
    return numbers[changed], best[changed]


def panels(results: Results, found: Scores) -> list[Panel]:
    """Say of every setting where its values stand, and how good they were."""
    off = found.others.get("finished, off scale", np.empty(0, np.int64))
    finished = np.concatenate([found.numbers, off])
    heights = np.concatenate([found.places, np.full(len(off), 0.0 if found.higher else 1.0)])
    made = []
    for dimension in results.settings.dimensions:
        name, scale = dimension.name, dimension_scale(dimension)
        places = _on(scale, results, name, finished)
        bins = _bins(places, scale)
        scored = [each[each < len(found.numbers)] for each in bins]
        made.append(
            Panel(
                name,
                scale,
                _jittered(places, finished, scale, 0.6)[: len(found.numbers)],
                {
                    kind: _jittered(_on(scale, results, name, numbers), numbers, scale, 0.6)
                    for kind, numbers in found.others.items()
                },
                _line(
                    [
                        _best(places[each], heights[each], found.higher)
                        for each in scored
                        if len(each)
                    ]
                ),
                _line([(np.median(places[each]), np.median(heights[each])) for each in bins]),
            )
        )
    return made


def _bins(places: Places, scale: Scale) -> list[Numbers]:
    """Sort trials into the choices, or into equal parts of a range; none for a few trials."""
    count = len(scale.values) or min(MOST_BINS, len(places) // BIN)
    if not scale.values and count < 2:
        return []
    which = np.minimum((places * count).astype(int), count - 1)
    return [np.flatnonzero(which == each) for each in np.unique(which)]


def _best(places: Places, heights: Places, higher: bool) -> tuple[float, float]:
    best = heights.argmax() if higher else heights.argmin()
    return places[best], heights[best]


def _line(points: list[tuple[float, float]]) -> Places:
    return np.array(points, np.float64).reshape(-1, 2)


def bundle(results: Results, found: Scores) -> Bundle:
    """Lay a line a trial through all settings to its score; of very many trials not all."""
    shades = 1 - found.places if found.higher else found.places
    order = np.argsort(-shades, kind="stable")
    rest, best = order[:-FILMED], order[-FILMED:]
    order = np.concatenate([rest[:: max(1, -(-len(rest) // MOST_LINES))], best])
    numbers = found.numbers[order]
    dimensions = results.settings.dimensions
    scales = [dimension_scale(each) for each in dimensions]
    columns = [
        _jittered(_on(scale, results, each.name, numbers), numbers, scale, 0.25)
        for each, scale in zip(dimensions, scales, strict=True)
    ]
    return Bundle(
        [*results.names, found.metric],
        [*scales, found.scale],
        np.stack([*columns, found.places[order]], axis=1),
        shades[order],
        np.arange(len(order)) >= len(order) - FILMED,
    )


def _on(scale: Scale, results: Results, name: str, numbers: Iterable[int]) -> Places:
    return scale.places(getattr(results.trials[number].settings, name) for number in numbers)


def _jittered(places: Places, numbers: Numbers, scale: Scale, width: float) -> Places:
    """Keep trials of the same choice apart, a trial always by the same."""
    if not scale.values:
        return places
    moved = numbers * GOLDEN % 1 - 0.5
    return np.asarray(places + moved * width / len(scale.values))
