"""The film: how the fit developed, frame by frame, as rst.gif or rst.mp4."""

import base64
import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import imageio.v2 as imageio

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.pictures.backdrop import rgb
from fitreel.pictures.camera import Camera, FilmCamera
from fitreel.pictures.gif import HOLD, write_gif
from fitreel.pictures.image_camera import ImageCamera
from fitreel.pictures.saved_file import SavedFile
from fitreel.reel.of_history import record
from fitreel.reel.reel import Reel
from fitreel.reel.thinning import thinned
from fitreel.settings import FilmFormat, FilmSettings, shows_keywords, with_keywords
from fitreel.training.history import History


class Film(SavedFile):
    """The file of a film: it serves as its path, and a notebook plays it."""

    def _repr_html_(self) -> str:
        content = self.path.read_bytes()
        numbers = base64.b64encode(content).decode()
        fitted, name = 'style="max-width: 100%"', html.escape(self.path.name)
        if content.startswith(b"GIF"):
            return f'<img src="data:image/gif;base64,{numbers}" alt="{name}" {fitted}>'
        video = f'<video src="data:video/mp4;base64,{numbers}" {fitted}'
        return f"{video} controls autoplay loop muted></video>"


@shows_keywords(FilmSettings)
def render(
    dataset: Dataset,
    history: History,
    path: Path | str,
    settings: FilmSettings = FilmSettings(),
    on_frame: Callable[[int], None] | None = None,
    **keywords: Any,
) -> Film:
    """Write the film of a training to ``path``; ``on_frame(done)`` is called after each frame.

    The suffix of ``path`` decides whether it is a gif or an mp4; without one it is a gif. Keywords
    replace single settings; defaults are those of FilmSettings. The film serves as its path, and a
    notebook plays it. Raises ValueError if it is another suffix, or the settings ask for another
    format, TypeError for an unknown name.
    """
    settings = with_keywords(FilmSettings, settings, keywords, "render")
    film = record(dataset, history, settings.max_frames)
    return _write(Camera(film), len(film.epochs), path, settings, on_frame)


@shows_keywords(FilmSettings)
def render_reel(
    reel: Reel,
    path: Path | str,
    settings: FilmSettings = FilmSettings(),
    on_frame: Callable[[int], None] | None = None,
    **keywords: Any,
) -> Film:
    """Write the film of a reel to ``path``, as ``render`` does; ValueError if it has no frame."""
    settings = with_keywords(FilmSettings, settings, keywords, "render_reel")
    film = reel.recording(settings.max_frames)
    return _write(Camera(film), len(film.epochs), path, settings, on_frame)


def render_images(
    files: Sequence[Path],
    path: Path | str,
    settings: FilmSettings = FilmSettings(),
    on_frame: Callable[[int], None] | None = None,
) -> Film:
    """Write the film of image files, a frame each; ValueError names one that cannot be read.

    More than ``max_frames`` are thinned evenly, ends kept.
    """
    shown_ones = [files[place] for place in thinned(len(files), settings.max_frames)]
    return _write(ImageCamera(shown_ones), len(shown_ones), path, settings, on_frame)


def _write(
    camera: FilmCamera,
    total: int,
    path: Path | str,
    settings: FilmSettings,
    on_frame: Callable[[int], None] | None,
) -> Film:
    write = write_gif if film_format(path, settings.format) == "gif" else _write_mp4
    write(camera, total, Path(path), settings.fps, on_frame)
    return Film(Path(path))


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


def _write_mp4(
    camera: FilmCamera,
    total: int,
    path: Path,
    fps: int,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    # imageio passes each frame to ffmpeg as it comes: none stays in memory.
    # Any even size will do; by default other sizes are scaled to a multiple of 16.
    even = 2  # pixels
    with imageio.get_writer(
        path, format="FFMPEG", fps=fps, codec="libx264", macro_block_size=even
    ) as file:
        for frame in range(total):
            picture = rgb(camera.shoot(frame))
            # A video has one rate for all frames: the last one is repeated to stay.
            for _ in range(round(HOLD * fps) if frame == total - 1 else 1):
                file.append_data(picture)  # type: ignore[attr-defined]
            if on_frame:
                on_frame(frame + 1)
