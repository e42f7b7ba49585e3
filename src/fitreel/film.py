"""The film: how the fit came about, frame by frame, as rst.gif or rst.mp4."""

from collections.abc import Callable
from pathlib import Path

import imageio.v2
import imageio.v3
import numpy as np

from fitreel.camera import Camera, rgb
from fitreel.dataset import Dataset
from fitreel.history import History
from fitreel.palette import Palette
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
    """Write each frame as what differs from the one before, in palette indices."""
    total = len(film.epochs)
    camera = Camera(film)
    palette = Palette(camera, total)
    background = palette.index(camera.background)
    before = np.full_like(background, palette.transparent)
    with imageio.v3.imopen(path, "w", plugin="pillow", extension=".gif") as file:
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
            file.write(changed, is_batch=False, **options)  # type: ignore[call-arg]
            before = indices
            on_frame(frame + 1)


def _durations(frames: int, fps: int) -> list[int] | int:
    """Give each frame's time in milliseconds; GIF counts hundredths, so they are spread evenly."""
    hundredths = np.diff(np.round(np.arange(frames + 1) * 100 / fps)).astype(int)
    hundredths[-1] = round(HOLD * 100)
    durations: list[int] = (hundredths * 10).tolist()
    return durations if frames > 1 else durations[0]


def _write_mp4(film: Scenes, path: Path, fps: int, on_frame: Callable[[int], None]) -> None:
    total = len(film.epochs)
    camera = Camera(film)
    with imageio.v2.get_writer(path, format="FFMPEG", fps=fps, codec="libx264") as file:
        for frame in range(total):
            picture = rgb(camera.shoot(frame))
            for _ in range(round(HOLD * fps) if frame == total - 1 else 1):
                file.append_data(picture)  # type: ignore[attr-defined]
            on_frame(frame + 1)
