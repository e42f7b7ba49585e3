"""The parallel coordinates: a line for each trial through all its settings to its score."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from fitreel.pictures.figures import INK
from fitreel.pictures.fitted_text import text_width
from fitreel.settings import FILMED
from fitreel.sweep.pictures.bundle import Bundle
from fitreel.sweep.pictures.charts import Scores
from fitreel.sweep.pictures.page import LETTERS, MARGIN, WIDTH, add_axes, new_page

HEIGHT, TOP, BOTTOM = 440, 84, 30  # pixels
Labels = Sequence[tuple[float, str]]  # places from 0 to 1, and texts
# viridis without its yellow end, which is too light on white.
SHADES = ListedColormap(colormaps["viridis"](np.linspace(0, 0.93, 256)))  # the best is the darkest


def draw_bundle(drawn: Bundle, found: Scores) -> Figure:
    """Draw a line for each trial through its settings to its score, the best on top."""
    labels = [scale.ticks(9) for scale in drawn.scales]
    left, right = _margins(drawn.names, labels)
    figure = new_page(HEIGHT, _title(len(drawn.lines), len(found.numbers)))
    axes = add_axes(figure, left, TOP, WIDTH - left - right, HEIGHT - TOP - BOTTOM)
    axes.set_axis_off()
    last = len(drawn.scales) - 1
    axes.set_xlim(0, last)
    axes.set_ylim(-0.01, 1.01)
    _draw_lines(axes, drawn)
    for place, (name, ticks) in enumerate(zip(drawn.names, labels, strict=True)):
        _draw_axis(axes, place, name, ticks, is_last=place == last)
    # The key of the colours, next to the axis of the score.
    key = add_axes(figure, WIDTH - right + 8, TOP, 10, HEIGHT - TOP - BOTTOM)
    key.set_axis_off()
    gradient = np.linspace(1, 0, 256) if found.higher else np.linspace(0, 1, 256)
    key.imshow(gradient[:, None], cmap=SHADES, vmin=0, vmax=1, origin="lower", aspect="auto")
    return figure


def _margins(names: Sequence[str], labels: Sequence[Labels]) -> tuple[float, float]:
    """Return the pixels that the labels of the first and the last axis need."""
    first, last = (max(text_width(text, LETTERS) for _, text in labels[place]) for place in (0, -1))
    return (
        max(MARGIN + 8 + first, MARGIN + text_width(names[0], 10, "bold") / 2),
        max(MARGIN + 24 + last, MARGIN + text_width(names[-1], 10, "bold") / 2),
    )


def _title(drawn: int, finished: int) -> str:
    count = f"{drawn:,} of {finished:,}" if drawn < finished else f"{drawn:,}"
    title = f"The settings of {count} finished trial{'' if drawn == 1 else 's'}"
    return f"{title}, the best {FILMED} thick" if drawn > FILMED else title


def _draw_lines(axes: Axes, drawn: Bundle) -> None:
    crowd = min(1.0, 60 / max(1, len(drawn.lines)))
    across = np.broadcast_to(np.arange(float(len(drawn.scales))), drawn.lines.shape)
    paths = np.stack([across, drawn.lines], axis=2)  # (trials, axes, 2)
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


def _draw_axis(axes: Axes, place: int, name: str, ticks: Labels, is_last: bool) -> None:
    axes.plot([place, place], [0, 1], color=INK, linewidth=1.2, zorder=4, clip_on=False)
    look: dict[str, Any] = {"textcoords": "offset points", "color": INK}
    look |= {"annotation_clip": False, "parse_math": False}
    bold: dict[str, Any] = {"fontsize": 10, "fontweight": "bold"}
    axes.annotate(name, (place, 1), (0, 12), ha="center", **bold, **look)
    look |= {"bbox": {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8}}
    look |= {"fontsize": LETTERS, "va": "center", "zorder": 5}
    # Points; the key of the colours is next to the last axis.
    look |= {"xytext": (17, 0), "ha": "left"} if is_last else {"xytext": (-5, 0), "ha": "right"}
    for y, text in ticks:
        axes.plot([place], [y], marker="_", color=INK, markersize=6, zorder=4, clip_on=False)
        axes.annotate(text, (place, y), **look)
