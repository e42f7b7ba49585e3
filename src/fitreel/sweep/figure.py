"""The pictures of a search: 800 pixels wide, as MLflow's notes are.

Optuna's own need pyplot and its state, hide all behind one bad trial, and let labels overlap.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fitreel.comparison.lettering import text_width
from fitreel.pictures.figures import INK, LINE_COLOUR, NEGATIVE, POINT_COLOUR, POSITIVE, style
from fitreel.sweep.charts import Panel, Places, Scores, bundle, panels, scores
from fitreel.sweep.page import LETTERS, MARGIN, WIDTH, add_axes, legend_height, new_figure
from fitreel.sweep.parallel import draw_bundle
from fitreel.sweep.results import Results
from fitreel.sweep.scales import Scale

FAINT = "#7a808b"
# What became of trials without a place on the scale: each a row at the worse edge.
OTHERS = {"diverged": ("x", NEGATIVE), "pruned": ("|", FAINT), "finished, off scale": ("^", INK)}
ROW, MARKER = 15, 5  # pixels, points
PANEL_COLUMNS = {1: 1, 2: 2, 4: 2}  # else 3


def draw_search(results: Results) -> dict[str, Figure]:
    """Draw what ``results.pictures`` names, by names without a suffix, 800 pixels wide.

    The scores as they came, what decides them, each setting alone, all settings at once.
    """
    found, importances = scores(results), results.importances
    return {
        "history": draw_scores(found),
        **({"importance": draw_importances(importances)} if importances else {}),
        "settings": draw_panels(panels(results, found), found),
        "parallel": draw_bundle(bundle(results, found), found),
    }


def draw_scores(found: Scores) -> Figure:
    """Draw the score of every trial in order, and the best until then."""
    numbers, best = found.best_so_far
    title = f"{found.metric} of {found.count:,} trial{'s' * (found.count > 1)}"
    handles = [_dot_handle(f"finished ({len(found.numbers):,})")]
    if len(best):
        title += f": the best is number {numbers[-1]}, {best[-1]:.4g}".replace("-", "−")
        handles.append(Line2D([], [], color=LINE_COLOUR, label="best so far"))
    handles += _other_handles(found)
    if found.floor is not None:
        text = f"least possible, the noise: {found.floor:.4g}"
        handles.append(Line2D([], [], color=INK, linestyle=":", label=text))
    figure, (axes,) = _grid(1, 1, 300, found, title, handles)
    axes.plot(found.numbers, found.places, **_dots(len(found.numbers)))
    if len(best):
        places = found.scale.places(best)
        across, up = [*numbers, found.count - 1], [*places, places[-1]]
        axes.plot(across, up, color=LINE_COLOUR, drawstyle="steps-post")
        star: dict[str, Any] = {"marker": "*", "markersize": 16, "markeredgecolor": "white"}
        axes.plot(numbers[-1:], places[-1:], color=LINE_COLOUR, zorder=5, **star)
    for kind, others in found.others.items():
        _draw_edge(axes, found, kind, others, 300)
    if found.floor is not None:
        axes.axhline(*found.scale.places([found.floor]), color=INK, linestyle=":", linewidth=1.6)
    margin = max(0.5, 0.015 * found.count)
    axes.set_xlim(-margin, found.count - 1 + margin)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("trial", color=INK, fontsize=10)
    return figure


def draw_importances(importances: Mapping[str, float]) -> Figure:
    """Draw how much each setting decides, a bar a setting."""
    names = list(importances)
    top, height = 44, 44 + 34 * len(names) + MARGIN
    left = 2 * MARGIN + max(text_width(name, 10) for name in names)
    figure = new_figure(height, "How much each setting decides who is among the best tenth")
    axes = add_axes(figure, left, top, WIDTH - left - 60, height - top - MARGIN)
    style(axes)
    axes.grid(visible=False)
    axes.spines[["bottom"]].set_visible(False)
    shares = np.nan_to_num(np.array(list(importances.values()), float))
    bars = axes.barh(np.arange(len(names)), shares, height=0.62, color=POSITIVE)
    texts = ["<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %" for share in shares]
    axes.bar_label(bars, texts, padding=5, fontsize=10, color=INK)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, shares.max() or 1)
    axes.tick_params(bottom=False, labelbottom=False, left=False)
    return figure


def draw_panels(drawn: Sequence[Panel], found: Scores) -> Figure:
    """Draw the score over each setting."""
    columns = PANEL_COLUMNS.get(len(drawn), 3)
    rows, up = -(-len(drawn) // columns), 300 if len(drawn) == 1 else 190
    handles = [_dot_handle("a trial")]
    if any(len(panel.best) for panel in drawn):
        handles += [
            Line2D([], [], color=LINE_COLOUR, label="best near here"),
            Line2D([], [], color=INK, linestyle="--", label="median near here"),
        ]
    handles += _other_handles(found)
    title = f"{found.metric} over each setting"
    figure, places = _grid(columns, rows, up, found, title, handles)
    for place, (axes, panel) in enumerate(zip(places, drawn, strict=False)):
        if place % columns:
            axes.tick_params(labelleft=False)
        axes.plot(panel.places, found.places, **_dots(len(panel.places)))
        for kind, others in panel.others.items():
            _draw_edge(axes, found, kind, others, up)
        _draw_bins(axes, panel, panel.median, INK, "--")
        _draw_bins(axes, panel, panel.best, LINE_COLOUR, "-")
        _set_ticks(axes, panel.scale)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(panel.name, color=INK, fontsize=10, fontweight="bold", parse_math=False)
    for axes in places[len(drawn) :]:
        axes.remove()
    return figure


def _draw_bins(axes: Axes, panel: Panel, line: Places, colour: str, dash: str) -> None:
    across, up = line.T
    look: dict[str, Any] = {"color": colour, "linestyle": dash, "zorder": 4}
    if panel.scale.values:
        half = 0.38 / len(panel.scale.values)
        axes.hlines(up, across - half, across + half, linewidth=2.2, **look)
    else:
        axes.plot(across, up, linewidth=1.8, **look)


def _grid(
    columns: int, rows: int, up: int, found: Scores, title: str, handles: list[Line2D]
) -> tuple[Figure, list[Axes]]:
    """Put axes for scores in a grid, their scales ``up`` pixels high, below a title."""
    edge = ROW * len(found.others)
    ticks = found.scale.ticks()
    left = 2 * MARGIN + max(text_width(text, LETTERS) for _, text in ticks)
    top, below, gap = 40, 52, 16
    height = top + rows * (up + edge + below) + legend_height(handles)
    figure = new_figure(height, title, handles)
    across = (WIDTH - left - MARGIN - (columns - 1) * gap) / columns
    beyond = 0.03, 0.03 + edge / up
    places = []
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        x, y = left + column * (across + gap), top + row * (up + edge + below)
        axes = add_axes(figure, x, y, across, up + edge)
        style(axes)
        axes.tick_params(labelsize=LETTERS)
        axes.set_ylim(-beyond[found.higher], 1 + beyond[not found.higher])
        axes.set_yticks([y for y, _ in ticks], [text for _, text in ticks])
        places.append(axes)
    return figure, places


def _set_ticks(axes: Axes, scale: Scale) -> None:
    """Tell as many values as there is room for."""
    room = axes.get_position().width * WIDTH
    for most in range(8, 0, -1):
        ticks = scale.ticks(most)
        boxes = [(room * x, text_width(text, LETTERS) / 2 + 3) for x, text in ticks]
        if all(x + half < beside - other for (x, half), (beside, other) in pairwise(boxes)):
            break
    axes.set_xticks([x for x, _ in ticks], [text for _, text in ticks])
    if scale.values:
        axes.grid(visible=False, axis="x")


def _draw_edge(axes: Axes, found: Scores, kind: str, x: NDArray[Any], up: float) -> None:
    """Mark trials without a place on the scale at its worse end, a row a kind."""
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


def _dots(count: int) -> dict[str, Any]:
    crowd = min(1.0, 100 / max(1, count))
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": math.sqrt(8 + 22 * crowd),
        "markeredgewidth": 0,
        "color": POINT_COLOUR,
        "alpha": 0.3 + 0.5 * crowd,
    }


def _dot_handle(text: str) -> Line2D:
    return Line2D([], [], label=text, **(_dots(1) | {"alpha": 0.8}))


def _other_handles(found: Scores) -> list[Line2D]:
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
