"""The text of numbers: written on every frame with ready-made characters."""

import math

from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg

from fitreel.pictures.backdrop import DPI, new_figure, rgba

TINY = 1e-4  # below it four decimals show a digit or none


class NumberText:
    """Numbers written with ready-made characters.

    Matplotlib lays out a text again each time it changes, which took half of a film's time.
    """

    def __init__(self, word: str, size: float, colour: str) -> None:
        """Draw ``word`` and every character of a number once, ``size`` points high."""
        self._word = word
        parts = [word, *"0123456789.e+-"]
        row = math.ceil(2 * size * DPI / 72)  # pixels from one part to the next
        self.baseline = row // 3  # pixels above the lower edge
        figure = new_figure(4 * DPI, row * len(parts))
        figure.patch.set_alpha(0)  # the stamps are drawn over the background
        canvas = FigureCanvasAgg(figure)
        texts = [
            figure.text(0, at * row + self.baseline, part, color=colour, size=size, transform=None)
            for at, part in enumerate(parts)
        ]
        canvas.draw()  # type: ignore[no-untyped-call]
        # From below, as draw_image wants it: (rows, pixels across, RGBA).
        pixels = rgba(canvas)[::-1]
        widths = [math.ceil(text.get_window_extent().width) for text in texts]
        self._stamps = {
            part: pixels[place * row : (place + 1) * row, : widths[place]].copy()
            for place, part in enumerate(parts)
        }

    def width(self, number: str) -> int:
        """Return the width of word and number in pixels."""
        return sum(self._stamps[part].shape[1] for part in (self._word, *number))

    def draw(
        self, renderer: RendererAgg, x: float, y: float, number: str, width: int | None = None
    ) -> None:
        """Write word and number with their lower left corner at a pixel, from below.

        With a ``width`` of both the number ends there, so that its digits stay where they are.
        """
        context = renderer.new_gc()
        gap = 0 if width is None else width - self.width(number)
        for part in (self._word, *number):
            renderer.draw_image(context, round(x), round(y), self._stamps[part])
            x += self._stamps[part].shape[1]
            if part == self._word:
                x += gap


def loss_text(loss: float, decimals: int = 4) -> str:
    """Return a loss with so many decimals, or as a power of ten if it is huge or tiny."""
    if 0 < abs(loss) < TINY:
        return f"{loss:.2e}"
    return f"{loss:.{decimals}f}" if abs(loss) < 10 ** (9 - decimals) else f"{loss:.4e}"


def decimals_of(last: float) -> int:
    """Return how many decimals show five digits of the last loss of a film; at most four."""
    return min(4, max(0, 4 - math.floor(math.log10(last)))) if 0 < last < math.inf else 4
