"""The drawing of text and tables on a figure, placed by pixels from its upper left."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox, TransformedBbox

from fitreel.comparison.summary import Table
from fitreel.pictures.backdrop import DPI
from fitreel.pictures.figures import INK
from fitreel.pictures.fitted_text import fitted, text_width

RULE, TINT = "#c6cbd3", "#dcebfa"
ROW, SWATCH = 23, 34  # pixels
WIDEST_LABEL, WIDEST_PARAM, WIDEST_NUMBER = 310, 125, 200  # pixels
SIZE = 9.5  # points


def new_page(figure: Figure, width: float, height: float) -> Axes:
    """Return axes over the whole figure that count pixels from its upper left."""
    page = figure.add_axes((0, 0, 1, 1))
    page.set_axis_off()
    page.set_xlim(0, width)
    page.set_ylim(height, 0)
    return page


def column_widths(table: Table) -> list[float]:
    """Return the width that the text of each column needs, with the space next to it."""
    widths = []
    for column, name in enumerate(table.header):
        is_number = column >= table.numbers_from
        most = WIDEST_NUMBER if is_number else WIDEST_PARAM if column else WIDEST_LABEL
        texts = [fitted(name, most, SIZE, "bold")]
        texts += [fitted(_marked(table, row, column), most, SIZE, "bold") for row in _rows(table)]
        widths.append(max(text_width(text, SIZE, "bold") for text in texts) + 20)
    return widths


def _rows(table: Table) -> range:
    return range(len(table.rows))


def _stretched(widths: Sequence[float], whole: float) -> list[float]:
    spare = (whole - sum(widths)) / len(widths)
    return [width + spare for width in widths]


def draw_table(
    page: Axes,
    table: Table,
    colours: Sequence[str],
    natural: Sequence[float],
    sides: tuple[float, float],
    top: float,
) -> None:
    """Draw a table from left to right side, a swatch before each row; all in pixels."""
    left, end = sides
    widths = _stretched(natural, end - left - SWATCH)
    rights = left + SWATCH + np.cumsum(widths)
    for row in range(-1, len(table.rows)):  # -1 is the header
        middle = top + (row + 1.5) * ROW
        page.plot(
            [left, end],
            [middle + ROW / 2] * 2,
            color=INK if row == -1 else RULE,
            linewidth=1.0 if row == -1 else 0.6,
        )
        if row >= 0:
            swatch = Rectangle((left + 2, middle - 4), SWATCH - 14, 8, color=colours[row])
            page.add_patch(swatch)
        for column, (right, width) in enumerate(zip(rights, widths, strict=True)):
            best, is_number = (row, column) in table.best, column >= table.numbers_from
            if best:
                corner = (right - width + 4, middle - ROW / 2 + 1)
                page.add_patch(Rectangle(corner, width - 4, ROW - 2, color=TINT, linewidth=0))
            write(
                page,
                table.header[column] if row == -1 else _marked(table, row, column),
                right - 8 if is_number else right - width,
                middle,
                width - 14,
                weight="bold" if best or row == -1 else "normal",
                align="right" if is_number else "left",
            )


def _marked(table: Table, row: int, column: int) -> str:
    text = table.rows[row][column]
    return f"★ {text}" if (row, column) in table.best else text


def write(
    page: Axes,
    text: str,
    x: float,
    middle: float,
    width: float,
    *,
    size: float = SIZE,
    weight: str = "normal",
    align: str = "left",
    colour: str = INK,
) -> None:
    """Write text on one line, shortened to ``width``; nothing in it is parsed as mathematics."""
    # On the baseline of its row, wherever accents may reach.
    label = page.text(
        x,
        middle + 0.36 * size * DPI / 72,
        fitted(text, width, size, weight),
        color=colour,
        size=size,
        weight=weight,
        ha=align,
        va="baseline",
        parse_math=False,
    )
    left = x - width if align == "right" else x
    # Accents can be stacked to any height: what leaves the row is cut off.
    box = Bbox.from_bounds(left - 2, middle - 1.2 * size, width + 4, 2.4 * size)
    label.set_clip_box(TransformedBbox(box, page.transData))
    label.set_clip_on(True)
