"""The gif: frames that share a palette, written one by one as they are drawn."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

from fitreel.pictures.camera import FilmCamera
from fitreel.pictures.palette import Indices, Palette

HOLD = 1.5  # seconds that the last frame stays
OnFrame = Callable[[int], None]


def write_gif(
    camera: FilmCamera, total: int, path: Path, fps: int, on_frame: OnFrame | None = None
) -> None:
    """Write ``total`` frames; any camera will do, of one film or of several next to each other.

    ``on_frame(done)`` is called after each frame.
    """
    # Pillow documents these two as legacy: without them its own writer does the work.
    is_complete = hasattr(GifImagePlugin, "getheader") and hasattr(GifImagePlugin, "getdata")
    write = _write_changes if is_complete else _write_whole
    write(camera, Palette(camera, total), _durations(total, fps), path, on_frame or _ignore)


def _ignore(_: int) -> None:
    """Do nothing."""


def _write_whole(
    camera: FilmCamera, palette: Palette, durations: list[int], path: Path, on_frame: OnFrame
) -> None:
    """Write the frames with Pillow's own writer, which holds them all until the last."""

    def frames() -> Iterator[Image.Image]:
        for frame in range(len(durations)):
            image = Image.fromarray(palette.index(camera.shoot(frame)))
            image.putpalette(bytes(palette))
            yield image
            on_frame(frame + 1)

    first, *rest = frames()
    first.save(
        path, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False
    )


def _write_changes(
    camera: FilmCamera, palette: Palette, durations: list[int], path: Path, on_frame: OnFrame
) -> None:
    """Write the changes of each frame from the one before, as it is drawn.

    Pillow's own writing of many frames, which imageio calls, holds them all to the end and
    remaps each one's palette: for 200 frames 0.41 s instead of 0.32 s, and 600 kB a frame.
    """
    seen = np.zeros_like(camera.background)  # the pixels of the frame before
    shown = np.full(seen.shape, palette.transparent)  # and their places in the palette
    with path.open("wb") as file:
        file.writelines(_gif_header(palette, camera.size))
        for frame, duration in enumerate(durations):
            pixels = camera.shoot(frame)
            # Only these are looked up in the palette: most pixels of a film never change.
            changed = np.flatnonzero(pixels != seen)
            indices = palette.index(pixels.flat[changed])
            # A changed pixel may still have the same nearest colour.
            news = indices != shown.flat[changed]
            places, width = changed[news], camera.size[0]
            file.writelines(_gif_frame(places, indices[news], width, palette, duration))
            shown.flat[changed] = indices
            np.copyto(seen, pixels)
            on_frame(frame + 1)
        file.write(b";")  # the end of a GIF


def _gif_header(palette: Palette, size: tuple[int, int]) -> list[bytes]:
    canvas = Image.new("P", size)
    canvas.putpalette(bytes(palette))
    header, _ = GifImagePlugin.getheader(canvas, info={"loop": 0})
    return header


def _gif_frame(
    places: NDArray[np.intp], indices: Indices, width: int, palette: Palette, duration: int
) -> list[bytes]:
    """Return the smallest box around these pixels, encoded, with all others transparent."""
    # A frame has at least one pixel, also where nothing changed: it carries the duration.
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
        disposal=1,  # the frame stays, and the next one is drawn over it
    )


def _durations(frames: int, fps: int) -> list[int]:
    """Return each frame's time in milliseconds, spread evenly: GIF counts in hundredths of 1 s."""
    # Differences of rounded times: rounding each frame alone would add up to another length.
    hundredths = np.diff(np.round(np.arange(frames + 1) * 100 / fps)).astype(int)
    hundredths[-1] = round(HOLD * 100)
    durations: list[int] = (hundredths * 10).tolist()
    return durations
