"""The curve: one number predicted from one feature, as a red line over the points."""

from functools import cache

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fitreel.data.dataset import Dataset
from fitreel.pictures.backdrop import Backdrop
from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR, draw_points
from fitreel.pictures.views.cell import Cell, draw_legend, new_axes, target_range, to_pixels
from fitreel.pictures.views.colours import TEST_COLOUR
from fitreel.pictures.views.stamp import Stamp
from fitreel.reel.probes import MARGIN, feature_range
from fitreel.reel.recording import Recording
from fitreel.reel.thinning import thinned

MOST_CELL_POINTS = 3000  # more are one cloud at the size of a cell
ARROWS = (0.08, 0.2, 0.8, 0.92)  # places along an edge that the line is beyond, beside the loss


class CurveView:
    """The points, and the line that moves in front of them."""

    def __init__(self, figure: Figure, reel: Recording, cell: Cell) -> None:
        """Draw axes that fit the points; they stay as they are from first to last frame."""
        dataset = reel.dataset
        names = (dataset.features[0], dataset.target) if is_named(dataset) else ("", "")
        self.axes = new_axes(figure, cell, *names)
        draw_points(self.axes, dataset if cell.is_alone else _thinned(dataset), cell.scale)
        _draw_test(self.axes, dataset, cell)
        self.axes.set_xlim(*line_range(reel))
        self.axes.set_ylim(*value_range(dataset, cell.strip))
        # animated: a draw of the whole figure leaves it out, so that the background is without it.
        (self.line,) = self.axes.plot(
            [], [], color=LINE_COLOUR, linewidth=3 * cell.scale, animated=True
        )

    def draw(self, backdrop: Backdrop, reel: Recording, frame: int) -> None:
        """Draw the line; where no part of it is in the picture, arrows show where it is."""
        values = reel.in_space(frame)
        self.line.set_data(reel.probes.x, values)
        self.axes.draw_artist(self.line)
        low, high = self.axes.get_ylim()
        if values.min() > high or values.max() < low:
            self._point_to(backdrop, is_above=values.min() > high)

    def _point_to(self, backdrop: Backdrop, *, is_above: bool) -> None:
        (left, right), (low, high) = self.axes.get_xlim(), self.axes.get_ylim()
        x = left + (right - left) * np.array(ARROWS)
        y = np.full(len(x), low + (high - low) * (0.975 if is_above else 0.025))
        _arrow("^" if is_above else "v").put(backdrop, *to_pixels(self.axes, x, y))


@cache
def _arrow(shape: str) -> Stamp:
    return Stamp(shape, 9, [LINE_COLOUR])


def line_range(reel: Recording) -> tuple[float, float]:
    """Return the limits of x, with a margin: those of the points and of the line."""
    (low, high), line = feature_range(reel.dataset, 0), reel.probes.x
    low, high = min(low, float(line[0])), max(high, float(line[-1]))
    return low - MARGIN * (high - low), high + MARGIN * (high - low)


def value_range(dataset: Dataset, strip: float = 0.2) -> tuple[float, float]:
    """Return the limits of y, which fit the points; ``strip`` is the room below them."""
    low, high = target_range(dataset)
    height = (high - low) or 1.0  # all y may be equal
    return low - strip * height, high + 0.1 * height


def is_named(dataset: Dataset) -> bool:
    """Return whether the features have names of their own: drawn points are just x and y."""
    return (*dataset.features, dataset.target) != ("x", "y")


def _draw_test(axes: Axes, dataset: Dataset, cell: Cell) -> None:
    test = dataset.test
    if test is None:
        return
    rows = torch.from_numpy(thinned(len(test), MOST_CELL_POINTS))
    crowd = min(1.0, 100 / len(rows))
    axes.scatter(
        test.inputs[rows, 0].numpy(),
        test.y[rows].numpy(),
        s=(8 + 26 * crowd) * cell.scale**2,
        alpha=0.4 + 0.5 * crowd,
        color=TEST_COLOUR,
        marker="D",
        linewidths=0,
    )
    draw_legend(axes, cell, [("o", POINT_COLOUR, "training"), ("D", TEST_COLOUR, "test")])


def _thinned(dataset: Dataset) -> Dataset:
    """Return the points, thinned if a cell would show them as one cloud."""
    if len(dataset) <= MOST_CELL_POINTS:
        return dataset
    kept = torch.from_numpy(thinned(len(dataset), MOST_CELL_POINTS))
    # The outermost stay: the axes fit them.
    ends = [end for of in (dataset.x, dataset.y) for end in (of.argmin(), of.argmax())]
    chosen = torch.cat([kept, torch.stack(ends)]).unique()  # type: ignore[no-untyped-call]
    return Dataset(dataset.x[chosen], dataset.y[chosen])
