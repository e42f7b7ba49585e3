"""The places of trials on the axis of a setting."""

import math
from collections.abc import Iterable

import numpy as np

from fitreel.sweep.pictures.charts import Numbers, Places
from fitreel.sweep.pictures.scales import Scale
from fitreel.sweep.results import Results

# Its multiples, modulo 1, are spread evenly, however many there are, and need no random state.
GOLDEN = (math.sqrt(5) - 1) / 2


def places_of(scale: Scale, results: Results, name: str, numbers: Iterable[int]) -> Places:
    """Return the places of trials on the axis of a setting."""
    return scale.places(getattr(results.trials[number].settings, name) for number in numbers)


def jittered(places: Places, numbers: Numbers, scale: Scale, width: float) -> Places:
    """Return places at which trials of the same choice are apart, always by the same distances."""
    if not scale.values:
        return places
    moved = numbers * GOLDEN % 1 - 0.5
    return np.asarray(places + moved * width / len(scale.values))
