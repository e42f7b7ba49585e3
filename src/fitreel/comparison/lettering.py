"""Lettering: a stranger's text made drawable, in glyphs that the font has and a width in pixels."""

import functools

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font

from fitreel.camera import DPI
from fitreel.figures import shorten

MOST_LETTERS = 200  # no place has room for more
UNKNOWN = "□"


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Give the width in pixels of drawable text of ``size`` points."""
    font = _font(weight)
    font.set_size(size, DPI)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / 64


def fitted(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Shorten text until it is no wider than ``width`` pixels; what cannot be drawn is a box."""
    font = _font(weight)
    line = "".join(
        letter if font.get_char_index(ord(letter)) else UNKNOWN
        for letter in shorten(text, MOST_LETTERS)
    )
    fits, tried = 0, len(line)  # letters: the most that fit are sought between these
    while fits < tried:
        middle = (fits + tried + 1) // 2
        if text_width(shorten(line, middle), size, weight) <= width:
            fits = middle
        else:
            tried = middle - 1
    return shorten(line, fits) if fits else ""


@functools.cache
def _font(weight: str) -> FT2Font:
    return get_font(findfont(FontProperties(weight=weight)))
