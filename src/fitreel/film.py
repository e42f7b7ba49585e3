"""The film: how the fit came about, frame by frame, as rst.gif or rst.mp4."""

from collections.abc import Callable
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

from fitreel.camera import SIZE, Camera, rgb
from fitreel.dataset import Dataset
from fitreel.history import History
from fitreel.palette import Indices, Palette
from fitreel.scenes import Scenes, scenes
from fitreel.settings import FilmSettings

HOLD = 1.5  # seconds that the last frame stays


def render(
    dataset: Dataset,
    history: History,
    path: Path | str,
    settings: FilmSettings = FilmSettings(),
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Write the film of a training to ``path``; ``on_frame(done)`` is called after each frame."""
    film = scenes(dataset, history, settings.max_frames)
    write = _write_gif if settings.format == "gif" else _write_mp4
    write(film, Path(path), settings.fps, on_frame or (lambda done: None))  # noqa: ARG005


def _write_gif(film: Scenes, path: Path, fps: int, on_frame: Callable[[int], None]) -> None:
    """Write of each frame what differs from the one before, as it is drawn.

    Pillow's own writing of many frames, which imageio calls, holds them all to the end and
    remaps each one's palette: a third more time, and 600 kB a frame.
    """
    total = len(film.epochs)
    camera = Camera(film)
    palette = Palette(camera, total)
    seen = np.zeros_like(camera.background)  # the pixels of the frame before
    shown = np.full(seen.shape, palette.transparent)  # and their places in the palette
    with path.open("wb") as file:
        file.writelines(_gif_header(palette))
        for frame, duration in enumerate(_durations(total, fps)):
            pixels = camera.shoot(frame)
            changed = np.flatnonzero(pixels != seen)
            indices = palette.index(pixels.flat[changed])
            news = indices != shown.flat[changed]
            file.writelines(_gif_frame(changed[news], indices[news], palette, duration))
            shown.flat[changed] = indices
            np.copyto(seen, pixels)
            on_frame(frame + 1)
        file.write(b";")


def _gif_header(palette: Palette) -> list[bytes]:
    canvas = Image.new("P", SIZE)
    canvas.putpalette(bytes(palette))
    header, _ = GifImagePlugin.getheader(canvas, info={"loop": 0})
    return header


def _gif_frame(
    places: NDArray[np.intp], indices: Indices, palette: Palette, duration: int
) -> list[bytes]:
    """Encode the smallest box around the pixels at these places, all others transparent."""
    rows, columns = np.divmod(places if len(places) else np.zeros(1, np.intp), SIZE[0])
    left, top = columns.min(), rows.min()
    box = np.full((rows.max() - top + 1, columns.max() - left + 1), palette.transparent)
    if len(places):
        box[rows - top, columns - left] = indices
    return GifImagePlugin.getdata(
        Image.fromarray(box),
        (int(left), int(top)),
        duration=duration,
        transparency=int(palette.transparent),
        disposal=1,
    )


def _durations(frames: int, fps: int) -> list[int]:
    """Give each frame's time in milliseconds; GIF counts hundredths, so they are spread evenly."""
    hundredths = np.diff(np.round(np.arange(frames + 1) * 100 / fps)).astype(int)
    hundredths[-1] = round(HOLD * 100)
    durations: list[int] = (hundredths * 10).tolist()
    return durations


def _write_mp4(film: Scenes, path: Path, fps: int, on_frame: Callable[[int], None]) -> None:
    total = len(film.epochs)
    camera = Camera(film)
    with imageio.get_writer(path, format="FFMPEG", fps=fps, codec="libx264") as file:
        for frame in range(total):
            picture = rgb(camera.shoot(frame))
            for _ in range(round(HOLD * fps) if frame == total - 1 else 1):
                file.append_data(picture)  # type: ignore[attr-defined]
            on_frame(frame + 1)
