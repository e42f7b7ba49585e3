"""The cell: where a view is on a picture, and what it shows besides the predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import INK, style
from fitreel.pictures.fitted_text import fitted
from fitreel.reel.probes import padded_range

NAME, LEGEND = 12, 10  # points
LEGEND_HEIGHT = 24  # pixels above the axes


@dataclass(frozen=True)
class Cell:
    """The place of a view's axes; ``scale`` is the size of marks beside those of rst.gif.

    ``strip`` is the height of the place for the loss below a curve, in parts of the points'.
    """

    place: tuple[float, float, float, float]  # left, bottom, width, height in parts of the picture
    scale: float = 1.0
    strip: float = 0.22
    is_alone: bool = True  # axes have names, and marks a legend


def new_axes(figure: Figure, cell: Cell, x_name: str = "", y_name: str = "") -> Axes:
    """Add the axes of a cell; their names are text from outside."""
    axes = figure.add_axes(cell.place)
    style(axes)
    if cell.is_alone and x_name:
        # 1e+06 takes less room than 1000000.
        axes.ticklabel_format(style="sci", scilimits=(-3, 5))
        width, height = axes.bbox.width, axes.bbox.height
        axes.set_xlabel(fitted(x_name, width, NAME), color=INK, size=NAME, parse_math=False)
        axes.set_ylabel(fitted(y_name, height, NAME), color=INK, size=NAME, parse_math=False)
    return axes


def new_plane(figure: Figure, cell: Cell, dataset: Dataset) -> Axes:
    """Add the axes of a cell over two features, whose limits are those of a grid."""
    axes = new_axes(figure, cell, *dataset.features)
    axes.grid(visible=False)
    axes.set_xlim(*padded_range(dataset, 0))
    axes.set_ylim(*padded_range(dataset, 1))
    return axes


def draw_legend(axes: Axes, cell: Cell, marks: Sequence[tuple[str, str, str]]) -> None:
    """Draw a legend above the axes: of each mark its shape, its colour and its name."""
    if not cell.is_alone or len(marks) < 2:
        return
    room = axes.bbox.width / len(marks) - 34
    handles = [
        Line2D([], [], linestyle="", marker=shape, color=colour, markeredgewidth=0, markersize=8)
        for shape, colour, _ in marks
    ]
    for handle, (shape, _, _) in zip(handles, marks, strict=True):
        if shape == "x":
            handle.set_markeredgewidth(2)
    legend = axes.legend(
        handles=handles,
        labels=[fitted(name, room, LEGEND) for _, _, name in marks],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(marks),
        frameon=False,
        fontsize=LEGEND,
        labelcolor=INK,
        borderaxespad=0.1,
        handlelength=1.2,
        handletextpad=0.25,
        columnspacing=1.0,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def target_range(dataset: Dataset) -> tuple[float, float]:
    """Return the least and the greatest target, those of test rows included."""
    parts = [dataset.y, dataset.test.y] if dataset.test else [dataset.y]
    return min(part.min().item() for part in parts), max(part.max().item() for part in parts)


def picture_size(axes: Axes) -> tuple[int, int]:
    """Return the width and the height of the picture that axes are on, in pixels."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes are on no figure")
    return round(figure.bbox.width), round(figure.bbox.height)


def to_pixels(
    axes: Axes, x: NDArray[np.floating], y: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns and the rows, from the top, of the pixels of points; at most the edges."""
    box, (_, height) = axes.bbox, picture_size(axes)
    places = axes.transData.transform(np.column_stack([x, y]))
    columns = np.clip(places[:, 0], box.x0 + 1, box.x1 - 1)
    rows = np.clip(height - places[:, 1], height - box.y1 + 1, height - box.y0 - 1)
    return np.floor(columns).astype(np.int64), np.floor(rows).astype(np.int64)
