"""The film: how the fit came about, frame by frame, as rst.gif or rst.mp4."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio.v2 as imageio
import imageio.v3 as iio
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from fitreel.dataset import Dataset
from fitreel.figures import INK, LINE_COLOUR, draw_points, style
from fitreel.history import History
from fitreel.settings import FilmSettings

SIZE = (640, 480)  # pixels
DPI = 100
AXES = (0.09, 0.09, 0.88, 0.84)  # left, bottom, width, height in parts of the picture
HOLD = 1.5  # seconds that the last frame stays
LINE_POINTS = 200
COLOURS = 128  # of the film's palette; Pillow's time a frame grows with their square
FLAT_COLOURS = 32  # of these that are taken as they are, the most frequent ones
Pixels = NDArray[np.uint32]  # (height, width), one little-endian RGBA word a pixel
Indices = NDArray[np.uint8]  # (height, width), places in the palette


@dataclass(frozen=True, eq=False)
class Scenes:
    """Hold what the film shows: one row a frame."""

    dataset: Dataset
    x: NDArray[np.float32]  # (points of the line,)
    predictions: NDArray[np.float32]  # (frames, points of the line)
    epochs: NDArray[np.int64]  # (frames,)
    losses: NDArray[np.float64]  # (frames,)


def scenes(dataset: Dataset, history: History, max_frames: int) -> Scenes:
    """Compute what each frame shows; more than ``max_frames`` are thinned evenly, ends kept."""
    count = len(history.frame_epochs)
    kept = np.linspace(0, count - 1, min(count, max_frames)).round().astype(np.int64)
    x = torch.linspace(dataset.x.min().item(), dataset.x.max().item(), LINE_POINTS)
    epochs = history.frame_epochs[kept]
    # One network at a time: all at once would hold frames × points × neurons numbers.
    predictions = np.stack([history.frames[int(k)].predict(x).numpy() for k in kept])
    return Scenes(dataset, x.numpy(), predictions, epochs, history.losses[epochs])


class Scenery:
    """The fixed picture behind all frames, and the line that moves in front of it."""

    def __init__(self, figure: Figure, dataset: Dataset) -> None:
        """Draw axes that fit the points; they stay as they are from first to last frame."""
        self.axes = figure.add_axes(AXES)
        style(self.axes)
        draw_points(self.axes, dataset)
        x_min, x_max = dataset.x.min().item(), dataset.x.max().item()
        y_min, y_max = dataset.y.min().item(), dataset.y.max().item()
        width, height = x_max - x_min, (y_max - y_min) or 1.0
        self.axes.set_xlim(x_min - 0.04 * width, x_max + 0.04 * width)
        # The strip below the points is for the loss.
        self.axes.set_ylim(y_min - 0.22 * height, y_max + 0.1 * height)
        (self.line,) = self.axes.plot([], [], color=LINE_COLOUR, linewidth=3, animated=True)


class Lettering:
    """Write numbers with ready-made characters.

    Matplotlib lays out a text anew each time it changes, which took half of a film's time.
    """

    def __init__(self, word: str, size: float, colour: str) -> None:
        """Draw ``word`` and every character of a number once, ``size`` points high."""
        self._word = word
        parts = [word, *"0123456789.e+-"]
        row = math.ceil(2 * size * DPI / 72)  # pixels from one part to the next
        figure = Figure(figsize=(4, row * len(parts) / DPI), dpi=DPI)
        figure.patch.set_alpha(0)
        canvas = FigureCanvasAgg(figure)
        texts = [
            figure.text(0, place * row + row // 3, part, color=colour, size=size, transform=None)
            for place, part in enumerate(parts)
        ]
        canvas.draw()
        # From below, as draw_image wants it: (rows, pixels across, RGBA).
        pixels = np.asarray(canvas.buffer_rgba())[::-1]
        self._stamps = {
            part: pixels[
                place * row : (place + 1) * row, : math.ceil(text.get_window_extent().width)
            ].copy()
            for place, (part, text) in enumerate(zip(parts, texts, strict=True))
        }

    def width(self, number: str) -> int:
        """Give the width of word and number in pixels."""
        return sum(self._stamps[part].shape[1] for part in (self._word, *number))

    def draw(self, renderer: RendererAgg, x: float, y: float, number: str) -> None:
        """Write word and number with their lower left corner at a pixel, from below."""
        context = renderer.new_gc()
        for part in (self._word, *number):
            renderer.draw_image(context, round(x), round(y), self._stamps[part])
            x += self._stamps[part].shape[1]


class Camera:
    """Shoot the frames of a film: the scenery is drawn once, then only what moves.

    A full redraw takes 25 ms, line and numbers 0.3 ms.
    """

    def __init__(self, film: Scenes) -> None:
        figure = Figure(figsize=(SIZE[0] / DPI, SIZE[1] / DPI), dpi=DPI)
        self._canvas = FigureCanvasAgg(figure)
        self._film = film
        self._scenery = Scenery(figure, film.dataset)
        self._loss = Lettering("Loss=", 20, LINE_COLOUR)
        self._epoch = Lettering("epoch ", 12, INK)
        self._canvas.draw()
        self._empty = self._canvas.copy_from_bbox(figure.bbox)  # type: ignore[no-untyped-call]
        self.background = self._pixels().copy()

    def shoot(self, frame: int) -> Pixels:
        """Draw a frame; the array is valid until the next is drawn."""
        film, axes, renderer = self._film, self._scenery.axes, self._canvas.renderer
        self._canvas.restore_region(self._empty)  # type: ignore[no-untyped-call]
        self._scenery.line.set_data(film.x, film.predictions[frame])
        axes.draw_artist(self._scenery.line)
        loss, box = loss_text(film.losses[frame]), axes.bbox
        left = (box.x0 + box.x1 - self._loss.width("0.0000")) / 2
        self._loss.draw(renderer, left, box.y0, loss)
        self._epoch.draw(renderer, box.x0, box.y1, str(film.epochs[frame]))
        return self._pixels()

    def _pixels(self) -> Pixels:
        return np.asarray(self._canvas.buffer_rgba()).view("<u4")[..., 0]


def loss_text(loss: float) -> str:
    """Write a loss with four decimals, huge ones in powers of ten."""
    return f"{loss:.4f}" if loss < 1e5 else f"{loss:.4e}"


class Palette:
    """The colours that all frames of a film share."""

    def __init__(self, camera: Camera, frames: int) -> None:
        """Choose them from the background and what moves in a few frames of the film."""
        seen = [camera.background.ravel()]
        for frame in np.linspace(0, frames - 1, 10).astype(int):
            pixels = camera.shoot(frame)
            seen.append(pixels[pixels != camera.background])
        words, counts = np.unique(np.concatenate(seen), return_counts=True)
        common = words[np.argsort(-counts)[:FLAT_COLOURS]]
        # Median cut would spend all colours on the white: no colour counts more than 200 times.
        sample = Image.fromarray(_rgb(np.repeat(words, np.minimum(counts, 200)))[None])
        blends = sample.quantize(COLOURS - FLAT_COLOURS - 1).getpalette() or []
        colours = np.concatenate([_rgb(common), np.reshape(blends, (-1, 3)).astype(np.uint8)])
        self._colours = np.unique(colours, axis=0)
        self.transparent = len(self._colours)  # stands for: as in the frame before
        # Nearest colours, found when first asked for: six bits a channel, -1 for unknown.
        self._nearest = np.full(1 << 18, -1, dtype=np.int16)

    def index(self, pixels: Pixels) -> Indices:
        """Give the place of the nearest colour of each pixel."""
        cells = (pixels >> 2 & 63) | (pixels >> 10 & 63) << 6 | (pixels >> 18 & 63) << 12
        unknown = np.unique(cells[self._nearest[cells] < 0])
        channels = np.stack([unknown & 63, unknown >> 6 & 63, unknown >> 12], axis=-1)
        middles = channels.astype(np.int32) * 4 + 2
        distances = np.square(middles[:, None] - self._colours[None].astype(np.int32)).sum(-1)
        self._nearest[unknown] = distances.argmin(axis=1)
        return self._nearest[cells].astype(np.uint8)

    def __bytes__(self) -> bytes:
        # The transparent entry needs a colour of its own: Pillow finds entries by their colour.
        free = next(c for c in range(256) if (c, 0, 255) not in set(map(tuple, self._colours)))
        return self._colours.tobytes() + bytes([free, 0, 255])


def render(
    dataset: Dataset,
    history: History,
    path: Path | str,
    settings: FilmSettings = FilmSettings(),
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the film of a training to ``path``.

    ``on_frame(done, total)`` is called after each frame.
    """
    film = scenes(dataset, history, settings.max_frames)
    write = _write_gif if settings.format == "gif" else _write_mp4
    write(film, Path(path), settings.fps, on_frame)


def _write_gif(film: Scenes, path: Path, fps: int, on_frame: Callable[[int, int], None]) -> None:
    """Write each frame as what differs from the one before, in palette indices."""
    total = len(film.epochs)
    camera = Camera(film)
    palette = Palette(camera, total)
    background = palette.index(camera.background)
    before = np.full_like(background, palette.transparent)
    with iio.imopen(path, "w", plugin="pillow", extension=".gif") as file:
        options = {
            "palette": bytes(palette),
            "transparency": palette.transparent,
            "disposal": 1,
            "loop": 0,
            "duration": _durations(total, fps),
        }
        for frame in range(total):
            pixels = camera.shoot(frame)
            moved = np.flatnonzero(pixels != camera.background)
            indices = background.copy()
            indices.ravel()[moved] = palette.index(pixels.ravel()[moved])
            changed = np.where(indices == before, np.uint8(palette.transparent), indices)
            file.write(changed, is_batch=False, **options)
            before = indices
            on_frame(frame + 1, total)


def _durations(frames: int, fps: int) -> list[int] | int:
    """Give each frame's time in milliseconds; GIF counts hundredths, so they are spread evenly."""
    hundredths = np.diff(np.round(np.arange(frames + 1) * 100 / fps)).astype(int)
    hundredths[-1] = round(HOLD * 100)
    durations: list[int] = (hundredths * 10).tolist()
    return durations if frames > 1 else durations[0]


def _write_mp4(film: Scenes, path: Path, fps: int, on_frame: Callable[[int, int], None]) -> None:
    total = len(film.epochs)
    camera = Camera(film)
    with imageio.get_writer(path, format="FFMPEG", fps=fps, codec="libx264") as file:
        for frame in range(total):
            picture = _rgb(camera.shoot(frame))
            for _ in range(round(HOLD * fps) if frame == total - 1 else 1):
                file.append_data(picture)
            on_frame(frame + 1, total)


def _rgb(pixels: Pixels) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 4)[..., :3]
