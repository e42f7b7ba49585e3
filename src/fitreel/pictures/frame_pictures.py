"""The pictures of single frames of a film."""

from collections.abc import Iterator

from PIL import Image

from fitreel.pictures.backdrop import rgb
from fitreel.pictures.camera import Camera
from fitreel.reel.recording import Recording


def draw_frames(film: Recording) -> Iterator[tuple[int, Image.Image]]:
    """Draw the frames of a film; yield the epoch and the picture of each."""
    camera = Camera(film)
    for frame, epoch in enumerate(film.epochs.tolist()):
        yield epoch, Image.fromarray(rgb(camera.shoot(frame)))
