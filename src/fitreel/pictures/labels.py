"""The labels of pictures: names from files are text, shortened, and never read as mathematics."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from fitreel.pictures.figures import INK, shorten
from fitreel.pictures.fitted_text import drawable, fitted

MOST_NAMES = 60
LARGE = 10_000
MARGIN, HEADING = 0.12, 13  # inches, points


def brief(text: str, most: int = 40, weight: str = "normal") -> str:
    """Return text as one line of at most ``most`` letters, all of which the font has.

    It loses its middle: names often differ in their last letters alone.
    """
    return drawable(shorten(text, most, tail=2 * most // 5), weight)


def number_text(value: float) -> str:
    """Return a number with four digits, without a power of ten unless it is very large or small."""
    if not 1e-4 <= abs(value) < 1e9:
        return f"{value:.4g}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def abbreviate(*axes: Axis) -> None:
    """Write the large numbers of finished axes as 20k or 3M, where others would not fit."""
    for axis in axes:
        if max(map(abs, axis.get_view_interval())) >= LARGE:
            axis.set_major_formatter(EngFormatter(sep=""))


def set_names(axis: Axis, names: Sequence[str], most: int, size: float = 9, turn: int = 0) -> None:
    """Write names at the places 0, 1, 2, … of an axis, turned by some degrees."""
    # Of very many names only some, or they would touch.
    step = math.ceil(len(names) / MOST_NAMES)
    texts = [brief(name, most) for name in names[::step]]
    axis.set_ticks(range(0, len(names), step), texts, fontsize=size, parse_math=False)
    if turn:
        for label in axis.get_ticklabels():
            label.set(rotation=turn, rotation_mode="anchor", ha="left", va="center")


def set_title(axes: Axes, text: str, size: float = 11, most: int = 80) -> None:
    """Write a title above axes, from their left."""
    title = brief(text, most)
    axes.set_title(title, loc="left", color=INK, fontsize=size, parse_math=False)


def set_axis_labels(axes: Axes, x: str, y: str, size: float = 10, most: int = 50) -> None:
    """Write what the axes show."""
    axes.set_xlabel(brief(x, most), color=INK, fontsize=size, parse_math=False)
    axes.set_ylabel(brief(y, most), color=INK, fontsize=size, parse_math=False)


def set_heading(figure: Figure, text: str, share: float = 1.0) -> None:
    """Write what a picture shows in its upper left corner, on a share of its width."""
    width, height = figure.get_size_inches()
    figure.text(
        MARGIN / width,
        1 - MARGIN / height,
        fitted(text, (share * width - 2 * MARGIN) * figure.dpi, HEADING, "bold"),
        color=INK,
        fontsize=HEADING,
        fontweight="bold",
        va="top",
        parse_math=False,
    )
