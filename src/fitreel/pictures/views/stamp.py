"""The stamp: a mark that is drawn once and put at many moving places."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from fitreel.pictures.backdrop import Backdrop, new_figure, rgba
from fitreel.pictures.views.colours import words

WIDTH = 31  # pixels of the square in which a mark is drawn
OPACITIES = 4  # of a soft edge


class Stamp:
    """A mark of matplotlib's at whole pixels: drawing a thousand takes 0.3 ms."""

    def __init__(
        self,
        shape: str,
        size: float,
        colours: list[str],
        line: float = 0,
        opacities: int = OPACITIES,
    ) -> None:
        """Draw a mark ``size`` points wide, in some colours; ``line`` is the width of its edge.

        With fewer ``opacities`` its edge is harder, and a film of many that move is smaller.
        """
        figure = new_figure(WIDTH, WIDTH)
        figure.patch.set_alpha(0)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, WIDTH))
        axes.set_axis_off()
        middle = [WIDTH / 2]
        # Not plot, which moves some marks by half a pixel.
        axes.scatter(
            middle, middle, s=size**2, marker=shape, color="k", linewidths=line, snap=False
        )
        canvas.draw()  # type: ignore[no-untyped-call]
        opacity = np.round(rgba(canvas)[..., 3] / 255 * opacities) / opacities
        rows, columns = np.nonzero(opacity)
        # The faintest first: where marks overlap, the last one that is put on a pixel is seen.
        order = np.argsort(opacity[rows, columns], kind="stable")
        # From the middle of what was drawn, which may be a pixel away from where it was wanted.
        self._rows = rows[order] - round(float(rows.mean()))
        self._columns = columns[order] - round(float(columns.mean()))
        share = opacity[rows, columns][order][:, None, None]
        inks = np.array([to_rgb(colour) for colour in colours])
        self._words = words(1 - share + share * inks[None])  # over white: (pixels, colours)

    def put(
        self,
        backdrop: Backdrop,
        columns: NDArray[np.int64],
        rows: NDArray[np.int64],
        colours: NDArray[np.int64] | int = 0,
    ) -> None:
        """Draw the mark at pixels, rows from the top, in these colours."""
        pixels = backdrop.pixels()
        height, width = pixels.shape
        x = np.clip(self._columns[:, None] + columns, 0, width - 1)  # (pixels of the mark, marks)
        y = np.clip(self._rows[:, None] + rows, 0, height - 1)
        shades = self._words[:, np.broadcast_to(colours, columns.shape)]
        pixels[y, x] = shades
