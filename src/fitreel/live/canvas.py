"""The canvas of a terminal: characters in colours, and braille dots, eight to a character."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style

ACROSS, UP = 2, 4  # braille dots of a character
BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
BRAILLE = 0x2800  # the character without a dot
NO_COLOUR = ""  # that of the terminal

Line = list[Segment]


class Canvas:
    """A grid of characters with a colour each, and one behind each: (height, width)."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._letters = np.full((height, width), ord(" "), np.uint32)
        self._inks = np.full((height, width), NO_COLOUR, object)
        self._grounds = np.full((height, width), NO_COLOUR, object)

    @property
    def dots(self) -> tuple[int, int]:
        """How many dots there are across and up."""
        return self.width * ACROSS, self.height * UP

    def put_dots(self, x: NDArray[np.floating], y: NDArray[np.floating], ink: str) -> None:
        """Draw dots, x and y from 0 at the lower left to 1; what is outside is left out."""
        across, up = self.dots
        inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)  # False for what is not a number
        columns = np.minimum((x[inside] * across).astype(np.int64), across - 1)
        rows = up - 1 - np.minimum((y[inside] * up).astype(np.int64), up - 1)
        places = rows // UP, columns // ACROSS
        self._letters[places] = np.maximum(self._letters[places], BRAILLE)
        np.bitwise_or.at(self._letters, places, BITS[rows % UP, columns % ACROSS])
        self._inks[places] = ink

    def put_line(self, x: NDArray[np.floating], y: NDArray[np.floating], ink: str) -> None:
        """Draw dots along a line through points, as close together as they get."""
        across, up = self.dots
        # A value far outside would need as many dots on the way to it.
        y = np.clip(np.nan_to_num(y, nan=-1.0), -1.0, 2.0)
        distances = np.maximum(np.abs(np.diff(x)) * across, np.abs(np.diff(y)) * up)
        counts = distances.astype(np.int64) + 1
        starts = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        share = within / counts[starts]
        xs = x[starts] + share * (x[starts + 1] - x[starts])
        ys = y[starts] + share * (y[starts + 1] - y[starts])
        self.put_dots(np.append(xs, x[-1:]), np.append(ys, y[-1:]), ink)

    def put_letters(
        self,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        letter: str,
        ink: NDArray[np.object_],
    ) -> None:
        """Draw a letter at places from 0 to 1, each in a colour of its own."""
        inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
        columns = np.minimum((x[inside] * self.width).astype(np.int64), self.width - 1)
        rows = np.minimum(((1 - y[inside]) * self.height).astype(np.int64), self.height - 1)
        self._letters[rows, columns] = ord(letter)
        self._inks[rows, columns] = ink[inside]

    def fill(self, colours: NDArray[np.object_]) -> None:
        """Colour the upper and the lower half of every character: (2 · height, width)."""
        self._letters[:] = ord("▀")
        self._inks[:], self._grounds[:] = colours[::2], colours[1::2]

    def shade(self, letters: NDArray[np.uint32]) -> None:
        """Fill every character with a letter, for a terminal without colours: (height, width)."""
        self._letters[:] = letters

    def lines(self) -> list[Line]:
        """Return the lines from the top, as stretches of one colour."""
        return [
            _stretches(*row) for row in zip(self._letters, self._inks, self._grounds, strict=True)
        ]


def text(words: str, ink: str = NO_COLOUR) -> Segment:
    """Return a text in a colour."""
    return Segment(words, style(ink, NO_COLOUR))


@lru_cache(4096)
def style(ink: str, ground: str) -> Style:
    """Return the style of letters of a colour on another."""
    return Style(color=ink or None, bgcolor=ground or None)


def _stretches(
    letters: NDArray[np.uint32], inks: NDArray[np.object_], grounds: NDArray[np.object_]
) -> Line:
    changes = (inks[1:] != inks[:-1]) | (grounds[1:] != grounds[:-1])
    ends = [*(np.flatnonzero(changes) + 1).tolist(), len(letters)]
    words, line, start = "".join(map(chr, letters.tolist())), [], 0
    for end in ends:
        line.append(Segment(words[start:end], style(inks[start], grounds[start])))
        start = end
    return line
