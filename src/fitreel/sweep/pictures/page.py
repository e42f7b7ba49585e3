"""The page of a search's pictures: its width, title and legend, in pixels."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fitreel.pictures.backdrop import DPI, new_figure
from fitreel.pictures.figures import INK

WIDTH, MARGIN = 800, 14  # pixels
LETTERS = 9  # points, of numbers at axes
LEGEND_ROW, LEGEND_COLUMNS = 23, 3  # pixels; entries in a row


def new_page(height: float, title: str, handles: Sequence[Line2D] = ()) -> Figure:
    """Create a picture with its title at the top and its legend at the bottom."""
    figure = new_figure(WIDTH, height)
    place = MARGIN / WIDTH, 1 - 12 / height
    look: dict[str, Any] = {"color": INK, "fontsize": 11, "fontweight": "bold", "va": "top"}
    figure.text(*place, title, parse_math=False, **look)
    if handles:
        figure.legend(
            handles=list(handles),
            loc="lower center",
            ncols=LEGEND_COLUMNS,
            frameon=False,
            labelcolor=INK,
            fontsize=10,
            borderaxespad=0.4,
        )
    return figure


def legend_height(handles: Sequence[Line2D]) -> int:
    """Return the height of a legend in pixels."""
    return LEGEND_ROW * -(-len(handles) // LEGEND_COLUMNS)


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Create axes at a place in pixels from the upper left."""
    whole = figure.get_size_inches()[1] * DPI
    box = left / WIDTH, 1 - (top + height) / whole, width / WIDTH, height / whole
    return figure.add_axes(box)
