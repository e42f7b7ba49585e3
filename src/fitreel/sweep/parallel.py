"""The parallel coordinates: a line a trial through all its settings to its score."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from fitreel.comparison.lettering import text_width
from fitreel.pictures.figures import INK
from fitreel.settings import FILMED
from fitreel.sweep.charts import Bundle, Scores
from fitreel.sweep.page import LETTERS, MARGIN, WIDTH, add_axes, new_figure

SHADES = ListedColormap(colormaps["viridis"](np.linspace(0, 0.93, 256)))  # the best is the darkest


def draw_bundle(drawn: Bundle, found: Scores) -> Figure:
    """Draw a line a trial through its settings to its score, the best on top."""
    height, top, bottom = 440, 84, 30
    labels = [scale.ticks(9) for scale in drawn.scales]
    left = MARGIN + 8 + max(text_width(text, LETTERS) for _, text in labels[0])
    right = MARGIN + 24 + max(text_width(text, LETTERS) for _, text in labels[-1])
    right = max(right, MARGIN + text_width(found.metric, 10, "bold") / 2)
    left = max(left, MARGIN + text_width(drawn.names[0], 10, "bold") / 2)
    count = len(drawn.lines)
    what = f"{count:,} of {len(found.numbers):,}" if count < len(found.numbers) else f"{count:,}"
    title = f"The settings of {what} finished trial{'' if count == 1 else 's'}"
    figure = new_figure(height, f"{title}, the best {FILMED} thick" if count > FILMED else title)
    box = left, top, WIDTH - left - right, height - top - bottom
    axes = add_axes(figure, *box)
    axes.set_axis_off()
    last = len(drawn.scales) - 1
    axes.set_xlim(0, last)
    axes.set_ylim(-0.01, 1.01)
    _draw_lines(axes, drawn)
    for place, (name, ticks) in enumerate(zip(drawn.names, labels, strict=True)):
        _draw_axis(axes, place, name, ticks, is_last=place == last)
    # The colours, beside the last axis, which tells the score.
    key = add_axes(figure, WIDTH - right + 8, top, 10, height - top - bottom)
    key.set_axis_off()
    gradient = np.linspace(1, 0, 256) if found.higher else np.linspace(0, 1, 256)
    key.imshow(gradient[:, None], cmap=SHADES, vmin=0, vmax=1, origin="lower", aspect="auto")
    return figure


def _draw_lines(axes: Axes, drawn: Bundle) -> None:
    crowd = min(1.0, 60 / max(1, len(drawn.lines)))
    across = np.broadcast_to(np.arange(float(len(drawn.scales))), drawn.lines.shape)
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


def _draw_axis(
    axes: Axes, place: int, name: str, ticks: Sequence[tuple[float, str]], is_last: bool
) -> None:
    axes.plot([place, place], [0, 1], color=INK, linewidth=1.2, zorder=4, clip_on=False)
    beside: dict[str, Any] = {"textcoords": "offset points", "color": INK}
    beside |= {"annotation_clip": False, "parse_math": False}
    bold: dict[str, Any] = {"fontsize": 10, "fontweight": "bold"}
    axes.annotate(name, (place, 1), (0, 12), ha="center", **bold, **beside)
    behind = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8}
    for y, text in ticks:
        axes.plot([place], [y], marker="_", color=INK, markersize=6, zorder=4, clip_on=False)
        axes.annotate(
            text,
            (place, y),
            (17 if is_last else -5, 0),  # points; the colours are beside the last
            ha="left" if is_last else "right",
            va="center",
            fontsize=LETTERS,
            zorder=5,
            bbox=behind,
            **beside,
        )
