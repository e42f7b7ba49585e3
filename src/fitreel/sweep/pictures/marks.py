"""The marks in a search's pictures: a dot a trial, at the worse edge if it has no score."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fitreel.pictures.figures import INK, NEGATIVE, POINT_COLOUR, style
from fitreel.pictures.fitted_text import text_width
from fitreel.sweep.pictures.charts import OFF_SCALE, Scores
from fitreel.sweep.pictures.page import LETTERS, MARGIN, WIDTH, add_axes, legend_height, new_page

FAINT = "#7a808b"
# Trials without a place on the scale, by how they ended: each a row at the worse edge.
OTHERS = {"diverged": ("x", NEGATIVE), "pruned": ("|", FAINT), OFF_SCALE: ("^", INK)}
ROW, MARKER = 15, 5  # pixels, points
TOP, BELOW, GAP = 40, 52, 16  # pixels: the title, the labels below axes, between two of them


def score_grid(
    columns: int, rows: int, up: int, found: Scores, title: str, handles: list[Line2D]
) -> tuple[Figure, list[Axes]]:
    """Create a figure with a grid of axes for scores, whose scales are ``up`` pixels high."""
    edge = ROW * len(found.others)
    height = TOP + rows * (up + edge + BELOW) + legend_height(handles)
    figure = new_page(height, title, handles)
    left = 2 * MARGIN + max(text_width(text, LETTERS) for _, text in found.scale.ticks())
    across = (WIDTH - left - MARGIN - (columns - 1) * GAP) / columns
    places = []
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        x, y = left + column * (across + GAP), TOP + row * (up + edge + BELOW)
        axes = add_axes(figure, x, y, across, up + edge)
        _style_scores(axes, found, up)
        places.append(axes)
    return figure, places


def _style_scores(axes: Axes, found: Scores, up: int) -> None:
    style(axes)
    axes.tick_params(labelsize=LETTERS)
    # The better and the worse end; at the worse one are the rows of the other trials.
    beyond = 0.03, 0.03 + ROW * len(found.others) / up
    axes.set_ylim(-beyond[found.higher], 1 + beyond[not found.higher])
    ticks = found.scale.ticks()
    axes.set_yticks([y for y, _ in ticks], [text for _, text in ticks])


def draw_edge(axes: Axes, found: Scores, kind: str, x: NDArray[Any], up: float) -> None:
    """Draw trials without a place on the scale at its worse end, a row for each kind."""
    row = 0.02 + ROW * (list(found.others).index(kind) + 0.5) / up
    marker, colour = OTHERS[kind]
    axes.plot(
        x,
        np.full(len(x), -row if found.higher else 1 + row),
        linestyle="none",
        marker=marker,
        color=colour,
        markersize=MARKER,
        alpha=0.35 + 0.65 * min(1.0, 60 / max(1, len(x))),
    )


def dots(count: int) -> dict[str, Any]:
    """Return the look of so many dots: smaller and paler in a crowd."""
    crowd = min(1.0, 100 / max(1, count))
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": math.sqrt(8 + 22 * crowd),
        "markeredgewidth": 0,
        "color": POINT_COLOUR,
        "alpha": 0.3 + 0.5 * crowd,
    }


def dot_handle(text: str) -> Line2D:
    """Return the entry of the legend for the dots."""
    return Line2D([], [], label=text, **(dots(1) | {"alpha": 0.8}))


def other_handles(found: Scores) -> list[Line2D]:
    """Return the entries of the legend for the marks at the edge."""
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=OTHERS[kind][0],
            color=OTHERS[kind][1],
            markersize=MARKER + 2,
            markeredgewidth=1.5,
            label=f"{kind} ({len(numbers):,})",
        )
        for kind, numbers in found.others.items()
    ]
