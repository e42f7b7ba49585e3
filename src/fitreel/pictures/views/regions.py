"""The regions: classes predicted from two features, stronger in colour where they are surer."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fitreel.pictures.backdrop import Backdrop
from fitreel.pictures.figures import INK
from fitreel.pictures.views.cell import Cell, draw_legend, new_plane, to_pixels
from fitreel.pictures.views.colours import class_colour, mixed, words
from fitreel.pictures.views.overlay import Overlay
from fitreel.pictures.views.raster import Levels, Raster
from fitreel.pictures.views.rows import draw_rows, shown_rows
from fitreel.pictures.views.stamp import Stamp
from fitreel.reel.recording import Recording

SHADES = 4  # of each class, from undecided to certain
PALEST, STRONGEST = 0.9, 0.5  # share of white
MOST_NAMES = 5  # in the legend


class RegionsView:
    """The regions of the classes, the points by class, and crosses on those that are wrong."""

    def __init__(self, figure: Figure, reel: Recording, cell: Cell) -> None:
        dataset = reel.dataset
        self.axes = new_plane(figure, cell, dataset)
        self._raster = Raster(self.axes, reel.probes)
        classes = len(dataset.classes)
        paleness = np.linspace(PALEST, STRONGEST, SHADES)
        self._colours = words(
            np.array(
                [mixed(class_colour(k), "white", pale) for k in range(classes) for pale in paleness]
            )
        )
        self._edges = words(
            np.array([mixed(class_colour(k), "black", 0.35) for k in range(classes)])
        )
        self._points = Overlay(self.axes, lambda over: draw_rows(over, reel, cell.scale, _hues))
        self._cross = Stamp("x", 6.5 * cell.scale, [INK], line=1.4 * cell.scale)
        inputs = np.concatenate([part.inputs for part in shown_rows(reel)])
        self._truth = np.concatenate([part.targets for part in shown_rows(reel)])
        self._places = to_pixels(self.axes, inputs[:, 0], inputs[:, 1])
        self._draw_legend(reel, cell)

    def _draw_legend(self, reel: Recording, cell: Cell) -> None:
        names = list(enumerate(reel.dataset.classes))[:MOST_NAMES]
        marks = [("s", class_colour(place), name) for place, name in names]
        if (more := len(reel.dataset.classes) - MOST_NAMES) > 0:
            marks[-1] = ("", "white", f"+{more + 1}")
        if reel.dataset.test:
            marks += [("D", INK, "test")]
        draw_legend(self.axes, cell, [*marks, ("x", INK, "wrong")])

    def draw(self, backdrop: Backdrop, reel: Recording, frame: int) -> None:
        """Colour the pixels by class, put the points over them, and crosses on the wrong ones."""
        winners, shades = self._shades(reel.in_space(frame))
        self._raster.put(backdrop, shades, self._colours, winners, self._edges)
        self._points.put(backdrop)
        predicted = np.concatenate([reel.on_training(frame), reel.on_test(frame)]).argmax(axis=1)
        wrong = predicted != self._truth
        self._cross.put(backdrop, self._places[0][wrong], self._places[1][wrong])

    def _shades(self, probabilities: NDArray[np.float32]) -> tuple[Levels, Levels]:
        """Return the class of each pixel, and the place of its colour: the surer, the stronger."""
        first = self._raster.smooth(probabilities[:, 0])
        second, classes = np.zeros_like(first), probabilities.shape[1]
        kind = np.min_scalar_type(classes * SHADES)
        winners = np.zeros(first.shape, kind)
        for place in range(1, classes):
            # The probabilities of two classes add up to 1.
            other = 1 - first if classes == 2 else self._raster.smooth(probabilities[:, place])
            np.copyto(winners, place, where=other > first)
            second = np.maximum(second, np.minimum(first, other))
            first = np.maximum(first, other)
        sure = np.minimum((first - second) * SHADES, SHADES - 1).astype(kind)
        return winners, winners * kind.type(SHADES) + sure


def _hues(classes: NDArray[np.int64]) -> list[str]:
    return [class_colour(place) for place in classes.tolist()]
