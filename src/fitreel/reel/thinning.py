"""The thinning: which of many frames, rows or epochs are shown."""

import numpy as np
from numpy.typing import NDArray


def thinned(count: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of ``count`` places, evenly chosen, with both ends."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def curve_epochs(losses: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the epochs that draw a curve: all, or the lowest and highest of each stretch.

    So a thinned curve keeps its spikes. The first and the last are always there.
    """
    epochs = np.arange(len(losses))
    if len(losses) <= most:
        return epochs
    stretches = np.array_split(epochs, most // 2)  # two epochs of each
    ends = [(part[losses[part].argmin()], part[losses[part].argmax()]) for part in stretches]
    return np.unique([0, *np.ravel(ends), len(losses) - 1])
