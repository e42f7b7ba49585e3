"""Text from outside, fitted to a width and to the letters that the font has."""

import functools

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, findfont, get_font

from fitreel.pictures.backdrop import DPI
from fitreel.pictures.figures import shorten

MOST_LETTERS = 200  # no place has room for more
UNKNOWN = "□"


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width in pixels of drawable text of ``size`` points."""
    font = FontProperties(size=size, weight=weight)
    width, _, _ = _renderer().get_text_width_height_descent(  # type: ignore[no-untyped-call]
        text, font, ismath=False
    )
    return float(width)


def drawable(text: str, weight: str = "normal") -> str:
    """Return text with a box for each letter that the font lacks, of which matplotlib warns."""
    font = get_font(findfont(FontProperties(weight=weight)))
    return "".join(letter if font.get_char_index(ord(letter)) else UNKNOWN for letter in text)


def fitted(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Return text shortened to ``width`` pixels; a letter that the font lacks becomes a box.

    It loses its middle: names often differ in their last letters alone.
    """
    line = drawable(" ".join(_shorten(text, MOST_LETTERS).split()), weight)
    fits, tried = 0, len(line)  # letters: the most that fit are sought between these
    while fits < tried:
        middle = (fits + tried + 1) // 2
        # By measuring, because letters differ in width; by halving, because each measurement takes
        # time.
        if text_width(_shorten(line, middle), size, weight) <= width:
            fits = middle
        else:
            tried = middle - 1
    return _shorten(line, fits) if fits else ""


def _shorten(text: str, most: int) -> str:
    return shorten(text, most, tail=2 * most // 5)


@functools.cache
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]
