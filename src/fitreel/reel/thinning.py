"""The thinning: which of many frames, rows or epochs are shown."""

import numpy as np
from numpy.typing import NDArray


def thinned(count: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of ``count`` places, evenly chosen, with both ends."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def curve_places(losses: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the places that draw a curve: all, or the lowest and highest of each stretch.

    So a thinned curve keeps its spikes. The first and the last are always there. What is not a
    number is neither low nor high.
    """
    places = np.arange(len(losses))
    if len(losses) <= most:
        return places
    missing = np.isnan(losses)
    low, high = np.where(missing, np.inf, losses), np.where(missing, -np.inf, losses)
    stretches = np.array_split(places, most // 2)  # two places of each
    ends = [(part[low[part].argmin()], part[high[part].argmax()]) for part in stretches]
    return np.unique([0, *np.ravel(ends), len(losses) - 1])
