"""The panels: the score over each setting, as plain arrays."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fitreel.settings.space import Dimension
from fitreel.sweep.pictures.axes import dimension_scale
from fitreel.sweep.pictures.charts import OFF_SCALE, Numbers, Places, Scores
from fitreel.sweep.pictures.placing import jittered, places_of
from fitreel.sweep.pictures.scales import Scale
from fitreel.sweep.results import Results

MOST_BINS = 12  # of a range
TRIALS_OF_A_BIN = 5  # at least, on average
SPREAD = 0.6  # of the width of a choice, over which its trials are spread


@dataclass(frozen=True, eq=False)
class Panel:
    """A setting: the places of the trials on its axis, and two lines through bins of them."""

    name: str
    scale: Scale
    places: Places  # of the trials on the scale of scores
    others: dict[str, Places]
    best: Places  # (bins, 2): a place on its axis, one on the scale of scores
    median: Places  # (bins, 2), of all that finished


class _Finished(NamedTuple):
    """The trials that finished: first those on the scale of scores, then those beyond its end."""

    numbers: Numbers
    heights: Places
    on_scale: int  # how many


def panels(results: Results, found: Scores) -> list[Panel]:
    """Return a panel for each setting."""
    off = found.others.get(OFF_SCALE, np.empty(0, np.int64))
    worst = 0.0 if found.higher else 1.0
    finished = _Finished(
        np.concatenate([found.numbers, off]),
        np.concatenate([found.places, np.full(len(off), worst)]),
        len(found.numbers),
    )
    return [_panel(each, results, found, finished) for each in results.settings.dimensions]


def _panel(dimension: Dimension, results: Results, found: Scores, finished: _Finished) -> Panel:
    name, scale = dimension.name, dimension_scale(dimension)
    places = places_of(scale, results, name, finished.numbers)
    bins = _bins(places, scale)
    # The best of a bin must be a dot that is in view; the median counts all that finished.
    scored = [each[each < finished.on_scale] for each in bins]
    return Panel(
        name=name,
        scale=scale,
        places=jittered(places, finished.numbers, scale, SPREAD)[: finished.on_scale],
        others={
            kind: jittered(places_of(scale, results, name, numbers), numbers, scale, SPREAD)
            for kind, numbers in found.others.items()
        },
        best=_points(
            [
                _best(places[each], finished.heights[each], found.higher)
                for each in scored
                if len(each)
            ]
        ),
        median=_points(
            [(np.median(places[each]), np.median(finished.heights[each])) for each in bins]
        ),
    )


def _bins(places: Places, scale: Scale) -> list[Numbers]:
    """Return the trials of each choice or of equal parts of a range; nothing for a few trials."""
    count = len(scale.values) or min(MOST_BINS, len(places) // TRIALS_OF_A_BIN)
    if not scale.values and count < 2:  # one bin would be a single dot, not a line
        return []
    which = np.minimum((places * count).astype(int), count - 1)
    return [np.flatnonzero(which == each) for each in np.unique(which)]


def _best(places: Places, heights: Places, higher: bool) -> tuple[float, float]:
    best = heights.argmax() if higher else heights.argmin()
    return places[best], heights[best]


def _points(points: list[tuple[float, float]]) -> Places:
    return np.array(points, np.float64).reshape(-1, 2)
