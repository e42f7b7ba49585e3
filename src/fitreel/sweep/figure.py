"""The pictures of a search: 800 pixels wide, as MLflow's notes are.

Optuna's own need pyplot and its state, hide all behind one bad trial, and let labels overlap.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fitreel.camera import DPI
from fitreel.comparison.lettering import text_width
from fitreel.figures import INK, LINE_COLOUR, NEGATIVE, POINT_COLOUR, POSITIVE, style
from fitreel.sweep.charts import BEST, Bundle, Panel, Places, Scores, bundle, panels, scores
from fitreel.sweep.results import Results
from fitreel.sweep.scales import Scale

WIDTH, MARGIN = 800, 14  # pixels
LETTERS = 9  # points, of numbers at axes
TITLE = 11
FAINT = "#7a808b"
# What became of trials without a place on the scale: each a row at the worse edge.
OTHERS = {"diverged": ("x", NEGATIVE), "pruned": ("|", FAINT), "finished, off scale": ("^", INK)}
ROW, MARKER = 15, 5  # pixels, points
LEGEND, LEGEND_COLUMNS = 23, 3  # pixels of a row
SHADES = ListedColormap(colormaps["viridis"](np.linspace(0, 0.93, 256)))  # the best is the darkest
PANEL_COLUMNS = {1: 1, 2: 2, 4: 2}  # else 3


def draw_search(results: Results) -> dict[str, Figure]:
    """Draw what ``results.pictures`` names, by names without a suffix, 800 pixels wide.

    The scores as they came, what decides them, all settings at once, each setting alone.
    """
    found = scores(results)
    figures = {
        "history": draw_scores(found),
        "importance": draw_importances(results.importances),
        "settings": draw_panels(panels(results, found), found),
        "parallel": draw_bundle(bundle(results, found), found),
    }
    return {name: each for name, each in figures.items() if f"{name}.png" in results.pictures}


def draw_scores(found: Scores) -> Figure:
    """Draw the score of every trial in order, and the best until then."""
    numbers, best = found.best_so_far
    title = f"{found.metric} of {found.count:,} trials"
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
    height = 44 + 34 * max(1, len(names)) + MARGIN
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI)
    left = 2 * MARGIN + max((text_width(name, 10) for name in names), default=0)
    axes = figure.add_axes(
        (
            left / WIDTH,
            MARGIN / height,
            (WIDTH - left - 60) / WIDTH,
            (height - 44 - MARGIN) / height,
        )
    )
    style(axes)
    axes.grid(visible=False)
    axes.spines[["bottom"]].set_visible(False)
    shares = np.nan_to_num(np.array(list(importances.values()), float))
    bars = axes.barh(np.arange(len(names)), shares, height=0.62, color=POSITIVE)
    texts = ["<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %" for share in shares]
    axes.bar_label(bars, texts, padding=5, fontsize=10, color=INK)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(max(1, len(names)) - 0.5, -0.5)
    axes.set_xlim(0, max(shares, default=0) or 1)
    axes.tick_params(bottom=False, labelbottom=False, left=False)
    _finish(figure, "How much each setting decides the score of those that finish", [])
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


def draw_bundle(drawn: Bundle, found: Scores) -> Figure:
    """Draw a line a trial through its settings to its score, the best on top."""
    height, top, bottom = 440, 84, 30
    labels = [scale.ticks(9) for scale in drawn.scales]
    left = MARGIN + 8 + max(text_width(text, LETTERS) for _, text in labels[0])
    right = MARGIN + 24 + max(text_width(text, LETTERS) for _, text in labels[-1])
    right = max(right, MARGIN + text_width(found.metric, 10, "bold") / 2)
    left = max(left, MARGIN + text_width(drawn.names[0], 10, "bold") / 2)
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes(
        (
            left / WIDTH,
            bottom / height,
            (WIDTH - left - right) / WIDTH,
            (height - top - bottom) / height,
        )
    )
    axes.set_axis_off()
    last = len(drawn.scales) - 1
    axes.set_xlim(0, last)
    axes.set_ylim(-0.01, 1.01)
    crowd = min(1.0, 60 / max(1, len(drawn.lines)))
    across = np.broadcast_to(np.arange(last + 1.0), drawn.lines.shape)
    paths = np.stack([across, drawn.lines], axis=2)
    for thick in (False, True):
        chosen = drawn.thick == thick
        lines = LineCollection(
            list(paths[chosen]),
            colors=SHADES(drawn.shades[chosen]),
            linewidths=2.4 if thick else 0.8 + 0.4 * crowd,
            alpha=1.0 if thick else 0.22 + 0.5 * crowd,
            zorder=3 if thick else 2,
            capstyle="round",
            clip_on=False,
        )
        axes.add_collection(lines, autolim=False)
    for place, (name, ticks) in enumerate(zip(drawn.names, labels, strict=True)):
        axes.plot([place, place], [0, 1], color=INK, linewidth=1.2, zorder=4, clip_on=False)
        axes.annotate(
            name,
            (place, 1),
            (0, 12),
            textcoords="offset points",
            ha="center",
            color=INK,
            fontsize=10,
            fontweight="bold",
            annotation_clip=False,
            parse_math=False,
        )
        for y, text in ticks:
            axes.plot([place], [y], marker="_", color=INK, markersize=6, zorder=4, clip_on=False)
            axes.annotate(
                text,
                (place, y),
                (17 if place == last else -5, 0),
                textcoords="offset points",
                ha="left" if place == last else "right",
                va="center",
                color=INK,
                fontsize=LETTERS,
                zorder=5,
                annotation_clip=False,
                bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8},
            )
    _draw_key(figure, axes, found)
    count = len(drawn.lines)
    what = f"{count:,} of {len(found.numbers):,}" if count < len(found.numbers) else f"{count:,}"
    best = f", the best {BEST} thick" if count > BEST else ""
    _finish(figure, f"The settings of {what} finished trial{'' if count == 1 else 's'}{best}", [])
    return figure


def _draw_key(figure: Figure, axes: Axes, found: Scores) -> None:
    """Draw the colours beside the last axis, which tells the score."""
    box = axes.get_position()
    key = figure.add_axes((box.x1 + 8 / WIDTH, box.y0, 10 / WIDTH, box.height))
    key.set_axis_off()
    gradient = np.linspace(1, 0, 256) if found.higher else np.linspace(0, 1, 256)
    key.imshow(gradient[:, None], cmap=SHADES, vmin=0, vmax=1, origin="lower", aspect="auto")


def _grid(
    columns: int, rows: int, up: int, found: Scores, title: str, handles: list[Line2D]
) -> tuple[Figure, list[Axes]]:
    """Put axes for scores in a grid, their scales ``up`` pixels high, below a title."""
    edge = ROW * len(found.others)
    ticks = found.scale.ticks()
    left = 2 * MARGIN + max(text_width(text, LETTERS) for _, text in ticks)
    top, below, gap = 40, 52, 16
    height = top + rows * (up + edge + below) + LEGEND * -(-len(handles) // LEGEND_COLUMNS)
    figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI)
    across = (WIDTH - left - MARGIN - (columns - 1) * gap) / columns
    beyond = 0.03, 0.03 + edge / up
    places = []
    for row in range(rows):
        for column in range(columns):
            x = left + column * (across + gap)
            y = height - top - row * (up + edge + below) - up - edge
            box = (x / WIDTH, y / height, across / WIDTH, (up + edge) / height)
            axes = figure.add_axes(box)
            style(axes)
            axes.tick_params(labelsize=LETTERS)
            axes.set_ylim(-beyond[found.higher], 1 + beyond[not found.higher])
            axes.set_yticks([place for place, _ in ticks], [text for _, text in ticks])
            places.append(axes)
    _finish(figure, title, handles)
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
            label=f"{kind} ({len(numbers):,})",
        )
        for kind, numbers in found.others.items()
    ]


def _finish(figure: Figure, title: str, handles: list[Line2D]) -> None:
    """Write the title above and the legend below."""
    height = figure.get_size_inches()[1] * DPI
    figure.text(
        MARGIN / WIDTH,
        1 - 12 / height,
        title,
        color=INK,
        fontsize=TITLE,
        fontweight="bold",
        va="top",
        parse_math=False,
    )
    if handles:
        figure.legend(
            handles=handles,
            loc="lower center",
            ncols=LEGEND_COLUMNS,
            frameon=False,
            labelcolor=INK,
            fontsize=10,
            borderaxespad=0.4,
        )
