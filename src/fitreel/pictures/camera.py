"""The camera: it draws the fixed scenery once, then the red line of each frame."""

import math
from typing import Protocol

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import INK, LINE_COLOUR, draw_points, style
from fitreel.pictures.scenes import Scenes

SIZE = (640, 480)  # pixels
DPI = 100
AXES = (0.09, 0.09, 0.88, 0.84)  # left, bottom, width, height in parts of the picture
Pixels = NDArray[np.uint32]  # one little-endian RGBA word a pixel


class FilmCamera(Protocol):
    """A source of frames for a film; a frame may show several runs."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @property
    def background(self) -> Pixels:
        """The fixed picture behind all frames: (height, width)."""

    def shoot(self, frame: int) -> Pixels:
        """Draw a frame; the array is valid until the next is drawn."""


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
        return _rgba(self._canvas).view("<u4")[..., 0]  # (height, width)


class Scenery:
    """The fixed picture behind all frames, and the line that moves in front of it."""

    def __init__(
        self,
        figure: Figure,
        dataset: Dataset,
        place: tuple[float, float, float, float] = AXES,
        scale: float = 1.0,
        strip: float = 0.22,
    ) -> None:
        """Draw axes that fit the points; they stay as they are from first to last frame.

        ``scale`` is the size beside rst.gif's; ``strip`` the height of the place for the loss
        below the points, in parts of theirs.
        """
        self.axes = figure.add_axes(place)
        style(self.axes)
        draw_points(self.axes, dataset, scale)
        x_min, x_max = dataset.x.min().item(), dataset.x.max().item()
        y_min, y_max = dataset.y.min().item(), dataset.y.max().item()
        width, height = x_max - x_min, (y_max - y_min) or 1.0  # all y may be equal
        self.axes.set_xlim(x_min - 0.04 * width, x_max + 0.04 * width)
        self.axes.set_ylim(y_min - strip * height, y_max + 0.1 * height)
        # animated: a draw of the whole figure leaves it out, so that the background is without it.
        (self.line,) = self.axes.plot([], [], color=LINE_COLOUR, linewidth=3 * scale, animated=True)

    def draw(
        self,
        renderer: RendererAgg,
        film: Scenes,
        frame: int,
        loss: "NumberText",
        epoch: "NumberText",
    ) -> None:
        """Draw what moves: the line, the loss below the points, the epoch above them."""
        self.line.set_data(film.x, film.predictions[frame])
        self.axes.draw_artist(self.line)
        box = self.axes.bbox
        # In the middle by a width that stays: with its own the text would jump from frame to frame.
        left = (box.x0 + box.x1 - loss.width("0.0000")) / 2
        loss.draw(renderer, left, box.y0, loss_text(film.losses[frame]))
        epoch.draw(renderer, box.x0, box.y1, str(film.epochs[frame]))


class NumberText:
    """Numbers written with ready-made characters.

    Matplotlib lays out a text again each time it changes, which took half of a film's time.
    """

    def __init__(self, word: str, size: float, colour: str) -> None:
        """Draw ``word`` and every character of a number once, ``size`` points high."""
        self._word = word
        parts = [word, *"0123456789.e+-"]
        row = math.ceil(2 * size * DPI / 72)  # pixels from one part to the next
        figure = Figure(figsize=(4, row * len(parts) / DPI), dpi=DPI)
        figure.patch.set_alpha(0)  # the stamps are drawn over the background
        canvas = FigureCanvasAgg(figure)
        texts = [
            figure.text(0, place * row + row // 3, part, color=colour, size=size, transform=None)
            for place, part in enumerate(parts)
        ]
        canvas.draw()  # type: ignore[no-untyped-call]
        # From below, as draw_image wants it: (rows, pixels across, RGBA).
        pixels = _rgba(canvas)[::-1]
        widths = [math.ceil(text.get_window_extent().width) for text in texts]
        self._stamps = {
            part: pixels[place * row : (place + 1) * row, : widths[place]].copy()
            for place, part in enumerate(parts)
        }

    def width(self, number: str) -> int:
        """Return the width of word and number in pixels."""
        return sum(self._stamps[part].shape[1] for part in (self._word, *number))

    def draw(self, renderer: RendererAgg, x: float, y: float, number: str) -> None:
        """Write word and number with their lower left corner at a pixel, from below."""
        context = renderer.new_gc()
        for part in (self._word, *number):
            renderer.draw_image(context, round(x), round(y), self._stamps[part])
            x += self._stamps[part].shape[1]


class Camera:
    """A camera for one film: the scenery is drawn once, then only what moves.

    A full redraw takes 25 ms, line and numbers 0.3 ms.
    """

    size = SIZE

    def __init__(self, film: Scenes) -> None:
        self._film = film
        self._backdrop = Backdrop(SIZE)
        self._scenery = Scenery(self._backdrop.figure, film.dataset)
        self.axes = self._scenery.axes
        self._loss = NumberText("Loss=", 20, LINE_COLOUR)
        self._epoch = NumberText("epoch ", 12, INK)
        self.background = self._backdrop.draw()

    def shoot(self, frame: int) -> Pixels:
        """Draw a frame; the array is valid until the next is drawn."""
        renderer = self._backdrop.restore()
        self._scenery.draw(renderer, self._film, frame, self._loss, self._epoch)
        return self._backdrop.pixels()


def rgb(pixels: Pixels) -> NDArray[np.uint8]:
    """Return the red, green and blue of pixels: (..., 3)."""
    channels: NDArray[np.uint8] = np.ascontiguousarray(pixels).view(np.uint8)
    return channels.reshape(*pixels.shape, 4)[..., :3]


def loss_text(loss: float) -> str:
    """Return a loss with four decimals, or as a power of ten if it is huge."""
    return f"{loss:.4f}" if loss < 1e5 else f"{loss:.4e}"


def _rgba(canvas: FigureCanvasAgg) -> NDArray[np.uint8]:
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
