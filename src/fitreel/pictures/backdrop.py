"""The backdrop: a figure that is drawn once, and its pixels."""

import sys
from contextlib import suppress

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

DPI = 100
Pixels = NDArray[np.uint32]  # one little-endian RGBA word a pixel


def new_figure(width: float, height: float) -> Figure:
    """Create a figure of a size in pixels."""
    wait_for_ipython()
    # Not by pyplot, which chooses a backend for the whole process and keeps every figure.
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI)


def wait_for_ipython() -> None:
    """Wait until IPython is imported, if another thread has started to import it.

    MLflow does so in the thread of the delivery. matplotlib asks for the version of an IPython that
    is there when it creates a figure, and half imported it has none.
    """
    if "IPython" in sys.modules:
        with suppress(ImportError):
            import IPython  # noqa: F401


class Backdrop:
    """A figure that is drawn once, and restored before each frame is drawn on it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.figure = new_figure(*size)
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
