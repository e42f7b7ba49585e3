"""The picture of the panels: the score over each setting."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fitreel.pictures.figures import INK, LINE_COLOUR
from fitreel.pictures.fitted_text import text_width
from fitreel.sweep.pictures.charts import Places, Scores
from fitreel.sweep.pictures.marks import dot_handle, dots, draw_edge, other_handles, score_grid
from fitreel.sweep.pictures.page import LETTERS, WIDTH
from fitreel.sweep.pictures.panels import Panel
from fitreel.sweep.pictures.scales import Scale

COLUMNS = {1: 1, 2: 2, 4: 2}  # else 3


def draw_panels(drawn: Sequence[Panel], found: Scores) -> Figure:
    """Draw the score over each setting."""
    columns = COLUMNS.get(len(drawn), 3)
    rows, up = -(-len(drawn) // columns), 300 if len(drawn) == 1 else 190
    title = f"{found.metric} over each setting"
    figure, places = score_grid(columns, rows, up, found, title, _handles(drawn, found))
    for place, (axes, panel) in enumerate(zip(places, drawn, strict=False)):
        if place % columns:
            axes.tick_params(labelleft=False)
        _draw_panel(axes, panel, found, up)
    for axes in places[len(drawn) :]:
        axes.remove()
    return figure


def _handles(drawn: Sequence[Panel], found: Scores) -> list[Line2D]:
    handles = [dot_handle("a trial")]
    if any(len(panel.best) for panel in drawn):
        handles += [
            Line2D([], [], color=LINE_COLOUR, label="best near here"),
            Line2D([], [], color=INK, linestyle="--", label="median near here"),
        ]
    return handles + other_handles(found)


def _draw_panel(axes: Axes, panel: Panel, found: Scores, up: int) -> None:
    axes.plot(panel.places, found.places, **dots(len(panel.places)))
    for kind, others in panel.others.items():
        draw_edge(axes, found, kind, others, up)
    _draw_bins(axes, panel, panel.median, INK, "--")
    _draw_bins(axes, panel, panel.best, LINE_COLOUR, "-")
    _set_ticks(axes, panel.scale)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(panel.name, color=INK, fontsize=10, fontweight="bold", parse_math=False)


def _draw_bins(axes: Axes, panel: Panel, line: Places, colour: str, dash: str) -> None:
    across, up = line.T
    look: dict[str, Any] = {"color": colour, "linestyle": dash, "zorder": 4}
    if panel.scale.values:
        half = 0.38 / len(panel.scale.values)
        axes.hlines(up, across - half, across + half, linewidth=2.2, **look)
    else:
        axes.plot(across, up, linewidth=1.8, **look)


def _set_ticks(axes: Axes, scale: Scale) -> None:
    """Label as many values as there is room for."""
    room = axes.get_position().width * WIDTH
    # Tried from many to few: how wide labels are depends on their values.
    for most in range(8, 0, -1):
        ticks = scale.ticks(most)
        boxes = [(room * x, text_width(text, LETTERS) / 2 + 3) for x, text in ticks]
        if all(x + half < after - other for (x, half), (after, other) in pairwise(boxes)):
            break
    axes.set_xticks([x for x, _ in ticks], [text for _, text in ticks])
    if scale.values:
        axes.grid(visible=False, axis="x")
