"""The bundle: all settings and the score of each trial, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitreel.settings import FILMED
from fitreel.sweep.pictures.axes import dimension_scale
from fitreel.sweep.pictures.charts import Places, Scores
from fitreel.sweep.pictures.placing import jittered, places_of
from fitreel.sweep.pictures.scales import Scale
from fitreel.sweep.results import Results

MOST_LINES = 3000  # besides the best


@dataclass(frozen=True, eq=False)
class Bundle:
    """The lines of parallel coordinates, the worst first; a column is an axis."""

    names: list[str]
    scales: list[Scale]
    lines: NDArray[np.float64]  # (trials, axes), places
    shades: Places  # 0 is the best
    thick: NDArray[np.bool_]


def bundle(results: Results, found: Scores) -> Bundle:
    """Return a line for each trial through all settings to its score; of very many trials some."""
    shades = 1 - found.places if found.higher else found.places
    order = np.argsort(-shades, kind="stable")
    rest, best = order[:-FILMED], order[-FILMED:]
    # Evenly by rank, so that the picture of some is like that of all.
    order = np.concatenate([rest[:: max(1, -(-len(rest) // MOST_LINES))], best])
    numbers = found.numbers[order]
    dimensions = results.settings.dimensions
    scales = [dimension_scale(each) for each in dimensions]
    columns = [
        jittered(places_of(scale, results, each.name, numbers), numbers, scale, 0.25)
        for each, scale in zip(dimensions, scales, strict=True)
    ]
    return Bundle(
        [*results.names, found.metric],
        [*scales, found.scale],
        np.stack([*columns, found.places[order]], axis=1),
        shades[order],
        np.arange(len(order)) >= len(order) - FILMED,
    )
