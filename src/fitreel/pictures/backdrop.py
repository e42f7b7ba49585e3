"""The backdrop: a figure that is drawn once, and its pixels."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

DPI = 100
Pixels = NDArray[np.uint32]  # one little-endian RGBA word a pixel


class Backdrop:
    """A figure that is drawn once, and restored before each frame is drawn on it."""

    def __init__(self, size: tuple[int, int]) -> None:
        # Not by pyplot, which chooses a backend for the whole process and keeps every figure.
        self.figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
        self._canvas = FigureCanvasAgg(self.figure)

    def draw(self) -> Pixels:
        """Draw the figure and return its pixels."""
        self._canvas.draw()  # type: ignore[no-untyped-call]
        self._empty = self._canvas.copy_from_bbox(self.figure.bbox)  # type: ignore[no-untyped-call]
        return self.pixels().copy()

    def restore(self) -> RendererAgg:
        """Remove what was drawn on the figure, and return the renderer for the next frame."""
        self._canvas.restore_region(self._empty)  # type: ignore[no-untyped-call]
        renderer: RendererAgg = self._canvas.renderer
        return renderer

    def pixels(self) -> Pixels:
        """Return the present picture, without a copy."""
        # A pixel as one number: two pictures are compared, and colours counted, by one operation.
        return rgba(self._canvas).view("<u4")[..., 0]  # (height, width)

    def channels(self) -> NDArray[np.uint8]:
        """Return the present picture, without a copy: (height, width, 4)."""
        return rgba(self._canvas)


def rgb(pixels: Pixels) -> NDArray[np.uint8]:
    """Return the red, green and blue of pixels: (..., 3)."""
    channels: NDArray[np.uint8] = np.ascontiguousarray(pixels).view(np.uint8)
    return channels.reshape(*pixels.shape, 4)[..., :3]


def rgba(canvas: FigureCanvasAgg) -> NDArray[np.uint8]:
    """Return the pixels of a drawn canvas, without a copy: (height, width, 4)."""
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
