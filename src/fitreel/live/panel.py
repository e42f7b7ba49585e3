"""The panel: a canvas between its axes, with the ends of both as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from fitreel.checks.text import shown
from fitreel.live.canvas import Canvas, Line, text

LABEL = 9  # characters, as of -1.23e-05
LEFT = " " * (LABEL + 1)
LEAST = (LABEL + 9, 4)  # characters across, and lines

Numbers = NDArray[np.floating | np.integer]


@dataclass(frozen=True)
class Axis:
    """The ends of an axis, in raw units, and its name, which is text from outside."""

    low: float  # as an int it is shown in full
    high: float
    name: str
    is_log: bool = False
    has_ends: bool = True  # whether they are shown

    def shares(self, values: Numbers) -> NDArray[np.float64]:
        """Return how far values are from the low end, as parts of the axis: 0 to 1 within it."""
        low, high, at = self.low, self.high, np.asarray(values, np.float64)
        if self.is_log:
            low, high, at = np.log(low), np.log(high), np.log(at)
        return (at - low) / ((high - low) or 1.0)


class Panel:
    """Axes around a canvas: the name of y and a legend above it, the ends of y beside it."""

    def __init__(
        self, width: int, height: int, x: Axis, y: Axis, legend: Sequence[Segment] = ()
    ) -> None:
        """Take a size in characters, ``LEAST`` or more."""
        self.x, self.y, self._width, self._legend = x, y, width, legend
        self.canvas = Canvas(width - len(LEFT), height - 2)

    def put_dots(self, x: Numbers, y: Numbers, ink: str) -> None:
        """Draw dots at values of both axes."""
        self.canvas.put_dots(self.x.shares(x), self.y.shares(y), ink)

    def put_line(self, x: Numbers, y: Numbers, ink: str) -> None:
        """Draw a line through values of both axes."""
        self.canvas.put_line(self.x.shares(x), self.y.shares(y), ink)

    def lines(self) -> list[Line]:
        """Return the lines of the panel, each as wide as it is."""
        inner = self.canvas.lines()
        labels = [""] * len(inner)
        labels[-1], labels[0] = _ends(self.y)
        rows = [
            [text(f"{label:>{LABEL}}│"), *line] for label, line in zip(labels, inner, strict=True)
        ]
        above = [text(f"{LEFT}{shown(self.y.name)} "), *self._legend]
        return [Segment.adjust_line_length(above, self._width), *rows, [text(self._below())]]

    def _below(self) -> str:
        (low, high), name = _ends(self.x), shown(self.x.name)
        room = max(0, self.canvas.width - len(low) - len(high))
        middle = set_cell_size(" " * max(1, (room - cell_len(name)) // 2) + name, room)
        return set_cell_size(f"{LEFT}{low}{middle}{high}", self._width)


def _ends(axis: Axis) -> tuple[str, str]:
    return (_number(axis.low), _number(axis.high)) if axis.has_ends else ("", "")


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
