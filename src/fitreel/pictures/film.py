"""The film: how the fit developed, frame by frame, as rst.gif or rst.mp4."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import imageio.v2 as imageio
import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.pictures.camera import Camera, FilmCamera, rgb
from fitreel.pictures.palette import Indices, Palette
from fitreel.pictures.scenes import scenes
from fitreel.settings import FilmFormat, FilmSettings
from fitreel.training.history import History

HOLD = 1.5  # seconds that the last frame stays


def render(
    dataset: Dataset,
    history: History,
    path: Path | str,
    settings: FilmSettings = FilmSettings(),
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Write the film of a training to ``path``; ``on_frame(done)`` is called after each frame.

    The suffix of ``path`` decides whether it is a gif or an mp4; without one it is a gif.
    ValueError where it is another suffix, or the settings ask for another format.
    """
    write = write_gif if film_format(path, settings.format) == "gif" else _write_mp4
    film = scenes(dataset, history, settings.max_frames)
    write(Camera(film), len(film.epochs), Path(path), settings.fps, on_frame)


def film_format(
    path: Path | str,
    wanted: FilmFormat = FilmSettings.format,
    possible: Sequence[FilmFormat] = get_args(FilmFormat),
) -> FilmFormat:
    """Return the format of a film's file; ValueError names a suffix that is not possible."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if not suffix and wanted == FilmSettings.format:
        return wanted
    for each in possible:
        # Settings that say nothing of the format have the default, which any suffix overrules.
        if suffix == each and wanted in (each, FilmSettings.format):
            return each
    endings = " or ".join(f".{each}" for each in possible)
    if suffix in possible:
        endings = f".{wanted}, as its format is {wanted}"
    raise ValueError(f"the name of a film ends in {endings}; got {shown(Path(path).name)}")


def write_gif(
    camera: FilmCamera,
    total: int,
    path: Path,
    fps: int,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Write the changes of each of ``total`` frames from the one before, as it is drawn.

    Pillow's own writing of many frames, which imageio calls, holds them all to the end and
    remaps each one's palette: a third more time, and 600 kB a frame.
    """
    palette = Palette(camera, total)
    seen = np.zeros_like(camera.background)  # the pixels of the frame before
    shown = np.full(seen.shape, palette.transparent)  # and their places in the palette
    with path.open("wb") as file:
        file.writelines(_gif_header(palette, camera.size))
        for frame, duration in enumerate(_durations(total, fps)):
            pixels = camera.shoot(frame)
            changed = np.flatnonzero(pixels != seen)
            indices = palette.index(pixels.flat[changed])
            news = indices != shown.flat[changed]
            places, width = changed[news], camera.size[0]
            file.writelines(_gif_frame(places, indices[news], width, palette, duration))
            shown.flat[changed] = indices
            np.copyto(seen, pixels)
            if on_frame:
                on_frame(frame + 1)
        file.write(b";")


def _gif_header(palette: Palette, size: tuple[int, int]) -> list[bytes]:
    canvas = Image.new("P", size)
    canvas.putpalette(bytes(palette))
    header, _ = GifImagePlugin.getheader(canvas, info={"loop": 0})
    return header


def _gif_frame(
    places: NDArray[np.intp], indices: Indices, width: int, palette: Palette, duration: int
) -> list[bytes]:
    """Return the smallest box around these pixels, encoded, with all others transparent."""
    rows, columns = np.divmod(places if len(places) else np.zeros(1, np.intp), width)
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
    """Return each frame's time in milliseconds, spread evenly: GIF counts in hundredths of 1 s."""
    hundredths = np.diff(np.round(np.arange(frames + 1) * 100 / fps)).astype(int)
    hundredths[-1] = round(HOLD * 100)
    durations: list[int] = (hundredths * 10).tolist()
    return durations


def _write_mp4(
    camera: FilmCamera,
    total: int,
    path: Path,
    fps: int,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    with imageio.get_writer(path, format="FFMPEG", fps=fps, codec="libx264") as file:
        for frame in range(total):
            picture = rgb(camera.shoot(frame))
            for _ in range(round(HOLD * fps) if frame == total - 1 else 1):
                file.append_data(picture)  # type: ignore[attr-defined]
            if on_frame:
                on_frame(frame + 1)
