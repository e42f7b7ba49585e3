"""The raster: numbers on a grid as the pixels of axes, and points over them."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fitreel.pictures.backdrop import Backdrop, Pixels
from fitreel.pictures.views.cell import picture_size
from fitreel.reel.probes import Probes

Levels = NDArray[np.unsignedinteger]  # a colour's place for each pixel


class Raster:
    """The pixels inside of axes whose limits are the ends of a grid."""

    def __init__(self, axes: Axes, probes: Probes) -> None:
        """Place the grid of some probes; ValueError if they have none."""
        if probes.grid is None:
            raise ValueError("these probes have no grid")
        box, (across, up) = axes.bbox, probes.grid
        picture_height = picture_size(axes)[1]
        self._columns = slice(int(np.ceil(box.x0)) + 1, int(box.x1))
        self._rows = slice(picture_height - int(box.y1) + 1, picture_height - int(np.ceil(box.y0)))
        x = np.arange(self._columns.start, self._columns.stop) + 0.5
        y = picture_height - np.arange(self._rows.start, self._rows.stop) - 0.5
        self._shape = up, across
        # Between the places of the grid in straight lines: two products of matrices, 0.7 ms.
        self._across = between((x - box.x0) / box.width, across).T.copy()
        self._up = between((y - box.y0) / box.height, up)

    def smooth(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return numbers of a grid, (across × up,), at each pixel: (rows, columns), top first."""
        return np.asarray(self._up @ values.reshape(self._shape) @ self._across, np.float32)

    def put(
        self, backdrop: Backdrop, levels: Levels, colours: Pixels, areas: Levels, edges: Pixels
    ) -> None:
        """Colour the pixels by their levels; where an area ends, its last pixels get its edge."""
        found = np.take(colours, levels)
        ends = np.zeros(areas.shape, np.bool_)
        np.not_equal(areas[:, 1:], areas[:, :-1], out=ends[:, 1:])
        ends[1:] |= areas[1:] != areas[:-1]
        places = np.flatnonzero(ends)
        found.ravel()[places] = edges[areas.ravel()[places]]
        backdrop.pixels()[self._rows, self._columns] = found


def between(places: NDArray[np.floating], count: int) -> NDArray[np.float32]:
    """Return the weights of ``count`` even places, for places from 0 to 1: (places, count).

    They give the numbers between those of even places, in straight lines.
    """
    at = np.clip(places, 0, 1) * (count - 1)
    first = np.minimum(at.astype(np.int64), count - 2)
    weights = np.zeros((len(at), count), np.float32)
    rows = np.arange(len(at))
    weights[rows, first] = 1 - (at - first)
    weights[rows, first + 1] = at - first
    return weights
