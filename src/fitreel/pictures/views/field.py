"""The field: a number predicted from two features, as bands of colour between contour lines."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fitreel.pictures.backdrop import Backdrop
from fitreel.pictures.figures import INK
from fitreel.pictures.fitted_text import fitted
from fitreel.pictures.views.cell import NAME, Cell, draw_legend, new_plane, target_range
from fitreel.pictures.views.colours import band_colours, words
from fitreel.pictures.views.overlay import Overlay
from fitreel.pictures.views.raster import Raster
from fitreel.pictures.views.rows import draw_rows
from fitreel.reel.recording import Recording

MOST_BANDS = 12  # few: a frame changes only the pixels that cross a contour line


class FieldView:
    """Bands of colour over two features, and the points in the colour of their own value."""

    def __init__(self, figure: Figure, reel: Recording, cell: Cell) -> None:
        dataset = reel.dataset
        self.axes = new_plane(figure, cell, dataset)
        self._levels = levels_of(*target_range(dataset))
        self._hues = band_colours(len(self._levels) - 1)
        channels = np.array([to_rgb(colour) for colour in self._hues])
        self._colours, self._edges = words(channels), words(0.62 * channels)
        self._raster = Raster(self.axes, reel.probes)
        self._points = Overlay(
            self.axes, lambda over: draw_rows(over, reel, cell.scale, self._hues_of)
        )
        if cell.is_alone:
            self._draw_scale(figure, cell, dataset.target)
        if dataset.test:
            draw_legend(self.axes, cell, [("o", INK, "training"), ("D", INK, "test")])

    def _hues_of(self, targets: NDArray[np.floating]) -> list[str]:
        """Return the colours of the bands that have these targets."""
        places = np.searchsorted(self._levels, targets, "right") - 1
        return [self._hues[min(place, len(self._hues) - 1)] for place in places.tolist()]

    def _draw_scale(self, figure: Figure, cell: Cell, target: str) -> None:
        left, bottom, width, height = cell.place
        place = figure.add_axes((left + width + 0.02, bottom, 0.025, height))
        colours = ScalarMappable(
            BoundaryNorm(self._levels, len(self._hues)), ListedColormap(self._hues)
        )
        bar = figure.colorbar(colours, cax=place, ticks=self._levels[::2], spacing="proportional")
        bar.outline.set_visible(False)
        place.tick_params(colors=INK, labelsize=9)
        room = height * figure.bbox.height
        place.set_ylabel(fitted(target, room, NAME), color=INK, size=NAME, parse_math=False)

    def draw(self, backdrop: Backdrop, reel: Recording, frame: int) -> None:
        """Colour the pixels by the band of their prediction, then put the points over them."""
        first, step = self._levels[0], self._levels[1] - self._levels[0]
        bands = (self._raster.smooth(reel.in_space(frame)) - np.float32(first)) / np.float32(step)
        # What is beyond the targets has the colour of the nearest band.
        places = np.clip(bands, 0, len(self._hues) - 1).astype(np.uint8)
        self._raster.put(backdrop, places, self._colours, places, self._edges)
        self._points.put(backdrop)


def levels_of(low: float, high: float) -> NDArray[np.float64]:
    """Return the round numbers between which bands are, evenly from the lowest to the highest."""
    locator = MaxNLocator(MOST_BANDS, steps=[1, 2, 2.5, 5, 10])
    return np.asarray(locator.tick_values(low, high if high > low else low + 1.0))
